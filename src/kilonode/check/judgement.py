"""From a criterion and the operations it is about to a verdict.

The verdict is about this run: it follows the measured value. Whether another run would say the same is a second
question, answered by the interval: a bound that lies inside it makes the result *close*. A value that is only a lower
limit, because operations were cut off or timed out, decides only what it can; so does one of which only the ends of an
interval were seen.
"""

from dataclasses import dataclass
from typing import Final

from kilonode.base.outcomes import Outcome
from kilonode.check.criteria import Comparison, Criterion, CriterionRule
from kilonode.check.latency import error_share, percentile_of, summarise, throughput_per_s
from kilonode.check.operations import Operations, finished_and_failed
from kilonode.check.results import CriterionResult, Interval, Verdict
from kilonode.check.statistics import Sorted

_LEFT_OPEN: Final = "nobody looked between: a probe at a higher rate would tell"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a criterion's metric came to."""

    value: float | None
    samples: int
    at_least: bool = False
    interval: Interval | None = None
    note: str = ""
    bounded: bool = False
    """The truth about this run lies in the interval, and nobody saw where: what the interval leaves open is unknown."""
    samples_of: str = ""
    """What the samples are where they are no operations, for people."""


def measure(criterion: Criterion, operations: Operations, start_s: float, end_s: float) -> Measured:
    """The metric over these operations; rates are taken over the time between the two instants."""
    metric = criterion.metric.removeprefix("service_")
    outcomes = operations.counts()
    finished, failed = finished_and_failed(outcomes)
    dropped = outcomes.get(Outcome.DROPPED, 0)
    match metric:
        case "error_rate":
            share, interval = error_share(finished, failed)
            return Measured(share, finished, interval=interval, note="" if finished else "nothing finished")
        case "dropped":
            return Measured(float(dropped) if len(operations) else None, len(operations), note=_nothing(operations))
        case "dropped_rate":
            share = dropped / len(operations) if len(operations) else None
            return Measured(share, len(operations), note=_nothing(operations))
        case "count":
            started = len(operations) - dropped
            return Measured(float(finished) if started else None, started, note=_nothing(operations))
        case "throughput":
            started = len(operations) - dropped
            if started == 0:
                return Measured(None, 0, note=_nothing(operations) or "nothing was started")
            return Measured(throughput_per_s(operations, start_s, end_s), started)
    is_service = criterion.metric.startswith("service_")
    ordered = operations.sorted_service() if is_service else operations.sorted_latency()
    return _measure_latency(metric, criterion.percent, ordered, failed)


def judge(rule: CriterionRule, measured: Measured) -> CriterionResult:
    """The verdict over what was measured."""
    criterion = rule.criterion
    verdict, note = Verdict.UNKNOWN, measured.note
    if measured.value is not None:
        verdict = _verdict(criterion.comparison, measured.value, criterion.bound, measured.at_least)
        if measured.bounded and _leaves_open(criterion, measured.interval):
            verdict, note = Verdict.UNKNOWN, "; ".join(part for part in (note, _LEFT_OPEN) if part)
        if verdict is Verdict.UNKNOWN:
            note = note or "operations were cut off or timed out, so the value is only a lower limit"
    return CriterionResult(
        criterion=str(criterion),
        verdict=verdict,
        measured=measured.value,
        unit=criterion.unit,
        bound=criterion.bound,
        at_least=measured.at_least,
        samples=measured.samples,
        samples_of=measured.samples_of,
        interval=measured.interval,
        close=verdict is not Verdict.UNKNOWN and _is_close(criterion, measured),
        abort=rule.abort,
        note="; ".join(part for part in (note, _left_out(rule)) if part),
    )


def worst(verdicts: list[Verdict]) -> Verdict:
    """The worst of some verdicts: valid < unknown < invalid; valid when there are none."""
    order = list(Verdict)
    return max(verdicts, key=order.index, default=Verdict.VALID)


def _measure_latency(metric: str, percent: float, ordered: Sorted, failed: int) -> Measured:
    if len(ordered) == 0:
        return Measured(None, 0, note="no operation went well" if failed else "no samples")
    if metric in ("p", "med"):
        found = percentile_of(ordered, percent or 50.0)
        if found.value_s is None:
            note = f"p({found.percent:g}) needs {found.needed} samples, there are {len(ordered)}"
            return Measured(None, len(ordered), note=note)
        return Measured(found.value_s, len(ordered), found.at_least, found.interval_s)
    latency = summarise(ordered)
    if metric == "min":
        return Measured(latency.min_s, len(ordered), latency.min_at_least)
    return Measured(latency.mean_s if metric == "mean" else latency.max_s, len(ordered), latency.open_ended)


def _verdict(comparison: Comparison, value: float, bound: float, at_least: bool) -> Verdict:
    holds = comparison.holds(value, bound)
    if at_least:
        # The truth is this value or more: above a bound it stays above, below one it may not stay below.
        upwards = comparison in (Comparison.MORE, Comparison.AT_LEAST)
        certain = holds if upwards else value > bound or (comparison is Comparison.LESS and value == bound)
        if not certain:
            return Verdict.UNKNOWN
    return Verdict.VALID if holds else Verdict.INVALID


def _leaves_open(criterion: Criterion, interval: Interval | None) -> bool:
    """Whether it holds at one end of the interval and not at the other. What is to be exact goes by the value."""
    if interval is None or interval.low is None or interval.high is None or criterion.comparison is Comparison.EQUAL:
        return False
    low, high = (criterion.comparison.holds(end, criterion.bound) for end in (interval.low, interval.high))
    return low is not high


def _is_close(criterion: Criterion, measured: Measured) -> bool:
    """Whether the bound lies within the interval, so that a repetition might find otherwise."""
    if measured.interval is None or criterion.comparison is Comparison.EQUAL:
        return False
    low, high = measured.interval.low, measured.interval.high
    return (low is None or low <= criterion.bound) and (high is None or criterion.bound <= high)


def _nothing(operations: Operations) -> str:
    return "" if len(operations) else "no samples"


def _left_out(rule: CriterionRule) -> str:
    return f"without the first {rule.after_s:g} s of the load" if rule.after_s else ""
