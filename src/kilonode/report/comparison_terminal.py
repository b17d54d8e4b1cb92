"""A comparison in a terminal: a table of steps for each workload, what differs, the verdict if one was asked for."""

from typing import Final

from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kilonode.check.comparison import Comparison, Direction, PercentileChange, StepComparison, WorkloadComparison
from kilonode.check.results import Verdict
from kilonode.report.comparison_words import bound_words, chance_words, ratio_words
from kilonode.report.terminal import STYLES
from kilonode.report.words import SYMBOLS, UNKNOWN, count_words, percentile_words, printable, rate_words, share_words

_MARKS: Final = {Direction.MORE: "▲", Direction.LESS: "▼", Direction.SAME: "=", Direction.UNKNOWN: "?"}
_MOST_DIFFERENCES: Final = 20
_MOST_REASONS: Final = 20
_SHORTEST_NAME: Final = 12
_NUMBERS_WIDTH: Final = 60


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Everything a person wants to see of a comparison."""
    for place, run in enumerate(comparison.runs):
        line = Text(f"{run.label}  ", style="bold")
        line.append(printable(run.name)).append("  baseline" if not place else "", style="dim")
        console.print(line)
    for workload in comparison.workloads:
        console.print()
        _print_workload(console, workload, comparison)
    console.print()
    console.print(Text(f"  {chance_words(comparison.compared, comparison.changed)}", style="dim"))
    _print_differences(console, comparison)
    if comparison.verdict is not None and comparison.within is not None:
        head = f"{SYMBOLS[comparison.verdict]} {comparison.verdict.upper()}"
        text = Text(head, style=f"bold {STYLES[comparison.verdict]}")
        text.append(f"  median and p95 of every step within {bound_words(comparison.within)}", style="")
        console.print()
        console.print(text)
        for reason in comparison.reasons[:_MOST_REASONS]:
            console.print(Text(f"  {printable(reason)}"))


def _print_workload(console: Console, workload: WorkloadComparison, comparison: Comparison) -> None:
    title = Text(printable(workload.name), style="bold")
    if len(set(workload.load)) == 1:
        title.append(f"  {workload.load[0]}", style="dim")
    console.print(title)
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("step", no_wrap=True)
    for name in ("", "n", "p50", "of A", "p95", "of A", "rate", "errors"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    room = max(_SHORTEST_NAME, console.width - _NUMBERS_WIDTH)
    for step in workload.steps:
        shown = _name(step)
        shown.truncate(room, overflow="ellipsis")
        changes = (None, *step.changes)
        for place, (run, side, change) in enumerate(zip(comparison.runs, step.sides, changes, strict=True)):
            first = shown if not place else Text("")
            if side is None:
                table.add_row(first, run.label, UNKNOWN, *([""] * 6))
                continue
            median, p95 = (None, None) if change is None else change.percentiles
            table.add_row(
                first,
                run.label,
                count_words(side.samples),
                percentile_words(side.median),
                _ratio(median),
                percentile_words(side.p95),
                _ratio(p95),
                rate_words(side.throughput_per_s),
                share_words(side.error_rate) if side.failed else "0",
            )
    console.print(Padding(table, (0, 0, 0, 1), expand=False))


def _name(step: StepComparison) -> Text:
    depth = step.step.count(".")
    return Text(" " * (depth + 1) + step.step.rpartition(".")[2] if step.step else "iterations")


def _ratio(change: PercentileChange | None) -> Text:
    """`1.07 ▲`: the ratio and whether it differs; by colour and symbol, whether it is within the bound."""
    if change is None:
        return Text("")
    if change.ratio is None:
        return Text("?", style="yellow")
    text = ratio_words(change.ratio).removeprefix("× ")
    style = "" if change.verdict is None else STYLES[change.verdict]
    mark = _MARKS[change.direction]
    if change.verdict is not None and change.verdict is not Verdict.VALID:
        mark += SYMBOLS[change.verdict]
    return Text(f"{text}{mark}", style=style)


def _print_differences(console: Console, comparison: Comparison) -> None:
    if not comparison.differences:
        return
    console.print()
    console.print(Text("what differs", style="bold"))
    for one in comparison.differences[:_MOST_DIFFERENCES]:
        values = " -> ".join(UNKNOWN if value is None else value for value in one.values)
        console.print(Text(f"  {printable(one.path)}: {printable(values)}"))
    more = len(comparison.differences) - _MOST_DIFFERENCES
    if more > 0:
        console.print(Text(f"  and {more} more, all on the page", style="dim"))
