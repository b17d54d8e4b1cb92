"""From an experiment to what its checkers know: what load was asked for, and what went wrong around it.

The facts follow from the resolved experiment and the run's record alone, so a history can be judged anew
from its folder.
"""

from itertools import accumulate, pairwise
from typing import Final

from kilonode.base.units import Duration
from kilonode.check.criteria import CriterionRule, parse_criterion
from kilonode.check.facts import Abortion, Point, RunFacts, WorkloadFacts
from kilonode.load.models import (
    ConstantArrivalRate,
    ConstantVus,
    LoadModel,
    OpenModel,
    PerVuIterations,
    PoissonArrivalRate,
    RampingArrivalRate,
    RampingVus,
    SharedIterations,
    Step,
)
from kilonode.run.experiment import Experiment, Workload
from kilonode.run.folder import RunRecord
from kilonode.scenarios.probe import PROBE

IDLE: Final = "idle"
"""The step of imported iterations that is what the tool slept."""


def run_facts(experiment: Experiment, record: RunRecord) -> RunFacts:
    """What the checkers of this run know beside its history."""
    abortion = Abortion(record.aborted_s, record.aborted_because, record.aborted_by) if record.aborted_because else None
    return RunFacts(
        workloads=tuple(workload_facts(name, workload) for name, workload in experiment.workloads.items()),
        rules=criterion_rules(experiment),
        workers=record.workers,
        dead_workers=record.problems,
        unmeasured=record.unmeasured,
        abortion=abortion,
        simulated=record.simulated,
    )


def criterion_rules(experiment: Experiment) -> tuple[CriterionRule, ...]:
    """The criteria as values. They were checked when the file was read."""
    return tuple(
        CriterionRule(parse_criterion(item.criterion), item.abort, float(item.after), float(item.window))
        for item in experiment.criterion_items()
    )


def workload_facts(name: str, workload: Workload) -> WorkloadFacts:
    """What one workload was asked to do, on the run's time axis."""
    model, start_s = workload.load, float(workload.start)
    corners = [Point(start_s + at_s, value) for at_s, value in _corners(model)]
    open_model = isinstance(model, OpenModel)
    imported = workload.imported
    is_probe = workload.scenario == PROBE
    return WorkloadFacts(
        name=name,
        scenario=workload.scenario if imported is None else f"{imported.scenario} by {imported.tool}",
        load=describe_load(model) if imported is None else imported.load,
        open_model=open_model,
        start_s=start_s,
        end_s=corners[-1].at_s,
        ends_when_done=isinstance(model, SharedIterations | PerVuIterations),
        asked_per_s=tuple(corners) if open_model else (),
        asked_vus=() if open_model else tuple(corners),
        max_vus=model.max_vus if isinstance(model, OpenModel) else 0,
        objective_s=None if workload.objective is None else float(workload.objective),
        endpoint=_endpoint(workload) if is_probe else "",
        connections=str(workload.args.get("connections", "reused")) if is_probe else "",
        idle_step="" if imported is None else IDLE,
        repeats=imported.repeats if imported is not None and imported.repeats != name else "",
    )


def _endpoint(workload: Workload) -> str:
    """What a probe asks, for people: `compute`, `compute /servers`, an address."""
    return " ".join(str(workload.args[key]) for key in ("endpoint", "path") if workload.args.get(key))


def lasts_s(model: LoadModel) -> float:
    """How long a load lasts at most, from the start of its workload."""
    return _corners(model)[-1][0]


def describe_load(model: LoadModel) -> str:
    """The load model for people: `constant-arrival-rate 200/s for 60s`."""
    match model:
        case ConstantArrivalRate():
            return f"constant-arrival-rate {model.rate} for {model.duration}"
        case PoissonArrivalRate():
            return f"poisson-arrival-rate {model.rate} for {model.duration}"
        case RampingArrivalRate():
            path = " → ".join(f"{stage.to} over {stage.over}" for stage in model.stages)
            return f"ramping-arrival-rate {model.start} → {path}"
        case Step():
            return f"step from {model.start} by {model.step} every {model.every}, {model.steps} times"
        case ConstantVus():
            return f"constant-vus {model.vus} for {model.duration}"
        case RampingVus():
            path = " → ".join(f"{stage.to} over {stage.over}" for stage in model.stages)
            return f"ramping-vus {model.start} → {path}"
        case SharedIterations():
            return f"shared-iterations {model.iterations} by {model.vus} VUs"
        case PerVuIterations():
            return f"per-vu-iterations {model.iterations} by each of {model.vus} VUs"


def _corners(model: LoadModel) -> list[tuple[float, float]]:
    """The rate, or the number of virtual users, as a line over the workload's own time; at least two points."""
    match model:
        case ConstantArrivalRate() | PoissonArrivalRate():
            return _flat(model.duration, model.rate)
        case ConstantVus():
            return _flat(model.duration, model.vus)
        case SharedIterations() | PerVuIterations():
            return _flat(model.max_duration, model.vus)
        case RampingArrivalRate() | RampingVus():
            borders_s = accumulate((float(stage.over) for stage in model.stages), initial=0.0)
            values = [float(model.start), *(float(stage.to) for stage in model.stages)]
            corners = list(zip(borders_s, values, strict=True))
            return corners if len(corners) > 1 else [*corners, corners[0]]
        case Step():
            borders_s = accumulate([float(model.every)] * (model.steps + 1), initial=0.0)
            rates = [float(model.start + number * model.step) for number in range(model.steps + 1)]
            return [
                corner
                for (from_s, to_s), rate in zip(pairwise(borders_s), rates, strict=True)
                for corner in ((from_s, rate), (to_s, rate))
            ]


def _flat(duration: Duration, value: float) -> list[tuple[float, float]]:
    return [(0.0, float(value)), (float(duration), float(value))]
