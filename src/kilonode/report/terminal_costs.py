"""What services cost, in a terminal: the busiest ones in one table, in 80 columns."""

from typing import Final

from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kilonode.check.cost_results import ServiceCosts, ServicesResults, Spread
from kilonode.report.words import (
    UNKNOWN,
    bytes_words,
    cores_words,
    count_words,
    printable,
    seconds_words,
    share_words,
)

SHOWN: Final = 6
_COLUMNS: Final = ("per iteration", "cpu idle", "cpu load", "cpu max", "memory", "tcp")
_LONGEST_NAME: Final = 24


def print_costs(console: Console, costs: ServicesResults) -> None:
    """The busiest services: processor time of an iteration, processors kept busy, memory, connections."""
    title = Text("services", style="bold")
    less = "less idle" if costs.idle_s is not None else "with idle"
    words = f"  {seconds_words(costs.cpu_s_per_operation)} of processor time per iteration, {less}"
    title.append(words if len(costs.workloads) == 1 else f"{words}, all workloads", style="dim")
    console.print(title)
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("service", no_wrap=True, max_width=_LONGEST_NAME, overflow="ellipsis")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for one in costs.services[:SHOWN]:
        table.add_row(Text(f" {printable(one.service)}"), *_cells(one))
    console.print(Padding(table, (0, 0, 0, 1), expand=False))
    rest = len(costs.services) - SHOWN
    told = [f"{rest} more in the report" if rest > 0 else ""]
    if costs.sampler is not None:
        told.append(f"sampling took {share_words(costs.sampler.cpu_fraction)} of a processor")
    console.print(Text("   " + "; ".join(one for one in told if one), style="dim"))


def _cells(one: ServiceCosts) -> list[str]:
    load = _cores(one, "load")
    return [
        seconds_words(one.cpu_s_per_operation),
        cores_words(one.idle_cores) if one.idle_cores is not None else "–",
        cores_words(load.mean) if load else UNKNOWN,
        cores_words(load.max) if load else UNKNOWN,
        bytes_words(one.memory_bytes_max),
        UNKNOWN if one.connections_max is None else count_words(one.connections_max),
    ]


def _cores(one: ServiceCosts, phase: str) -> Spread | None:
    spreads = [spread for found in one.phases if found.phase == phase for spread in found.spreads]
    return next((spread for spread in spreads if spread.metric == "cpu_cores"), None)
