from itertools import pairwise
from pathlib import Path

import pytest

from kilonode.base.outcomes import Outcome
from kilonode.base.units import Duration
from kilonode.load.models import (
    ConstantVus,
    PerVuIterations,
    RampingVus,
    SharedIterations,
    ThinkTime,
    VuStage,
)
from tests.load.conducting import conduct, workload

SECOND = 1_000_000_000


async def test_virtual_users_iterate_one_after_the_other_until_the_end(tmp_path: Path) -> None:
    run = await conduct(tmp_path, workload(ConstantVus(vus=3, duration=Duration(2)), args={"seconds": 0.125}))
    iterations = run.iterations()
    assert sorted(op.iteration for op in iterations) == list(range(3 * 16))
    assert all(op.due_ns == op.started_ns for op in iterations)
    of_one = [op for op in iterations if op.iteration % 3 == 1]
    assert [op.started_ns for op in of_one] == [turn * SECOND // 8 for turn in range(16)]


async def test_a_closed_loop_hides_most_of_an_outage(tmp_path: Path) -> None:
    load = ConstantVus(vus=4, duration=Duration(60))
    run = await conduct(tmp_path, workload(load, scenario_name="tests.outage"))
    slow = [op for op in run.iterations() if op.finished_ns - op.due_ns > SECOND]
    assert len(slow) == 4  # one for each virtual user, where an open loop of the same size tells of hundreds
    assert len(run.iterations()) > 20_000


async def test_think_time_is_drawn_between_its_bounds_from_the_seed(tmp_path: Path) -> None:
    load = ConstantVus(vus=2, duration=Duration(60), think_time=ThinkTime(Duration(1), Duration(3)))
    (tmp_path / "other").mkdir()
    run = await conduct(tmp_path, workload(load))
    of_one = [op for op in run.iterations() if op.iteration % 2 == 0]
    pauses_s = [(after.started_ns - op.finished_ns) / SECOND for op, after in pairwise(of_one)]
    assert all(1 <= pause_s <= 3 for pause_s in pauses_s)
    assert len({round(pause_s, 6) for pause_s in pauses_s}) == len(pauses_s)
    other = await conduct(tmp_path / "other", workload(load), seed=2)
    assert [op.started_ns for op in other.iterations()] != [op.started_ns for op in run.iterations()]


async def test_each_virtual_user_does_its_iterations_and_the_load_ends(tmp_path: Path) -> None:
    run = await conduct(tmp_path, workload(PerVuIterations(vus=4, iterations=5)))
    assert sorted(op.iteration for op in run.iterations()) == list(range(20))
    assert run.reports[-1].at_s == pytest.approx(0.05)


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
async def test_shared_iterations_are_each_done_once(tmp_path: Path, workers: int) -> None:
    run = await conduct(tmp_path, workload(SharedIterations(vus=3, iterations=50)), workers=workers)
    assert sorted(op.iteration for op in run.iterations()) == list(range(50))


async def test_nothing_starts_after_the_longest_duration(tmp_path: Path) -> None:
    load = SharedIterations(vus=1, iterations=1000, max_duration=Duration(1))
    run = await conduct(tmp_path, workload(load, args={"seconds": 0.3}))
    assert [op.iteration for op in run.iterations()] == [0, 1, 2, 3]
    assert {op.outcome for op in run.iterations()} == {Outcome.OK}


async def test_a_ramp_starts_and_stops_virtual_users(tmp_path: Path) -> None:
    load = RampingVus(stages=(VuStage(10, Duration(10)), VuStage(10, Duration(5)), VuStage(0, Duration(10))))
    run = await conduct(tmp_path, workload(load, args={"seconds": 0.1}))
    iterations = run.iterations()
    active = [sum(op.started_ns <= at * SECOND < op.finished_ns for op in iterations) for at in (2.2, 5.2, 12.2, 20.2)]
    assert active == [2, 5, 10, 5]
    assert max(op.started_ns for op in iterations) < 24.6 * SECOND


async def test_a_stop_ends_thinking_and_drains(tmp_path: Path) -> None:
    load = ConstantVus(vus=2, duration=Duration(600), think_time=ThinkTime(Duration(100), Duration(100)))
    run = await conduct(tmp_path, workload(load, args={"seconds": 2.0}), stop_s=1)
    assert [op.outcome for op in run.iterations()] == [Outcome.OK] * 2
    assert run.reports[-1].at_s == pytest.approx(2.0)


async def test_an_iteration_that_takes_no_time_does_not_stop_virtual_time(tmp_path: Path) -> None:
    run = await conduct(tmp_path, workload(ConstantVus(vus=2, duration=Duration(1)), scenario_name="noop"))
    assert len(run.iterations()) == 2000
