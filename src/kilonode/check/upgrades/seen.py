"""What a checker of upgrades looks at: the stretch of time, the workloads that were on, who served. Arrays only."""

from collections.abc import Sequence
from dataclasses import dataclass

from kilonode.check.facts import WorkloadFacts
from kilonode.check.operations import Operations


@dataclass(frozen=True, slots=True)
class Stretch:
    """When an upgrade was, in seconds since the run's zero."""

    start_s: float
    finish_s: float
    observed_s: float
    """Until the next disruption, or the end of the load."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One workload around an upgrade."""

    facts: WorkloadFacts
    baseline: Operations
    """Its iterations that nothing had disrupted: before the upgrade, or of a run without one."""
    iterations: Operations
    """All of the run."""


@dataclass(frozen=True, slots=True)
class Served:
    """From when to when a process of one version was seen to serve."""

    what: str
    """Which process: `api-1`."""
    new: bool
    start_s: float
    finish_s: float


def length_s(spans: Sequence[tuple[float, float]]) -> float:
    """How much time lies in at least one of these spans."""
    return sum(finish - start for start, finish in merged(spans))


def merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same time as spans that do not touch, in order."""
    found: list[tuple[float, float]] = []
    for start, finish in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], finish))
        else:
            found.append((start, finish))
    return found


def shared(some: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The time that lies in both."""
    found = []
    for first_start, first_finish in merged(some):
        for second_start, second_finish in merged(others):
            start, finish = max(first_start, second_start), min(first_finish, second_finish)
            if start < finish:
                found.append((start, finish))
    return merged(found)


def role_of(what: str) -> str:
    """Who stands in for whom: `api-1` and `api-2` are one role."""
    role, dash, number = what.rpartition("-")
    return role if dash and number.isdecimal() else what
