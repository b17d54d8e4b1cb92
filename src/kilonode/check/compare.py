"""Runs side by side: what changed in each step against the first of them, and whether it is within a bound. Pure.

Nothing here rests on a mean: a step is compared by its median and its 95th percentile, each with its samples and its
interval by order statistics, and by the share of its failures. A ratio is within the bound when what was measured is,
outside when its whole interval is, and *unknown* in between, with too few samples, or with an interval wider than the
whole bound. A difference below the polling resolution of a step is none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from kilonode.check.compared_services import compare_services
from kilonode.check.comparison import (
    Comparison,
    Direction,
    ErrorChange,
    PercentileChange,
    RunSummary,
    StepChange,
    StepComparison,
    StepSide,
    WorkloadComparison,
)
from kilonode.check.differences import list_differences
from kilonode.check.judgement import worst
from kilonode.check.operations import OperationTable
from kilonode.check.ratios import difference_interval, direction_of, ratio_of
from kilonode.check.results import Interval, Percentile, Results, StepResults, Verdict, WorkloadResults
from kilonode.check.statistics import Floats
from kilonode.history.columns import History
from kilonode.history.records import OpKind

MOST_DRAWN: Final = 200
"""Points of a drawn distribution function."""
OFTEN_ENOUGH: Final = 0.5
"""A phase that polling saw in fewer than this share of the steps around it is not judged: it was seen by chance, and
rather where it was long."""
UNDOING: Final = "cleanup"
"""The step in which the engine undoes an iteration that failed."""


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run as it goes into a comparison."""

    name: str
    """The run folder's name."""
    experiment_name: str
    results: Results
    history: History
    experiment: Mapping[str, Any] = field(default_factory=dict)
    """The resolved experiment as plain values."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """What `environment.json` says."""


def compare(runs: Sequence[ComparedRun], within: float | None = None) -> Comparison:
    """All runs against the first; `within` is the bound on the ratio of every percentile: 0.15 is 15 %."""
    tables = [OperationTable(run.history.columns) for run in runs]
    names = dict.fromkeys(workload.facts.name for run in runs for workload in run.results.workloads)
    workloads = tuple(_compare_workload(name, runs, tables, within) for name in names)
    changes = [
        (workload.name, step.step, change)
        for workload in workloads
        for step in workload.steps
        for both in step.changes
        if both is not None
        for change in both.percentiles
    ]
    known = [change for _, _, change in changes if change.direction != Direction.UNKNOWN]
    verdict, reasons = _judge(workloads, within)
    return Comparison(
        runs=tuple(
            RunSummary(
                label=label_of(place),
                name=run.name,
                experiment=run.experiment_name,
                verdict=run.results.verdict,
                simulated=run.results.simulated,
            )
            for place, run in enumerate(runs)
        ),
        within=within,
        verdict=verdict,
        reasons=reasons,
        compared=len(known),
        changed=sum(change.direction != Direction.SAME for change in known),
        workloads=workloads,
        services=compare_services([run.results for run in runs]),
        differences=(
            *list_differences("experiment", [run.experiment for run in runs]),
            *list_differences("environment", [run.environment for run in runs]),
        ),
    )


def label_of(place: int) -> str:
    """What a run is called: A is the baseline."""
    return chr(ord("A") + place)


def _compare_workload(
    name: str, runs: Sequence[ComparedRun], tables: Sequence[OperationTable], within: float | None
) -> WorkloadComparison:
    found = [_workload_of(run.results, name) for run in runs]
    steps = [{step.step: step for step in workload.steps} if workload is not None else {} for workload in found]
    paths = dict.fromkeys(path for one in steps for path in one)
    return WorkloadComparison(
        name=name,
        load=tuple("" if workload is None else workload.facts.load for workload in found),
        steps=tuple(_compare_step(name, path, steps, tables, within) for path in paths),
    )


def _compare_step(
    workload: str,
    path: str,
    steps: Sequence[Mapping[str, StepResults]],
    tables: Sequence[OperationTable],
    within: float | None,
) -> StepComparison:
    results = [one.get(path) for one in steps]
    sides = [
        None if step is None else _side(step, _latencies(table, workload, path))
        for step, table in zip(results, tables, strict=True)
    ]
    seldom, undoing = _seldom_seen(path, steps), path.split(".")[0] == UNDOING
    baseline = sides[0]
    note = ""
    if seldom:
        note = "not judged: polling saw it by chance, in fewer than half of the steps around it"
    elif undoing:
        note = "not judged: it undoes iterations that failed"
    elif any(side is None for side in sides):
        missing = ", ".join(label_of(place) for place, side in enumerate(sides) if side is None)
        note = f"not in {missing}"
    bound = None if seldom or undoing else within
    return StepComparison(
        step=path,
        sides=tuple(sides),
        changes=tuple(
            None if baseline is None or side is None else _change(baseline, side, bound) for side in sides[1:]
        ),
        judged=bound is not None,
        note=note,
    )


def _side(step: StepResults, values_s: Floats) -> StepSide:
    latency = step.latency
    found = {percentile.percent: percentile for percentile in latency.percentiles}
    return StepSide(
        samples=latency.samples,
        censored=latency.censored,
        median=found[50.0],
        p95=found[95.0],
        throughput_per_s=step.throughput_per_s,
        finished=step.finished,
        failed=step.failed,
        error_rate=step.error_rate,
        error_rate_interval=step.error_rate_interval,
        resolution=step.resolution,
        cumulative=_cumulative(values_s),
    )


def _change(baseline: StepSide, side: StepSide, within: float | None) -> StepChange:
    throughput_ratio = None
    if baseline.throughput_per_s and side.throughput_per_s is not None:
        throughput_ratio = side.throughput_per_s / baseline.throughput_per_s
    resolution_s = baseline.resolution.median_s if baseline.resolution is not None else 0.0
    return StepChange(
        percentiles=(
            _percentile_change(baseline.median, side.median, within, resolution_s),
            _percentile_change(baseline.p95, side.p95, within, resolution_s),
        ),
        throughput_ratio=throughput_ratio,
        errors=_error_change(baseline, side),
    )


def _percentile_change(
    baseline: Percentile, other: Percentile, within: float | None, resolution_s: float
) -> PercentileChange:
    ratio, interval, direction = ratio_of(baseline, other)
    if ratio is None or baseline.value_s is None or other.value_s is None:
        note = f"needs {max(baseline.needed, other.needed)} samples in each run"
        if baseline.at_least or other.at_least:
            note = "operations below it were cut off or timed out"
        verdict = None if within is None else Verdict.UNKNOWN
        return PercentileChange(
            percent=baseline.percent, ratio=None, interval=None, direction=direction, verdict=verdict, note=note
        )
    unseen = abs(other.value_s - baseline.value_s) <= resolution_s
    note = "within the polling resolution" if unseen and ratio != 1 else ""
    close, verdict = False, None
    if within is not None:
        verdict, close, why = _within(ratio, interval, within, unseen=unseen)
        note = why or note
    return PercentileChange(
        percent=baseline.percent,
        ratio=ratio,
        interval=interval,
        direction=Direction.SAME if unseen else direction,
        verdict=verdict,
        close=close,
        note=note,
    )


def _within(ratio: float, interval: Interval | None, within: float, *, unseen: bool) -> tuple[Verdict, bool, str]:
    """Whether a ratio is within the bound, whether that was close, and why it cannot be known."""
    low_bound, high_bound = 1 - within, 1 + within
    if unseen:
        return Verdict.VALID, False, ""
    low = interval.low if interval is not None else None
    high = interval.high if interval is not None else None
    inside = low_bound <= ratio <= high_bound
    below_open, above_open = low is None or low < low_bound, high is None or high > high_bound
    if below_open and above_open:
        return Verdict.UNKNOWN, False, "too few samples: the interval is wider than the bound"
    if inside:
        return Verdict.VALID, below_open or above_open, ""
    if not (low is not None and low > high_bound) and not (high is not None and high < low_bound):
        return Verdict.UNKNOWN, True, "it is outside, but the interval reaches into the bound"
    return Verdict.INVALID, False, ""


def _error_change(baseline: StepSide, side: StepSide) -> ErrorChange:
    before, after = baseline.error_rate_interval, side.error_rate_interval
    if baseline.error_rate is None or side.error_rate is None or before is None or after is None:
        return ErrorChange(difference=None, interval=None, direction=Direction.UNKNOWN)
    low, high = difference_interval(
        baseline.error_rate, (before.low, before.high), side.error_rate, (after.low, after.high)
    )
    return ErrorChange(
        difference=side.error_rate - baseline.error_rate,
        interval=Interval(low=low, high=high),
        direction=direction_of(low, high),
    )


def _seldom_seen(path: str, steps: Sequence[Mapping[str, StepResults]]) -> bool:
    """A phase that polling saw only now and then, in one of the runs; see `OFTEN_ENOUGH`."""
    parent = path.rpartition(".")[0]
    polled = [one for one in steps if parent in one and one[parent].resolution is not None]
    phases = [one[path] for one in polled if path in one]
    if not parent or not phases or any(phase.resolution is None and phase.latency.samples for phase in phases):
        return False
    return any(
        (one[path].latency.samples if path in one else 0) < OFTEN_ENOUGH * one[parent].latency.samples for one in polled
    )


def _judge(workloads: Sequence[WorkloadComparison], within: float | None) -> tuple[Verdict | None, tuple[str, ...]]:
    if within is None:
        return None, ()
    verdicts: list[Verdict] = []
    reasons: list[str] = []
    for workload in workloads:
        for step in workload.steps:
            place = f"{workload.name}.{step.step}" if step.step else workload.name
            if not step.judged:
                reasons.append(f"{place}: {step.note}")
                continue
            for number, change in enumerate(step.changes, start=1):
                if change is None:
                    verdicts.append(Verdict.UNKNOWN)
                    reasons.append(f"{place}: {step.note}")
                    continue
                for one in change.percentiles:
                    assert one.verdict is not None  # noqa: S101 - the step is judged
                    verdicts.append(one.verdict)
                    reasons.extend(_reason(place, label_of(number), one, within))
    if not verdicts:
        return Verdict.UNKNOWN, ("there is nothing to compare",)
    return worst(verdicts), tuple(dict.fromkeys(reasons))


def _reason(place: str, label: str, change: PercentileChange, within: float) -> list[str]:
    name = "median" if change.percent == 50.0 else f"p{change.percent:g}"
    if change.verdict is Verdict.INVALID and change.ratio is not None:
        return [f"{place}: {name} of {label} is {change.ratio:.3g} times that of A, not within {within:.3g} of it"]
    if change.verdict is Verdict.UNKNOWN:
        return [f"{place}: {name} of {label} cannot be judged: {change.note}"]
    return []


def _workload_of(results: Results, name: str) -> WorkloadResults | None:
    return next((workload for workload in results.workloads if workload.facts.name == name), None)


def _latencies(table: OperationTable, workload: str, path: str) -> Floats:
    operations = table.of(OpKind.STEP if path else OpKind.ITERATION, workload, path)
    return operations.sorted_latency().values


def _cumulative(values_s: Floats) -> tuple[tuple[float, float], ...]:
    """The distribution function at each distinct rank that is drawn; lower limits count as values."""
    count = len(values_s)
    if count == 0:
        return ()
    ranks = np.unique(np.linspace(1, count, min(count, MOST_DRAWN)).round().astype(np.int64))
    return tuple((float(f"{values_s[rank - 1]:.6g}"), round(float(rank / count), 5)) for rank in ranks)
