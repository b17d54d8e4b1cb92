"""Recovery in a terminal: each disruption on each workload, our figures beside the published ones.

Lines fit 80 columns; the words are those of `kilonode.check.recovery`, nothing is computed here.
"""

from typing import Final

from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kilonode.base.units import format_seconds
from kilonode.check.criteria import METRICS, Unit
from kilonode.check.recovery.records import Measure, RecoveryGroup, RecoveryResults
from kilonode.report.words import UNKNOWN, printable, value_words

FIGURE_WORDS: Final = {
    "unavailable": "unavailable",
    "time_to_detect": "time to detect",
    "time_to_first_success": "time to first success",
    "recovery_time": "time to recover",
    "longest_gap": "longest gap",
    "slow": "slow",
    "degradation": "degradation",
}
"""The figures for people, in the order in which they are shown."""


def print_recovery(console: Console, results: RecoveryResults) -> None:
    """A table for every disruption and workload."""
    for place, group in enumerate(results.groups):
        if place:
            console.print()
        _print_group(console, group)


def measure_words(measure: Measure, unit: Unit = Unit.SECONDS) -> str:
    """A value: `3.07 s`, `≥ 12.1 s`, or a dash."""
    return value_words(measure.value, unit, at_least=measure.at_least)


def span_words(measure: Measure, unit: Unit = Unit.SECONDS) -> str:
    """Its interval: `2.9 s to 3.2 s`; an end that is not known is `…`; empty where nothing is known."""
    if measure.value is None or (measure.low is None and measure.high is None):
        return ""
    low, high = ("…" if end is None else value_words(end, unit) for end in (measure.low, measure.high))
    return f"{low} to {high}"


def _print_group(console: Console, group: RecoveryGroup) -> None:
    title = Text(printable(f"after {group.disruption}"), style="bold")
    what = f"{group.endpoint}, {group.connections} connections" if group.endpoint else ""
    repeats = f"{len(group.episodes)} repeats" if len(group.episodes) > 1 else ""
    about = ", ".join(part for part in (group.workload, what, repeats) if part)
    title.append(f"  {printable(about)}", style="dim")
    console.print(title)
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("95 % interval", no_wrap=True)
    table.add_column("published method", no_wrap=True)
    published = group.published
    theirs = {
        "unavailable": measure_words(published.downtime_s),
        "recovery_time": measure_words(published.time_to_recover_s),
        "degradation": measure_words(published.degradation_ratio, Unit.RATIO),
    }
    for one in group.repeated:
        unit = METRICS[one.figure][0]
        words = (measure_words(one.measure, unit), span_words(one.measure, unit), theirs.get(one.figure, ""))
        table.add_row(FIGURE_WORDS[one.figure], *words)
    console.print(Padding(table, (0, 0, 0, 1), expand=False))
    notes = dict.fromkeys(
        f"{FIGURE_WORDS[one.figure]}: {one.measure.note}" for one in group.repeated if _is_worth_saying(one.measure)
    )
    lost = sum(count for episode in group.episodes for count in episode.lost.values())
    relapses = sum(episode.relapses for episode in group.episodes)
    for text in (
        f"{lost:,} operations lost" if lost else "",
        f"impaired again after it had recovered, {relapses} times" if relapses else "",
        control_words(group),
        *notes,
        *group.differences,
    ):
        if text:
            console.print(Padding(Text(printable(text), style="dim"), (0, 0, 0, 2), expand=False))


def _is_worth_saying(measure: Measure) -> bool:
    return bool(measure.note) and (measure.value is None or measure.at_least)


def control_words(group: RecoveryGroup) -> str:
    """What the figures are held against: how long, how many operations, from where."""
    control = group.episodes[0].control
    if not control.samples:
        return "nothing undisturbed was seen"
    source = "another run" if control.source == "control run" else "before"
    mean = UNKNOWN if control.mean_s is None else format_seconds(control.mean_s)
    return f"held against {control.samples:,} operations {source}, {mean} on average"
