from pathlib import Path

import pytest

from kilonode.base.errors import InputError
from kilonode.base.simulation import run_simulated
from kilonode.base.units import Duration, Rate
from kilonode.history.records import OpKind
from kilonode.load.models import (
    ConstantArrivalRate,
    ConstantVus,
    LoadModel,
    PerVuIterations,
    PoissonArrivalRate,
    RampingVus,
    ThinkTime,
    VuStage,
)
from tests.load.conducting import Run, conduct, workload

THINK = ThinkTime(Duration(0.1), Duration(0.4))
MODELS: list[LoadModel] = [
    ConstantArrivalRate(rate=Rate(40), duration=Duration(5)),
    PoissonArrivalRate(rate=Rate(40), duration=Duration(5)),
    PerVuIterations(vus=7, iterations=9, think_time=THINK),
    ConstantVus(vus=5, duration=Duration(5), think_time=THINK),
    RampingVus(stages=(VuStage(9, Duration(3)), VuStage(2, Duration(3))), think_time=THINK),
]


def fresh(folder: Path, name: str, model: LoadModel, workers: int = 1, seed: int = 1) -> Run:
    """A run in a simulation of its own."""
    (folder / name).mkdir()
    plan = workload(model, scenario_name="tests.random")
    return run_simulated(lambda _: conduct(folder / name, plan, workers=workers, seed=seed))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_the_same_seed_gives_the_same_journals_byte_for_byte(tmp_path: Path, model: LoadModel) -> None:
    first = fresh(tmp_path, "first", model, workers=2)
    assert first.journals == fresh(tmp_path, "second", model, workers=2).journals
    assert first.journals != fresh(tmp_path, "other", model, workers=2, seed=2).journals


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("workers", [2, 3, 7])
def test_any_number_of_workers_makes_the_same_load(tmp_path: Path, model: LoadModel, workers: int) -> None:
    alone = fresh(tmp_path, "alone", model)
    together = fresh(tmp_path, "together", model, workers=workers)
    assert [_facts(op) for op in together.columns.ops()] == [_facts(op) for op in alone.columns.ops()]
    assert len({op.worker for op in together.columns.ops()}) == min(workers, 5 if isinstance(model, ConstantVus) else 7)


async def test_workloads_run_side_by_side(tmp_path: Path) -> None:
    run = await conduct(
        tmp_path,
        workload(ConstantArrivalRate(rate=Rate(10), duration=Duration(5)), name="open"),
        workload(ConstantVus(vus=2, duration=Duration(5)), name="closed"),
    )
    assert len(run.iterations("open")) == 50
    assert len(run.iterations("closed")) == 1000


async def test_progress_comes_every_second_and_adds_up_to_the_history(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(50), duration=Duration(4.5))
    run = await conduct(tmp_path, workload(load, scenario_name="tests.fail"), workers=2)
    assert [report.at_s for report in run.reports if report.worker == 0] == pytest.approx([1, 2, 3, 4, 4.5], abs=0.05)
    assert [report.last for report in run.reports if report.worker == 1] == [False] * 4 + [True]
    counted: dict[str, int] = {}
    timed = 0
    for report in run.reports:
        for step in report.steps:
            timed += step.latency.count + step.failed_latency.count
            for outcome, count in step.outcomes.items():
                counted[outcome] = counted.get(outcome, 0) + count
    recorded = [op.outcome for op in run.columns.ops() if op.kind == OpKind.ITERATION]
    assert counted == {outcome: recorded.count(outcome) for outcome in set(recorded)}
    assert timed == len(recorded) == 225


async def test_health_is_sampled_every_second(tmp_path: Path) -> None:
    load = ConstantArrivalRate(rate=Rate(10), duration=Duration(3.5), max_vus=1)
    run = await conduct(tmp_path, workload(load, args={"seconds": 0.15}))
    at_ns, dropped = run.samples.of("generator-0", "dropped")
    assert [round(at / 1e9) for at in at_ns] == [1, 2, 3, 4]
    assert dropped[-1] == sum(op.outcome == "dropped" for op in run.iterations()) > 0
    assert run.samples.of("generator-0", "lateness_s_max")[1].tolist() == [0.0] * 4
    # What would depend on the machine is not sampled on virtual time.
    assert set(run.samples.metric_names) == {"active_vus", "dropped", "lateness_s_max", "lateness_s_p99"}


async def test_an_unknown_scenario_is_named_before_the_load(tmp_path: Path) -> None:
    load = PerVuIterations(vus=1, iterations=1)
    with pytest.raises(InputError, match="there is no scenario"):
        await conduct(tmp_path, workload(load, scenario_name="tests.slep"))


async def test_bad_arguments_are_named_before_the_load(tmp_path: Path) -> None:
    load = PerVuIterations(vus=1, iterations=1)
    with pytest.raises(InputError, match=r"bad arguments for tests\.sleep"):
        await conduct(tmp_path, workload(load, args={"seconds": "long"}))


def _facts(op: object) -> tuple[object, ...]:
    return tuple(getattr(op, name) for name in ("kind", "workload", "step", "iteration", "due_ns", "started_ns",
                                                 "finished_ns", "outcome", "error", "resolution_ns"))  # fmt: skip
