"""What a chart shows, as records that the page's script draws. Nothing is computed here but units of drawing.

A chart's place on the page is a `figure` with a caption that says in words what the picture shows; its data stand once
in the page, as JSON.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kilonode.base.encoding import encode_json
from kilonode.base.units import format_seconds
from kilonode.check.results import (
    Bucketed,
    Curve,
    DisruptionResults,
    Flow,
    Heat,
    Histogram,
    Phases,
    SourceState,
    WorkloadResults,
)
from kilonode.history.records import STILL_IN_EFFECT
from kilonode.report.markup import Markup, element, in_script, join
from kilonode.report.words import outcome_words, rate_words, seconds_words

SHORTEST_DRAWN_S: Final = 1e-6
"""Logarithmic axes have no zero: shorter durations are drawn here."""


class Series(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line, area or set of bars."""

    label: str
    role: str
    """What it is, which decides its colour and dashes."""
    values: tuple[float | None, ...]
    x: tuple[float, ...] = ()
    """Where the values stand, when they do not stand in the chart's buckets."""


class Chart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One chart. `kind`: `time` lines, `bars` and `areas` stacked over time, `histogram`, `curve`,
    `cumulative` (shares of samples up to a duration), `sweep` (values over an axis of a campaign).
    """

    id: str
    kind: str
    unit: str
    """`s`, `/s`, `count`, `share` or `bytes`."""
    series: tuple[Series, ...]
    start: float = 0.0
    width: float = 1.0
    """Of a bucket, in seconds; of a histogram's bin, its growth."""
    log: bool = False
    x_unit: str = ""
    """Of a `sweep`: the unit of its axis."""
    x_label: str = ""
    x_log: bool = False
    heat: Heat | None = None
    tall: bool = False
    marks: tuple[tuple[float, str], ...] = ()
    """Instants worth a line, and what begins there."""


class PageData(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the page's script draws."""

    charts: tuple[Chart, ...]
    disruptions: tuple[tuple[float, float, str], ...]
    """Start, finish, words."""
    load_end_s: float


def page_data(charts: Sequence[Chart], disruptions: Sequence[DisruptionResults], load_end_s: float) -> Markup:
    """The data of all charts, for a script element."""
    bands = tuple(
        # What outlived the run reaches to the end of what is drawn, however much later somebody healed it.
        (one.start_s, max(one.start_s, load_end_s) if one.outlived_the_run else one.finish_s, disruption_words(one))
        for one in disruptions
        if one.happened
    )
    data = PageData(charts=tuple(charts), disruptions=bands, load_end_s=load_end_s)
    return in_script(encode_json(data).decode())


def disruption_words(one: DisruptionResults) -> str:
    """A disruption for people: its name and its sentence, and that nobody was there to heal it."""
    words = ": ".join(part for part in (one.name, one.target) if part)
    return f"{words} ({STILL_IN_EFFECT})" if one.outlived_the_run else words


def figure(chart: Chart, title: str, caption: str, *, wide: bool = False) -> Markup:
    """The place of a chart on the page. `caption` says in words what the chart shows."""
    return element(
        "figure",
        element("figcaption", element("h3", title), element("p", caption, id=f"{chart.id}-words")),
        element(
            "div",
            class_="chart tall" if chart.tall else "chart",
            id=chart.id,
            role="img",
            tabindex="0",
            aria_label=title,
            aria_describedby=f"{chart.id}-words",
        ),
        class_="wide" if wide else None,
    )


def latency_chart(name: str, over_time: Bucketed, heat: Heat | None) -> tuple[Chart, str]:
    """Percentiles of latency over time above the map of all operations; and its caption."""
    lines = {"p50": over_time.p50_s, "p95": over_time.p95_s, "p99": over_time.p99_s, "max": over_time.max_s}
    chart = Chart(
        id=name,
        kind="time",
        unit="s",
        series=tuple(Series(label=label, role=label, values=_drawable(values)) for label, values in lines.items()),
        start=over_time.start_s,
        width=over_time.width_s,
        log=True,
        heat=heat,
        tall=True,
    )
    worst = max(((value, place) for place, value in enumerate(over_time.max_s) if value is not None), default=None)
    caption = f"By when operations were due, in buckets of {format_seconds(over_time.width_s)}; shaded: all operations."
    if not any(value is not None for value in over_time.p99_s):
        caption += " No p99: too few operations in each bucket."
    if worst is not None:
        at_s = over_time.start_s + worst[1] * over_time.width_s
        caption += f" The longest took {format_seconds(worst[0])}, due at about {clock_words(at_s)}."
    return chart, caption


def throughput_chart(name: str, flow: Flow) -> tuple[Chart, str]:
    """What was asked for, what started and what went well."""
    series = [
        Series(label="done well", role="done", values=flow.succeeded_per_s),
        Series(label="started", role="started", values=flow.started_per_s),
    ]
    if flow.asked_per_s is not None:
        series.append(Series(label="asked", role="asked", values=flow.asked_per_s))
    chart = Chart(id=name, kind="time", unit="/s", series=tuple(series), start=flow.start_s, width=flow.width_s)
    highest = rate_words(max(flow.succeeded_per_s, default=0.0))
    return chart, f"Iterations per second, by when they started and finished. At most {highest} were done."


def errors_chart(name: str, flow: Flow) -> Chart | None:
    """Iterations that did not go well, by outcome; None when all did."""
    if not flow.unsuccessful_per_s:
        return None
    series = tuple(
        Series(label=outcome_words(outcome), role=f"outcome-{outcome}", values=values)
        for outcome, values in flow.unsuccessful_per_s.items()
    )
    return Chart(id=name, kind="bars", unit="/s", series=series, start=flow.start_s, width=flow.width_s)


def active_chart(name: str, flow: Flow) -> tuple[Chart, str]:
    """Iterations that ran at once, beside the virtual users asked for."""
    series = [Series(label="running", role="done", values=flow.active)]
    if flow.asked_vus is not None:
        series.append(Series(label="asked", role="asked", values=flow.asked_vus))
    chart = Chart(id=name, kind="time", unit="count", series=tuple(series), start=flow.start_s, width=flow.width_s)
    return chart, f"The mean over each bucket. At most {max(flow.active, default=0.0):,.1f} ran at once."


def histogram_chart(name: str, histogram: Histogram) -> Chart:
    """How latency and service time are distributed."""
    return Chart(
        id=name,
        kind="histogram",
        unit="count",
        series=(
            Series(label="latency", role="latency", values=histogram.latency),
            Series(label="service time", role="service", values=histogram.service),
        ),
        start=histogram.lowest_s,
        width=histogram.growth,
    )


def curve_chart(name: str, curve: Curve) -> Chart:
    """Latency and service time by percentile."""
    return Chart(
        id=name,
        kind="curve",
        unit="s",
        series=(
            Series(label="latency", role="latency", values=_drawable(curve.latency_s), x=curve.percent),
            Series(label="service time", role="service", values=_drawable(curve.service_s), x=curve.percent),
        ),
        log=True,
    )


def phases_chart(name: str, phases: Phases) -> Chart:
    """The mean of each part over time, stacked."""
    series = tuple(
        Series(label=name, role=f"part-{place % 8}", values=phases.mean_s[part.step])
        for place, (name, part) in enumerate(zip(part_names(phases), phases.parts, strict=True))
    )
    return Chart(id=name, kind="areas", unit="s", series=series, start=phases.start_s, width=phases.width_s)


def source_charts(name: str, metric: str, unit: str, sources: Sequence[SourceState]) -> Chart:
    """One metric of all processes."""
    series = tuple(
        Series(label=source.source, role=f"part-{place % 8}", values=line.value, x=line.at_s)
        for place, source in enumerate(sources)
        for line in source.lines
        if line.metric == metric
    )
    return Chart(id=name, kind="time", unit=unit, series=series)


def part_names(phases: Phases) -> list[str]:
    """What the parts of a whole are called: by their last word, unless two have the same."""
    paths = [part.step.removeprefix(f"{phases.step}.") if phases.step else part.step for part in phases.parts]
    last = [path.rpartition(".")[2] for path in paths]
    return [word if last.count(word) == 1 else path for word, path in zip(last, paths, strict=True)]


def clock_words(at_s: float) -> str:
    """An instant of the run: `1:05`, minutes and seconds after the start of the load."""
    minutes, seconds = divmod(abs(round(at_s)), 60)
    return f"{'−' if at_s < -0.5 else ''}{minutes}:{seconds:02d}"


def latency_words(workload: WorkloadResults) -> str:
    """One sentence on the latency of a workload's iterations."""
    found = {percentile.percent: percentile for percentile in workload.steps[0].latency.percentiles}
    words = [f"p{percent:g} {seconds_words(found[percent].value_s)}" for percent in (50.0, 95.0, 99.0)]
    return ", ".join(words)


def placed(figures: Sequence[Markup]) -> Markup:
    """Figures side by side."""
    return element("div", join(*figures), class_="figures")


def _drawable(values: Sequence[float | None]) -> tuple[float | None, ...]:
    return tuple(None if value is None else max(value, SHORTEST_DRAWN_S) for value in values)
