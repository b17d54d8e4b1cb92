"""How the steps of a stack that comes up are shown: a line for each that is done, and on a terminal what goes on."""

import sys
import time

from rich.console import Console
from rich.live import Live
from rich.text import Text


class StepLines:
    """A line on standard error for each step that is done; on a terminal, one line below with those under way."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._under_way: dict[str, float] = {}
        self._live: Live | None = None

    def begin(self, step: str) -> None:
        """See `kilonode.stack.bringing_up.Progress`."""
        self._under_way[step] = time.monotonic()
        if sys.stderr.isatty() and self._live is None:
            self._live = Live(console=self._console, transient=True, refresh_per_second=4, get_renderable=self._now)
            self._live.start()

    def end(self, step: str, took_s: float, note: str) -> None:
        """See `kilonode.stack.bringing_up.Progress`."""
        self._under_way.pop(step, None)
        self._console.print(f"{took_s:7.1f} s  {step}" + (f": {note}" if note else ""), soft_wrap=True)
        if not self._under_way:
            self._stop()

    def say(self, line: str) -> None:
        """See `kilonode.stack.bringing_up.Progress`."""
        self._stop()
        self._console.print(line, soft_wrap=True, markup=False)

    def _now(self) -> Text:
        now = time.monotonic()
        steps = (f"{step} ({now - since:.0f} s)" for step, since in self._under_way.items())
        return Text("   …  " + ", ".join(steps), style="dim")

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
