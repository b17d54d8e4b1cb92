"""Conditions on what is measured while the load runs: whether something that waits for them begins now.

A condition is a criterion. Counts (`count`, `dropped`) are of everything since the start of the load, the rest is over
the last `WINDOW_S` seconds, and a rate only once so much time of load was seen. Other than criteria that end a run
early it needs no certainty: it holds when what was measured does.
"""

from collections.abc import Iterable
from typing import Final

from kilonode.base.outcomes import Outcome
from kilonode.check.criteria import Criterion
from kilonode.check.live import LiveReport, LiveStep, Ranked, Window, count_outcomes, failures_among, merged, timed_out

WINDOW_S: Final = 10.0
_WHOLE_SHARE: Final = 0.9


class LiveCondition:
    """Watches one condition."""

    def __init__(self, criterion: Criterion) -> None:
        self._criterion = criterion
        self._window = Window(WINDOW_S)
        self._total: dict[str, int] = {}

    def add(self, report: LiveReport) -> bool:
        """Take a report; whether the condition holds now."""
        self._window.add(report)
        for outcome, count in count_outcomes(self._meant(report.steps)).items():
            self._total[outcome] = self._total.get(outcome, 0) + count
        measured = self._measure()
        return measured is not None and self._criterion.comparison.holds(measured, self._criterion.bound)

    def _meant(self, steps: Iterable[LiveStep]) -> list[LiveStep]:
        criterion = self._criterion
        return [one for one in steps if one.step == criterion.step and criterion.workload in ("", one.workload)]

    def _measure(self) -> float | None:
        """What the metric is now; None: nothing is known of it yet."""
        criterion = self._criterion
        metric = criterion.metric.removeprefix("service_")
        if metric == "count":
            return float(self._total.get(Outcome.OK, 0) + failures_among(self._total))
        if metric == "dropped":
            return float(self._total.get(Outcome.DROPPED, 0))
        steps = self._window.steps(criterion.workload, criterion.step)
        outcomes = count_outcomes(steps)
        failed = failures_among(outcomes)
        match metric:
            case "error_rate":
                return _share(failed, failed + outcomes.get(Outcome.OK, 0))
            case "dropped_rate":
                return _share(outcomes.get(Outcome.DROPPED, 0), sum(outcomes.values()))
            case "throughput":
                covered_s = self._window.covered_s()
                return outcomes.get(Outcome.OK, 0) / covered_s if covered_s >= _WHOLE_SHARE * WINDOW_S else None
            case _:
                return _latency_s(criterion, metric, steps)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _latency_s(criterion: Criterion, metric: str, steps: list[LiveStep]) -> float | None:
    if criterion.metric.startswith("service_"):
        ranked = Ranked(merged(one.service for one in steps), {})
    else:
        ranked = Ranked(merged(one.latency for one in steps), timed_out(steps))
    if ranked.count == 0:
        return None
    match metric:
        case "mean":
            return ranked.mean_s()
        case "min":
            return ranked.at_rank(1)
        case "max":
            return ranked.at_rank(ranked.count)
        case _:
            return ranked.percentile_s(criterion.percent or 50.0)
