import pytest

from kilonode.base.outcomes import Outcome
from kilonode.check.live import LiveReport, LiveStep, LiveWorkload, Ranked, Totals, Window
from kilonode.check.live_criteria import Broken, LiveCriteria
from tests.check.histories import closed_workload, open_workload, rules


def report(
    at_s: float,
    *,
    ok: int = 100,
    took: float = 0.1,
    worker: int = 0,
    step: str = "",
    service: float | None = None,
    **failed: int,
) -> LiveReport:
    outcomes = {"ok": ok, **failed}
    failures = sum(count for outcome, count in failed.items() if outcome not in (Outcome.DROPPED, Outcome.CANCELLED))
    one = LiveStep(
        workload="mix",
        step=step,
        outcomes={outcome: count for outcome, count in outcomes.items() if count},
        latency={took: ok} if ok else {},
        service={service or took: ok} if ok else {},
        failed_latency={5.0: failures} if failures else {},
        last_error="broken" if failures else "",
    )
    state = LiveWorkload(workload="mix", active=3, due=round(at_s) * 100, dropped=0)
    return LiveReport(worker=worker, at_s=at_s, steps=(one,), workloads=(state,))


def watch(criterion: str, reports: list[LiveReport], *, after: float = 0.0, window: float = 10.0) -> Broken | None:
    criteria = LiveCriteria(
        rules(criterion, after=after, window=window, abort=True), [open_workload(end=60.0), closed_workload(end=60.0)]
    )
    for one in reports:
        broken = criteria.add(one)
        if broken is not None:
            return broken
    return None


def seconds(count: int, first: int = 1, **more: float) -> list[LiveReport]:
    return [report(float(first + n), **more) for n in range(count)]  # type: ignore[arg-type]


def test_a_window_forgets_what_is_too_old() -> None:
    window = Window(5.0)
    for one in seconds(20):
        window.add(one)
    numbers = window.numbers("mix")
    assert (numbers.succeeded, numbers.succeeded_per_s) == (500, 100.0)
    assert numbers.p99_s == 0.1


def test_rates_are_over_the_time_that_reports_are_about_however_they_come() -> None:
    window, at_s = Window(5.0), 0.0
    for number in range(60):
        passed_s = 0.9 + 0.05 * (number % 5)
        at_s += passed_s
        window.add(report(at_s, ok=round(1000 * passed_s)))
        numbers = window.numbers("mix")
        assert numbers.succeeded_per_s == pytest.approx(1000, rel=0.01)
        assert numbers.over_s < 6.2


def test_a_window_waits_for_the_slowest_worker() -> None:
    window = Window(5.0)
    for at_s in range(1, 11):
        window.add(report(float(at_s), worker=0))
        if at_s < 8:
            window.add(report(float(at_s), worker=1))
    assert window.now_s == 7.0
    assert window.numbers("mix").succeeded == 1000


def test_numbers_count_timeouts_as_at_least_so_long() -> None:
    window = Window(5.0)
    window.add(report(1.0, ok=90, timeout=10))
    numbers = window.numbers("mix")
    assert (numbers.p50_s, numbers.p95_s, numbers.failed, numbers.last_error) == (0.1, 5.0, 10, "broken")


def test_totals_add_up_all_workers_since_the_start() -> None:
    totals = Totals()
    for worker in (0, 1):
        for one in seconds(3, worker=worker, refused=1):
            totals.add(one)
    assert totals.outcomes("mix") == {"ok": 600, "refused": 6}
    state = totals.state("mix")
    assert (state.active, state.due) == (6, 600)


def test_ranks_of_a_histogram_are_those_of_its_durations() -> None:
    ranked = Ranked({0.1: 2, 0.3: 1}, {0.2: 1})
    assert [ranked.at_rank(rank) for rank in (1, 2, 3, 4)] == [0.1, 0.1, 0.2, 0.3]
    assert ranked.mean_s() == pytest.approx(0.175)
    assert Ranked({}, {}).mean_s() is None


def test_a_criterion_that_holds_never_ends_the_load() -> None:
    assert watch("mix p(99) < 200ms", seconds(60)) is None
    assert watch("mix throughput > 90/s", seconds(60)) is None
    assert watch("mix error_rate < 1%", seconds(60)) is None


def test_a_percentile_beyond_its_bound_ends_the_load_and_says_what_was_measured() -> None:
    broken = watch("mix p(50) < 1s", [*seconds(20), *seconds(20, first=21, took=2.0)])
    assert broken is not None
    assert 21 < broken.at_s <= 30
    assert broken.criterion == "mix p(50) < 1s"
    assert "2.00 s" in broken.reason
    assert "10.0 s" in broken.reason


def test_a_percentile_that_is_only_close_does_not_end_the_load() -> None:
    assert watch("mix p(99) < 1s", [report(1.0, ok=2000), report(2.0, ok=25, took=2.0)]) is None
    assert watch("mix p(99) < 1s", [report(1.0, ok=2000), report(2.0, ok=50, took=2.0)]) is not None
    assert watch("mix p(99) < 1s", [report(1.0, ok=3, took=2.0)]) is None


def test_the_blur_of_histograms_does_not_end_a_load() -> None:
    assert watch("mix mean < 1s", seconds(20, took=1.005)) is None
    assert watch("mix mean < 1s", seconds(20, took=1.02)) is not None


def test_a_few_errors_do_not_end_the_load_many_do() -> None:
    assert watch("mix error_rate < 1%", [report(1.0, ok=20, refused=1)]) is None
    assert watch("mix error_rate < 1%", seconds(5, refused=20)) is not None


def test_throughput_is_judged_over_whole_windows_while_the_load_is_on() -> None:
    assert watch("mix throughput > 90/s", seconds(8, ok=10)) is None
    assert watch("mix throughput > 90/s", seconds(10, ok=10)) is not None
    drained = [*seconds(60), *seconds(30, first=61, ok=0)]
    assert watch("mix throughput > 90/s", drained) is None


def test_the_time_before_after_is_not_judged() -> None:
    slow_start = [*seconds(10, took=5.0), *seconds(50, first=11)]
    assert watch("mix p(50) < 1s", slow_start) is not None
    assert watch("mix p(50) < 1s", slow_start, after=10.0) is None


def test_totals_end_the_load_when_they_are_too_high_never_while_they_are_too_low() -> None:
    assert watch("mix dropped < 10", seconds(5, dropped=3)) is not None
    assert watch("mix dropped < 10", seconds(3, dropped=3)) is None
    assert watch("mix count > 100000", seconds(10)) is None
    assert watch("mix count == 250", seconds(10)) is not None
    assert watch("mix dropped_rate < 1%", seconds(5, dropped=50)) is not None


def test_extremes_are_broken_only_from_the_side_they_cannot_come_back_from() -> None:
    assert watch("mix max < 1s", seconds(3, took=2.0)) is not None
    assert watch("mix max > 1s", seconds(3)) is None
    assert watch("mix min > 1s", seconds(3)) is not None
    assert watch("mix min < 50ms", seconds(3)) is None


def test_service_time_and_steps_are_judged_by_themselves() -> None:
    assert watch("mix service_p(50) < 1s", seconds(20, took=5.0, service=0.1)) is None
    assert watch("mix.boot p(50) < 1s", seconds(20, took=5.0)) is None
    assert watch("mix.boot p(50) < 1s", [report(1.0 + n, took=5.0, step="boot") for n in range(20)]) is not None


def test_a_criterion_that_may_not_end_the_load_is_not_watched() -> None:
    criteria = LiveCriteria(rules("mix p(50) < 1ms"), [open_workload()])
    assert [criteria.add(one) for one in seconds(20)] == [None] * 20
