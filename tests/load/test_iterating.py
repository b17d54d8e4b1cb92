from pathlib import Path

import pytest

from kilonode.base.outcomes import Outcome
from kilonode.base.units import Duration, Rate
from kilonode.history.records import OpKind
from kilonode.load.models import ConstantArrivalRate, ConstantVus, PerVuIterations
from tests.load.conducting import conduct, workload

SECOND = 1_000_000_000


async def test_what_a_scenario_raises_becomes_the_outcome(tmp_path: Path) -> None:
    run = await conduct(tmp_path, workload(PerVuIterations(vus=1, iterations=6), scenario_name="tests.fail"))
    assert [op.outcome for op in run.iterations()] == [Outcome.OK, Outcome.QUOTA, Outcome.SCENARIO] * 2
    assert run.iterations()[1].error == "no more"
    assert run.iterations()[2].error.startswith("ValueError: a mistake (conducting.py:")


async def test_an_iteration_that_takes_too_long_times_out(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(2), duration=Duration(4))
    run = await conduct(tmp_path, workload(load, args={"seconds": 100.0}, iteration_timeout_s=2.5))
    iterations = run.iterations()
    assert [op.outcome for op in iterations] == [Outcome.TIMEOUT] * 8
    assert [(op.finished_ns - op.started_ns) / SECOND for op in iterations] == pytest.approx([2.5] * 8, rel=2e-3)
    assert [op.outcome for op in run.steps("sleep")] == [Outcome.TIMEOUT] * 8


async def test_a_virtual_user_goes_on_after_a_timeout(tmp_path: Path) -> None:
    load = ConstantVus(vus=1, duration=Duration(10))
    run = await conduct(tmp_path, workload(load, args={"seconds": 100.0}, iteration_timeout_s=3.0))
    assert [op.started_ns / SECOND for op in run.iterations()] == pytest.approx([0, 3, 6, 9], abs=0.02)


async def test_what_a_failed_iteration_made_is_undone_after_it_was_measured(tmp_path: Path) -> None:
    load = PerVuIterations(vus=1, iterations=2)
    run = await conduct(tmp_path, workload(load, scenario_name="tests.make", iteration_timeout_s=5.0))
    first, second = run.iterations()
    assert first.outcome == Outcome.TIMEOUT
    assert first.finished_ns == pytest.approx(5 * SECOND, rel=2e-3)
    assert second.started_ns == first.finished_ns + SECOND
    assert [op.outcome for op in run.steps("cleanup.thing")] == [Outcome.OK] * 2


async def test_steps_and_iterations_are_recorded_with_their_number(tmp_path: Path) -> None:
    run = await conduct(tmp_path, workload(PerVuIterations(vus=2, iterations=2), scenario_name="tests.random"))
    ops = list(run.columns.ops())
    assert sorted((op.kind, op.step, op.iteration) for op in ops) == sorted(
        (kind, step, number)
        for number in range(4)
        for kind, step in ((OpKind.ITERATION, ""), (OpKind.STEP, "wait"), (OpKind.STEP, "again"))
    )
