"""Criteria judged while the load runs, to end it early.

Ending a run cannot be taken back, so a criterion counts as broken only when the last `window_s` seconds leave no doubt:
the whole 95 % interval lies on the wrong side of the bound (latency percentiles, error rate, dropped rate), beyond what
histograms blur. Rates are judged over whole windows of time in which the workload's load was on. Totals (`count`,
`dropped`) are judged from the start, and only against upper bounds: a total that is too small may still grow.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from kilonode.base.outcomes import Outcome
from kilonode.base.units import format_seconds
from kilonode.check.criteria import Comparison, Criterion, CriterionRule
from kilonode.check.facts import WorkloadFacts
from kilonode.check.live import (
    RESOLUTION,
    LiveReport,
    LiveStep,
    Ranked,
    Window,
    count_outcomes,
    failures_among,
    merged,
    timed_out,
)
from kilonode.check.metrics import AFTERWARDS
from kilonode.check.statistics import wilson_interval

FEWEST_FOR_A_MEAN: Final = 30
WHOLE_SHARE: Final = 0.9
"""Reports do not come exactly a second apart: a window that is covered so far is a whole one."""
_UPPER: Final = (Comparison.LESS, Comparison.AT_MOST)


class Broken(msgspec.Struct, frozen=True):
    """A criterion that does not hold while the load runs."""

    at_s: float
    criterion: str
    """Its text."""
    reason: str
    """For people, with what was measured."""


class LiveCriteria:
    """Watches the criteria that may end the load; those that nobody knows until it is over cannot."""

    def __init__(self, rules: Sequence[CriterionRule], workloads: Sequence[WorkloadFacts]) -> None:
        self._watched = [
            _Watched(rule, workloads) for rule in rules if rule.abort and rule.criterion.metric not in AFTERWARDS
        ]

    def add(self, report: LiveReport) -> Broken | None:
        """Take a report; the first criterion that is broken now, or None."""
        found = None
        for watched in self._watched:
            broken = watched.add(report)
            found = found or broken
        return found


class _Watched:
    def __init__(self, rule: CriterionRule, workloads: Sequence[WorkloadFacts]) -> None:
        self._rule = rule
        self._window = Window(rule.window_s)
        self._total: dict[str, int] = {}
        chosen = [one for one in workloads if rule.criterion.workload in ("", one.name)]
        self._start_s = max(rule.after_s, min((one.start_s for one in chosen), default=0.0))
        self._end_s = max((one.end_s for one in chosen), default=0.0)

    def add(self, report: LiveReport) -> Broken | None:
        self._window.add(report)
        criterion, now_s = self._rule.criterion, self._window.now_s
        if report.at_s > self._start_s:
            for one in report.steps:
                if one.step == criterion.step and criterion.workload in ("", one.workload):
                    for outcome, count in one.outcomes.items():
                        self._total[outcome] = self._total.get(outcome, 0) + count
        if now_s <= self._start_s:
            return None
        steps = self._window.steps(criterion.workload, criterion.step, self._start_s)
        measured = self._judge(criterion, steps, now_s)
        if not measured:
            return None
        over = format_seconds(min(self._rule.window_s, now_s - self._start_s))
        return Broken(now_s, str(criterion), f"{criterion} did not hold: {measured} over the last {over}")

    def _judge(self, criterion: Criterion, steps: list[LiveStep], now_s: float) -> str:
        """What was measured, when that breaks the criterion beyond doubt; else nothing."""
        metric = criterion.metric.removeprefix("service_")
        outcomes = count_outcomes(steps)
        match metric:
            case "error_rate":
                failed = failures_among(outcomes)
                return _judge_share(criterion, failed, failed + outcomes.get(Outcome.OK, 0))
            case "dropped_rate":
                return _judge_share(criterion, outcomes.get(Outcome.DROPPED, 0), sum(outcomes.values()))
            case "throughput":
                return self._judge_throughput(criterion, outcomes.get(Outcome.OK, 0), now_s)
            case "dropped":
                return _judge_total(criterion, self._total.get(Outcome.DROPPED, 0))
            case "count":
                return _judge_total(criterion, self._total.get(Outcome.OK, 0) + failures_among(self._total))
            case _:
                return _judge_latency(criterion, metric, steps)

    def _judge_throughput(self, criterion: Criterion, succeeded: int, now_s: float) -> str:
        covered_s = self._window.covered_s(self._start_s)
        if covered_s < WHOLE_SHARE * self._rule.window_s or now_s > self._end_s:
            return ""
        rate_per_s = succeeded / covered_s
        return f"{rate_per_s:.4g}/s" if not criterion.comparison.holds(rate_per_s, criterion.bound) else ""


def _judge_share(criterion: Criterion, successes: int, count: int) -> str:
    if count == 0:
        return ""
    low, high = wilson_interval(successes, count)
    broken = _breaks(criterion, low, high, lambda value: value)
    return f"{successes / count:.3%} of {count:,} operations" if broken else ""


def _judge_total(criterion: Criterion, total: int) -> str:
    broken = criterion.comparison in _UPPER and not criterion.comparison.holds(total, criterion.bound)
    broken = broken or (criterion.comparison is Comparison.EQUAL and total > criterion.bound)
    return f"{total:,}" if broken else ""


def _judge_latency(criterion: Criterion, metric: str, steps: list[LiveStep]) -> str:
    if criterion.metric.startswith("service_"):
        ranked = Ranked(merged(one.service for one in steps), {})
    else:
        ranked = Ranked(merged(one.latency for one in steps), timed_out(steps))
    if ranked.count == 0:
        return ""
    match metric:
        case "mean":
            value = ranked.mean_s() or 0.0
            low, high = (value, value) if ranked.count >= FEWEST_FOR_A_MEAN else (0.0, float("inf"))
        case "min":
            value = low = high = ranked.at_rank(1)
        case "max":
            value = low = high = ranked.at_rank(ranked.count)
        case _:
            percent = criterion.percent or 50.0
            found = ranked.percentile_s(percent)
            if found is None:
                return ""  # the final verdict would be unknown as well
            value, (low, high) = found, ranked.bounds_s(percent)
    if metric in ("min", "max") and (metric == "min") == (criterion.comparison in _UPPER):
        return ""  # the shortest may still become shorter, the longest longer: nothing is broken yet
    broken = _breaks(criterion, low, high, lambda end_s: end_s / (1 + RESOLUTION))
    return f"{format_seconds(value)} of {ranked.count:,} operations" if broken else ""


def _breaks(criterion: Criterion, low: float, high: float, at_least: Callable[[float], float]) -> bool:
    """Whether no value between `low` and `high` holds; `at_least` takes the blur of a histogram off a lower end."""
    if criterion.comparison is Comparison.EQUAL:
        return False
    nearest = at_least(low) if criterion.comparison in _UPPER else high
    return not criterion.comparison.holds(nearest, criterion.bound)
