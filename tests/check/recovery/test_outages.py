"""Figures of recovery against outages whose truth is known: it lies in the interval in 95 % of 200 seeded runs."""

import pytest

from kilonode.check.recovery.records import Measure
from tests.check.recovery.outages import KINDS, Outage, simulate

RUNS = 200
NEEDED = 190
FIGURES = (
    "unavailable_s", "recovery_time_s", "time_to_first_success_s", "longest_gap_s", "slow_s", "degradation",
)  # fmt: skip
CENSORED = ("unavailable_s", "recovery_time_s", "time_to_first_success_s", "longest_gap_s")
ROUNDING = 1e-9


def holds(measure: Measure, truth: float, *, lasts: bool) -> bool:
    """Whether what is said is true; of what outlives the observation, that it is at least so much."""
    if measure.value is None or measure.low is None:
        return False
    if lasts:
        return measure.at_least and measure.low <= truth + ROUNDING
    return measure.high is not None and measure.low - ROUNDING <= truth <= measure.high + ROUNDING


def count_true(outages: list[Outage], figure: str) -> tuple[int, int]:
    """In how many of the runs that have such a truth it is in the interval; and how many those are."""
    known = [(outage, truth) for outage in outages if (truth := getattr(outage.truth, figure)) is not None]
    good = sum(
        holds(getattr(outage.episode, figure), truth, lasts=outage.truth.lasts and figure in CENSORED)
        for outage, truth in known
    )
    return good, len(known)


@pytest.mark.parametrize("noise", [0.0, 0.005], ids=["quiet", "noisy"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_lies_in_the_interval_in_95_percent_of_200_runs(kind: str, noise: float) -> None:
    outages = [simulate(kind, seed, noise=noise) for seed in range(RUNS)]
    for figure in FIGURES:
        good, of = count_true(outages, figure)
        assert good >= of * NEEDED / RUNS, f"{figure}: {good} of {of}"
    began = [(outage.episode.time_to_detect_s, outage.truth.onset_s) for outage in outages]
    good = sum(holds(measure, onset_s, lasts=False) for measure, onset_s in began if onset_s is not None)
    assert good >= sum(onset_s is not None for _, onset_s in began) * NEEDED / RUNS


@pytest.mark.parametrize("kind", ["never recovering", "at the end"])
def test_what_outlives_the_run_is_never_given_a_time_to_recover(kind: str) -> None:
    outages = [simulate(kind, seed) for seed in range(RUNS)]
    assert all(outage.episode.recovery_time_s.at_least for outage in outages)
    assert all(outage.episode.recovery_time_s.high is None for outage in outages)


def test_an_undisturbed_workload_is_hardly_ever_called_impaired() -> None:
    outages = [simulate("nothing", seed, noise=noise) for seed in range(RUNS) for noise in (0.0, 0.005)]
    assert sum(bool(outage.episode.impaired) for outage in outages) <= 0.05 * len(outages)


def test_an_interval_of_an_outage_is_narrow_where_probes_are_dense() -> None:
    episode = simulate("refuse", 3).episode
    measure = episode.recovery_time_s
    assert measure.value is not None and measure.low is not None and measure.high is not None
    assert measure.high - measure.low < 0.2 * measure.value


def test_flapping_is_one_outage_until_clean_windows_follow() -> None:
    episode = simulate("flapping", 7).episode
    assert len(episode.impaired) >= 1
    assert (episode.recovery_time_s.value or 0) > (episode.unavailable_s.value or 0)
    assert episode.relapses == 0
