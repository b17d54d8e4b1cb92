"""Small hand-made histories. Instants are seconds since the run's zero."""

from collections.abc import Iterable

from kilonode.base.outcomes import Outcome
from kilonode.check.criteria import CriterionRule, parse_criterion
from kilonode.check.facts import Point, RunFacts, WorkloadFacts
from kilonode.history.columns import Columns, History, Samples
from kilonode.history.records import Op, OpKind, Sample


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def op(
    workload: str = "mix",
    step: str = "",
    *,
    number: int = 0,
    due: float = 0.0,
    late: float = 0.0,
    took: float = 0.1,
    outcome: str = Outcome.OK,
    error: str = "",
    resolution: float = 0.0,
    kind: OpKind | None = None,
) -> Op:
    """An operation that was due, started `late` and took `took` from its start."""
    chosen = kind or (OpKind.STEP if step else OpKind.ITERATION)
    started, finished = ns(due + late), ns(due + late + took)
    return Op(str(chosen), workload, step, number, ns(due), started, finished, str(outcome), error, ns(resolution))


def history(ops: Iterable[Op], samples: Iterable[Sample] = (), **more: float) -> History:
    columns = Columns.from_ops(ops)
    return History(
        columns, Samples.from_samples(list(samples)), bool(more.get("torn")), more.get("lost_at_most_s", 0.0)
    )


def open_workload(name: str = "mix", *, rate: float = 10.0, start: float = 0.0, end: float = 10.0) -> WorkloadFacts:
    return WorkloadFacts(
        name=name,
        scenario="noop",
        load=f"constant-arrival-rate {rate:g}/s for {end - start:g}s",
        open_model=True,
        start_s=start,
        end_s=end,
        asked_per_s=(Point(start, rate), Point(end, rate)),
        max_vus=100,
    )


def closed_workload(name: str = "boots", *, vus: int = 2, start: float = 0.0, end: float = 10.0) -> WorkloadFacts:
    return WorkloadFacts(
        name=name,
        scenario="compute.boot_and_delete",
        load=f"constant-vus {vus} for {end - start:g}s",
        open_model=False,
        start_s=start,
        end_s=end,
        asked_vus=(Point(start, vus), Point(end, vus)),
    )


def rules(*criteria: str, after: float = 0.0, window: float = 10.0, abort: bool = False) -> tuple[CriterionRule, ...]:
    return tuple(CriterionRule(parse_criterion(text), abort, after, window) for text in criteria)


def run(*workloads: WorkloadFacts, criteria: tuple[CriterionRule, ...] = ()) -> RunFacts:
    return RunFacts(workloads=workloads or (open_workload(),), rules=criteria)


def steady(
    name: str = "mix", *, rate: float = 10.0, seconds: float = 10.0, took: float = 0.1, late: float = 0.0
) -> list[Op]:
    """Iterations that are due evenly and all take the same."""
    return [op(name, number=n, due=n / rate, took=took, late=late) for n in range(round(rate * seconds))]


def health(metric: str, values: Iterable[float], *, source: str = "generator-0", first: float = 1.0) -> list[Sample]:
    """One metric of the generator, a value each second."""
    return [Sample(source, metric, ns(first + place), value) for place, value in enumerate(values)]
