from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.units import Duration
from kilonode.load.models import ConstantVus, PerVuIterations, RampingVus, SharedIterations, VuStage
from kilonode.load.segments import Segment
from kilonode.load.virtual_users import VuPlan

stages = st.builds(
    VuStage, to=st.integers(0, 30), over=st.one_of(st.just(Duration(0)), st.floats(0.01, 1000).map(Duration))
)
ramps = st.builds(RampingVus, start=st.integers(0, 30), stages=st.lists(stages, min_size=1, max_size=6).map(tuple))


@given(ramps, st.floats(0, 1))
def test_as_many_virtual_users_are_active_as_the_ramp_says(model: RampingVus, part: float) -> None:
    plan = VuPlan(model)
    at_s = plan.end_s * part
    intervals = [plan.active(vu) for vu in range(plan.vus)]
    borders = [border for intervals_of_one in intervals for interval in intervals_of_one for border in interval]
    if any(abs(at_s - border) < 1e-6 * max(1.0, plan.end_s) for border in borders):
        return  # at a border, rounding may tell either way
    active = sum(start_s <= at_s < end_s for of_one in intervals for start_s, end_s in of_one)
    assert active == plan.vus_at(at_s)


@given(ramps)
def test_the_intervals_of_a_virtual_user_are_in_order_and_do_not_touch(model: RampingVus) -> None:
    plan = VuPlan(model)
    for vu in range(plan.vus):
        borders = [border for interval in plan.active(vu) for border in interval]
        assert borders == sorted(set(borders))
        assert all(0 <= border <= plan.end_s for border in borders)


def test_a_ramp_adds_its_virtual_users_one_by_one() -> None:
    plan = VuPlan(RampingVus(stages=(VuStage(2, Duration(4)), VuStage(0, Duration(4)))))
    assert plan.active(0) == ((1.0, 7.0),)
    assert plan.active(1) == ((3.0, 5.0),)
    assert [plan.vus_at(second) for second in (0, 0.9, 1, 3, 4, 5.1, 7.1, 8)] == [0, 0, 1, 2, 2, 1, 0, 0]


def test_a_ramp_that_jumps_down_and_up_at_once_interrupts_nobody() -> None:
    down_and_up = (VuStage(2, Duration(5)), VuStage(0, Duration(0)), VuStage(2, Duration(0)), VuStage(2, Duration(5)))
    plan = VuPlan(RampingVus(start=2, stages=down_and_up))
    assert plan.active(1) == ((0.0, 10.0),)


def test_constant_virtual_users_are_active_all_the_time() -> None:
    plan = VuPlan(ConstantVus(vus=3, duration=Duration(60)))
    assert (plan.vus, plan.end_s) == (3, 60.0)
    assert plan.active(2) == ((0.0, 60.0),)


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 20))
def test_every_iteration_of_every_virtual_user_has_a_number_of_its_own(vus: int, workers: int, turns: int) -> None:
    plan = VuPlan(PerVuIterations(vus=vus, iterations=turns))
    numbers = [
        number
        for worker in range(workers)
        for vu in Segment(worker, workers).virtual_users(vus)
        for number in plan.numbers(vu)
    ]
    assert sorted(numbers) == list(range(vus * turns))


@given(st.integers(1, 50), st.integers(1, 200), st.integers(1, 9))
def test_shared_iterations_are_all_dealt_out_to_workers_with_a_virtual_user(
    vus: int, iterations: int, workers: int
) -> None:
    assert VuPlan(SharedIterations(vus=vus, iterations=iterations)).iterations_shared == iterations
    segments = [Segment(worker, workers) for worker in range(workers)]
    shares = [segment.shared(iterations, vus) for segment in segments]
    assert sorted(index for share in shares for index in share) == list(range(iterations))
    assert all(segment.virtual_users(vus) or not share for segment, share in zip(segments, shares, strict=True))
