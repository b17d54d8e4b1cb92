"""When disruptions are due, as a pure function of what the file says and of the seed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.randomness import Randomness
from kilonode.base.units import Duration
from kilonode.run.disruption_times import instants_s, read_between
from kilonode.run.disruptions import MOST_TIMES, Disruption, RandomTimes

seconds = st.floats(0.1, 1000, allow_nan=False)


def instants(disruption: Disruption, end_s: float, seed: int = 0) -> tuple[float, ...]:
    found = instants_s(disruption, end_s, Randomness(seed))
    assert found is not None
    return found


@given(every=seconds, start=st.none() | seconds, times=st.none() | st.integers(1, 50), end=st.floats(0.1, 90))
def test_what_is_done_again_and_again_is_due_within_the_load_and_evenly(
    every: float, start: float | None, times: int | None, end: float
) -> None:
    wanted = None if start is None else Duration(start)
    disruption = Disruption(fault="kill api", every=Duration(every), start=wanted, times=times)
    found = instants(disruption, end)
    first = every if start is None else start
    assert all(at_s < end for at_s in found)
    assert found == pytest.approx([first + number * every for number in range(len(found))])
    assert times is None or len(found) <= times
    if first < end and times is None:
        assert found[-1] + every >= end * (1 - 1e-9), "none is left out that begins before the end"


@given(seed=st.integers(0, 2**32), times=st.integers(1, 100), first=seconds, length=seconds)
def test_what_is_drawn_lies_between_in_order_and_depends_on_the_seed_alone(
    seed: int, times: int, first: float, length: float
) -> None:
    between = f"{Duration(first)}..{Duration(first + length)}"
    disruption = Disruption(fault="kill api", random=RandomTimes(times=times, between=between))
    found = instants(disruption, 10_000, seed)
    assert len(found) == times
    assert list(found) == sorted(found)
    assert all(first <= at_s <= first + length for at_s in found)
    assert found == instants(disruption, 10_000, seed)


def test_too_many_times_are_refused() -> None:
    with pytest.raises(InputError, match="too many times"):
        instants(Disruption(fault="kill api", every=Duration(0.001)), MOST_TIMES)


def test_what_waits_for_something_has_no_instants() -> None:
    assert instants_s(Disruption(fault="kill api", when="a count > 1"), 10, Randomness(0)) is None
    assert instants_s(Disruption(fault="kill api", at_iteration="a 5"), 10, Randomness(0)) is None


@pytest.mark.parametrize("text", ["10s", "..5s", "5s..", "20s..10s", "5s..5s", "a..b", "1s..2s..3s"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_between(text)
