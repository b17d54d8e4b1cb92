"""The generator's own health: whether it could do what it was asked to, measured while it did.

Once a second the worker takes a reading; each value is a Sample of the source `generator-<n>` in its journal, and the
checkers judge from them whether the cloud or the generator was the bottleneck. In simulated time only what has a
meaning there is read. Reading costs some tens of microseconds.

| metric | what |
|---|---|
| `cpu_fraction` | CPU time of this process over time passed: 1.0 is one processor, all that an event loop can use |
| `loop_lag_s_max` | the longest time by which the event loop ran a timer too late (they are exact to 1 ms) |
| `lateness_s_p99`, `lateness_s_max` | started minus due, of the open iterations that ended since the last reading |
| `flush_s_max` | the longest that encoding the journal kept the event loop |
| `open_files`, `open_files_limit` | file descriptors: open now, and the most there may be |
| `memory_bytes` | resident memory |
| `connections_opened`, `requests_waited` | connections made, requests that waited for a free one, so far |
| `requests_resent`, `tokens_refused` | requests sent twice (a stale connection; a token that was refused), so far |
| `active_vus`, `dropped` | iterations that run now; iterations dropped so far, all workloads together |
"""

import asyncio
import resource
import time
from pathlib import Path
from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock

LAG_INTERVAL_S: Final = 0.05
"""How often the event loop's lag is probed: a stall of a few milliseconds is rarely missed twice."""

_DESCRIPTORS: Final = Path("/proc/self/fd")
_MEMORY: Final = Path("/proc/self/statm")


class LagProbe:
    """Sets a timer again and again and sees how late it comes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._now_ns = clock.now_ns
        self._worst_ns = 0
        self._handle: asyncio.TimerHandle | None = None
        self._expected_ns = 0
        if not clock.simulated:
            self._set()

    def take_s(self) -> float:
        """The worst lag since the last call, in seconds; a lag that is still going on is seen when it is over."""
        worst_ns, self._worst_ns = self._worst_ns, 0
        return worst_ns / NANOSECONDS_PER_SECOND

    def close(self) -> None:
        """Probe no more."""
        if self._handle is not None:
            self._handle.cancel()

    def _set(self) -> None:
        self._expected_ns = self._now_ns() + round(LAG_INTERVAL_S * NANOSECONDS_PER_SECOND)
        self._handle = self._loop.call_later(LAG_INTERVAL_S, self._ring)

    def _ring(self) -> None:
        self._worst_ns = max(self._worst_ns, self._now_ns() - self._expected_ns)
        self._set()


class ProcessReader:
    """Reads what the operating system says of this process."""

    def __init__(self) -> None:
        self._cpu_ns = time.process_time_ns()
        self._at_ns = time.monotonic_ns()

    def read(self) -> dict[str, float]:
        """The metrics by name; what this system does not tell is left out."""
        cpu_ns, at_ns = time.process_time_ns(), time.monotonic_ns()
        passed_ns = max(1, at_ns - self._at_ns)
        values = {"cpu_fraction": (cpu_ns - self._cpu_ns) / passed_ns}
        self._cpu_ns, self._at_ns = cpu_ns, at_ns
        values["open_files_limit"] = float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        try:
            # Newer kernels tell the number as the size; counting ten thousand entries would stall the event loop.
            values["open_files"] = float(_DESCRIPTORS.stat().st_size or sum(1 for _ in _DESCRIPTORS.iterdir()))
            pages = int(_MEMORY.read_text().split()[1])
            values["memory_bytes"] = float(pages * resource.getpagesize())
        except OSError:
            pass  # not Linux
        return values
