import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kilonode.check.regression import Line, fit_line, ratio_span, student_quantile

TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228,
         15: 2.131, 20: 2.086, 25: 2.060, 30: 2.042, 40: 2.021, 60: 2.000, 120: 1.980}  # fmt: skip
"""Two-sided 95 % points of Student's distribution as every published table has them."""

TABLE_99 = {1: 63.657, 2: 9.925, 5: 4.032, 10: 3.169, 30: 2.750, 120: 2.617}

NORRIS_X = np.array([
    0.2, 337.4, 118.2, 884.6, 10.1, 226.5, 666.3, 996.3, 448.6, 777.0, 558.2, 0.4, 0.6, 775.5, 666.9, 338.0,
    447.5, 11.6, 556.0, 228.1, 995.8, 887.6, 120.2, 0.3, 0.3, 556.8, 339.1, 887.2, 999.0, 779.0, 11.1, 118.3,
    229.2, 669.1, 448.9, 0.5,
])  # fmt: skip
NORRIS_Y = np.array([
    0.1, 338.8, 118.1, 888.0, 9.2, 228.1, 668.5, 998.5, 449.1, 778.9, 559.2, 0.3, 0.1, 778.1, 668.8, 339.3,
    448.9, 10.8, 557.7, 228.3, 998.0, 888.8, 119.6, 0.3, 0.6, 557.6, 339.3, 888.0, 998.5, 778.9, 10.2, 117.6,
    228.9, 668.4, 449.2, 0.2,
])  # fmt: skip
"""The data set Norris of NIST's Statistical Reference Datasets, whose fit is certified to fifteen digits."""


def fitted(x: list[float], y: list[float]) -> Line:
    line = fit_line(np.array(x, dtype=float), np.array(y, dtype=float))
    assert line is not None
    return line


@pytest.mark.parametrize(("freedom", "published"), TABLE.items())
def test_students_quantile_is_the_published_one(freedom: int, published: float) -> None:
    assert student_quantile(freedom) == pytest.approx(published, abs=5.01e-4)


@pytest.mark.parametrize(("freedom", "published"), TABLE_99.items())
def test_students_quantile_is_the_published_one_for_99_percent(freedom: int, published: float) -> None:
    assert student_quantile(freedom, 0.99) == pytest.approx(published, abs=5.01e-4)


def test_with_many_degrees_of_freedom_students_quantile_is_the_normal_one() -> None:
    assert student_quantile(20_000) == pytest.approx(1.959964, abs=2e-4)


def test_the_certified_values_of_nist_come_out() -> None:
    line = fit_line(NORRIS_X, NORRIS_Y)
    assert line is not None
    assert line.intercept == pytest.approx(-0.262323073774029, rel=1e-11)
    assert line.slope == pytest.approx(1.00211681802045, rel=1e-12)
    assert math.sqrt(line.intercept_variance) == pytest.approx(0.232818234301152, rel=1e-11)
    assert math.sqrt(line.slope_variance) == pytest.approx(0.429796848199937e-03, rel=1e-11)
    assert line.r_squared == pytest.approx(0.999993745883712, rel=1e-13)


coefficients = st.floats(0.01, 100)
places = st.lists(st.integers(1, 10_000), min_size=3, max_size=12, unique=True)


@given(coefficients, coefficients, places)
def test_points_on_a_line_give_that_line_and_its_ratio(slope: float, intercept: float, x: list[int]) -> None:
    line = fitted([float(one) for one in x], [slope * one + intercept for one in x])
    assert line.slope == pytest.approx(slope, rel=1e-6)
    assert line.intercept == pytest.approx(intercept, rel=1e-6, abs=1e-9 * slope * max(x))
    assert line.r_squared == pytest.approx(1)
    span = ratio_span(line)
    assert span is not None
    if span.low is not None:
        assert span.low <= intercept / slope * (1 + 1e-6) + 1e-9 * max(x)


noise = st.lists(st.floats(-1, 1), min_size=6, max_size=6)
scales = st.sampled_from([1e-9, 1e-3, 1.0, 1e3, 1e12])


@given(noise, scales, scales, st.floats(-3, 3))
def test_another_unit_scales_every_number_and_changes_no_judgement(
    scatter: list[float], unit_x: float, unit_y: float, slope: float
) -> None:
    x = np.array([1.0, 2, 3, 5, 8, 13])
    y = 10 + slope * x + np.array(scatter)
    assume(float(np.ptp(y)) > 1e-6)
    line, other = fit_line(x, y), fit_line(x * unit_x, y * unit_y)
    assert line is not None
    assert other is not None
    assert other.slope == pytest.approx(line.slope * unit_y / unit_x, rel=1e-6, abs=1e-9 * unit_y / unit_x)
    assert other.intercept == pytest.approx(line.intercept * unit_y, rel=1e-6, abs=1e-9 * unit_y)
    width, other_width = (high - low for low, high in (line.slope_span, other.slope_span))
    assert other_width == pytest.approx(width * unit_y / unit_x, rel=1e-6, abs=1e-9 * unit_y / unit_x)


@given(noise, st.floats(-3, 3), st.floats(0.5, 20))
def test_the_ratio_has_an_upper_end_exactly_when_the_slope_is_surely_not_zero(
    scatter: list[float], slope: float, intercept: float
) -> None:
    line = fit_line(np.arange(1.0, 7), intercept + slope * np.arange(1.0, 7) + np.array(scatter))
    assert line is not None
    low, high = line.slope_span
    assume(min(abs(low), abs(high)) > 1e-9)
    span = ratio_span(line)
    if low > 0 and line.intercept > 0:
        assert span is not None
        assert span.high is not None
        assert (span.low or 0) <= line.intercept / line.slope <= span.high
    elif low < 0 < high and span is not None:
        assert span.high is None


def test_a_slope_that_may_be_zero_gives_a_lower_end_only() -> None:
    line = fitted([1, 2, 3, 4, 5], [3.0, 3.1, 3.05, 3.02, 3.08])
    low, high = line.slope_span
    assert low < 0 < high
    span = ratio_span(line)
    assert span is not None
    assert span.high is None
    assert span.low is not None
    assert span.low > 20, "a slope of no more than 0.05 or so, above about 3"


def test_equal_values_have_no_slope_and_no_doubling() -> None:
    line = fitted([10, 100, 1000], [0.3, 0.3, 0.3])
    assert line.slope == 0
    assert line.r_squared is None
    assert ratio_span(line) is None


def test_two_places_however_often_measured_give_no_line() -> None:
    assert fit_line(np.array([1.0, 2, 1, 2]), np.array([1.0, 2, 1.1, 2.1])) is None


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """2,000 seeded sweeps of nine noisy points: 95 % of the intervals have the true value, give or take 1.5 %."""
    random = np.random.default_rng(20260314)
    x = np.repeat([10.0, 100.0, 1000.0], 3)
    slope, intercept, rounds = 0.002, 1.5, 2_000
    slopes = intercepts = ratios = 0
    for _ in range(rounds):
        line = fit_line(x, slope * x + intercept + random.normal(0, 0.3, len(x)))
        assert line is not None
        slopes += line.slope_span[0] <= slope <= line.slope_span[1]
        intercepts += line.intercept_span[0] <= intercept <= line.intercept_span[1]
        span = ratio_span(line)
        truth = intercept / slope
        ratios += span is not None and (span.low or 0) <= truth <= (math.inf if span.high is None else span.high)
    for covered in (slopes, intercepts, ratios):
        assert covered / rounds == pytest.approx(0.95, abs=0.015)
