"""The only source of time.

Everything that needs the time is given a `Clock`. `RealClock` reads the machine's monotonic clock; `SimulatedClock`
reads the virtual time of a `SimulatedEventLoop` (see `kilonode.base.simulation`). Durations inside the program are
floats in seconds (`_s`) or integers in nanoseconds (`_ns`); instants are integers in nanoseconds on one monotonic axis
whose zero means nothing. Wall-clock time (`utc`) is for people and for API timestamps, never for measuring.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

NANOSECONDS_PER_SECOND: Final = 1_000_000_000

SIMULATED_EPOCH: Final = datetime(2030, 1, 1, tzinfo=UTC)
"""The wall-clock instant at which every simulated run begins, so that its timestamps are the same each time."""


class Clock(Protocol):
    """A source of time."""

    @property
    def simulated(self) -> bool:
        """True when time is virtual."""
        ...

    def now_ns(self) -> int:
        """The monotonic instant now, in nanoseconds."""
        ...

    def utc(self) -> datetime:
        """The wall-clock time now, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less gives other tasks one turn."""
        ...


class RealClock:
    """The machine's clocks. CLOCK_MONOTONIC is one axis for all processes of a machine, so workers can share it."""

    simulated: Final = False

    now_ns = staticmethod(time.monotonic_ns)
    """The monotonic instant now, in nanoseconds. Not wrapped, since it is read several times in each iteration."""

    def utc(self) -> datetime:
        """The wall-clock time now, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds`; zero or less gives other tasks one turn."""
        await asyncio.sleep(seconds)


class SkewedClock:
    """Another clock whose wall-clock time is off by as much as it is told. Instants and waiting are untouched."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = timedelta()
        self.simulated = clock.simulated
        self.now_ns = clock.now_ns
        self._trusted = True
        self._doubting: list[Callable[[], object]] = []

    @property
    def offset_s(self) -> float:
        """How far the wall-clock time is put forward; negative: back."""
        return self._offset.total_seconds()

    def skew(self, offset_s: float) -> None:
        """Put the wall-clock time forward by so much, instead of what it was told before."""
        self._offset = timedelta(seconds=offset_s)
        if self._offset:
            self.distrust()

    def distrust(self) -> None:
        """From now on timestamps that are read here may be off: the clock of somebody who writes them is, or will be.

        It stays so: what was written meanwhile is read later too.
        """
        if self._trusted:
            self._trusted = False
            for call in self._doubting:
                call()

    def when_distrusted(self, call: Callable[[], object]) -> None:
        """Have this called once when timestamps are no longer trusted; at once when they are not."""
        if self._trusted:
            self._doubting.append(call)
        else:
            call()

    def utc(self) -> datetime:
        """The wall-clock time that is believed here, in UTC."""
        return self._clock.utc() + self._offset

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await self._clock.sleep(seconds)


class SimulatedClock:
    """The virtual time of the event loop that is running it."""

    simulated: Final = True

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now_ns(self) -> int:
        """The virtual instant now, in nanoseconds since the simulation began."""
        return round(self._loop.time() * NANOSECONDS_PER_SECOND)

    def utc(self) -> datetime:
        """`SIMULATED_EPOCH` plus the virtual time passed."""
        return SIMULATED_EPOCH + timedelta(seconds=self._loop.time())

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of virtual time, which costs no real time."""
        await asyncio.sleep(seconds)
