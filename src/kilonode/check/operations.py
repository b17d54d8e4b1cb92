"""The Ops of a history, found by what they belong to, and the arrays that checkers work on.

Instants leave here as float seconds since the run's zero. Nothing is copied until it is asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kilonode.base.outcomes import FAILURES, Outcome
from kilonode.check.statistics import Booleans, Floats, Sorted
from kilonode.history.columns import Columns
from kilonode.history.records import OpKind

Indices = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

CENSORED: frozenset[str] = frozenset({Outcome.CANCELLED, Outcome.TIMEOUT})
"""Outcomes after which an operation is known to take at least as long as it did."""


@dataclass(frozen=True, slots=True)
class Key:
    """What an Op belongs to."""

    kind: str
    workload: str
    step: str = ""


class Operations:
    """Some Ops of one history, ordered by when they were due."""

    def __init__(self, columns: Columns, indices: Indices) -> None:
        self._columns = columns
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    @cached_property
    def outcome(self) -> Codes:
        """Codes of outcomes; `outcome_names` of the columns names them."""
        return self._columns.outcome[self._indices]

    @property
    def due_s(self) -> Floats:
        """When each was due."""
        return self._columns.due_ns[self._indices] / 1e9

    @property
    def started_s(self) -> Floats:
        """When each started."""
        return self._columns.started_ns[self._indices] / 1e9

    @property
    def finished_s(self) -> Floats:
        """When each finished."""
        return self._columns.finished_ns[self._indices] / 1e9

    @property
    def latency_s(self) -> Floats:
        """From due to finished."""
        return (self._columns.finished_ns[self._indices] - self._columns.due_ns[self._indices]) / 1e9

    @property
    def service_s(self) -> Floats:
        """From started to finished."""
        return (self._columns.finished_ns[self._indices] - self._columns.started_ns[self._indices]) / 1e9

    @property
    def lateness_s(self) -> Floats:
        """From due to started."""
        return (self._columns.started_ns[self._indices] - self._columns.due_ns[self._indices]) / 1e9

    @property
    def resolution_s(self) -> Floats:
        """Of polling; zero where nothing was polled for."""
        return self._columns.resolution_ns[self._indices] / 1e9

    @property
    def iteration(self) -> Indices:
        """Numbers of iterations."""
        return self._columns.iteration[self._indices]

    @property
    def error(self) -> Codes:
        """Codes of messages."""
        return self._columns.error[self._indices]

    @property
    def error_names(self) -> tuple[str, ...]:
        """The messages that the codes mean."""
        return self._columns.error_names

    @property
    def outcome_names(self) -> tuple[str, ...]:
        """The outcomes that the codes mean."""
        return self._columns.outcome_names

    def ended(self, outcomes: Iterable[str]) -> Booleans:
        """Which of them ended with one of these outcomes."""
        wanted = frozenset(outcomes)
        return np.array([name in wanted for name in self.outcome_names], dtype=np.bool_)[self.outcome]

    def where(self, chosen: Booleans) -> "Operations":
        """Those that are marked."""
        return Operations(self._columns, self._indices[chosen])

    def with_outcome(self, *outcomes: str) -> "Operations":
        """Those that ended so."""
        return self.where(self.ended(outcomes))

    def counts(self) -> dict[str, int]:
        """How many ended how, in the order of `Outcome`; only what occurred."""
        counted = np.bincount(self.outcome, minlength=len(self.outcome_names))
        found = {name: int(count) for name, count in zip(self.outcome_names, counted, strict=True) if count}
        order = {str(outcome): place for place, outcome in enumerate(Outcome)}
        return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))

    def timed(self) -> "Operations":
        """Those that are samples of a latency: that went well, were cut off or timed out."""
        return self.with_outcome(Outcome.OK, *CENSORED)

    def sorted_latency(self) -> Sorted:
        """The latencies of `timed`."""
        timed = self.timed()
        return Sorted(timed.latency_s, timed.ended(CENSORED))

    def sorted_service(self) -> Sorted:
        """The service times of `timed`."""
        timed = self.timed()
        return Sorted(timed.service_s, timed.ended(CENSORED))


def finished_and_failed(counts: dict[str, int]) -> tuple[int, int]:
    """How many came to an end of their own, and how many of those failed."""
    failed = sum(count for outcome, count in counts.items() if outcome in FAILURES)
    return counts.get(Outcome.OK, 0) + failed, failed


class OperationTable:
    """All Ops of a history by what they belong to."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        steps, workloads = len(columns.step_names), len(columns.workload_names)
        key = (columns.kind.astype(np.int64) * workloads + columns.workload) * steps + columns.step
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        borders = np.flatnonzero(np.diff(ordered, prepend=-1, append=-1)) if len(key) else np.zeros(1, dtype=np.int64)
        self._groups: dict[Key, Indices] = {}
        for start, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            rest, step = divmod(int(ordered[start]), steps)
            kind, workload = divmod(rest, workloads)
            place = Key(columns.kind_names[kind], columns.workload_names[workload], columns.step_names[step])
            self._groups[place] = order[start:end]

    def of(self, kind: str, workload: str, step: str = "") -> Operations:
        """The Ops of one step, or of whole iterations; possibly none."""
        return Operations(self._columns, self._groups.get(Key(kind, workload, step), np.empty(0, dtype=np.int64)))

    def steps_of(self, workload: str) -> list[str]:
        """The paths of the steps that were recorded for a workload, by name."""
        return sorted(key.step for key in self._groups if key.kind == OpKind.STEP and key.workload == workload)

    def of_kind(self, kind: str) -> Operations:
        """All Ops of a kind, whatever they belong to, ordered by when they were due."""
        found = [indices for key, indices in self._groups.items() if key.kind == kind]
        return Operations(self._columns, np.sort(np.concatenate(found)) if found else np.empty(0, dtype=np.int64))

    def keys_of_kind(self, kind: str) -> list[Key]:
        """What there is of a kind, by workload and step."""
        return sorted((key for key in self._groups if key.kind == kind), key=lambda key: (key.workload, key.step))
