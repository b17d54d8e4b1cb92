"""What a checker knows about a run beside its history: the load that was asked for, and what went wrong around it.

The conductor makes these records from the experiment and its pacers; checkers may not know load models. They can be
made again from a run's folder, so that a history can be judged anew. All instants are seconds since the run's zero.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from kilonode.check.criteria import CriterionRule


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A corner of a line drawn over time; two points at one instant are a jump."""

    at_s: float
    value: float


class WorkloadFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one workload was asked to do."""

    name: str
    scenario: str
    load: str
    """The load model for people: `constant-arrival-rate 200/s for 60s`."""
    open_model: bool
    """Iterations are due by a schedule, whatever the cloud does. False: virtual users iterate one after the other."""
    start_s: float
    end_s: float
    """When nothing new starts any more, by plan; for a closed model with a number of iterations: at the latest."""
    ends_when_done: bool = False
    """The load ends when all iterations are done, which may be before `end_s`."""
    asked_per_s: tuple[Point, ...] = ()
    """The rate asked for, linear between points, zero outside them; empty for a closed model."""
    asked_vus: tuple[Point, ...] = ()
    """The virtual users asked for, likewise; empty for an open model."""
    max_vus: int = 0
    """Open models: how many iterations may run at once; zero: no limit."""
    objective_s: float | None = None
    """What takes longer is slow; None: found from what was measured before the first disruption."""
    endpoint: str = ""
    """Of a probe: what it asks; empty: the workload is none."""
    connections: str = ""
    """Of a probe: `new` or `reused`."""
    repeats: str = ""
    """The workload that this is a repeat of; empty: of none."""
    idle_step: str = ""
    """Of a workload that another tool ran: the step that is the tool's own sleep, which its durations leave out."""


class Abortion(msgspec.Struct, frozen=True):
    """Why and when the load was ended early."""

    at_s: float
    reason: str
    """For people, with the value that was measured."""
    criterion: str = ""
    """The criterion that asked for it, as its text; empty: the user or something else did."""


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole run was asked to do."""

    workloads: tuple[WorkloadFacts, ...]
    rules: tuple[CriterionRule, ...] = ()
    workers: int = 1
    dead_workers: tuple[str, ...] = ()
    """What happened to worker processes that did not come to their end, for people: `worker 1 died (signal 9)`."""
    unmeasured: tuple[str, ...] = ()
    """What of the services' costs could not be measured, for people."""
    abortion: Abortion | None = None
    simulated: bool = False
    """The run was on virtual time: the generator's health means nothing."""


def asked_between(points: Sequence[Point], edges_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The integral of the line between each two edges: how many iterations were asked for in each bucket of time."""
    if len(points) < 2:
        return np.zeros(max(0, len(edges_s) - 1))
    at_s = np.array([point.at_s for point in points], dtype=np.float64)
    value = np.array([point.value for point in points], dtype=np.float64)
    width = np.diff(at_s)
    area = np.concatenate(([0.0], np.cumsum(width * (value[1:] + value[:-1]) / 2)))
    clipped = np.clip(edges_s, at_s[0], at_s[-1])
    piece = np.clip(np.searchsorted(at_s, clipped, side="right") - 1, 0, len(width) - 1)
    into = clipped - at_s[piece]
    slope = np.divide(np.diff(value), width, out=np.zeros_like(width), where=width > 0)
    return np.diff(area[piece] + into * (value[piece] + slope[piece] * into / 2))


def line_at(points: Sequence[Point], at_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The line's value at each instant; zero outside it, and behind a jump what it jumps to."""
    if not points:
        return np.zeros(len(at_s))
    corner_s = np.array([point.at_s for point in points], dtype=np.float64)
    value = np.array([point.value for point in points], dtype=np.float64)
    right = np.searchsorted(corner_s, at_s, side="right")
    left = np.clip(right - 1, 0, len(points) - 1)
    right = np.clip(right, 0, len(points) - 1)
    width = corner_s[right] - corner_s[left]
    share = np.divide(at_s - corner_s[left], width, out=np.zeros(len(at_s)), where=width > 0)
    inside = (at_s >= corner_s[0]) & (at_s <= corner_s[-1])
    return np.where(inside, value[left] + share * (value[right] - value[left]), 0.0)
