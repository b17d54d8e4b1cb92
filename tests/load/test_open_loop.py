from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonode.base.clock import RealClock
from kilonode.base.outcomes import Outcome
from kilonode.base.simulation import run_simulated
from kilonode.base.units import Duration, Rate
from kilonode.load.models import ConstantArrivalRate, PoissonArrivalRate, RampingArrivalRate, RateStage, Step
from kilonode.load.pacers import open_pacer
from tests.load.conducting import conduct, workload

SECOND = 1_000_000_000


async def test_every_iteration_starts_when_it_is_due(tmp_path: Path) -> None:
    run = await conduct(tmp_path, workload(ConstantArrivalRate(rate=Rate(8), duration=Duration(3))))
    iterations = run.iterations()
    assert [op.iteration for op in iterations] == list(range(24))
    assert [op.due_ns for op in iterations] == [number * SECOND // 8 for number in range(24)]
    assert all(op.started_ns == op.due_ns for op in iterations)
    assert all(op.finished_ns - op.started_ns == SECOND // 100 for op in iterations)
    assert {op.outcome for op in iterations} == {Outcome.OK}


@pytest.mark.parametrize(
    "model",
    [
        PoissonArrivalRate(rate=Rate(100), duration=Duration(20)),
        RampingArrivalRate(stages=(RateStage(Rate(100), Duration(20)), RateStage(Rate(10), Duration(5)))),
        Step(start=Rate(10), step=Rate(30), every=Duration(5), steps=3),
    ],
)
async def test_every_open_model_starts_what_its_pacer_says(tmp_path: Path, model: PoissonArrivalRate) -> None:
    run = await conduct(tmp_path, workload(model), seed=5)
    pacer = open_pacer(model, 5, "load")
    iterations = run.iterations()
    assert [op.iteration for op in iterations] == list(range(pacer.count_by(pacer.end_s)))
    assert [op.due_ns for op in iterations] == [round(pacer.due_s(op.iteration) * SECOND) for op in iterations]
    assert all(op.started_ns == op.due_ns for op in iterations)


async def test_an_outage_of_three_seconds_in_sixty_is_told_as_it_was(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(100), duration=Duration(60))
    run = await conduct(tmp_path, workload(load, scenario_name="tests.outage"))
    iterations = run.iterations()
    slow = [op for op in iterations if op.finished_ns - op.due_ns > SECOND]
    assert len(iterations) == 6000
    # Whoever came in the first two of the three seconds waited for more than one: a thirtieth of all.
    assert len(slow) == pytest.approx(200, abs=2)
    assert max(op.finished_ns - op.due_ns for op in iterations) == pytest.approx(3.01 * SECOND, rel=1e-3)


async def test_latency_from_due_contains_the_stall_where_virtual_users_are_few(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(100), duration=Duration(60), max_vus=50)
    run = await conduct(tmp_path, workload(load, scenario_name="tests.outage"))
    iterations = run.iterations()
    dropped = [op for op in iterations if op.outcome == Outcome.DROPPED]
    assert len(iterations) == 6000
    # 50 of the 300 due in the outage hold all virtual users; the others were due, and are counted.
    assert len(dropped) == pytest.approx(250, abs=2)
    assert all(20 * SECOND <= op.due_ns <= 23.1 * SECOND for op in dropped)
    assert all(op.started_ns == op.finished_ns == op.due_ns for op in dropped)
    assert run.reports[-1].workloads[0].dropped == len(dropped)
    assert run.reports[-1].workloads[0].due == 6000


async def test_as_many_run_at_once_as_max_vus_says_and_no_more(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(100), duration=Duration(2), max_vus=7)
    run = await conduct(tmp_path, workload(load, args={"seconds": 1.0}))
    started = [op for op in run.iterations() if op.outcome == Outcome.OK]
    most = max(sum(other.started_ns <= op.started_ns < other.finished_ns for other in started) for op in started)
    assert most == 7
    assert sum(report.workloads[0].active_vus <= 7 for report in run.reports) == len(run.reports)


async def test_a_scenario_that_never_waits_is_never_dropped(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(5000), duration=Duration(1), max_vus=1)
    run = await conduct(tmp_path, workload(load, scenario_name="noop"))
    assert [op.outcome for op in run.iterations()] == [Outcome.OK] * 5000


async def test_what_runs_at_the_end_may_finish_in_the_drain_time(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(10), duration=Duration(5))
    run = await conduct(tmp_path, workload(load, args={"seconds": 3.0}), drain_s=10)
    assert {op.outcome for op in run.iterations()} == {Outcome.OK}
    assert max(op.finished_ns for op in run.iterations()) == pytest.approx(7.9 * SECOND)


async def test_what_runs_longer_than_the_drain_time_is_cut_off_and_says_so(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(10), duration=Duration(5))
    run = await conduct(tmp_path, workload(load, args={"seconds": 3.0}), drain_s=1)
    cancelled = [op for op in run.iterations() if op.outcome == Outcome.CANCELLED]
    assert [op.due_ns for op in cancelled] == [round(number * SECOND / 10) for number in range(30, 50)]
    assert {op.finished_ns for op in cancelled} == {6 * SECOND}
    assert [op.outcome for op in run.steps("sleep") if op.iteration >= 30] == [Outcome.CANCELLED] * 20


async def test_a_stop_starts_nothing_more_and_drains(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(10), duration=Duration(60))
    run = await conduct(tmp_path, workload(load, args={"seconds": 2.0}), stop_s=5.05)
    iterations = run.iterations()
    assert [op.iteration for op in iterations] == list(range(51))
    assert {op.outcome for op in iterations} == {Outcome.OK}
    assert run.reports[-1].at_s == pytest.approx(7.0)
    assert run.reports[-1].workloads[0].due == 51


async def test_a_kill_cuts_off_at_once(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(10), duration=Duration(60))
    run = await conduct(tmp_path, workload(load, args={"seconds": 2.0}), kill_s=5.05)
    iterations = run.iterations()
    assert [op.iteration for op in iterations] == list(range(51))
    assert [op.outcome for op in iterations[-20:]] == [Outcome.CANCELLED] * 20
    assert max(op.finished_ns for op in iterations) == pytest.approx(5.05 * SECOND)


async def test_a_scenario_that_refuses_to_stop_is_recorded_and_left_behind(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(1), duration=Duration(2))
    run = await conduct(tmp_path, workload(load, scenario_name="tests.stubborn"), drain_s=1)
    assert [(op.iteration, op.outcome) for op in run.iterations()] == [(0, Outcome.CANCELLED), (1, Outcome.CANCELLED)]
    assert "did not stop" in run.iterations()[0].error


@settings(max_examples=40)
@given(
    rate=st.floats(1, 200),
    duration_s=st.floats(0.5, 5),
    mean_s=st.floats(0.001, 1),
    max_vus=st.integers(1, 30),
    workers=st.integers(1, 3),
    poisson=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_due_iteration_starts_on_time_or_is_dropped_for_want_of_virtual_users(
    rate: float, duration_s: float, mean_s: float, max_vus: int, workers: int, poisson: bool, seed: int
) -> None:
    kind = PoissonArrivalRate if poisson else ConstantArrivalRate
    load = kind(rate=Rate(rate), duration=Duration(duration_s), max_vus=max_vus)
    plan = workload(load, scenario_name="tests.exponential", args={"mean_s": mean_s})
    with TemporaryDirectory() as folder:
        run = run_simulated(lambda _: conduct(Path(folder), plan, workers=workers, seed=seed, drain_s=1000))
    pacer = open_pacer(load, seed, "load")
    iterations = run.iterations()
    assert sorted(op.iteration for op in iterations) == list(range(pacer.count_by(pacer.end_s)))
    assert all(op.due_ns == round(pacer.due_s(op.iteration) * SECOND) == op.started_ns for op in iterations)
    for worker in range(workers):
        own = [op for op in iterations if op.worker == worker]
        most = max(1, len(range(worker, max_vus, workers)))
        started = [op for op in own if op.outcome == Outcome.OK]
        for op in own:
            running = sum(other.started_ns < op.due_ns < other.finished_ns for other in started)
            starting = sum(other.started_ns == op.due_ns or other.finished_ns == op.due_ns for other in started)
            if op.outcome == Outcome.DROPPED:
                assert running + starting >= most
            assert running <= most


@pytest.mark.real_loop
@pytest.mark.parametrize("stop_s", [None, 0.5])
async def test_a_generator_that_cannot_keep_up_records_all_that_was_due(tmp_path: Path, stop_s: float | None) -> None:
    load = ConstantArrivalRate(rate=Rate(20_000), duration=Duration(0.5 if stop_s is None else 60))
    plan = workload(load, scenario_name="tests.block")
    run = await conduct(tmp_path, plan, workers=2, drain_s=0.1, stop_s=stop_s, clock=RealClock())
    iterations = run.iterations()
    due = sum(report.workloads[0].due for report in run.reports if report.last)
    dropped = [op for op in iterations if op.outcome == Outcome.DROPPED]
    # Two workers are stopped some microseconds apart, so each has its own last iteration.
    for worker in (0, 1):
        numbers = sorted(op.iteration for op in iterations if op.worker == worker)
        assert numbers == list(range(worker, 2 * len(numbers), 2))
    assert len(iterations) == due > 5_000
    assert len(dropped) == sum(report.workloads[0].dropped for report in run.reports if report.last) > 0
    assert all(op.started_ns == op.finished_ns > op.due_ns for op in dropped)
    assert all(op.due_ns == op.iteration * 50_000 for op in iterations)


async def test_a_workload_may_start_later_than_the_run(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(10), duration=Duration(1))
    run = await conduct(tmp_path, workload(load, name="first"), workload(load, name="second", start_s=7.5))
    assert run.iterations("first")[0].due_ns == 0
    assert run.iterations("second")[0].due_ns == 7.5 * SECOND
    assert len(run.iterations("first")) == len(run.iterations("second")) == 10
