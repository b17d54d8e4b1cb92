"""What a run looks like while it goes on: reports of the workers added up over the last seconds.

A report has counts and histograms, not single operations: its durations are at most `RESOLUTION` too large. Numbers
made here are for eyes and for abort criteria; the verdict comes from the raw history. All instants are seconds since
the run's zero. Memory is bounded by the window: older reports are forgotten.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from kilonode.base.outcomes import FAILURES, Outcome
from kilonode.check.statistics import interval_ranks, rank_of, samples_needed

RESOLUTION: Final = 0.01
"""A histogram's durations are at most this share too large."""
MOST_REPORTS: Final = 100_000

Histogram = Mapping[float, int]
"""How many durations lay in a bucket, by the upper end of the bucket in seconds."""


class LiveStep(msgspec.Struct, frozen=True, kw_only=True):
    """What ended of one step since the worker's last report; `step` is empty for whole iterations."""

    workload: str
    step: str
    outcomes: dict[str, int]
    latency: dict[float, int]
    """From due to finished, of what went well."""
    service: dict[float, int]
    """From started to finished, of what went well."""
    failed_latency: dict[float, int]
    """From due to finished, of what failed."""
    last_error: str = ""


class LiveWorkload(msgspec.Struct, frozen=True, kw_only=True):
    """How one workload stands in one worker."""

    workload: str
    active: int
    """Iterations that run now."""
    due: int
    """Iterations that were due so far; of a closed model, those started."""
    dropped: int
    """Of these, those that could not be started."""


class LiveReport(msgspec.Struct, frozen=True, kw_only=True):
    """One report of one worker, about the time since its last one."""

    worker: int
    at_s: float
    steps: tuple[LiveStep, ...]
    workloads: tuple[LiveWorkload, ...]
    health: dict[str, float] = {}


class LiveNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """One workload, or one step, over the last seconds."""

    over_s: float
    """How many seconds the numbers are about."""
    succeeded: int
    failed: int
    succeeded_per_s: float
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None
    last_error: str


class Ranked:
    """Durations in ascending order from a histogram, with lower limits for what timed out."""

    def __init__(self, exact: Histogram, timed_out: Histogram) -> None:
        self._counts = sorted([*((end_s, count, True) for end_s, count in exact.items()),
                               *((end_s, count, False) for end_s, count in timed_out.items())],
                              key=lambda item: (item[0], not item[2]))  # fmt: skip
        self.count = sum(count for _, count, _ in self._counts)

    def at_rank(self, rank: int) -> float:
        """The duration with this rank, from one."""
        for end_s, count, _ in self._counts:
            rank -= count
            if rank <= 0:
                return end_s
        return math.inf

    def percentile_s(self, percent: float) -> float | None:
        """The percentile, or None with too few samples."""
        return self.at_rank(rank_of(self.count, percent)) if self.count >= samples_needed(percent) else None

    def bounds_s(self, percent: float) -> tuple[float, float]:
        """The 95 % interval of a percentile; an end that is not known is zero or infinite."""
        low, high = interval_ranks(self.count, percent) if self.count else (None, None)
        return (0.0 if low is None else self.at_rank(low)), (math.inf if high is None else self.at_rank(high))

    def mean_s(self) -> float | None:
        """The mean, at most `RESOLUTION` too large."""
        return sum(end_s * count for end_s, count, _ in self._counts) / self.count if self.count else None


class _Kept(NamedTuple):
    """A report, and when the time that it is about began: with the worker's report before."""

    from_s: float
    report: LiveReport


class Window:
    """The reports of about the last `length_s` seconds of all workers."""

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self._kept: deque[_Kept] = deque(maxlen=MOST_REPORTS)
        self._latest_s: dict[int, float] = {}

    def add(self, report: LiveReport) -> None:
        """Take a report, and forget those that are too old now."""
        self._kept.append(_Kept(self._latest_s.get(report.worker, 0.0), report))
        self._latest_s[report.worker] = report.at_s
        oldest_s = self.now_s - self.length_s
        while self._kept and self._kept[0].report.at_s <= oldest_s:
            self._kept.popleft()

    @property
    def now_s(self) -> float:
        """Until when all workers have reported."""
        return min(self._latest_s.values(), default=0.0)

    def covered_s(self, since_s: float = -math.inf) -> float:
        """How much time the reports are about, from `since_s` on: the mean over the workers."""
        first_s: dict[int, float] = {}
        last_s: dict[int, float] = {}
        for kept in self._within(since_s):
            first_s.setdefault(kept.report.worker, kept.from_s)
            last_s[kept.report.worker] = kept.report.at_s
        return sum(last_s[worker] - first_s[worker] for worker in last_s) / len(last_s) if last_s else 0.0

    def steps(self, workload: str, step: str, since_s: float = -math.inf) -> list[LiveStep]:
        """What the window has of one step, from `since_s` on; an empty workload stands for all of them."""
        return [
            one
            for kept in self._within(since_s)
            for one in kept.report.steps
            if one.step == step and workload in ("", one.workload)
        ]

    def numbers(self, workload: str, step: str = "") -> LiveNumbers:
        """One workload or step over the window."""
        steps = self.steps(workload, step)
        outcomes = count_outcomes(steps)
        ranked = Ranked(merged(one.latency for one in steps), timed_out(steps))
        over_s = self.covered_s()
        succeeded = outcomes.get(Outcome.OK, 0)
        return LiveNumbers(
            over_s=over_s,
            succeeded=succeeded,
            failed=failures_among(outcomes),
            succeeded_per_s=succeeded / over_s if over_s > 0 else 0.0,
            p50_s=ranked.percentile_s(50.0),
            p95_s=ranked.percentile_s(95.0),
            p99_s=ranked.percentile_s(99.0),
            max_s=ranked.at_rank(ranked.count) if ranked.count else None,
            last_error=next((one.last_error for one in reversed(steps) if one.last_error), ""),
        )

    def _within(self, since_s: float) -> list[_Kept]:
        """The reports about time from `since_s` to now; one that began before is left out whole."""
        oldest_s, until_s = self.now_s - self.length_s, self.now_s
        return [kept for kept in self._kept if kept.from_s >= since_s and oldest_s < kept.report.at_s <= until_s]


class Totals:
    """What all workers together did since the start."""

    def __init__(self) -> None:
        self._outcomes: dict[str, dict[str, int]] = {}
        self._states: dict[tuple[str, int], LiveWorkload] = {}

    def add(self, report: LiveReport) -> None:
        """Take a report."""
        for one in report.steps:
            if not one.step:
                totals = self._outcomes.setdefault(one.workload, {})
                for outcome, count in one.outcomes.items():
                    totals[outcome] = totals.get(outcome, 0) + count
        for state in report.workloads:
            self._states[state.workload, report.worker] = state

    def outcomes(self, workload: str) -> dict[str, int]:
        """How many iterations ended how."""
        return self._outcomes.get(workload, {})

    def state(self, workload: str) -> LiveWorkload:
        """The workload over all workers."""
        found = [state for (name, _), state in self._states.items() if workload in ("", name)]
        return LiveWorkload(
            workload=workload,
            active=sum(state.active for state in found),
            due=sum(state.due for state in found),
            dropped=sum(state.dropped for state in found),
        )


def merged(histograms: Iterable[Histogram]) -> dict[float, int]:
    """The sum of some histograms."""
    total: dict[float, int] = {}
    for histogram in histograms:
        for end_s, count in histogram.items():
            total[end_s] = total.get(end_s, 0) + count
    return total


def timed_out(steps: Iterable[LiveStep]) -> dict[float, int]:
    """Of the failures in each report as many of the longest as timed out: lower limits of what those would take."""
    total: dict[float, int] = {}
    for one in steps:
        wanted = one.outcomes.get(Outcome.TIMEOUT, 0)
        for end_s in sorted(one.failed_latency, reverse=True):
            if wanted <= 0:
                break
            taken = min(wanted, one.failed_latency[end_s])
            total[end_s] = total.get(end_s, 0) + taken
            wanted -= taken
    return total


def count_outcomes(steps: Iterable[LiveStep]) -> dict[str, int]:
    """How many ended how, over some steps."""
    total: dict[str, int] = {}
    for one in steps:
        for outcome, count in one.outcomes.items():
            total[outcome] = total.get(outcome, 0) + count
    return total


def failures_among(outcomes: Mapping[str, int]) -> int:
    """How many of these failed."""
    return sum(count for outcome, count in outcomes.items() if outcome in FAILURES)
