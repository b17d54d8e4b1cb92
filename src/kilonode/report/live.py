"""The live view: what a person sees while a run goes on; and its plain form for logs.

On a terminal a table is redrawn with each report: progress, asked and done rates, latencies of the last seconds,
errors, the generator's own state. Elsewhere a line per workload comes every few seconds, and one per stage. The view
only shows what it is given; it asks nobody and never decides anything. That nobody can see it any more, because the
terminal was closed, ends no run. No thread: it draws when it is called.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import IO, Final

import numpy as np
from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.units import format_seconds
from kilonode.check.facts import WorkloadFacts, asked_between, line_at
from kilonode.check.live import LiveNumbers, LiveReport, Totals, Window, failures_among
from kilonode.report.terminal import open_console
from kilonode.report.words import count_words, printable, rate_words, seconds_words, share_words

WINDOW_S: Final = 5.0
"""Rates and percentiles are about the last so many seconds."""
PLAIN_INTERVAL_S: Final = 5.0
PLAIN_LINES: Final = 30
"""About so many times a plain view says how the load goes, however long it is."""
SHOWN_NOTES: Final = 5
_BAR_WIDTH: Final = 8


class LiveView:
    """Shows one run on a stream. `plain` asks for lines even on a terminal."""

    def __init__(
        self, name: str, workloads: Sequence[WorkloadFacts], stream: IO[str], clock: Clock, *, plain: bool = False
    ) -> None:
        self._name = printable(name)
        self._workloads = workloads
        self._clock = clock
        self._console = open_console(stream)
        self._window = Window(WINDOW_S)
        self._totals = Totals()
        self._health: dict[int, dict[str, float]] = {}
        self._stage = ""
        self._stage_started_ns = clock.now_ns()
        self._stages: list[tuple[str, float]] = []
        self._notes: list[str] = []
        self._load_s = max((one.end_s for one in workloads), default=0.0)
        self._next_line_s = self._interval_s = max(PLAIN_INTERVAL_S, self._load_s / PLAIN_LINES)
        self._live: Live | None = None
        if self._console.is_terminal and not plain:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def stage(self, name: str) -> None:
        """The run enters a stage."""
        self._end_stage()
        self._stage, self._stage_started_ns = name, self._clock.now_ns()
        if self._live is None:
            self._print(f"{name} …")
        self._redraw()

    def note(self, text: str) -> None:
        """Something worth a line; it stays on the screen."""
        text = printable(text)
        if self._live is None:
            self._print(f"note: {text}")
        else:
            self._notes.append(text)
        self._redraw()

    def progress(self, report: LiveReport) -> None:
        """What one worker did since it last said so."""
        self._window.add(report)
        self._totals.add(report)
        if report.health:
            self._health[report.worker] = report.health
        if self._live is None:
            if self._window.now_s >= self._next_line_s:
                self._next_line_s = self._window.now_s + self._interval_s
                for workload in self._workloads:
                    if self._is_on(workload):
                        self._print(self._line(workload))
            return
        self._redraw()

    def close(self) -> None:
        """Stop drawing; the notes stay. A second call does nothing."""
        self._end_stage()
        self._stage = ""
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.stop()
            self._live = None
            for note in self._notes:
                self._print(f"note: {note}")
            self._notes = []

    def render(self) -> RenderableType:
        """What a terminal shows now."""
        parts: list[RenderableType] = [self._head()]
        if self._totals.state("").due:
            parts.append(self._table())
            parts.extend(
                Text(f"  ✗ {line}", style="red", overflow="ellipsis", no_wrap=True) for line in self._failures()
            )
            parts.extend(Text(f"  {line}", style="dim") for line in (self._health_line(),) if line)
        parts.extend(Text(f"  ! {note}", style="yellow", overflow="fold") for note in self._notes[-SHOWN_NOTES:])
        return Group(*parts)

    def _head(self) -> Text:
        head = Text(self._name, style="bold")
        for name, took_s in self._stages:
            head.append(f"  ✓ {name} {format_seconds(took_s)}", style="dim")
        if self._stage:
            head.append(f"  ▸ {self._stage}", style="bold cyan")
            if self._window.now_s > 0 and self._stage == "load":
                head.append(f" {_minutes(self._window.now_s)} of {_minutes(self._load_s)}", style="cyan")
        return head

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("  workload", overflow="ellipsis", no_wrap=True)
        table.add_column("", width=_BAR_WIDTH)
        for name in ("asked", "done", "p50", "p95", "p99", "errors"):
            table.add_column(name, justify="right", no_wrap=True)
        for workload in self._workloads:
            numbers = self._window.numbers(workload.name)
            errors, style = self._errors(workload.name, numbers)
            table.add_row(
                Text(f"  {workload.name}"),
                Bar(1.0, 0.0, self._share_done(workload), width=_BAR_WIDTH, color="cyan"),
                self._asked(workload),
                rate_words(numbers.succeeded_per_s),
                seconds_words(numbers.p50_s),
                seconds_words(numbers.p95_s),
                seconds_words(numbers.p99_s),
                Text(errors, style=style),
            )
        return table

    def _is_on(self, workload: WorkloadFacts) -> bool:
        """The workload's load is on, or something of it still runs or has just ended."""
        numbers, now_s = self._window.numbers(workload.name), self._window.now_s
        active = self._totals.state(workload.name).active
        return workload.start_s <= now_s <= workload.end_s or bool(active or numbers.succeeded or numbers.failed)

    def _line(self, workload: WorkloadFacts) -> str:
        """One workload as a plain line."""
        numbers = self._window.numbers(workload.name)
        errors, _ = self._errors(workload.name, numbers)
        return (
            f"{_minutes(self._window.now_s)} of {_minutes(self._load_s)}  {workload.name}: "
            f"{rate_words(numbers.succeeded_per_s)} of {self._asked(workload)}, p50 {seconds_words(numbers.p50_s)}, "
            f"p95 {seconds_words(numbers.p95_s)}, p99 {seconds_words(numbers.p99_s)}, errors {errors}"
        )

    def _asked(self, workload: WorkloadFacts) -> str:
        now_s = self._window.now_s
        if workload.open_model:
            over_s = max(self._window.covered_s(), 1e-9)
            asked = asked_between(workload.asked_per_s, np.array([now_s - over_s, now_s]))[0]
            return rate_words(float(asked) / over_s)
        active = self._totals.state(workload.name).active
        return f"{active:,}/{line_at(workload.asked_vus, np.array([now_s]))[0]:,.0f} VU"

    def _errors(self, workload: str, numbers: LiveNumbers) -> tuple[str, str]:
        """All errors so far and the share among the last operations; and a style."""
        failed = failures_among(self._totals.outcomes(workload))
        dropped = self._totals.state(workload).dropped
        text = count_words(failed)
        if numbers.failed:
            text += f" ({share_words(numbers.failed / (numbers.failed + numbers.succeeded))})"
        if dropped:
            text += f" +{count_words(dropped)} dropped"
        return text, "red" if numbers.failed else "yellow" if failed or dropped else ""

    def _failures(self) -> list[str]:
        """The last message of each workload that fails now."""
        found = [(workload.name, self._window.numbers(workload.name).last_error) for workload in self._workloads]
        return [f"{name}: {printable(error)}" for name, error in found if error]

    def _health_line(self) -> str:
        """The generator's own state: the worst of all workers."""
        shown: list[tuple[str, str, Callable[[float], str]]] = [
            ("cpu_fraction", "cpu", lambda value: f"{value:.0%}"),
            ("loop_lag_s_max", "loop lag", format_seconds),
            ("lateness_s_p99", "lateness p99", format_seconds),
        ]
        words = []
        for metric, name, form in shown:
            values = [health[metric] for health in self._health.values() if metric in health]
            if values:
                words.append(f"{name} {form(max(values))}")
        return f"generator, {len(self._health)} workers: {', '.join(words)}" if words else ""

    def _share_done(self, workload: WorkloadFacts) -> float:
        length_s = workload.end_s - workload.start_s
        return min(1.0, max(0.0, (self._window.now_s - workload.start_s) / length_s)) if length_s > 0 else 0.0

    def _end_stage(self) -> None:
        if not self._stage:
            return
        took_s = (self._clock.now_ns() - self._stage_started_ns) / NANOSECONDS_PER_SECOND
        self._stages.append((self._stage, took_s))
        if self._live is None:
            self._print(f"{self._stage} took {format_seconds(took_s)}")

    def _redraw(self) -> None:
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.update(self.render(), refresh=True)

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._console.print(Text(text), soft_wrap=True)


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
