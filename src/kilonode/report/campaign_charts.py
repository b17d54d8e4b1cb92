"""The charts of a campaign's report: figures over an axis, with a gap where a point has no data.

One line for each combination of the other axes. What services use has one line for each service instead, and a chart
for each combination, since it is the services that are compared.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from kilonode.check.scaling import CampaignResults, Drawn, ViewResults
from kilonode.report.campaign_words import (
    SERVICE,
    figure_words,
    held_words,
    measured_words,
    metric_of,
    metric_words,
    shown_figures,
    subject_of,
    unit_of,
)
from kilonode.report.charts import Chart, Series, figure
from kilonode.report.markup import Markup

MOST_LINES: Final = 8
"""Lines of one chart that can be told apart; the tables have all."""

_LOG_FROM: Final = 20.0
"""An axis whose largest value is so many times its smallest is drawn by powers of ten."""
_SERVICE_METRICS: Final = (
    ("cpu_s_per_iteration", "CPU per iteration by service"),
    ("memory_bytes_max", "Memory by service"),
)
_MOST_SERVICE_CHARTS: Final = 4
_X_UNITS: Final[Mapping[str, str]] = {"": "count", "/s": "/s", "s": "s", "B": "bytes"}


def view_charts(
    results: CampaignResults, view: ViewResults, place: int, names: Mapping[str, str]
) -> list[tuple[Chart, Markup]]:
    """Each chart of one view with its place on the page."""
    drawn = []
    for number, name in enumerate(_drawn_figures(results.figures, view)):
        chart = _chart(f"v{place}-f{number}", view, name, names)
        if chart is not None:
            drawn.append((chart, figure(chart, figure_words(name), _caption(view, name))))
    for metric, title in _SERVICE_METRICS:
        drawn.extend(_service_charts(results, view, f"v{place}-{metric}", metric, title, names))
    return drawn


def _drawn_figures(figures: Sequence[str], view: ViewResults) -> list[str]:
    """The figures that matter most; errors only where there were any."""
    return [
        name
        for name in shown_figures(figures)
        if metric_of(name) != "error_rate" or any(any(track.y[name]) for track in view.tracks)
    ]


def _chart(name: str, view: ViewResults, figure_name: str, names: Mapping[str, str]) -> Chart | None:
    series = [
        Series(
            label=held_words(track.held, names) or metric_words(figure_name),
            role=f"part-{place % MOST_LINES}",
            values=track.y[figure_name],
            x=track.x,
        )
        for place, track in enumerate(_spread(view.tracks))
        if any(value is not None for value in track.y[figure_name])
    ]
    return _sweep(name, view, unit_of(figure_name), series) if series else None


def _service_charts(
    results: CampaignResults, view: ViewResults, name: str, metric: str, title: str, names: Mapping[str, str]
) -> list[tuple[Chart, Markup]]:
    figures = [one for one in results.figures if metric_of(one) == metric and subject_of(one).startswith(SERVICE)]
    tracks = _spread(view.tracks, _MOST_SERVICE_CHARTS)
    largest = {one: max((value or 0.0 for track in tracks for value in track.y[one]), default=0.0) for one in figures}
    chosen = sorted((one for one in figures if largest[one] > 0), key=lambda one: -largest[one])[:MOST_LINES]
    drawn = []
    for place, track in enumerate(tracks):
        series = [
            Series(
                label=subject_of(one).removeprefix(SERVICE),
                role=f"part-{number}",
                values=track.y[one],
                x=track.x,
            )
            for number, one in enumerate(chosen)
            if any(value is not None for value in track.y[one])
        ]
        if series:
            chart = _sweep(f"{name}-{place}", view, unit_of(f"x {metric}"), series)
            held = held_words(track.held, names)
            caption = "One line for each service, the largest first."
            if len(figures) > len(chosen):
                caption = f"The {len(chosen)} largest of {len(figures)} services, the largest first."
            drawn.append((chart, figure(chart, f"{title}, {held}" if held else title, caption)))
    return drawn


def _sweep(name: str, view: ViewResults, unit: str, series: Sequence[Series]) -> Chart:
    low, high = min(track.x[0] for track in view.tracks), max(track.x[-1] for track in view.tracks)
    return Chart(
        id=name,
        kind="sweep",
        unit=unit,
        series=tuple(series),
        x_unit=_X_UNITS[view.axis.unit],
        x_label=view.axis.path.rpartition(".")[2],
        x_log=low > 0 and high / low >= _LOG_FROM,
    )


def _spread(tracks: Sequence[Drawn], most: int = MOST_LINES) -> list[Drawn]:
    """All tracks, or so many of them from the first to the last."""
    if len(tracks) <= most:
        return list(tracks)
    return [tracks[round(place * (len(tracks) - 1) / (most - 1))] for place in range(most)]


def _caption(view: ViewResults, name: str) -> str:
    values = [value for track in view.tracks for value in track.y[name] if value is not None]
    words = f"From {measured_words(name, min(values))} to {measured_words(name, max(values))}"
    missing = sum(value is None for track in view.tracks for value in track.y[name])
    if missing:
        words += f"; {missing} of {missing + len(values)} points have no data"
    if len(view.tracks) > MOST_LINES:
        words += f"; {MOST_LINES} of {len(view.tracks)} lines are drawn"
    return f"{words}."
