import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.outcomes import Outcome
from kilonode.check.buckets import Buckets, buckets_between, drawn, nice_at_least, usual_width_s
from kilonode.check.distribution import curve, heat, histogram
from kilonode.check.operations import Operations, OperationTable
from kilonode.check.series import flow, latency_over_time
from kilonode.history.records import Op, OpKind
from tests.check.histories import closed_workload, history, op, open_workload, steady


def operations(ops: list[Op]) -> Operations:
    return OperationTable(history(ops).columns).of(OpKind.ITERATION, "mix")


@given(st.floats(1e-3, 1e6))
def test_widths_are_nice_and_never_too_narrow(width_s: float) -> None:
    nice = nice_at_least(width_s)
    assert width_s * (1 - 1e-8) <= nice <= width_s * 2.5 * (1 + 1e-8)
    assert float(f"{nice:.0e}"[0]) in (1, 2, 5)


@given(st.floats(0.1, 1e6))
def test_a_load_of_any_length_has_no_more_than_600_buckets(duration_s: float) -> None:
    assert duration_s / usual_width_s(duration_s) <= 600 * (1 + 1e-6)


@pytest.mark.parametrize(("duration_s", "width_s"), [(1, 0.1), (10, 0.2), (60, 1), (600, 1), (3600, 10), (86400, 200)])
def test_a_minute_is_drawn_by_seconds_and_a_day_by_minutes(duration_s: float, width_s: float) -> None:
    assert usual_width_s(duration_s) == width_s


@given(st.floats(-100, 100), st.floats(0, 100), st.sampled_from([0.1, 0.5, 1.0, 10.0]))
def test_buckets_hold_the_whole_stretch_of_time(start_s: float, length_s: float, width_s: float) -> None:
    buckets = buckets_between(start_s, start_s + length_s, width_s)
    edges = buckets.edges_s
    assert edges[0] <= start_s + 1e-6
    assert edges[-1] >= start_s + length_s - 1e-6
    assert len(edges) == buckets.count + 1 >= 2


def test_instants_outside_belong_to_the_nearest_bucket() -> None:
    assert Buckets(0.0, 1.0, 3).of(np.array([-5.0, 0.0, 0.99, 1.0, 2.5, 9.0])).tolist() == [0, 0, 0, 1, 2, 2]


def test_what_is_drawn_has_four_digits() -> None:
    assert drawn(np.array([0.123456, 123456.0, 0.0])) == (0.1235, 123500.0, 0.0)


def test_latency_stands_where_operations_were_due() -> None:
    stalled = [op(number=n, due=n / 100, took=3.0 - n / 100 if 100 <= n < 300 else 0.01) for n in range(1000)]
    series = latency_over_time(operations(stalled), 0.0, 10.0, 1.0)
    assert series.count == (100,) * 10
    assert series.max_s[0] == pytest.approx(0.01)
    assert series.max_s[1] == pytest.approx(2.0)
    assert series.max_s[3] == pytest.approx(0.01)
    assert series.p50_s[1] == pytest.approx(1.5)


def test_a_bucket_with_too_few_samples_has_no_high_percentile() -> None:
    series = latency_over_time(operations(steady()), 0.0, 10.0, 1.0)
    assert series.p50_s[0] == pytest.approx(0.1)
    assert set(series.p95_s) == {None}
    assert set(series.p99_s) == {None}


def test_latency_buckets_grow_until_they_have_enough_samples_but_not_without_end() -> None:
    slow = latency_over_time(operations(steady(rate=10, seconds=600)), 0.0, 600.0, 1.0)
    assert slow.width_s == 10.0
    assert None not in slow.p99_s
    rare = latency_over_time(operations(steady(rate=0.1, seconds=600)), 0.0, 600.0, 1.0)
    assert rare.width_s == 20.0


def test_flow_says_what_was_asked_for_started_done_and_lost() -> None:
    ops = steady(rate=10, seconds=10, took=0.5)
    ops[5] = op(number=5, due=0.5, took=0.0, outcome=Outcome.DROPPED)
    ops[15] = op(number=15, due=1.5, took=0.1, outcome=Outcome.REFUSED)
    found = flow(open_workload(), operations(ops), Buckets(0.0, 1.0, 11))
    assert found.asked_per_s == (10.0,) * 10 + (0.0,)
    assert found.started_per_s[:2] == (9.0, 10.0)
    assert sum(found.succeeded_per_s) == 98
    assert found.unsuccessful_per_s == {
        "refused": (0.0, 1.0, *[0.0] * 9),
        "dropped": (1.0, *[0.0] * 10),
    }
    assert found.active[5] == pytest.approx(5.0)
    assert found.asked_vus is None


def test_flow_of_a_closed_model_has_virtual_users_and_no_rate() -> None:
    found = flow(closed_workload("mix"), operations(steady()), Buckets(0.0, 1.0, 10))
    assert found.asked_per_s is None
    assert found.asked_vus == (2.0,) * 10


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0.001, 5)), min_size=1, max_size=40))
def test_the_mean_number_of_active_iterations_is_the_time_they_took(times: list[tuple[float, float]]) -> None:
    ops = [op(number=n, due=due, took=took) for n, (due, took) in enumerate(times)]
    found = flow(open_workload(), operations(ops), Buckets(0.0, 0.5, 30))
    assert sum(found.active) * 0.5 == pytest.approx(sum(took for _, took in times), rel=1e-3, abs=1e-2)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=100))
def test_every_operation_lies_in_one_bin_of_the_histogram_and_one_cell_of_the_map(took: list[float]) -> None:
    ops = operations([op(number=n, due=n / 10, took=seconds) for n, seconds in enumerate(took)])
    bins = histogram(ops)
    assert bins is not None
    assert sum(bins.latency) == sum(bins.service) == len(took)
    assert len(bins.latency) <= 60
    assert bins.latency[0] + bins.service[0] > 0
    assert bins.lowest_s * bins.growth ** len(bins.latency) >= max(took) * (1 - 1e-4)
    cells = heat(ops, Buckets(0.0, 0.01, 1000))
    assert cells is not None
    assert sum(count for _, _, count in cells.cells) == len(took)
    assert all(column < cells.columns <= 150 and row < cells.rows <= 40 for column, row, _ in cells.cells)


def test_without_samples_there_is_no_distribution() -> None:
    nothing = operations([op(outcome=Outcome.REFUSED)])
    assert histogram(nothing) is None
    assert heat(nothing, Buckets(0.0, 1.0, 1)) is None
    assert curve(nothing.sorted_latency(), nothing.sorted_service()) is None


def test_the_curve_of_percentiles_ends_where_ten_samples_lie_beyond_and_never_falls() -> None:
    ops = operations([op(number=n, due=n / 1000, took=0.001 * (n % 97 + 1)) for n in range(2000)])
    found = curve(ops.sorted_latency(), ops.sorted_service())
    assert found is not None
    assert found.percent[-1] == 99.5
    assert list(found.latency_s) == sorted(found.latency_s)
    # p50: 20 or 21 times each of 1 to 97 ms; the thousandth is a 48.
    assert found.latency_s[49] == pytest.approx(0.048)
