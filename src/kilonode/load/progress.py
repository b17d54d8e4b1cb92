"""What a worker reports once a second while it runs, for the live view and for abort criteria.

A report is about the time since the one before. It is counted from the blocks of Ops as the journal encodes them, by
arrays, so that recording an Op costs nothing more. Latencies travel as histograms with logarithmic buckets at most 1 %
wide, so reports of several workers and seconds can be added; exact numbers come from the history after the run.
"""

import math
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

import msgspec
import numpy as np

from kilonode.base.outcomes import Outcome
from kilonode.history.blocks import Int64s, OpBlock
from kilonode.history.records import OpKind

BUCKET_RATIO: Final = 1.01
"""How much wider each bucket's end is than its beginning: the most by which a value read from a histogram is wrong."""

_LOG_RATIO: Final = math.log(BUCKET_RATIO)
_NOT_TIMED: Final = frozenset({Outcome.DROPPED.value, Outcome.CANCELLED.value})


class Histogram(msgspec.Struct):
    """How often a duration fell into each bucket. Bucket b holds durations above 1.01**(b-1) and up to 1.01**b ns."""

    counts: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many durations are in it."""
        return sum(self.counts.values())

    def add(self, durations_ns: Int64s) -> None:
        """Count some durations; those below one nanosecond go into bucket zero."""
        buckets = np.ceil(np.log(np.maximum(durations_ns, 1)) / _LOG_RATIO).astype(np.int64)
        counts = np.bincount(buckets)
        numbers = counts.nonzero()[0]
        for number, count in zip(numbers.tolist(), counts[numbers].tolist(), strict=True):
            self.counts[number] = self.counts.get(number, 0) + count

    def merge(self, other: "Histogram") -> None:
        """Add what another one counted."""
        for number, count in other.counts.items():
            self.counts[number] = self.counts.get(number, 0) + count

    def percentile_s(self, percent: float) -> float:
        """The duration that `percent` percent do not exceed, at most 1 % too large; NaN when empty."""
        rank = math.ceil(self.count * percent / 100)
        seen = 0
        for number in sorted(self.counts):
            seen += self.counts[number]
            if seen >= rank:
                return float(math.exp(number * _LOG_RATIO)) / 1e9
        return math.nan


class StepProgress(msgspec.Struct):
    """What became known of one step of a workload, or of its iterations (`step` empty)."""

    workload: str
    step: str
    outcomes: dict[str, int] = {}
    """How many ended in which way; dropped and cancelled ones too."""
    latency: Histogram = msgspec.field(default_factory=Histogram)
    """From due to finished, of those that ended well."""
    service_time: Histogram = msgspec.field(default_factory=Histogram)
    """From started to finished, of those that ended well."""
    failed_latency: Histogram = msgspec.field(default_factory=Histogram)
    """From due to finished, of those that failed."""
    last_error: str = ""
    """The message of one of the failures."""

    def merge(self, other: "StepProgress") -> None:
        """Add what another worker, or another second, reported of the same step."""
        for outcome, count in other.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count
        self.latency.merge(other.latency)
        self.service_time.merge(other.service_time)
        self.failed_latency.merge(other.failed_latency)
        self.last_error = other.last_error or self.last_error


class WorkloadProgress(msgspec.Struct, frozen=True):
    """How one workload stands in one worker, at the instant of the report."""

    workload: str
    active_vus: int
    """Iterations that run now."""
    due: int
    """Iterations due so far by the schedule; of a closed workload, those started."""
    dropped: int
    """Of these, those that could not be started, so far."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One report of one worker, or a glance at it."""

    worker: int
    at_s: float
    """When, in seconds since the run's zero."""
    steps: tuple[StepProgress, ...]
    """What ended since the last report."""
    workloads: tuple[WorkloadProgress, ...]
    health: dict[str, float] = {}
    """The generator's own health over the last interval, by the names of its metrics (`kilonode.load.health`)."""
    last: bool = False
    """The worker has come to its end; no report follows."""
    glance: bool = False
    """It came between two reports, for who waits for something to happen: without health, and not shown by itself."""


class Lateness(NamedTuple):
    """How late iterations started, over one interval; zeros when none did."""

    p99_s: float = 0.0
    max_s: float = 0.0


class ProgressCounter:
    """Counts blocks of Ops into the next report."""

    def __init__(self, open_workloads: Collection[str] = ()) -> None:
        """`open_workloads` are those whose lateness counts: in a closed loop nothing can be late."""
        self._open_workloads = frozenset(open_workloads)
        self._steps: dict[tuple[str, str], StepProgress] = {}
        self._late_ns: list[Int64s] = []

    def add(self, block: OpBlock) -> None:
        """Count the Ops of one block. A callback of `JournalWriter`."""
        latency_ns = block.finished_ns - block.due_ns
        service_ns = block.finished_ns - block.started_ns
        # One number for each combination of workload, step and outcome that occurs in the block.
        step_count, outcome_count = len(block.step.names), len(block.outcome.names)
        key = (block.workload.codes.astype(np.int64) * step_count + block.step.codes) * outcome_count
        key += block.outcome.codes
        for combination in np.bincount(key).nonzero()[0].tolist():
            chosen = key == combination
            rest, outcome_code = divmod(combination, outcome_count)
            workload_code, step_code = divmod(rest, step_count)
            step = self._step(block.workload.names[workload_code], block.step.names[step_code])
            outcome = block.outcome.names[outcome_code]
            step.outcomes[outcome] = step.outcomes.get(outcome, 0) + int(chosen.sum())
            if outcome in _NOT_TIMED:
                continue
            latencies_ns = latency_ns[chosen]
            if outcome == Outcome.OK:
                step.latency.add(latencies_ns)
                step.service_time.add(service_ns[chosen])
            else:
                step.failed_latency.add(latencies_ns)
                step.last_error = block.error.names[int(block.error.codes[chosen][-1])]
        self._count_lateness(block)

    def take_steps(self) -> tuple[StepProgress, ...]:
        """What was counted since the last call, in the order of names."""
        steps = tuple(self._steps[key] for key in sorted(self._steps))
        self._steps = {}
        return steps

    def take_lateness(self) -> Lateness:
        """How late iterations started that ended since the last call."""
        if not self._late_ns:
            return Lateness()
        late_ns = np.concatenate(self._late_ns)
        self._late_ns = []
        rank = max(0, math.ceil(len(late_ns) * 0.99) - 1)
        return Lateness(int(np.partition(late_ns, rank)[rank]) / 1e9, int(late_ns.max()) / 1e9)

    def _count_lateness(self, block: OpBlock) -> None:
        is_open = np.array([name in self._open_workloads for name in block.workload.names])
        is_iteration = np.array([name == OpKind.ITERATION for name in block.kind.names])
        counted = is_open[block.workload.codes] & is_iteration[block.kind.codes]
        if Outcome.DROPPED in block.outcome.names:
            counted &= block.outcome.codes != block.outcome.names.index(Outcome.DROPPED)
        if counted.any():
            self._late_ns.append((block.started_ns - block.due_ns)[counted])

    def _step(self, workload: str, step: str) -> StepProgress:
        key = (workload, step)
        if key not in self._steps:
            self._steps[key] = StepProgress(workload, step)
        return self._steps[key]


def merge_steps(reports: Iterable[Progress]) -> dict[tuple[str, str], StepProgress]:
    """What several reports say together, by workload and step."""
    merged: dict[tuple[str, str], StepProgress] = {}
    for report in reports:
        for step in report.steps:
            key = (step.workload, step.step)
            if key not in merged:
                merged[key] = StepProgress(step.workload, step.step)
            merged[key].merge(step)
    return merged
