"""Recovery in a terminal: each disruption on each workload, our figures beside the published ones.

Lines fit 80 columns; the words are those of `kilonode.check.recovery`, nothing is computed here.
"""

from typing import Final

from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kilonode.check.metrics import METRICS
from kilonode.check.recovery.records import RecoveryGroup, RecoveryResults
from kilonode.report.recovery_words import (
    FIGURE_WORDS,
    by_disruption,
    control_words,
    is_worth_saying,
    lost_in,
    meanwhile_words,
    measure_words,
    published_alone,
    published_measures,
    span_words,
    workload_words,
)
from kilonode.report.words import printable, several

MOST_TABLES: Final = 4
"""With more than so many there is one line for each disruption and workload; the page has all."""
_NAME_WIDTH: Final = 16
_NUMBER_WIDTH: Final = 11
_COLUMNS: Final = {
    "unavailable": "unavailable",
    "time_to_detect": "detected",
    "recovery_time": "recovered",
    "longest_gap": "gap",
}


def print_recovery(console: Console, results: RecoveryResults) -> None:
    """A table for every disruption and workload; of many, a line for each."""
    if len(results.groups) > MOST_TABLES:
        _print_lines(console, results)
        return
    for place, group in enumerate(results.groups):
        if place:
            console.print()
        _print_group(console, group)


def _print_lines(console: Console, results: RecoveryResults) -> None:
    for place, (sentence, groups) in enumerate(by_disruption(results.groups).items()):
        if place:
            console.print()
        console.print(Text(printable(f"after {sentence}"), style="bold"))
        table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        table.add_column("", no_wrap=True, overflow="ellipsis", width=_NAME_WIDTH)
        for name in ("lost", *_COLUMNS.values()):
            table.add_column(name, justify="right", no_wrap=True, width=_NUMBER_WIDTH)
        for group in groups:
            measures = {one.figure: one.measure for one in group.repeated}
            words = [measure_words(measures[figure], METRICS[figure][0]) for figure in _COLUMNS]
            table.add_row(printable(group.workload), f"{lost_in(group.episodes):,}", *words)
        console.print(Padding(table, (0, 0, 0, 1), expand=False))
    console.print(Text("  intervals, and both methods side by side: in the report", style="dim"))


def _print_group(console: Console, group: RecoveryGroup) -> None:
    title = Text(printable(f"after {group.disruption}"), style="bold")
    title.append(f"  {printable(workload_words(group))}", style="dim")
    console.print(title)
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("95 % interval", no_wrap=True)
    table.add_column("published method", no_wrap=True)
    theirs = {name: measure_words(*found) for name, found in published_measures(group.published).items()}
    for one in group.repeated:
        unit = METRICS[one.figure][0]
        words = (measure_words(one.measure, unit), span_words(one.measure, unit), theirs.get(one.figure, ""))
        table.add_row(FIGURE_WORDS[one.figure], *words)
    for words_, found in published_alone(group.published).items():
        table.add_row(words_, "", "", measure_words(*found))
    console.print(Padding(table, (0, 0, 0, 1), expand=False))
    notes = dict.fromkeys(
        f"{FIGURE_WORDS[one.figure]}: {one.measure.note}" for one in group.repeated if is_worth_saying(one.measure)
    )
    lost = lost_in(group.episodes)
    relapses = sum(episode.relapses for episode in group.episodes)
    for text in (
        f"{several(lost, 'operation')} lost" if lost else "",
        f"impaired again after it had recovered, {several(relapses, 'time')}" if relapses else "",
        control_words(group),
        meanwhile_words(group.episodes),
        *notes,
        *group.differences,
    ):
        if text:
            console.print(Padding(Text(printable(text), style="dim"), (0, 0, 0, 2), expand=False))
