import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.units import Duration, Rate
from kilonode.load.models import (
    ConstantArrivalRate,
    OpenModel,
    PoissonArrivalRate,
    RampingArrivalRate,
    RateStage,
    Step,
)
from kilonode.load.pacers import Pacer, open_pacer
from kilonode.load.segments import Segment

rates = st.one_of(st.floats(0.001, 1e6), st.integers(1, 1000)).map(Rate)
rates_or_none = st.one_of(st.just(Rate(0)), rates)
counts = st.floats(0.01, 1000)
"""How many iterations a stage asks for: durations follow from it, so that no model is too big to list."""


def lasting(count: float, rate: float) -> Duration:
    return Duration(count / rate if rate else count)


@st.composite
def constant(draw: st.DrawFn) -> OpenModel:
    rate = draw(rates)
    return ConstantArrivalRate(rate=rate, duration=lasting(draw(counts), rate))


@st.composite
def poisson(draw: st.DrawFn) -> OpenModel:
    rate = draw(rates)
    return PoissonArrivalRate(rate=rate, duration=lasting(draw(counts) * 30, rate))


@st.composite
def ramping(draw: st.DrawFn) -> OpenModel:
    start = draw(rates_or_none)
    rate, stages = start, []
    for _ in range(draw(st.integers(1, 5))):
        to = draw(rates_or_none)
        over = lasting(draw(counts), max(rate, to)) if draw(st.booleans()) else Duration(0)
        stages.append(RateStage(to, over))
        rate = to
    return RampingArrivalRate(start=start, stages=tuple(stages))


@st.composite
def stepped(draw: st.DrawFn) -> OpenModel:
    start, step, steps = draw(rates_or_none), draw(rates), draw(st.integers(1, 5))
    return Step(start=start, step=step, steps=steps, every=lasting(draw(counts), start + steps * step))


linear_models = st.one_of(constant(), ramping(), stepped())
models = st.one_of(linear_models, poisson())


def asked(model: OpenModel, until_s: float = math.inf) -> float:
    """The integral of the rate until then, by the trapezoids a person would draw."""
    match model:
        case ConstantArrivalRate() | PoissonArrivalRate():
            shapes = [(model.duration, model.rate, model.rate)]
        case RampingArrivalRate():
            rates = [model.start, *(stage.to for stage in model.stages)]
            shapes = [(stage.over, *ends) for ends, stage in zip(itertools.pairwise(rates), model.stages, strict=True)]
        case _:
            steps = [Rate(model.start + number * model.step) for number in range(model.steps + 1)]
            shapes = [(model.every, rate, rate) for rate in steps]
    area = 0.0
    for duration_s, low, high in shapes:
        inside_s = min(duration_s, until_s)
        if inside_s > 0:
            area += (low + (low + (high - low) * inside_s / duration_s)) / 2 * inside_s
        until_s -= duration_s
    return area


def due_times(pacer: Pacer) -> list[float]:
    total = pacer.count_by(pacer.end_s)
    due: list[float] = pacer.due_s(np.arange(total, dtype=np.int64)).tolist()
    return due


@given(linear_models)
def test_the_count_is_the_integral_of_the_rate_to_within_one(model: OpenModel) -> None:
    pacer = open_pacer(model, 1, "load")
    wanted = asked(model)
    assert abs(pacer.count_by(pacer.end_s) - wanted) <= 1 + 1e-9 * wanted


@given(linear_models, st.floats(0, 1))
def test_at_any_instant_the_count_is_the_integral_until_then_to_within_one(model: OpenModel, part: float) -> None:
    pacer = open_pacer(model, 1, "load")
    until_s = pacer.end_s * part
    wanted = asked(model, until_s)
    assert abs(pacer.count_by(until_s) - wanted) <= 1 + 1e-6 + 1e-9 * wanted


@given(models)
def test_due_never_decreases_and_lies_inside_the_schedule(model: OpenModel) -> None:
    pacer = open_pacer(model, 1, "load")
    due = due_times(pacer)
    assert all(before <= after for before, after in itertools.pairwise(due))
    assert all(0 <= due_s <= pacer.end_s for due_s in due)
    assert math.isinf(pacer.due_s(len(due)))


@given(models, st.floats(0, 1))
def test_the_count_jumps_exactly_where_an_iteration_is_due(model: OpenModel, part: float) -> None:
    pacer = open_pacer(model, 1, "load")
    due = due_times(pacer)
    assume(due)
    index = min(int(part * len(due)), len(due) - 1)
    assert pacer.count_by(due[index]) >= index + 1
    assert pacer.count_by(math.nextafter(due[index], -1)) <= index


@given(models, st.floats(0, 1))
def test_the_count_is_the_number_of_due_instants_up_to_then(model: OpenModel, part: float) -> None:
    pacer = open_pacer(model, 1, "load")
    until_s = pacer.end_s * part
    assert pacer.count_by(until_s) == sum(due_s <= until_s for due_s in due_times(pacer))


@given(models, st.integers(1, 9))
def test_the_segments_of_any_number_of_workers_make_up_the_schedule(model: OpenModel, workers: int) -> None:
    pacer = open_pacer(model, 7, "load")
    total = pacer.count_by(pacer.end_s)
    whole = {index: pacer.due_s(index) for index in range(0, total, max(1, total // 200))}
    parts: list[tuple[int, float]] = []
    for worker in range(workers):
        segment = Segment(worker, workers)
        indices = segment.indices(0, segment.count_of(total))
        # Each worker has a pacer of its own, and asks in pieces.
        own = open_pacer(model, 7, "load")
        for start in range(0, len(indices), 1000):
            piece = indices[start : start + 1000]
            parts += zip(piece.tolist(), own.due_s(piece).tolist(), strict=True)
    assert sorted(index for index, _ in parts) == list(range(total))
    assert {index: due_s for index, due_s in parts if index in whole} == whole


@given(st.integers(0, 2**53), st.text(min_size=1, max_size=10))
def test_a_poisson_schedule_depends_on_the_seed_and_the_workload_alone(seed: int, workload: str) -> None:
    model = PoissonArrivalRate(rate=Rate(100), duration=Duration(10))
    first = due_times(open_pacer(model, seed, workload))
    assert first == due_times(open_pacer(model, seed, workload))
    assert first != due_times(open_pacer(model, seed + 1, workload))
    assert first != due_times(open_pacer(model, seed, workload + "x"))


def test_poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() -> None:
    due = due_times(open_pacer(PoissonArrivalRate(rate=Rate(1000), duration=Duration(100)), 3, "load"))
    gaps = np.diff(due)
    assert len(due) == pytest.approx(100_000, rel=0.02)
    assert gaps.mean() == pytest.approx(0.001, rel=0.02)
    assert gaps.std() == pytest.approx(0.001, rel=0.02)
    assert (gaps > 0.001).mean() == pytest.approx(math.exp(-1), rel=0.02)


def test_a_poisson_schedule_can_be_read_from_its_middle() -> None:
    model = PoissonArrivalRate(rate=Rate(1000), duration=Duration(100))
    whole = due_times(open_pacer(model, 3, "load"))
    fresh = open_pacer(model, 3, "load")
    assert fresh.due_s(70_000) == whole[70_000]
    assert fresh.due_s(5) == whole[5]
    assert open_pacer(model, 3, "load").count_by(60.0) == sum(due_s <= 60 for due_s in whole)


def test_a_constant_rate_is_due_at_even_instants_from_the_start() -> None:
    pacer = open_pacer(ConstantArrivalRate(rate=Rate(4), duration=Duration(1)), 1, "load")
    assert due_times(pacer) == [0.0, 0.25, 0.5, 0.75]


def test_nothing_is_due_while_the_rate_is_zero() -> None:
    stages = (RateStage(Rate(0), Duration(10)), RateStage(Rate(8), Duration(0)), RateStage(Rate(8), Duration(1)))
    pacer = open_pacer(RampingArrivalRate(stages=stages), 1, "load")
    assert pacer.count_by(9.99) == 0
    assert due_times(pacer) == [10 + index / 8 for index in range(8)]


def test_a_ramp_is_due_at_the_square_roots() -> None:
    pacer = open_pacer(RampingArrivalRate(stages=(RateStage(Rate(10), Duration(10)),)), 1, "load")
    assert due_times(pacer) == pytest.approx([math.sqrt(2 * index) for index in range(50)])


def test_a_step_stands_at_its_start_and_goes_up_as_often_as_asked() -> None:
    pacer = open_pacer(Step(start=Rate(10), step=Rate(5), every=Duration(2), steps=2), 1, "load")
    assert [pacer.rate_at(second) for second in (0, 1.9, 2, 4, 5.9, 6)] == [10, 10, 15, 20, 20, 0]
    assert pacer.count_by(6) == 20 + 30 + 40


def test_more_iterations_than_a_run_can_hold_are_refused() -> None:
    with pytest.raises(InputError, match="too many iterations"):
        open_pacer(ConstantArrivalRate(rate=Rate(1e9), duration=Duration(3600)), 1, "load")
    with pytest.raises(InputError, match="too many iterations"):
        open_pacer(PoissonArrivalRate(rate=Rate(1e300), duration=Duration(1e300)), 1, "load")
