"""What there is after a run against what was asked for, in a terminal: one line, and the first findings by name."""

from typing import Final

from rich.console import Console
from rich.text import Text

from kilonode.check.consistency import ConsistencyResults
from kilonode.report.consistency_words import breach_count_words, finding_words, summary_words
from kilonode.report.words import count_words, printable

SHOWN: Final = 10


def print_consistency(console: Console, consistency: ConsistencyResults) -> None:
    """The counts, and what was found."""
    title = Text("consistency", style="bold")
    title.append(f"  {summary_words(consistency)}", style="dim")
    console.print(title)
    counts = Text("   ")
    for place, one in enumerate(consistency.counts):
        style = "yellow" if one.count is None else "red" if one.count else ""
        counts.append(f"{', ' if place else ''}{one.breach} ")
        counts.append(breach_count_words(one), style=style)
    console.print(counts)
    for finding in consistency.findings[:SHOWN]:
        console.print(Text("   ✗ ", style="red") + Text(finding_words(finding)))
    rest = sum(one.count or 0 for one in consistency.counts) - SHOWN
    if rest > 0:
        console.print(Text(f"   {count_words(rest)} more in the report", style="dim"))
    for unseen in consistency.unseen:
        console.print(Text("   ? ", style="yellow") + Text(f"not looked at: {printable(unseen)}"))
