"""The section of what the cloud's services cost: tiles, pictures beside the load, a table, every phase."""

from collections.abc import Sequence
from typing import Final

from kilonode.base.units import format_seconds
from kilonode.check.cost_results import CostLine, ServiceCosts, ServicesResults
from kilonode.check.results import Results
from kilonode.report.charts import Chart, Series, figure, placed
from kilonode.report.markup import Markup, element, join
from kilonode.report.sections import section, tile
from kilonode.report.service_tables import costs_table, phases_table, servers_table
from kilonode.report.words import bytes_words, cores_words, count_words, seconds_words, share_words

_COLOURS: Final = 8
_TABLE: Final = (
    "Processor time over load and drain; then how many processors were kept busy in each phase, 1 being one that is "
    "fully used; then the most memory and established TCP connections."
)
_OTHERS: Final = "all others"
_FIGURES: Final = (
    (
        "cpu_cores",
        "areas",
        "count",
        "Processors",
        "Kept busy by each service, stacked; 1 is one processor, fully used.",
    ),
    ("memory_bytes", "areas", "bytes", "Memory", "Resident, stacked; the highest in each stretch."),
    ("connections", "time", "count", "Connections", "Established TCP connections of each service."),
    ("queries_per_s", "time", "/s", "Statements", "What the database was asked each second."),
    ("messages_ready", "time", "count", "Waiting messages", "In all queues of the broker; the most in each stretch."),
    ("published_per_s", "time", "/s", "Published messages", "What services gave to the broker each second."),
)


def services_section(results: Results) -> tuple[Markup | None, list[Chart]]:
    """The section and the charts in it; None when nothing was sampled."""
    costs = results.services
    if costs is None:
        return None, []
    charts, figures = _figures(costs, results)
    body = join(
        element("p", explain(costs), class_="lead"),
        [element("p", element("span", "note", class_="tag"), one, class_="reason unknown") for one in costs.problems],
        _tiles(costs) if costs.services else None,
        placed(figures),
        join(element("h3", "By service"), element("p", _TABLE, class_="lead"), costs_table(costs))
        if costs.services
        else None,
        servers_table(costs),
        element("details", element("summary", "Every phase"), phases_table(costs)) if costs.services else None,
        element("p", sampler_words(costs), class_="lead spaced"),
    )
    return section("services", "Services", body), charts


def explain(costs: ServicesResults) -> str:
    """What the numbers are, and what they are divided by."""
    every = f"about every {format_seconds(round(costs.every_s, 1))}" if costs.every_s is not None else "once"
    idle = (
        f"less what each service uses when idle ({format_seconds(costs.idle_s)} before setup)"
        if costs.idle_s is not None
        else "with what services use by themselves, because there was no idle phase"
    )
    text = (
        f"What the cloud's processes used, read {every}. The cost of an operation is processor time over load and "
        f"drain, {idle}, divided by the {count_words(costs.operations)} iterations that finished"
    )
    if len(costs.workloads) > 1:
        text += f" of {len(costs.workloads)} workloads at once: it is that of their mix, and of none of them alone"
    elif costs.workloads:
        text += f" of {costs.workloads[0]}"
    return f"{text}."


def sampler_words(costs: ServicesResults) -> str:
    """What the sampling itself cost."""
    sampler = costs.sampler
    if sampler is None:
        return "What the sampling itself cost is not known."
    return (
        f"The sampling itself took {seconds_words(sampler.cpu_s)} of processor time, "
        f"{share_words(sampler.cpu_fraction)} of a processor, for {count_words(sampler.readings)} readings; "
        f"the longest took {seconds_words(sampler.duration_s_max)}."
    )


def _tiles(costs: ServicesResults) -> Markup:
    first = costs.services[0]
    tiles = [
        tile("Processor time per operation", seconds_words(costs.cpu_s_per_operation), "all services, less idle")
        if costs.idle_s is not None
        else tile("Processor time per operation", seconds_words(costs.cpu_s_per_operation), "all services, with idle"),
        tile("Processors busy", cores_words(costs.cores_mean), "mean over load and drain"),
        tile("Busiest service", first.service, f"{seconds_words(first.cpu_s_per_operation)} per operation"),
        tile("Memory", bytes_words(costs.memory_bytes_max), "the most at once"),
        tile("Services", count_words(len(costs.services))),
    ]
    return element("dl", *tiles, class_="tiles")


def _figures(costs: ServicesResults, results: Results) -> tuple[list[Chart], list[Markup]]:
    charts, figures = [], []
    load = _load_chart(costs, results)
    marks = tuple((one.start_s, one.phase) for one in costs.stretches)
    for metric, kind, unit, title, caption in _FIGURES:
        lines = [line for line in (*costs.lines, *costs.rest) if line.metric == metric]
        if not any(value for line in lines for value in line.value):
            continue
        chart = Chart(
            id=f"services-{metric}",
            kind=kind,
            unit=unit,
            series=_series(lines, costs.services),
            start=costs.start_s,
            width=costs.width_s,
            marks=marks,
        )
        charts.append(chart)
        figures.append(figure(chart, title, caption))
    if figures and load is not None:
        caption = "Iterations that went well each second, by when they finished, on the same axis of time."
        charts.insert(0, load)
        figures.insert(0, figure(load, "Load", caption, wide=len(figures) % 2 == 0))
    return charts, figures


def _series(lines: Sequence[CostLine], services: Sequence[ServiceCosts]) -> tuple[Series, ...]:
    """A service has the same colour in every chart; the others together have the last one."""
    place = {one.service: rank % _COLOURS for rank, one in enumerate(services)}
    return tuple(
        Series(
            label=line.service or _OTHERS,
            role=f"part-{place.get(line.service, _COLOURS - 1)}",
            values=line.value,
        )
        for line in lines
    )


def _load_chart(costs: ServicesResults, results: Results) -> Chart | None:
    """What every workload did, drawn over the time that services were sampled."""
    end_s = costs.start_s + costs.width_s * max((len(line.value) for line in costs.lines), default=0)
    series = []
    for place, workload in enumerate(results.workloads[:_COLOURS]):
        flow = workload.flow
        inside = [flow.start_s + flow.width_s * (number + 0.5) for number in range(len(flow.succeeded_per_s))]
        at_s = (costs.start_s + costs.width_s / 2, *inside, end_s - costs.width_s / 2)
        values: tuple[float | None, ...] = (None, *flow.succeeded_per_s, None)
        if inside and at_s[0] < inside[0] and inside[-1] < at_s[-1]:
            series.append(Series(label=workload.facts.name, role=f"part-{place}", values=values, x=at_s))
        elif inside:
            series.append(Series(label=workload.facts.name, role=f"part-{place}", values=values[1:-1], x=tuple(inside)))
    marks = tuple((one.start_s, one.phase) for one in costs.stretches)
    return Chart(id="services-load", kind="time", unit="/s", series=tuple(series), marks=marks) if series else None
