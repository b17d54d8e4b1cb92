"""Fits: families are those of profiles, parameters are found again, intervals hold, what cannot be fitted is said."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonode.base.units import Duration
from kilonode.check.families import (
    FAMILIES,
    Family,
    LogNormal,
    Mixture,
    ShiftedLogNormal,
    Triangular,
    Uniform,
    normal_scores,
)
from kilonode.check.fitting import EMPIRICAL, FIXED, Fitted, Intervals, fit
from kilonode.check.minimizing import minimize
from kilonode.check.normal import deviations_of, share_below, share_between
from kilonode.check.statistics import Floats
from kilonode.cloud import delays

GRID_S = 0.05


def exact(values: Floats) -> Intervals:
    return Intervals(values, values)


def polled(values: Floats, gap_s: float = GRID_S) -> Intervals:
    """As polling at even gaps, begun at chance, sees it."""
    begin = np.random.default_rng(7).uniform(0, gap_s, len(values))
    low = np.floor((values + begin) / gap_s) * gap_s - begin
    return Intervals(np.maximum(low, 0), low + gap_s)


def done(observed: Intervals) -> Fitted:
    fitted = fit(observed)
    assert fitted is not None
    return fitted


def log_normal(generator: np.random.Generator, count: int, p50: float = 1.0, sigma: float = 0.4) -> Floats:
    return np.asarray(p50 * np.exp(sigma * generator.standard_normal(count)))


PROFILE: list[tuple[Family, list[float], delays.Delay]] = [
    (Uniform(), [0.5, 2.0], delays.Uniform(Duration(0.5), Duration(2))),
    (Triangular(), [0.5, 0.8, 2.0], delays.Triangular(Duration(0.5), Duration(0.8), Duration(2))),
    (LogNormal(), [0.5, 2.0], delays.LogNormal(Duration(0.5), Duration(2), Duration(1000))),
    (ShiftedLogNormal(), [0.3, 0.5, 2.0], delays.LogNormal(Duration(0.5), Duration(2), Duration(1000), Duration(0.3))),
    (
        Mixture(),
        [0.4, 0.5, 0.7, 3.0, 5.0],
        delays.Mixture(
            (
                delays.Part(0.4, Duration(0.5), Duration(0.7), Duration(1000)),
                delays.Part(0.6, Duration(3), Duration(5), Duration(1000)),
            )
        ),
    ),
]


@pytest.mark.parametrize(("family", "parameters", "delay"), PROFILE)
def test_a_family_is_what_a_stage_profile_makes_of_its_parameters(
    family: Family, parameters: list[float], delay: delays.Delay
) -> None:
    shares = np.linspace(0.01, 0.99, 99)
    ours = family.quantile(np.array(parameters), shares)
    assert ours == pytest.approx([delay.quantile_s(share) for share in shares], rel=2e-3, abs=1e-5)
    assert family.below(np.array(parameters), ours) == pytest.approx(shares, abs=1e-4)


def test_every_family_is_held_against_the_profile() -> None:
    assert {type(one[0]) for one in PROFILE} == {type(family) for family in FAMILIES}


@given(st.floats(-11, 11), st.floats(0, 5))
def test_shares_of_the_normal_distribution_are_those_of_the_standard_library(low: float, width: float) -> None:
    truth = (math.erfc(-(low + width) / math.sqrt(2)) - math.erfc(-low / math.sqrt(2))) / 2
    if low > 0:
        truth = (math.erfc(low / math.sqrt(2)) - math.erfc((low + width) / math.sqrt(2))) / 2
    found = share_between(np.array([low]), np.array([low + width]))[0]
    assert found == pytest.approx(truth, rel=1e-3, abs=1e-12)
    assert share_below(deviations_of(np.array([0.3])))[0] == pytest.approx(0.3, abs=1e-6)


def test_the_lowest_point_of_a_bent_valley_is_found() -> None:
    def valley(x: Floats) -> float:
        return float((1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2)

    found = minimize(valley, np.array([-1.2, 1.0]), np.array([0.5, 0.5]), exact=1e-12)
    assert found == pytest.approx([1, 1], abs=1e-3)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 20), st.floats(0.15, 0.9))
def test_a_log_normal_is_found_again_exact_and_polled(seed: int, p50: float, sigma: float) -> None:
    values = log_normal(np.random.default_rng(seed), 400, p50, sigma)
    for observed in (exact(values), polled(values, 0.05 * p50)):
        middle, high = done(observed).quantile(np.array([0.5, 0.95]))
        assert middle == pytest.approx(p50, rel=0.35 * sigma)
        assert high == pytest.approx(p50 * math.exp(1.645 * sigma), rel=0.7 * sigma)


def test_intervals_of_parameters_hold_the_truth_about_as_often_as_they_say() -> None:
    """95 % of the time; of 40 trials, fewer than 34 would happen once in a hundred times."""
    held = {"p50": 0, "p95": 0}
    truth = {"p50": 1.0, "p95": math.exp(1.6448536 * 0.4)}
    for seed in range(40):
        fitted = done(polled(log_normal(np.random.default_rng(seed), 80), 0.2))
        if set(fitted.parameters) != {"p50", "p95"}:
            continue  # another family won by chance; its parameters have no truth here
        for name, interval in fitted.intervals.items():
            assert interval.low is not None
            assert interval.high is not None
            held[name] += interval.low <= truth[name] <= interval.high
        held.setdefault("fitted", 0)
        held["fitted"] += 1
    assert held["fitted"] >= 34
    assert held["p50"] >= 0.85 * held["fitted"]
    assert held["p95"] >= 0.85 * held["fitted"]


def test_the_family_that_made_the_samples_is_chosen() -> None:
    generator = np.random.default_rng(3)
    assert done(exact(np.full(50, 0.5))).family == FIXED
    assert done(exact(generator.uniform(0.1, 0.4, 500))).family == "uniform"
    assert done(exact(generator.triangular(1, 2, 6, 800))).family == "triangular"
    assert set(done(exact(log_normal(generator, 500))).parameters) == {"p50", "p95"}
    assert set(done(exact(3 + log_normal(generator, 800, 1.0, 0.8))).parameters) == {"min", "p50", "p95"}


def test_two_ways_that_an_operation_can_go_are_told_apart_also_through_polling() -> None:
    generator = np.random.default_rng(5)
    fast = generator.random(800) < 0.7
    values = np.where(fast, log_normal(generator, 800, 0.3, 0.2), log_normal(generator, 800, 2.0, 0.1))
    fitted = done(polled(values))
    assert fitted.family == "mixture"
    assert fitted.parameters["share"] == pytest.approx(0.7, abs=0.05)
    assert fitted.parameters["first p50"] == pytest.approx(0.3, rel=0.05)
    assert fitted.parameters["second p50"] == pytest.approx(2.0, rel=0.05)
    assert fitted.distance < 0.05


def test_what_no_family_comes_near_is_kept_as_it_was_measured() -> None:
    generator = np.random.default_rng(6)
    values = np.concatenate([generator.normal(place, 0.02, 300) for place in (1, 2, 5)])
    fitted = done(exact(values))
    assert fitted.family == EMPIRICAL
    measured = np.quantile(values, [0.2, 0.5, 0.95])
    assert fitted.quantile(np.array([0.2, 0.5, 0.95])) == pytest.approx(measured, rel=0.03)


def test_operations_that_were_cut_off_count_as_longer_than_they_were() -> None:
    values = log_normal(np.random.default_rng(8), 2000, 1.0, 0.5)
    cut = values > 1.5
    observed = Intervals(np.where(cut, 1.5, values), np.where(cut, np.inf, values))
    fitted = done(observed)
    assert fitted.censored == int(cut.sum())
    assert fitted.quantile(np.array([0.5]))[0] == pytest.approx(1.0, rel=0.05)
    assert fitted.quantile(np.array([0.9]))[0] == pytest.approx(math.exp(1.2816 * 0.5), rel=0.1)


def test_phases_that_no_poll_saw_tell_how_short_they_are() -> None:
    """Of phases of 20 ms, polls 100 ms apart see a fifth."""
    generator = np.random.default_rng(9)
    begun = generator.uniform(0, 0.1, 1000)
    seen = begun < 0.02  # a poll fell into it: then it was over before the next one
    low = np.where(seen, 0.0, -0.1)
    high = np.where(seen, 0.1, 0.0)
    fitted = done(Intervals(low, high, np.full(1000, 0.1)))
    assert float(fitted.quantile(np.linspace(0.005, 0.995, 100)).mean()) == pytest.approx(0.02, rel=0.25)


def test_too_few_samples_are_not_fitted() -> None:
    assert fit(exact(np.linspace(1, 2, 19))) is None


def test_many_samples_are_taken_evenly_by_rank() -> None:
    values = log_normal(np.random.default_rng(10), 20_000)
    fitted = done(exact(values))
    assert fitted.samples == 20_000
    assert fitted.fitted < 5_000
    assert fitted.parameters["p95"] == pytest.approx(math.exp(1.645 * 0.4), rel=0.03)


def test_normal_scores_are_symmetric_and_equal_for_equal_values() -> None:
    scores = normal_scores(np.array([5.0, 1.0, 1.0, 9.0]))
    assert scores[1] == scores[2]
    assert scores[3] == pytest.approx(1.1503, abs=1e-3)
