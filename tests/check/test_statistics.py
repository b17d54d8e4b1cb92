import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.check.statistics import Sorted, interval_ranks, rank_of, samples_needed, wilson_interval

percents = st.sampled_from([0.1, 1, 5, 25, 50, 75, 90, 95, 99, 99.9, 99.99]) | st.integers(1, 999).map(lambda n: n / 10)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=200), percents)
def test_a_percentile_is_the_smallest_sample_that_the_share_does_not_exceed(values: list[int], percent: float) -> None:
    found = Sorted(np.array(values, dtype=np.float64)).at_rank(rank_of(len(values), percent))
    # In whole numbers, because 0.1 is no float.
    enough = [v for v in sorted(values) if 1000 * sum(o <= v for o in values) >= round(percent * 10) * len(values)]
    if percent * 10 == round(percent * 10):
        assert found == enough[0]
    assert found in values


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=100), percents, percents)
def test_percentiles_grow_with_the_percentage(values: list[float], one: float, other: float) -> None:
    ordered = Sorted(np.array(values))
    low, high = sorted((one, other))
    assert ordered.at_rank(rank_of(len(values), low)) <= ordered.at_rank(rank_of(len(values), high))


@pytest.mark.parametrize(("count", "percent", "rank"), [(1000, 99.9, 999), (100, 99, 99), (1, 50, 1), (10, 95, 10)])
def test_ranks_are_exact_where_floats_are_not(count: int, percent: float, rank: int) -> None:
    assert rank_of(count, percent) == rank


def test_a_percentile_needs_one_sample_beyond_it() -> None:
    assert [samples_needed(percent) for percent in (5, 50, 90, 95, 99, 99.9)] == [20, 2, 10, 20, 100, 1000]


def exact_tail(count: int, share: float, at_most: int) -> float:
    return sum(math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(at_most + 1))


@given(st.integers(1, 120), st.sampled_from([5, 25, 50, 75, 90, 95, 99]))
def test_interval_ranks_are_the_tightest_that_the_binomial_distribution_allows(count: int, percent: int) -> None:
    ranks, share = interval_ranks(count, percent), percent / 100
    low, high = ranks.low or 0, ranks.high or count + 1
    slack = 1e-9
    assert low == 0 or exact_tail(count, share, low - 1) <= 0.025 + slack
    assert exact_tail(count, share, low) > 0.025 - slack
    assert high > count or 1 - exact_tail(count, share, high - 1) <= 0.025 + slack
    assert 1 - exact_tail(count, share, high - 2) > 0.025 - slack


@given(st.integers(1, 2_000_000), percents)
def test_the_percentile_lies_within_its_interval(count: int, percent: float) -> None:
    ranks = interval_ranks(count, percent)
    rank = rank_of(count, percent)
    assert ranks.low is None or 1 <= ranks.low <= rank
    assert ranks.high is None or rank <= ranks.high <= count


@pytest.mark.parametrize(("percent", "needed"), [(50, 6), (95, 72), (99, 368), (99.9, 3688)])
def test_the_upper_end_of_an_interval_takes_this_many_samples(percent: float, needed: int) -> None:
    assert interval_ranks(needed - 1, percent).high is None
    assert interval_ranks(needed, percent).high == needed


@pytest.mark.parametrize(("percent", "true"), [(50, math.log(2)), (90, math.log(10)), (99, math.log(100))])
def test_intervals_cover_the_true_percentile_as_often_as_they_say(percent: float, true: float) -> None:
    random = np.random.default_rng(7)
    count, repeats = 2000, 2000
    ranks = interval_ranks(count, percent)
    assert ranks.low is not None
    assert ranks.high is not None
    samples = np.sort(random.exponential(size=(repeats, count)), axis=1)
    covered = (samples[:, ranks.low - 1] <= true) & (true <= samples[:, ranks.high - 1])
    assert 0.94 <= covered.mean() <= 0.985


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), min_size=1, max_size=60), percents)
def test_a_percentile_of_censored_samples_never_exceeds_the_truth_and_is_exact_when_it_says_so(
    samples: list[tuple[int, int]], percent: float
) -> None:
    true = sorted(value + beyond for value, beyond in samples)
    recorded = np.array([value for value, _ in samples], dtype=np.float64)
    censored = np.array([beyond > 0 for _, beyond in samples])
    ordered, rank = Sorted(recorded, censored), rank_of(len(samples), percent)
    assert ordered.at_rank(rank) <= true[rank - 1]
    if ordered.exact_at(rank):
        assert ordered.at_rank(rank) == true[rank - 1]
    assert ordered.censored == censored.sum()


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_contains_the_share_and_stays_between_zero_and_one(case: tuple[int, int]) -> None:
    low, high = wilson_interval(*case)
    assert 0 <= low <= case[0] / case[1] <= high <= 1
    assert low < high


def test_no_error_in_few_operations_says_little() -> None:
    assert wilson_interval(0, 100)[1] == pytest.approx(0.037, abs=0.0005)
    assert wilson_interval(0, 12_000)[1] == pytest.approx(0.00032, abs=0.00001)
