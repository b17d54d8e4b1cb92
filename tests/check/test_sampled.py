"""Counters and gauges between any two instants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.check.buckets import Buckets
from kilonode.check.sampled import Counter, Gauge, Lines
from kilonode.history.columns import Samples
from kilonode.history.records import Sample

steps_s = st.lists(st.floats(0.1, 5.0), min_size=2, max_size=30)


@st.composite
def counters(draw: st.DrawFn) -> Counter:
    """A counter at uneven instants, with resets."""
    at_s = np.cumsum(draw(steps_s)) + draw(st.floats(-100.0, 100.0))
    value = draw(st.lists(st.floats(0.0, 1e6), min_size=len(at_s), max_size=len(at_s)))
    return Counter.over_resets(at_s, np.array(value))


@st.composite
def gauges(draw: st.DrawFn) -> Gauge:
    at_s = np.cumsum(draw(steps_s)) + draw(st.floats(-100.0, 100.0))
    value = draw(st.lists(st.floats(0.0, 1e9), min_size=len(at_s), max_size=len(at_s)))
    return Gauge(at_s, np.array(value), gap_s=draw(st.sampled_from([0.5, 3.0, 100.0])))


@given(counters(), st.lists(st.floats(-0.2, 1.2), min_size=3, max_size=3))
def test_growth_of_neighbouring_stretches_adds_up(counter: Counter, shares: list[float]) -> None:
    length_s = counter.at_s[-1] - counter.at_s[0]
    first, middle, last = sorted(counter.at_s[0] + share * length_s for share in shares)
    whole = counter.growth(first, last) or 0.0
    parts = (counter.growth(first, middle) or 0.0) + (counter.growth(middle, last) or 0.0)
    assert parts == pytest.approx(whole, rel=1e-6, abs=1e-3)
    assert whole >= 0


@given(counters(), st.floats(-0.2, 1.2), st.floats(-0.2, 1.2), st.floats(0.1, 3.0))
def test_the_mean_rate_lies_between_the_lowest_and_the_highest_and_gives_the_growth(
    counter: Counter, one: float, other: float, every_s: float
) -> None:
    length_s = counter.at_s[-1] - counter.at_s[0]
    start_s, finish_s = sorted(counter.at_s[0] + share * length_s for share in (one, other))
    rate = counter.rate(start_s, finish_s, every_s)
    if rate is None:
        assert counter.measured_s(start_s, finish_s) <= every_s / 2 + 1e-9
        return
    assert 0 <= rate.min <= rate.mean <= rate.max
    growth = counter.growth(start_s, finish_s) or 0.0
    assert rate.mean * counter.measured_s(start_s, finish_s) == pytest.approx(growth, rel=1e-6, abs=1e-3)


@given(gauges(), st.floats(-0.2, 1.2), st.floats(-0.2, 1.2))
def test_the_mean_of_a_gauge_lies_between_its_least_and_its_most(gauge: Gauge, one: float, other: float) -> None:
    length_s = gauge.at_s[-1] - gauge.at_s[0]
    start_s, finish_s = sorted(gauge.at_s[0] + share * length_s for share in (one, other))
    found = gauge.range(start_s, finish_s)
    if found is not None:
        assert found.min <= found.mean <= found.max
        inside = gauge.value[(gauge.at_s >= start_s) & (gauge.at_s <= finish_s)]
        assert all(found.min <= value <= found.max for value in inside)


def test_a_counter_that_falls_began_anew_with_its_server() -> None:
    counter = Counter.over_resets(np.arange(5.0), np.array([100.0, 110.0, 3.0, 5.0, 5.0]))
    assert counter.growth(0.0, 4.0) == 10.0 + 3.0 + 2.0
    assert counter.growth(1.0, 2.0) == 3.0


def test_between_two_samples_a_counter_grows_evenly() -> None:
    counter = Counter.over_resets(np.array([0.0, 10.0]), np.array([0.0, 5.0]))
    assert counter.growth(2.0, 4.0) == pytest.approx(1.0)


def test_nothing_is_said_outside_the_first_and_the_last_sample() -> None:
    counter = Counter.over_resets(np.array([0.0, 10.0]), np.array([0.0, 5.0]))
    gauge = Gauge(np.array([0.0, 10.0]), np.array([1.0, 2.0]), gap_s=20.0)
    assert counter.growth(10.0, 20.0) is None
    assert counter.rate(-5.0, 0.0, 1.0) is None
    assert counter.measured_s(-5.0, 4.0) == 4.0
    assert gauge.range(11.0, 20.0) is None


def test_a_gauge_is_weighed_by_time_and_not_by_samples() -> None:
    gauge = Gauge(np.array([0.0, 0.1, 0.2, 0.3, 10.0]), np.array([9.0, 9.0, 9.0, 1.0, 1.0]), gap_s=20.0)
    found = gauge.range(0.0, 10.0)
    assert found is not None
    assert found.mean == pytest.approx((0.2 * 9 + 0.1 * 5 + 9.7 * 1) / 10)


def test_a_gauge_says_nothing_of_a_gap() -> None:
    gauge = Gauge(np.array([0.0, 1.0, 60.0, 61.0]), np.array([4.0, 4.0, 8.0, 8.0]), gap_s=3.5)
    found = gauge.range(0.0, 61.0)
    assert found is not None
    assert found.mean == pytest.approx(6.0)
    assert gauge.range(20.0, 40.0) is None
    drawn = gauge.drawn(Buckets(0.0, 1.0, 61))
    assert np.isnan(drawn[30])
    assert drawn[0] == 4.0
    assert drawn[60] == 8.0


def test_what_is_drawn_of_a_gauge_keeps_its_peaks() -> None:
    at_s = np.arange(100.0)
    value = np.ones(100)
    value[57] = 1000.0
    assert Gauge(at_s, value, gap_s=3.5).drawn(Buckets(0.0, 10.0, 10))[5] == 1000.0


def test_lines_are_told_apart_by_source_and_metric() -> None:
    samples = [Sample("a", "x_total", 1_000_000_000, 1.0), Sample("b", "x_total", 0, 2.0), Sample("a", "y", 0, 3.0)]
    lines = Lines(Samples.from_samples(samples))
    assert lines.sources == ["a", "b"]
    assert {metric: value.tolist() for metric, (_, value) in lines.of("a").items()} == {"x_total": [1.0], "y": [3.0]}
    assert lines.of("a")["x_total"][0].tolist() == [1.0]
    assert Lines(Samples.from_samples([])).sources == []
