"""The section of one workload: tiles, pictures over time, distribution, parts, steps, errors."""

from kilonode.base.units import format_seconds
from kilonode.check.results import WorkloadResults
from kilonode.report.charts import (
    Chart,
    active_chart,
    curve_chart,
    errors_chart,
    figure,
    histogram_chart,
    latency_chart,
    latency_words,
    phases_chart,
    placed,
    throughput_chart,
)
from kilonode.report.markup import Markup, element, join
from kilonode.report.sections import section, tile
from kilonode.report.tables import errors_table, phases_table, steps_table
from kilonode.report.words import (
    count_words,
    percentile_at,
    percentile_words,
    rate_words,
    seconds_words,
    share_words,
)


def workload_section(workload: WorkloadResults, place: int) -> tuple[Markup, list[Chart]]:
    """The section of the workload at this place, and the charts in it."""
    name = f"w{place}"
    charts: list[Chart] = []
    body = join(
        element(
            "p",
            element("code", workload.facts.scenario),
            f"{_asked(workload)} · {workload.facts.load} · from {format_seconds(workload.facts.start_s)} for "
            f"{format_seconds(workload.measured_s)}",
            class_="lead",
        ),
        _tiles(workload),
        _figures(workload, name, charts),
        element("h3", "Steps"),
        steps_table(workload),
        _phases(workload, name, charts),
        _errors(workload),
    )
    return section(name, workload.facts.name, body), charts


def _asked(workload: WorkloadResults) -> str:
    """What a probe asks, and how."""
    facts = workload.facts
    return f" of {facts.endpoint}, {facts.connections} connections" if facts.endpoint else ""


def _tiles(workload: WorkloadResults) -> Markup:
    whole = workload.steps[0]
    latency = whole.latency
    tiles = [
        tile(
            f"p{percent:g}",
            percentile_words(percentile_at(latency, percent)),
            f"{count_words(latency.samples)} samples",
        )
        for percent in (50.0, 95.0, 99.0)
    ]
    tiles.append(tile("Done well", rate_words(whole.throughput_per_s), f"over {format_seconds(workload.measured_s)}"))
    tiles.append(
        tile(
            "Errors",
            share_words(whole.error_rate),
            f"{count_words(whole.failed)} of {count_words(whole.finished)}",
            kind="alert" if whole.failed else "",
        )
    )
    if workload.facts.open_model:
        small = f"of {count_words(workload.due)}; lateness p99 {seconds_words(workload.lateness_p99_s)}"
        tiles.append(tile("Dropped", count_words(workload.dropped), small, kind="alert" if workload.dropped else ""))
    else:
        cut = whole.outcomes.get("cancelled", 0)
        tiles.append(tile("Cut off", count_words(cut), "by the end of the run", kind="alert" if cut else ""))
    return element("dl", *tiles, class_="tiles")


def _figures(workload: WorkloadResults, name: str, charts: list[Chart]) -> Markup:
    latency, latency_caption = latency_chart(f"{name}-latency", workload.latency_over_time, workload.heat)
    throughput, throughput_caption = throughput_chart(f"{name}-throughput", workload.flow)
    active, active_caption = active_chart(f"{name}-active", workload.flow)
    figures = [
        figure(latency, "Latency over time", latency_caption, wide=True),
        figure(throughput, "Throughput", throughput_caption),
        figure(active, "Running at once", active_caption),
    ]
    charts.extend([latency, throughput, active])
    if workload.histogram is not None:
        chart = histogram_chart(f"{name}-histogram", workload.histogram)
        charts.append(chart)
        caption = f"Iterations in logarithmic bins: {latency_words(workload)}."
        figures.append(figure(chart, "Distribution", caption))
    if workload.curve is not None:
        chart = curve_chart(f"{name}-curve", workload.curve)
        charts.append(chart)
        caption = "Latency from due and service time by percentile, up to where ten samples lie beyond."
        figures.append(figure(chart, "By percentile", caption))
    errors = errors_chart(f"{name}-errors", workload.flow)
    if errors is not None:
        charts.append(errors)
        words = ", ".join(series.label for series in errors.series)
        caption = f"Iterations that did not go well, by when they ended: {words}."
        figures.append(figure(errors, "Errors over time", caption, wide=len(figures) % 2 == 1))
    return placed(figures)


def _phases(workload: WorkloadResults, name: str, charts: list[Chart]) -> Markup:
    parts = []
    for place, phases in enumerate(workload.phases):
        chart = phases_chart(f"{name}-phases-{place}", phases)
        charts.append(chart)
        title = f"Parts of {phases.step}" if phases.step else "Parts of an iteration"
        caption = "The mean time of each part, stacked, by when it began."
        parts.append(element("div", figure(chart, title, caption), phases_table(phases), class_="beside"))
    return join(parts)


def _errors(workload: WorkloadResults) -> Markup | None:
    if not workload.errors:
        return element("p", "No errors.", class_="lead spaced")
    more = workload.error_groups - len(workload.errors)
    return join(
        element("h3", "Errors"),
        errors_table(workload),
        element("p", f"{count_words(more)} more kinds of errors are not shown.", class_="lead") if more > 0 else None,
    )
