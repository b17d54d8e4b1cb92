"""The end of a campaign in a terminal: a table of its points for each workload, and what hurts first.

Tables are as wide as they need to be; a terminal that is too narrow gets the points' values shortened, never a number.
Nothing is said by colour alone.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from rich.box import SIMPLE
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kilonode.check.scaling import CampaignResults, Scaling, Trend, ViewResults
from kilonode.check.sweep import SweepPoint
from kilonode.report.campaign_words import (
    TREND_SYMBOLS,
    CampaignMetadata,
    fact_words,
    figure_words,
    flat_facts,
    has_scale,
    held_words,
    measured_words,
    metric_of,
    metric_words,
    path_names,
    scale_words,
    shown_figures,
    slope_words,
    subject_of,
    view_note,
    view_words,
)
from kilonode.report.terminal import STYLES
from kilonode.report.words import SYMBOLS, printable

_SHOWN_LINES: Final = 8
_WIDEST: Final = 1_000
_TREND_STYLES: Final[Mapping[Trend, str]] = {Trend.WORSENS: "red", Trend.UNKNOWN: "yellow"}
_COUNTED: Final[Mapping[Trend, str]] = {
    Trend.WORSENS: "more that worsen",
    Trend.NONE_SEEN: "without a change seen",
    Trend.IMPROVES: "that improve",
}
_SHORT_METRICS: Final[Mapping[str, str]] = {"throughput_per_s": "rate", "error_rate": "errors"}


def print_campaign(console: Console, results: CampaignResults, metadata: CampaignMetadata) -> None:
    """Everything a person wants to see at the end of a campaign."""
    names = path_names(results)
    console.print(
        Text(printable(metadata.name), style="bold").append(f"  campaign {metadata.folder}", style="dim"),
        soft_wrap=True,
    )
    shown = shown_figures(results.figures)
    for workload in dict.fromkeys(subject_of(name).partition(".")[0] for name in shown) or [""]:
        console.print()
        figures = [name for name in shown if subject_of(name).partition(".")[0] == workload]
        if workload:
            console.print(Text(printable(workload), style="bold"))
        _print(console, _points_table(results, figures, names))
    for view, summaries in zip(results.views, results.summaries, strict=True):
        if summaries:
            console.print()
            _print_scaling(console, results, view, [results.fits[one.worst] for one in summaries], names)


def _print(console: Console, table: Table) -> None:
    """Wider than the terminal rather than with a number cut."""
    body = Padding(table, (0, 0, 0, 1), expand=False)
    needed = Measurement.get(console, console.options.update(width=_WIDEST), body).maximum
    for line in console.render_lines(body, console.options.update(width=max(console.width, needed)), pad=False):
        console.print(Text.assemble(*((part.text, part.style or "") for part in line)), soft_wrap=True)


def _points_table(results: CampaignResults, figures: list[str], names: Mapping[str, str]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    paths = list(dict.fromkeys(path for point in results.points for path, _ in flat_facts(point.facts)))
    for path in paths:
        table.add_column(printable(names[path]), justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    figures = [name for name in figures if metric_of(name) != "error_rate" or _any(results, name)]
    for figure in figures:
        table.add_column(_head(figure), justify="right", no_wrap=True)
    for point in results.points:
        facts = dict(flat_facts(point.facts))
        table.add_row(
            *(fact_words(facts.get(path)) for path in paths),
            _verdict(point),
            *(measured_words(figure, point.figures.get(figure)) for figure in figures),
        )
    return table


def _head(figure: str) -> str:
    step = subject_of(figure).partition(".")[2]
    words = _SHORT_METRICS.get(metric_of(figure), metric_words(figure))
    return f"{printable(step)}\n{words}" if step else words


def _any(results: CampaignResults, figure: str) -> bool:
    return any(point.figures.get(figure) for point in results.points)


def _verdict(point: SweepPoint) -> Text:
    if point.verdict is None:
        return Text("not done", style="dim")
    return Text(f"{SYMBOLS[point.verdict]} {point.verdict}", style=STYLES[point.verdict])


def _print_scaling(
    console: Console, results: CampaignResults, view: ViewResults, fits: list[Scaling], names: Mapping[str, str]
) -> None:
    """What worsens, and what may; how much else there is."""
    console.print(Text(f"what hurts first over {view_words(view, names)}", style="bold"))
    note = view_note(view, names)
    if note:
        console.print(Text(f"  ! {note}", style="yellow"), soft_wrap=True)
    told = [fit for fit in fits if has_scale(fit)][:_SHOWN_LINES]
    if told:
        _print(console, _scaling_table(view, told, names))
    if any(fit.extrapolated for fit in told):
        console.print(Text("  * beyond what was measured", style="dim"))
    others = Counter(fit.trend for fit in fits if fit not in told)
    words = [f"{count} {_COUNTED[trend]}" for trend, count in others.items()]
    if words:
        console.print(Text(f"  {'other' if told else 'all'} figures: {', '.join(words)}", style="dim"))


def _scaling_table(view: ViewResults, fits: list[Scaling], names: Mapping[str, str]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("figure", no_wrap=True)
    for head in ("twice as bad at", "each further one"):
        table.add_column(head, justify="right", no_wrap=True)
    several = len(view.tracks) > 1
    if several:
        table.add_column("worst with", no_wrap=True)
    for fit in fits:
        name = Text(f"{TREND_SYMBOLS[fit.trend]} ", style=_TREND_STYLES.get(fit.trend, ""))
        cells = [
            name.append(figure_words(fit.figure), style="default"),
            Text(scale_words(fit) + (" *" if fit.extrapolated else "")),
            Text(slope_words(fit)),
        ]
        if several:
            cells.append(Text(held_words(view.tracks[fit.track].held, names)))
        table.add_row(*cells)
    return table
