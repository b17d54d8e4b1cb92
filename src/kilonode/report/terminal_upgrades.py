"""Upgrades in a terminal: each with its assertions, one line each, and the steps that failed."""

from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from kilonode.base.outcomes import Outcome
from kilonode.check.upgrades.records import Held, UpgradeResults
from kilonode.report.upgrade_words import VERDICTS, course_words, step_words, title_words
from kilonode.report.words import SYMBOLS, printable

_STYLES: Final = {Held.HELD: "green", Held.UNKNOWN: "yellow", Held.FAILED: "red"}


def print_upgrades(console: Console, results: UpgradeResults) -> None:
    """Every upgrade."""
    for place, upgrade in enumerate(results.upgrades):
        if place:
            console.print()
        title = Text(printable(title_words(upgrade)), style="bold")
        title.append(f"  {printable(course_words(upgrade))}", style="dim")
        console.print(title)
        for one in upgrade.assertions:
            line = Text(f"{SYMBOLS[VERDICTS[one.held]]} ", style=_STYLES[one.held])
            line.append(f"{one.name} {one.held}  ", style="default")
            line.append(printable(one.text), style="dim")
            console.print(Padding(line, (0, 0, 0, 2), expand=False))
        for step in upgrade.steps:
            if step.outcome != Outcome.OK:
                line = Text(printable(f"{step.what}, {step.action}: {step_words(step)}"), style="dim")
                console.print(Padding(line, (0, 0, 0, 2), expand=False))
