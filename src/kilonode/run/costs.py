"""The sampler: while a run lasts, it records every second what the cloud's services use, and what that cost itself.

It reads processes (`kilonode.run.census`) in a thread of its own, and meters (what a broker or a database says of
itself) in a task each, so that a slow one holds up nobody. Everything becomes Samples of the conductor's journal, in
the names of docs/run.md. Whoever fails is named once, is tried again and again, and its figures stay unknown meanwhile:
a run never ends for it. It judges nothing.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import trim
from kilonode.run.accounting import Accounted, Programs
from kilonode.run.census import Census

SAMPLER: Final = "sampler"
METER_TIMEOUT_S: Final = 10.0
LAST_READING_TIMEOUT_S: Final = 2.0

RecordSample = Callable[[str, str, float, int], None]
"""Takes a source, a metric, a value, and the instant of the clock it was measured at."""


class Meter(Protocol):
    """What a server says of itself, beside what its processes use."""

    @property
    def name(self) -> str:
        """The service it is about: the source of its Samples."""
        ...

    def read(self) -> Coroutine[Any, Any, Mapping[str, float]]:
        """The metrics now. Counters end in `_total` and may begin anew when the server does. It may raise anything."""
        ...


class CostSampler:
    """Samples until it is closed. Each run has its own."""

    def __init__(
        self,
        census: Census | None,
        meters: Sequence[Meter],
        record: RecordSample,
        note: Callable[[str], None],
        clock: Clock,
        every_s: float,
        *,
        processor_time_s: Callable[[], float] = time.thread_time,
    ) -> None:
        """`note` gets words for people; `processor_time_s` counts the calling thread's processor time."""
        self._census, self._record, self._note, self._clock = census, record, note, clock
        self._processor_time_s = processor_time_s
        self._programs = Programs(clock, os.cpu_count() or 1)
        self._cpu_s = 0.0
        self.problems: list[str] = []
        """What could not be measured, each once, for people."""
        jobs: list[Callable[[], Coroutine[Any, Any, None]]] = [self._read_processes] if census is not None else []
        jobs.extend(self._reading_of(meter) for meter in meters)
        self._ticks = [Ticks(clock, every_s) for _ in jobs]
        self._tasks = [
            asyncio.create_task(self._repeat(ticks, job), name="cost sampler")
            for ticks, job in zip(self._ticks, jobs, strict=True)
        ]

    def also_at(self, at_ns: int) -> None:
        """Read at this instant too, because a phase begins there."""
        for ticks in self._ticks:
            ticks.also_at(at_ns)

    async def close(self) -> None:
        """Read a last time, and end."""
        self.also_at(self._clock.now_ns())
        for ticks in self._ticks:
            ticks.end()
        await asyncio.wait(self._tasks, timeout=LAST_READING_TIMEOUT_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, ticks: "Ticks", job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while await ticks.wait():
            await job()

    async def _read_processes(self) -> None:
        began_ns = self._clock.now_ns()
        loop = asyncio.get_running_loop()
        values, cpu_s, failure = await loop.run_in_executor(None, self._take)
        self._cpu_s += cpu_s
        if failure is not None:
            self._say("the services", failure)
        for service, metrics in values.items():
            for metric, value in metrics.items():
                self._record(service, metric, value, began_ns)
        duration_s = (self._clock.now_ns() - began_ns) / NANOSECONDS_PER_SECOND
        self._record(SAMPLER, "duration_s", duration_s, began_ns)
        self._record(SAMPLER, "cpu_s_total", self._cpu_s, began_ns)

    def _take(self) -> tuple[Mapping[str, Mapping[str, float]], float, Exception | None]:
        """One reading of all processes, its own processor time, and why it failed."""
        before_s = self._processor_time_s()
        values: Mapping[str, Mapping[str, float]] = {}
        failure = None
        try:
            values = self._census.take() if self._census is not None else {}
        except Exception as error:
            failure = error
        return values, self._processor_time_s() - before_s, failure

    def _reading_of(self, meter: Meter) -> Callable[[], Coroutine[Any, Any, None]]:
        async def read() -> None:
            reading = Accounted(meter.read(), self._processor_time_s)
            self._programs.begin()
            try:
                async with asyncio.timeout(METER_TIMEOUT_S):
                    values = await reading
                at_ns = self._clock.now_ns()
                for metric, value in values.items():
                    self._record(meter.name, metric, float(value), at_ns)
            except Exception as error:
                self._say(meter.name, error)
            finally:
                self._cpu_s += reading.cpu_s + self._programs.end()

        return read

    def _say(self, what: str, error: Exception) -> None:
        told = f"cannot measure {what}"
        if any(problem.startswith(told) for problem in self.problems):
            return
        why = "it did not answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        self.problems.append(f"{told}: {trim(why)}")
        self._note(self.problems[-1])


class Ticks:
    """Instants: one every so often, and others that are asked for."""

    def __init__(self, clock: Clock, every_s: float) -> None:
        self._clock = clock
        self._every_ns = round(every_s * NANOSECONDS_PER_SECOND)
        self._next_ns = clock.now_ns()
        self._extra_ns: list[int] = []
        self._changed = asyncio.Event()
        self._ending = False

    def also_at(self, at_ns: int) -> None:
        """One more instant."""
        self._extra_ns.append(at_ns)
        self._changed.set()

    def end(self) -> None:
        """After what is due now, no more."""
        self._ending = True
        self._changed.set()

    async def wait(self) -> bool:
        """Return at the next instant; False: there is none any more. Instants that were missed are one."""
        while True:
            now_ns = self._clock.now_ns()
            due_ns = min([self._next_ns, *self._extra_ns])
            if due_ns <= now_ns:
                self._extra_ns = [at_ns for at_ns in self._extra_ns if at_ns > now_ns]
                if self._next_ns <= now_ns:
                    self._next_ns += ((now_ns - self._next_ns) // self._every_ns + 1) * self._every_ns
                return True
            if self._ending:
                return False
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), (due_ns - now_ns) / NANOSECONDS_PER_SECOND)
