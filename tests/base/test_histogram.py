import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.histogram import bucket_bounds_ns, bucket_middle_ns, bucket_of, percentile_ns

durations = st.integers(0, 2**62)


@given(durations)
def test_a_duration_lies_within_its_bucket_which_is_at_most_one_percent_wide(duration_ns: int) -> None:
    first, end = bucket_bounds_ns(bucket_of(duration_ns))
    assert first <= duration_ns < end
    assert end - first == 1 or (end - first) <= 0.01 * first
    assert bucket_middle_ns(bucket_of(duration_ns)) == pytest.approx(duration_ns, rel=0.004, abs=0.5)


@given(durations, durations)
def test_longer_durations_have_greater_buckets(one: int, other: int) -> None:
    assert (bucket_of(one) <= bucket_of(other)) or one > other


@given(st.integers(0, 7000))
def test_buckets_follow_each_other_without_a_gap(bucket: int) -> None:
    assert bucket_bounds_ns(bucket)[1] == bucket_bounds_ns(bucket + 1)[0]
    assert bucket_of(bucket_bounds_ns(bucket)[0]) == bucket


def test_a_negative_duration_counts_as_zero() -> None:
    assert bucket_of(-5) == 0


@given(st.lists(st.integers(0, 10**12), min_size=1), st.sampled_from([50, 90, 99, 99.9]))
def test_percentiles_of_a_histogram_are_those_of_the_durations_within_a_bucket(
    values: list[int], percent: float
) -> None:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket_of(value)] = counts.get(bucket_of(value), 0) + 1
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    assert percentile_ns(counts, percent) == pytest.approx(exact, rel=0.004, abs=0.5)


def test_an_empty_histogram_has_no_percentile() -> None:
    assert percentile_ns({}, 99) is None
