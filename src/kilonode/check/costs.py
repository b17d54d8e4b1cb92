"""What the services cost: from Samples and the phases of the run to figures for each service. Pure, as all of check.

Processor time over load and drain, less what the service uses in that time when idle, is what the operations cost; it
is divided by the iterations that finished (decision 0092). Nothing finer can be told from outside: with several
workloads at once the cost is that of their mix. Definitions stand in docs/check.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kilonode.check.buckets import MOST_POINTS, Buckets, buckets_between, drawn_or_none, usual_width_s
from kilonode.check.cost_results import (
    CostLine,
    Counted,
    RunStretch,
    SamplerCosts,
    ServiceCosts,
    ServicePhase,
    ServicesResults,
    Spread,
)
from kilonode.check.facts import RunFacts
from kilonode.check.generator import GENERATOR
from kilonode.check.operations import OperationTable, finished_and_failed
from kilonode.check.sampled import GAP_READINGS, Counter, Gauge, Lines
from kilonode.check.statistics import Floats
from kilonode.history.columns import Samples
from kilonode.history.records import OpKind

SAMPLER: Final = "sampler"
CPU: Final = "cpu_s_total"
COUNTER: Final = "_total"
USUAL_EVERY_S: Final = 1.0
MISSING_SHARE: Final = 0.05
MISSING_READINGS: Final = 2
"""More than this share and this many readings of load and drain not sampled: its cost is unknown."""
MOST_DRAWN: Final = 7
"""So many services have colours of their own in a chart; the rest is one more."""
_DRAWN_OF_PROCESSES: Final = ("cpu_cores", "memory_bytes", "connections")
_DRAWN_OF_METERS: Final = (
    "queries_per_s", "published_per_s", "messages_ready", "messages_unacknowledged", "connections_open",
)  # fmt: skip


def evaluate_costs(
    samples: Samples, table: OperationTable, facts: RunFacts, load_end_s: float
) -> ServicesResults | None:
    """The costs of all services; None when nothing was sampled and nobody tried."""
    lines = Lines(samples)
    names = [source for source in lines.sources if source != SAMPLER and not source.startswith(GENERATOR)]
    if not names and not facts.unmeasured:
        return None
    every_s = _every_s(lines, names)
    stretches = _stretches(table, load_end_s)
    finished = sum(
        finished_and_failed(table.of(OpKind.ITERATION, workload.name).counts())[0] for workload in facts.workloads
    )
    services = [_Service(name, lines.of(name), every_s or USUAL_EVERY_S) for name in names]
    results = [service.evaluate(stretches, finished) for service in services]
    order = sorted(range(len(names)), key=lambda place: (-(results[place].cpu_s or 0.0), names[place]))
    buckets = _buckets(services, every_s or USUAL_EVERY_S)
    first = len(names) if len(names) <= MOST_DRAWN + 1 else MOST_DRAWN
    window = _window(stretches)
    cpu_s = _sum([one.cpu_s for one, service in zip(results, services, strict=True) if CPU in service.counters])
    return ServicesResults(
        stretches=stretches,
        operations=finished,
        workloads=tuple(workload.name for workload in facts.workloads),
        idle_s=next((one.finish_s - one.start_s for one in stretches if one.phase == "idle"), None),
        every_s=every_s,
        cpu_s=cpu_s,
        cores_mean=None if cpu_s is None or window is None else cpu_s / (window.finish_s - window.start_s),
        cpu_s_per_operation=None
        if cpu_s is None
        else _sum([one.cpu_s_per_operation for one in results if one.cpu_s is not None]),
        cpu_s_per_operation_raw=_divided(cpu_s, finished),
        memory_bytes_max=_most_together(services, buckets),
        services=tuple(results[place] for place in order),
        lines=tuple(
            line for rank, place in enumerate(order) for line in services[place].lines(buckets, whole=rank < first)
        ),
        rest=_rest([services[place] for place in order[first:]], buckets),
        drawn=first,
        start_s=buckets.start_s,
        width_s=buckets.width_s,
        sampler=_sampler(lines.of(SAMPLER)),
        problems=facts.unmeasured,
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """Load and drain, and the idle phase before it."""

    start_s: float
    finish_s: float
    idle: RunStretch | None


class _Service:
    """The lines of one service."""

    def __init__(self, name: str, lines: Mapping[str, tuple[Floats, Floats]], every_s: float) -> None:
        self.name, self._every_s = name, every_s
        self.counters = {
            metric: Counter.over_resets(at_s, value) for metric, (at_s, value) in lines.items() if _counts(metric)
        }
        self.gauges = {
            metric: Gauge(at_s, value, GAP_READINGS * every_s)
            for metric, (at_s, value) in lines.items()
            if not _counts(metric)
        }
        self.first_s = min(float(at_s[0]) for at_s, _ in lines.values())
        self.last_s = max(float(at_s[-1]) for at_s, _ in lines.values())

    def evaluate(self, stretches: Sequence[RunStretch], finished: int) -> ServiceCosts:
        """Its figures. `finished`: how many operations they are divided by."""
        window = _window(stretches)
        counted = self._counted(window, finished)
        totals = {one.metric: one.count for one in counted}
        cpu_s, less_idle_s, idle_cores = self._over(CPU, window)
        return ServiceCosts(
            service=self.name,
            cpu_s=cpu_s,
            idle_cores=idle_cores,
            cpu_s_per_operation_raw=_divided(cpu_s, finished),
            cpu_s_per_operation=_divided(less_idle_s, finished),
            memory_bytes_max=self._highest("memory_bytes"),
            connections_max=self._highest("connections"),
            queue_depth_max=self._queue_depth_max(window),
            read_share=_share(totals.get("reads"), totals.get("writes")),
            counted=counted,
            phases=tuple(phase for stretch in stretches if (phase := self._phase(stretch)) is not None),
        )

    def lines(self, buckets: Buckets, *, whole: bool) -> list[CostLine]:
        """What is drawn of it. `whole`: also what its processes use, not only what its server says of itself."""
        wanted = (*(_DRAWN_OF_PROCESSES if whole else ()), *_DRAWN_OF_METERS)
        values = {metric: self.drawn(metric, buckets) for metric in wanted}
        return [
            CostLine(service=self.name, metric=metric, value=drawn_or_none(value))
            for metric, value in values.items()
            if value is not None
        ]

    def drawn(self, metric: str, buckets: Buckets) -> Floats | None:
        """One metric over time; None when it was not sampled."""
        if metric in self.gauges:
            return self.gauges[metric].drawn(buckets)
        for counter, rate in ((name, _rate_name(name)) for name in self.counters):
            if rate == metric:
                return self.counters[counter].drawn(buckets)
        return None

    def _phase(self, stretch: RunStretch) -> ServicePhase | None:
        spreads = []
        for metric, counter in self.counters.items():
            rate = counter.rate(stretch.start_s, stretch.finish_s, self._every_s)
            if rate is not None:
                spreads.append(Spread(metric=_rate_name(metric), min=rate.min, mean=rate.mean, max=rate.max))
        for metric, gauge in self.gauges.items():
            found = gauge.range(stretch.start_s, stretch.finish_s)
            if found is not None:
                spreads.append(Spread(metric=metric, min=found.min, mean=found.mean, max=found.max))
        measured_s = max(0.0, min(stretch.finish_s, self.last_s) - max(stretch.start_s, self.first_s))
        if not spreads and measured_s <= 0:
            return None
        cpu = self.counters.get(CPU)
        return ServicePhase(
            phase=stretch.phase,
            measured_s=measured_s,
            cpu_s=cpu.growth(stretch.start_s, stretch.finish_s) if cpu is not None else None,
            spreads=tuple(sorted(spreads, key=lambda spread: (spread.metric != "cpu_cores", spread.metric))),
        )

    def _over(self, metric: str, window: _Window | None) -> tuple[float | None, float | None, float | None]:
        """Of a counter: its growth over load and drain, the same less idle, and its rate when idle."""
        counter = self.counters.get(metric)
        if counter is None or window is None:
            return None, None, None
        idle_rate = None
        if window.idle is not None:
            rate = counter.rate(window.idle.start_s, window.idle.finish_s, self._every_s)
            idle_rate = None if rate is None else rate.mean
        length_s = window.finish_s - window.start_s
        measured_s = counter.measured_s(window.start_s, window.finish_s)
        if measured_s < length_s - max(MISSING_SHARE * length_s, MISSING_READINGS * self._every_s):
            return None, None, idle_rate
        growth = counter.growth(window.start_s, window.finish_s)
        less_idle = None if growth is None else growth - (idle_rate or 0.0) * measured_s
        return growth, less_idle, idle_rate

    def _counted(self, window: _Window | None, finished: int) -> tuple[Counted, ...]:
        found = []
        for metric in sorted(self.counters):
            count, less_idle, _ = self._over(metric, window)
            if metric != CPU and count is not None:
                found.append(
                    Counted(
                        metric=metric.removesuffix(COUNTER),
                        count=count,
                        per_operation=_divided(count, finished),
                        per_operation_less_idle=_divided(less_idle, finished),
                    )
                )
        return tuple(found)

    def _queue_depth_max(self, window: _Window | None) -> float | None:
        ready, waiting = self.gauges.get("messages_ready"), self.gauges.get("messages_unacknowledged")
        if ready is None or waiting is None or window is None:
            return None
        at_s, first, second = np.intersect1d(ready.at_s, waiting.at_s, return_indices=True)
        inside = (at_s >= window.start_s) & (at_s <= window.finish_s)
        depth = (ready.value[first] + waiting.value[second])[inside]
        return float(depth.max()) if len(depth) else None

    def _highest(self, metric: str) -> float | None:
        gauge = self.gauges.get(metric)
        return None if gauge is None else float(gauge.value.max())


def _stretches(table: OperationTable, load_end_s: float) -> tuple[RunStretch, ...]:
    """The phases as they were recorded; a load that was cut short without a word lasted as long as its history."""
    found = []
    for key in table.keys_of_kind(OpKind.PHASE):
        operations = table.of(OpKind.PHASE, key.workload, key.step)
        start_s, finish_s = float(operations.started_s.min()), float(operations.finished_s.max())
        found.append(RunStretch(phase=key.step, start_s=start_s, finish_s=finish_s))
    if all(one.phase != "load" for one in found):
        found.append(RunStretch(phase="load", start_s=0.0, finish_s=load_end_s))
    return tuple(sorted(found, key=lambda one: (one.start_s, one.finish_s)))


def _window(stretches: Sequence[RunStretch]) -> _Window | None:
    loaded = [one for one in stretches if one.phase in ("load", "drain")]
    finish_s = max(one.finish_s for one in loaded)
    start_s = min(one.start_s for one in loaded)
    idle = next((one for one in stretches if one.phase == "idle"), None)
    return _Window(start_s, finish_s, idle) if finish_s > start_s else None


def _every_s(lines: Lines, names: Sequence[str]) -> float | None:
    """The usual time between two readings of processes, or else of meters; None when there was but one."""
    candidates = [lines.of(SAMPLER).get("duration_s"), *(next(iter(lines.of(name).values())) for name in names)]
    for line in candidates:
        if line is not None and len(line[0]) > 1:
            return float(np.median(np.diff(line[0])))
    return None


def _buckets(services: Sequence[_Service], every_s: float) -> Buckets:
    first_s = min((service.first_s for service in services), default=0.0)
    last_s = max((service.last_s for service in services), default=0.0)
    width_s = max(usual_width_s(max(last_s - first_s, 1.0), MOST_POINTS // 2), float(f"{every_s:.2g}"))
    return buckets_between(first_s, last_s, width_s)


def _rest(services: Sequence[_Service], buckets: Buckets) -> tuple[CostLine, ...]:
    totals = {metric: _drawn_together(services, metric, buckets) for metric in _DRAWN_OF_PROCESSES}
    return tuple(
        CostLine(service="", metric=metric, value=drawn_or_none(total))
        for metric, total in totals.items()
        if total is not None
    )


def _drawn_together(services: Sequence[_Service], metric: str, buckets: Buckets) -> Floats | None:
    """The sum over those that were sampled in each bucket; None when none ever was."""
    values = [value for service in services if (value := service.drawn(metric, buckets)) is not None]
    if not values:
        return None
    stacked = np.array(values)
    total: Floats = np.where(np.isnan(stacked).all(axis=0), np.nan, np.nansum(stacked, axis=0))
    return total


def _most_together(services: Sequence[_Service], buckets: Buckets) -> float | None:
    total = _drawn_together(services, "memory_bytes", buckets)
    return None if total is None or np.isnan(total).all() else float(np.nanmax(total))


def _sampler(lines: Mapping[str, tuple[Floats, Floats]]) -> SamplerCosts | None:
    if CPU not in lines or "duration_s" not in lines:
        return None
    at_s, cpu_s = lines[CPU]
    length_s = float(at_s[-1] - at_s[0])
    return SamplerCosts(
        cpu_s=float(cpu_s[-1]),
        cpu_fraction=float(cpu_s[-1] - cpu_s[0]) / length_s if length_s > 0 else None,
        readings=len(lines["duration_s"][0]),
        duration_s_max=float(lines["duration_s"][1].max()),
    )


def _counts(metric: str) -> bool:
    return metric.endswith(COUNTER)


def _rate_name(metric: str) -> str:
    return "cpu_cores" if metric == CPU else f"{metric.removesuffix(COUNTER)}_per_s"


def _sum(values: Sequence[float | None]) -> float | None:
    """The sum; unknown when one is, or when there are none."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _divided(value: float | None, count: int) -> float | None:
    return None if value is None or count == 0 else value / count


def _share(reads: float | None, writes: float | None) -> float | None:
    if reads is None or writes is None or reads + writes <= 0:
        return None
    return reads / (reads + writes)
