"""The load engine beside its peers: `python -m benchmarks.load_engine [--quick] [--json]`. Takes two to three minutes.

1. Recorded no-op iterations per second of one process, closed and open loop, beside Locust (which does not record a
   no-op; with and without a record) and Rally (Dummy.dummy).
2. HTTP requests per CPU second (user and system) of the generator, 32 connections kept alive, against the same nginx,
   every operation recorded, beside wrk, hey and Locust's FastHttpUser, which keep counts and histograms.
3. Lateness at an open-loop rate of half of what one process can do.

Each repeat runs all subjects one after the other, and each ratio is taken within its repeat, so that a noisy machine
troubles both sides; printed are the median and the range over the repeats. CPU time of a Python subject is taken inside
the process from the start of the load to its end, that of wrk and hey over their whole life, which is all load.
"""

import argparse
import json
import statistics
import sys
from dataclasses import dataclass, field

from benchmarks import _peers
from benchmarks._peers import Cost


@dataclass
class Figure:
    """One line of the table."""

    name: str
    unit: str
    target: str = ""
    holds: bool | None = None
    values: list[float] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """The median of the repeats."""
        return statistics.median(self.values)


class Table:
    """Figures by name, in the order in which they came."""

    def __init__(self) -> None:
        self.figures: dict[str, Figure] = {}

    def add(self, name: str, value: float, unit: str) -> None:
        """One more repeat's value."""
        self.figures.setdefault(name, Figure(name, unit)).values.append(value)

    def target(self, name: str, words: str, *, at_least: float | None = None, below: float | None = None) -> None:
        """What is wanted of a figure; judged by its median."""
        if name in self.figures:
            figure = self.figures[name]
            figure.target = words
            figure.holds = figure.middle >= at_least if at_least is not None else figure.middle < (below or 0)

    def show(self) -> None:
        """Print the table."""
        print(f"{'':58} {'median':>10} {'min':>10} {'max':>10}  target")
        for figure in self.figures.values():
            held = {None: "", True: "held", False: "MISSED"}[figure.holds]
            texts = [shown(value, figure.unit) for value in (figure.middle, min(figure.values), max(figure.values))]
            print(f"{figure.name:58} {texts[0]:>10} {texts[1]:>10} {texts[2]:>10}  {figure.target} {held}".rstrip())

    def as_json(self) -> str:
        """The table with the values of all repeats."""
        return json.dumps(
            {
                figure.name: {
                    "unit": figure.unit,
                    "median": figure.middle,
                    "values": figure.values,
                    "target": figure.target,
                    "held": figure.holds,
                }
                for figure in self.figures.values()
            },
            indent=2,
        )


def shown(value: float, unit: str) -> str:
    match unit:
        case "x":
            return f"{value:.2f}x"
        case "s":
            return f"{value * 1000:.2f} ms"
    return f"{value:,.0f}"


def cost(figures: dict[str, float]) -> Cost:
    return Cost(figures["iterations"], figures["cpu_s"], figures["wall_s"])


def measure_noop(table: Table, duration_s: float, rally_iterations: int) -> float:
    """One repeat of the first part; gives what the open loop can do per second."""
    closed = cost(
        _peers.kilonode(scenario="noop", load={"model": "constant-vus", "vus": 32, "duration": f"{duration_s}s"})
    )
    overload = {"model": "constant-arrival-rate", "rate": f"{round(4 * closed.per_s)}/s", "duration": f"{duration_s}s"}
    opened = _peers.kilonode(scenario="noop", load=overload, drain_s=0.0)
    open_per_s = float(opened["iterations"]) / duration_s
    locust = _peers.locust("noop", duration_s)
    recorded = _peers.locust("recorded", duration_s)
    rally = _peers.rally(rally_iterations)
    table.add("no-op iterations/s, Kilonode, closed loop", closed.per_s, "/s")
    table.add("no-op iterations/s, Kilonode, open loop", open_per_s, "/s")
    table.add("no-op iterations/s, Locust, not recorded", locust.per_s, "/s")
    table.add("no-op iterations/s, Locust, recorded", recorded.per_s, "/s")
    table.add("no-op iterations/s, Rally", rally.per_s, "/s")
    table.add("no-op, Kilonode closed / Locust not recorded", closed.per_s / locust.per_s, "x")
    table.add("no-op, Kilonode closed / Locust recorded", closed.per_s / recorded.per_s, "x")
    table.add("no-op, Kilonode closed / Rally", closed.per_s / rally.per_s, "x")
    return open_per_s


def measure_lateness(table: Table, duration_s: float, per_s: float) -> None:
    """One repeat of the third part."""
    load = {"model": "constant-arrival-rate", "rate": f"{round(per_s / 2)}/s", "duration": f"{duration_s}s"}
    figures = _peers.kilonode(scenario="noop", load=load)
    table.add("lateness p50 at half the open loop's maximum", figures["lateness_s_p50"], "s")
    table.add("lateness p99 at half the open loop's maximum", figures["lateness_s_p99"], "s")


def measure_http(table: Table, duration_s: float) -> None:
    """One repeat of the second part."""
    with _peers.nginx() as address:
        load = {"model": "constant-vus", "vus": _peers.CONNECTIONS, "duration": f"{duration_s}s"}
        ours = cost(_peers.kilonode(scenario="http.get", args={"url": address}, load=load))
        wrk = _peers.wrk(address, duration_s)
        hey = _peers.hey(address, duration_s)
        locust = _peers.locust("http", duration_s, address)
    table.add("requests per CPU second, Kilonode", ours.per_cpu_s, "/s")
    table.add("requests per CPU second, wrk", wrk.per_cpu_s, "/s")
    table.add("requests per CPU second, hey", hey.per_cpu_s, "/s")
    table.add("requests per CPU second, Locust FastHttpUser", locust.per_cpu_s, "/s")
    table.add("requests per CPU second, Kilonode / wrk", ours.per_cpu_s / wrk.per_cpu_s, "x")
    table.add("requests per CPU second, Kilonode / hey", ours.per_cpu_s / hey.per_cpu_s, "x")
    table.add("requests per CPU second, Kilonode / FastHttpUser", ours.per_cpu_s / locust.per_cpu_s, "x")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short repeat: a smoke test, not a figure")
    parser.add_argument("--json", action="store_true", help="JSON on standard output instead of the table")
    arguments = parser.parse_args()
    missing = _peers.missing_tools("nginx", "wrk", "hey")
    if missing:
        print("\n".join(missing), file=sys.stderr)
        return 2
    _peers.install_python_peers()
    repeats, duration_s, rally_iterations = (1, 1.0, 1000) if arguments.quick else (4, 3.0, 5000)
    table = Table()
    for repeat in range(repeats):
        print(f"repeat {repeat + 1} of {repeats}", file=sys.stderr, flush=True)
        open_per_s = measure_noop(table, duration_s, rally_iterations)
        measure_lateness(table, duration_s, open_per_s)
        measure_http(table, duration_s)
    for loop in ("closed", "open"):
        table.target(f"no-op iterations/s, Kilonode, {loop} loop", "at least 50,000", at_least=50_000)
    table.target("lateness p99 at half the open loop's maximum", "below 2 ms", below=0.002)
    table.target("requests per CPU second, Kilonode / wrk", "at least 0.4x", at_least=0.4)
    table.target("requests per CPU second, Kilonode / hey", "more than 1x", at_least=1.0)
    table.target("requests per CPU second, Kilonode / FastHttpUser", "at least 5x", at_least=5.0)
    if arguments.json:
        print(table.as_json())
    else:
        table.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
