import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.check.facts import Point, asked_between, line_at

RAMP = (Point(5, 10), Point(35, 100), Point(65, 100))
STEPS = (Point(0, 10), Point(10, 10), Point(10, 30), Point(20, 30))


def test_a_constant_rate_asks_for_rate_times_time() -> None:
    points = (Point(0, 200), Point(60, 200))
    assert asked_between(points, np.array([-1.0, 0.0, 0.5, 59.0, 61.0])) == pytest.approx([0, 100, 11700, 200])


def test_a_ramp_asks_for_its_area() -> None:
    assert asked_between(RAMP, np.array([0.0, 20.0, 35.0, 65.0])) == pytest.approx([487.5, 1162.5, 3000])


def test_a_jump_belongs_to_what_comes_after_it() -> None:
    assert asked_between(STEPS, np.array([0.0, 10.0, 20.0])) == pytest.approx([100, 300])
    assert line_at(STEPS, np.array([9.0, 10.0, 11.0, 20.0, 20.1])).tolist() == [10, 30, 30, 30, 0]


@given(st.lists(st.floats(0, 70), min_size=2, max_size=20))
def test_buckets_add_up_to_the_whole(edges: list[float]) -> None:
    edges_s = np.array([0.0, *sorted(edges), 70.0])
    assert asked_between(RAMP, edges_s).sum() == pytest.approx(4650)
    assert (asked_between(RAMP, edges_s) >= 0).all()


def test_a_line_is_linear_between_its_points_and_zero_outside() -> None:
    assert line_at(RAMP, np.array([0.0, 5.0, 20.0, 35.0, 65.0, 66.0])).tolist() == [0, 10, 55, 100, 100, 0]
    assert line_at((), np.array([1.0])).tolist() == [0]
    assert asked_between((), np.array([0.0, 1.0])).tolist() == [0]
