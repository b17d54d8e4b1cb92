"""The page of a campaign: its points, what hurts first at scale, and every figure over every axis."""

from collections.abc import Mapping
from typing import Final

from kilonode.check.results import Verdict
from kilonode.check.scaling import CampaignResults, Trend, ViewResults
from kilonode.report.campaign_charts import view_charts
from kilonode.report.campaign_tables import (
    MOST_LINES,
    figures_table,
    fits_table,
    points_table,
    summary_table,
    verdict_counts,
)
from kilonode.report.campaign_words import (
    CampaignMetadata,
    at_words,
    figure_words,
    has_scale,
    held_words,
    path_names,
    scale_interval_words,
    scale_words,
    view_note,
    view_words,
)
from kilonode.report.charts import Chart, page_data, placed
from kilonode.report.markup import Markup, element, join
from kilonode.report.page import page, theme_button
from kilonode.report.sections import section, tile
from kilonode.report.words import SYMBOLS

_MOST_TILES: Final = 6
_REST: Final[Mapping[Trend, str]] = {Trend.NONE_SEEN: "No change seen", Trend.IMPROVES: "Improve"}
_TERMS: Final = """
Twice as bad at: where the line is twice its value at zero; for throughput, half of it. It is b / m of the line
y = m x + b (half of −b / m for throughput). Small means that it hurts soon. Below it stands its 95 % interval, by
Fieller’s theorem.

Beyond what was measured: the line was followed further than any run went. It may bend there.

At least: zero is within the slope’s 95 % interval, so that no change was seen; as far as these points tell, it is not
twice as bad before this.

From nothing: the figure grows, and the line’s value at zero is not above zero: there is nothing there to double. It
ranks first.

Unknown: fewer than three different values of the axis have this figure: through two points goes every line.

Changed together: these values never changed apart from each other here, so the runs cannot tell whose effect it is.

Doubtful: points whose run could not be judged (verdict unknown). They are in the line.

By chance: of forty lines through figures that do not change, about one is called worse. What worsens with every value
of the other axes is not chance.

Intervals: they assume that what is not on the line is scatter, independent from run to run and of about the same size
everywhere. Repeat points with other seeds to see whether it is. R² near one: the line explains the differences.
"""


def campaign_html(results: CampaignResults, metadata: CampaignMetadata) -> str:
    """The page."""
    names = path_names(results)
    charts: list[Chart] = []
    sections = [_summary_section(results, names), _points_section(results, names)]
    links = [("points", "Points")]
    if results.views:
        sections.append(_scaling_section(results, names))
        links.append(("scaling", "What hurts first"))
    for place, view in enumerate(results.views):
        drawn = view_charts(results, view, place, names)
        if drawn:
            charts.extend(chart for chart, _ in drawn)
            sections.append(_view_section(view, place, [body for _, body in drawn], names))
            links.append((f"over-{place}", f"Over {view_words(view, names)}"))
    if results.fits or results.figures:
        sections.append(_details_section(results, names))
        links.append(("details", "All numbers"))
    sections.append(_reading_section())
    worst = _worst(results)
    return page(
        f"{SYMBOLS[worst]} {worst} · {metadata.name} · Kilonode campaign",
        [
            element("a", "Skip to the summary", href="#summary", class_="skip"),
            _header(results, metadata, names, links),
        ],
        sections,
        _footer(metadata),
        page_data(charts, (), 0.0),
    )


def _header(
    results: CampaignResults, metadata: CampaignMetadata, names: Mapping[str, str], links: list[tuple[str, str]]
) -> Markup:
    worst = _worst(results)
    facts = [f"campaign {metadata.folder}", f"{metadata.created_utc:%Y-%m-%d %H:%M} UTC"]
    facts.extend(
        f"{names[axis.path]} {', '.join(at_words(value, axis.unit) for value in axis.values[:8])}"
        for axis in results.axes
    )
    if results.repeated:
        facts.append("repeated with several seeds")
    return join(
        element(
            "header",
            element(
                "div",
                element("h1", metadata.name),
                element("p", *[element("span", fact) for fact in facts], class_="facts-line"),
                class_="title",
            ),
            theme_button(),
        ),
        element(
            "nav",
            element("a", f"{SYMBOLS[worst]} {worst}", href="#summary", class_=f"{worst}"),
            [element("a", words, href=f"#{place}") for place, words in links],
            aria_label="Sections",
        ),
    )


def _summary_section(results: CampaignResults, names: Mapping[str, str]) -> Markup:
    counts = verdict_counts(results.points)
    done = sum(counts.values())
    worst = _worst(results)
    judged = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    words = f"{done} of {len(results.points)} points are done: {judged}." if done else "No point is done yet."
    tiles: list[Markup] = []
    for view, summaries in zip(results.views, results.summaries, strict=True):
        for one in summaries[:2]:
            fit = results.fits[one.worst]
            if fit.trend is not Trend.WORSENS or len(tiles) >= _MOST_TILES:
                continue
            held = held_words({**view.family_held, **view.tracks[fit.track].held}, names)
            interval = scale_interval_words(fit.scale_interval)
            axis = names[view.axis.path]
            where, meaning = f"{axis} {scale_words(fit)}", "twice as bad there"
            if fit.scale is None:
                where, meaning = scale_words(fit), f"grows with {axis}"
            tiles.append(
                tile(
                    figure_words(fit.figure),
                    where,
                    "; ".join(part for part in (meaning, interval, held) if part),
                    kind="" if fit.extrapolated else "alert",
                )
            )
    return element(
        "section",
        element(
            "div",
            element("span", SYMBOLS[worst], class_="symbol", aria_hidden="true"),
            element(
                "div",
                element("p", worst, class_="word"),
                element("p", words),
            ),
            class_=f"banner {worst}",
            role="status",
        ),
        element("dl", *tiles, class_="tiles") if tiles else None,
        id="summary",
        aria_label="Summary",
    )


def _points_section(results: CampaignResults, names: Mapping[str, str]) -> Markup:
    lead = "Each point is a run of its own; its verdict leads to its report."
    return section("points", "Points", element("p", lead, class_="lead"), points_table(results, names))


def _scaling_section(results: CampaignResults, names: Mapping[str, str]) -> Markup:
    parts: list[Markup] = []
    for view, summaries in zip(results.views, results.summaries, strict=True):
        title = element("h3", f"Over {view_words(view, names)}")
        note = view_note(view, names)
        fits = [results.fits[one.worst] for one in summaries]
        if not summaries:
            words = f"Fewer than three different values of {names[view.axis.path]}: no line."
            parts.append(join(title, element("p", words, class_="lead")))
            continue
        parts.append(
            join(
                title,
                element("p", element("span", "note", class_="tag"), note, class_="reason note") if note else None,
                summary_table(results, view, summaries, names) if any(map(has_scale, fits)) else None,
                [
                    element("p", f"{words}: {', '.join(figure_words(fit.figure) for fit in rest)}.", class_="lead")
                    for trend, words in _REST.items()
                    if (rest := [fit for fit in fits if fit.trend is trend and not has_scale(fit)])
                ],
            )
        )
    lead = (
        "A straight line through each figure over each axis, everything else held constant. First comes what is twice "
        "as bad the soonest."
    )
    return section("scaling", "What hurts first", element("p", lead, class_="lead"), *parts)


def _view_section(view: ViewResults, place: int, figures: list[Markup], names: Mapping[str, str]) -> Markup:
    lead = "One line for each combination of the other axes; a gap where a point has no data."
    note = view_note(view, names)
    return section(
        f"over-{place}",
        f"Over {view_words(view, names)}",
        element("p", lead if not note else f"{lead} {note[:1].upper()}{note[1:]}", class_="lead"),
        placed(figures),
    )


def _details_section(results: CampaignResults, names: Mapping[str, str]) -> Markup:
    return section(
        "details",
        "All numbers",
        _folded("Every figure of every point", figures_table(results, names)) if results.figures else None,
        _folded(_lines_title(len(results.fits)), fits_table(results, names)) if results.fits else None,
    )


def _lines_title(count: int) -> str:
    if count <= MOST_LINES:
        return "Every line that was fitted"
    return f"The first {MOST_LINES:,} of {count:,} lines that were fitted; kilonode report --json has all"


def _folded(title: str, body: Markup) -> Markup:
    return element("details", element("summary", title), body)


def _reading_section() -> Markup:
    terms = [paragraph.replace("\n", " ").strip().partition(": ") for paragraph in _TERMS.strip().split("\n\n")]
    items = [join(element("dt", term), element("dd", f"{words[:1].upper()}{words[1:]}")) for term, _, words in terms]
    return section("reading", "How to read this", element("dl", *items, class_="reading"))


def _footer(metadata: CampaignMetadata) -> Markup:
    version = f" {metadata.kilonode_version}" if metadata.kilonode_version else ""
    words = f"Kilonode{version}. The runs lie in folders beside this file; kilonode report makes it anew."
    return element("footer", element("p", words))


def _worst(results: CampaignResults) -> Verdict:
    """The worst verdict of the points; unknown while none is done."""
    verdicts = [point.verdict for point in results.points if point.verdict is not None]
    return max(verdicts, key=list(Verdict).index, default=Verdict.UNKNOWN)
