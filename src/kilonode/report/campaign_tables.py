"""The tables of a campaign's report: its points, what hurts first, every line that was fitted, every figure."""

from collections.abc import Mapping, Sequence
from typing import Final

from kilonode.check.results import Verdict
from kilonode.check.scaling import CampaignResults, Scaling, Summary, Trend, ViewResults
from kilonode.check.sweep import SweepPoint
from kilonode.report.campaign_words import (
    TREND_SYMBOLS,
    at_words,
    fact_words,
    figure_words,
    flat_facts,
    has_scale,
    held_words,
    measured_words,
    only_workload,
    scale_interval_words,
    scale_title,
    scale_words,
    shown_figures,
    slope_interval_words,
    slope_words,
)
from kilonode.report.markup import Child, Markup, element, join
from kilonode.report.tables import number, table, verdict_mark
from kilonode.report.words import UNKNOWN

MOST_LINES: Final = 1_000
"""Lines in the table of all; more would make a page that nobody reads and no browser likes."""
_REPORT: Final = "report.html"
_TREND_CLASSES: Final[Mapping[Trend, str]] = {
    Trend.WORSENS: "invalid",
    Trend.NONE_SEEN: "",
    Trend.IMPROVES: "valid",
    Trend.UNKNOWN: "unknown",
}


def points_table(results: CampaignResults, names: Mapping[str, str]) -> Markup:
    """Every point: its values, its verdict with a way to its own report, the figures that matter most."""
    return _points(results, names, shown_figures(results.figures), "Points")


def figures_table(results: CampaignResults, names: Mapping[str, str]) -> Markup:
    """Every point with every figure."""
    return _points(results, names, results.figures, "Every figure of every point")


def _points(results: CampaignResults, names: Mapping[str, str], figures: Sequence[str], caption: str) -> Markup:
    paths = list(dict.fromkeys(path for point in results.points for path, _ in flat_facts(point.facts)))
    heads = [("", True), *((names[path], True) for path in paths), ("verdict", False)]
    heads += [(figure_words(name, without=only_workload(results.figures)), True) for name in figures]
    bodies = [element("tbody", element("tr", _point_cells(point, paths, figures))) for point in results.points]
    return table(heads, bodies, caption, "points")


def _point_cells(point: SweepPoint, paths: Sequence[str], figures: Sequence[str]) -> Markup:
    facts = dict(flat_facts(point.facts))
    return join(
        number(str(point.number + 1), point.number + 1),
        [_fact_cell(facts.get(path)) for path in paths],
        element("td", _verdict(point)),
        [
            number(
                measured_words(name, point.figures.get(name)),
                point.figures.get(name),
                class_="number" if point.figures.get(name) is not None else "number absent",
            )
            for name in figures
        ],
    )


def _fact_cell(value: object) -> Markup:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(fact_words(value), float(value))
    return element("td", fact_words(value), class_="number")


def _verdict(point: SweepPoint) -> Child:
    """The verdict as a link to the run's own report, which lies beside this one."""
    if point.verdict is None:
        return element("span", "not done" if not point.run else "not done: cut short", class_="what")
    mark = verdict_mark(point.verdict)
    return element("a", mark, href=f"{point.run}/{_REPORT}") if point.run else mark


def summary_table(
    results: CampaignResults, view: ViewResults, summaries: Sequence[Summary], names: Mapping[str, str]
) -> Markup:
    """What hurts first in one view: each figure of which a scale is known, with the worst of its lines."""
    heads = [("figure", False), ("trend", False), ("twice as bad at", True), ("each further one", True)]
    heads += [("at zero", True), ("R²", True), ("points", True)]
    several = len(view.tracks) > 1
    if several:
        heads += [("worst at", False), ("worsens", True)]
    bodies = []
    for one in summaries:
        fit = results.fits[one.worst]
        if not has_scale(fit):
            continue
        more: list[Markup] = []
        if several:
            held = held_words(view.tracks[fit.track].held, names)
            more = [element("td", held, class_="what"), number(f"{one.worsening} of {one.known}", one.worsening)]
        bodies.append(element("tbody", element("tr", _fit_cells(fit, view), *more)))
    return table(heads, bodies, f"What hurts first over {names[view.axis.path]}", "scaling")


def fits_table(results: CampaignResults, names: Mapping[str, str]) -> Markup:
    """Every line that was fitted, of very many the first."""
    heads = [("over", False), ("held", False), ("figure", False), ("trend", False), ("twice as bad at", True)]
    heads += [("each further one", True), ("at zero", True), ("R²", True), ("points", True)]
    bodies = []
    for fit in results.fits[:MOST_LINES]:
        view = results.views[fit.view]
        held = {**view.family_held, **view.tracks[fit.track].held}
        moving = [f"{names[one.path]} moves too" for one in view.together]
        words = ", ".join(part for part in (held_words(held, names), *moving) if part)
        row = join(
            element("td", names[view.axis.path]),
            element("td", words or UNKNOWN, class_="what"),
            _fit_cells(fit, view),
        )
        bodies.append(element("tbody", element("tr", row)))
    return table(heads, bodies, "Every line", "scaling")


def _fit_cells(fit: Scaling, view: ViewResults) -> Markup:
    beyond = ""
    if fit.extrapolated and fit.measured_to is not None:
        beyond = f"beyond the {at_words(fit.measured_to, view.axis.unit)} measured"
    interval = scale_interval_words(fit.scale_interval) if fit.scale is not None else ""
    small = "; ".join(part for part in (interval, beyond) if part)
    points = f"{fit.points:,}"
    return join(
        element("th", figure_words(fit.figure), scope="row"),
        element(
            "td",
            element("span", element("span", TREND_SYMBOLS[fit.trend], aria_hidden="true"), f" {fit.trend}"),
            class_=f"verdict {_TREND_CLASSES[fit.trend]}".strip(),
        ),
        number(scale_words(fit), _sortable(fit), small=small, title=scale_title(fit.figure)),
        number(slope_words(fit), fit.slope, small=slope_interval_words(fit)),
        number(measured_words(fit.figure, fit.intercept), fit.intercept),
        number(UNKNOWN if fit.r_squared is None else f"{fit.r_squared:.3f}", fit.r_squared),
        number(points, fit.points, small=f"{fit.doubtful} doubtful" if fit.doubtful else f"at {fit.places} places"),
    )


def _sortable(fit: Scaling) -> float | None:
    if fit.scale is not None:
        return fit.scale
    if fit.trend is Trend.WORSENS:
        return 0.0
    return fit.scale_interval.low if fit.scale_interval is not None else None


def verdict_counts(points: Sequence[SweepPoint]) -> dict[Verdict, int]:
    """How many points have each verdict."""
    return {verdict: sum(point.verdict is verdict for point in points) for verdict in Verdict}
