"""The end of a run in a terminal: verdict, reasons, criteria, and one table of steps per workload.

Lines fit 80 columns; nothing is said by colour alone; without a terminal there is no colour and no control character.
"""

from typing import IO, Final

from rich.box import SIMPLE
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kilonode.check.results import CriterionResult, Results, StepResults, Verdict, WorkloadResults
from kilonode.report.metadata import RunMetadata
from kilonode.report.terminal_consistency import print_consistency
from kilonode.report.terminal_costs import print_costs
from kilonode.report.terminal_recovery import print_recovery
from kilonode.report.terminal_upgrades import print_upgrades
from kilonode.report.words import (
    SYMBOLS,
    count_words,
    criterion_note,
    early_end_words,
    outcome_words,
    percentile_at,
    percentile_words,
    printable,
    rate_words,
    seconds_words,
    share_words,
    value_words,
)

WIDTH: Final = 80
STYLES: Final = {Verdict.VALID: "green", Verdict.UNKNOWN: "yellow", Verdict.INVALID: "red"}
_SHOWN_NOTES: Final = 5


def open_console(stream: IO[str]) -> Console:
    """A console that is plain and `WIDTH` columns wide when the stream is no terminal."""
    is_terminal = stream.isatty()
    return Console(
        file=stream, width=None if is_terminal else WIDTH, highlight=False, markup=False, emoji=False, soft_wrap=False
    )


def print_summary(console: Console, results: Results, metadata: RunMetadata) -> None:
    """Everything a person wants to see at the end of a run."""
    head = Text(f"{SYMBOLS[results.verdict]} {results.verdict.upper()}", style=f"bold {STYLES[results.verdict]}")
    early_end = early_end_words(results)
    if early_end:
        head.append(", ended early", style="bold yellow")
    head.append(f"  {printable(metadata.name)}", style="bold")
    head.append(f"  run {metadata.run_id}, seed {metadata.seed}", style="dim")
    console.print(head)
    if early_end:
        text = f"{early_end[:1].upper()}{early_end[1:]}. The verdict is about what was measured until then."
        _print_line(console, Text("!", style="yellow"), Text(printable(text)))
    for reason in results.reasons:
        if reason.about != "criterion":
            _print_line(
                console, Text(SYMBOLS[reason.verdict], style=STYLES[reason.verdict]), Text(printable(reason.text))
            )
    if results.criteria:
        console.print()
        for result in results.criteria:
            _print_criterion(console, result)
    for workload in results.workloads:
        console.print()
        _print_workload(console, workload)
    if results.consistency is not None:
        console.print()
        print_consistency(console, results.consistency)
    if results.upgrades is not None:
        console.print()
        print_upgrades(console, results.upgrades)
    if results.recovery is not None:
        console.print()
        print_recovery(console, results.recovery)
    if results.services is not None and results.services.services:
        console.print()
        print_costs(console, results.services)
    for problem in results.services.problems if results.services is not None else ():
        _print_line(console, Text("!", style="yellow"), Text(printable(problem)))
    for note in results.generator.notes[:_SHOWN_NOTES]:
        _print_line(console, Text("!", style="yellow"), Text(printable(note)))


def _print_criterion(console: Console, result: CriterionResult) -> None:
    style = STYLES[result.verdict]
    measured = value_words(result.measured, result.unit, at_least=result.at_least)
    text = Text(result.criterion)
    text.append(f"   {measured}", style=f"bold {style}")
    if result.verdict is not Verdict.VALID:
        text.append(f" {result.verdict}", style=style)
    note = printable(criterion_note(result))
    if note:
        text.append(f"   {note}", style="dim")
    _print_line(console, Text(SYMBOLS[result.verdict], style=style), text)


_COLUMNS: Final = ("finished", "errors", "rate", "p50", "p95", "p99", "max")
_SHORTEST_NAME: Final = 13
_MARGIN: Final = 3


def _print_workload(console: Console, workload: WorkloadResults) -> None:
    facts = workload.facts
    title = Text(facts.name, style="bold")
    title.append(f"  {facts.scenario}, {facts.load}", style="dim")
    console.print(title)
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    rows = [_cells(step) for step in workload.steps]
    table.add_column("step", no_wrap=True)
    taken = 1
    for place, name in enumerate(_COLUMNS, start=1):
        table.add_column(name, justify="right", no_wrap=True)
        taken += 2 + max(len(name), *(len(str(row[place])) for row in rows))
    room = max(_SHORTEST_NAME, console.width - taken - _MARGIN)
    for row, step in zip(rows, workload.steps, strict=True):
        shown = _name(step)
        shown.truncate(room, overflow="ellipsis")  # numbers are never cut, so names are
        table.add_row(shown, *row[1:])
    console.print(Padding(table, (0, 0, 0, 1), expand=False))
    if workload.dropped:
        _print_line(
            console,
            Text("!", style="yellow"),
            Text(f"{count_words(workload.dropped)} of {count_words(workload.due)} iterations dropped"),
        )
    for group in workload.errors[:_SHOWN_NOTES]:
        text = f"{count_words(group.count)} × {outcome_words(group.outcome)}: {group.message or 'no message'}"
        _print_line(console, Text("!", style="yellow"), Text(printable(text)))


def _name(step: StepResults) -> Text:
    """The last part of a step's path, set in by its depth."""
    depth = step.step.count(".")
    return Text(" " * (depth + 1) + step.step.rpartition(".")[2] if step.step else "iterations")


def _cells(step: StepResults) -> list[RenderableType]:
    latency = step.latency
    return [
        _name(step),
        count_words(step.finished),
        Text(share_words(step.error_rate) if step.failed else "0", style="red" if step.failed else ""),
        rate_words(step.throughput_per_s),
        *(percentile_words(percentile_at(latency, percent)) for percent in (50.0, 95.0, 99.0)),
        seconds_words(latency.max_s, at_least=latency.open_ended),
    ]


def _print_line(console: Console, mark: Text, text: Text) -> None:
    """A mark, and text that hangs beside it."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1)
    grid.add_column()
    grid.add_row(mark, text)
    console.print(Padding(grid, (0, 0, 0, 2), expand=False))
