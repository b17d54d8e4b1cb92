"""Conditions on what is measured live, on which disruptions begin."""

import pytest

from kilonode.base.outcomes import Outcome
from kilonode.check.criteria import parse_criterion
from kilonode.check.live import LiveReport, LiveStep
from kilonode.check.live_conditions import LiveCondition


def report(at_s: float, *, ok: int = 0, failed: int = 0, worker: int = 0, workload: str = "mix") -> LiveReport:
    outcomes = {Outcome.OK.value: ok, Outcome.REFUSED.value: failed}
    step = LiveStep(
        workload=workload,
        step="",
        outcomes={outcome: count for outcome, count in outcomes.items() if count},
        latency={0.02: ok},
        service={0.01: ok},
        failed_latency={},
    )
    return LiveReport(worker=worker, at_s=at_s, steps=(step,), workloads=())


def first_held(text: str, *reports: LiveReport) -> float | None:
    condition = LiveCondition(parse_criterion(text))
    return next((one.at_s for one in reports if condition.add(one)), None)


def test_a_count_is_of_everything_since_the_start() -> None:
    assert first_held("mix count > 50", *(report(at, ok=10) for at in range(1, 30))) == 6


def test_failures_count_too_and_other_workloads_do_not() -> None:
    reports = [report(1, ok=90, workload="other"), report(2, failed=3), report(3, ok=3)]
    assert first_held("mix count >= 6", *reports) == 3


def test_a_rate_is_judged_once_the_window_is_full() -> None:
    assert first_held("mix throughput >= 10/s", *(report(at, ok=10) for at in range(1, 30))) in (9, 10)
    assert first_held("mix throughput > 11/s", *(report(at, ok=10) for at in range(1, 30))) is None


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("mix error_rate > 10%", True),
        ("mix error_rate > 50%", False),
        ("mix p(50) < 25ms", True),
        ("mix service_max < 11ms", True),
        ("mix mean > 1s", False),
    ],
)
def test_other_metrics_are_over_the_last_seconds(text: str, holds: bool) -> None:
    assert (first_held(text, report(1, ok=80, failed=20)) is not None) == holds


def test_of_what_was_never_seen_nothing_holds() -> None:
    assert first_held("mix p(50) < 25ms", report(1, workload="other", ok=5)) is None
    assert first_held("mix error_rate < 50%", report(1, workload="other", ok=5)) is None
