"""An alarm clock for the open loop: calls back at an instant, to well below a millisecond, and sleeps until then.

The timers of event loops are rounded to milliseconds (epoll's and libuv's unit), which would make every iteration of an
open loop late by up to one, and latency counts from *due*. On Linux a kernel timer (timerfd) is exact to some tens of
microseconds. Where there is none, and in simulated time, which is exact anyway, the loop's own timers are used.
Instants are nanoseconds of the run's clock, which is CLOCK_MONOTONIC.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable
from typing import Final, Protocol

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock

_CLOCK_MONOTONIC: Final = 1
_NONBLOCKING_AND_CLOSED_ON_EXEC: Final = os.O_NONBLOCK | os.O_CLOEXEC
_ABSOLUTE: Final = 1


class Alarm(Protocol):
    """Calls back once for each `set`, or never when it is set again or closed before."""

    def set(self, at_ns: int) -> None:
        """Call back at this instant, or at once when it has passed; replaces what was set before."""
        ...

    def close(self) -> None:
        """Never call back again."""
        ...


def open_alarm(loop: asyncio.AbstractEventLoop, clock: Clock, callback: Callable[[], None]) -> Alarm:
    """The most exact alarm there is here."""
    if clock.simulated:
        return LoopAlarm(loop, clock, callback)
    try:
        return KernelAlarm(loop, callback)
    except (OSError, AttributeError):  # not Linux, or no descriptor left
        return LoopAlarm(loop, clock, callback)


class LoopAlarm:
    """An alarm by the event loop's timers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._clock = clock
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at_ns: int) -> None:
        """See `Alarm`."""
        self.close()
        delay_s = (at_ns - self._clock.now_ns()) / NANOSECONDS_PER_SECOND
        self._handle = self._loop.call_later(max(0.0, delay_s), self._callback)

    def close(self) -> None:
        """See `Alarm`."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSettings(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class KernelAlarm:
    """An alarm by a timerfd. Raises OSError or AttributeError where the system has none."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._settime = library.timerfd_settime
        self._file = int(library.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCKING_AND_CLOSED_ON_EXEC))
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._settings = _TimerSettings()
        self._pointer = ctypes.byref(self._settings)
        self._loop = loop
        self._callback = callback
        loop.add_reader(self._file, self._ring)

    def set(self, at_ns: int) -> None:
        """See `Alarm`."""
        seconds, nanoseconds = divmod(at_ns, NANOSECONDS_PER_SECOND)
        self._settings.value.seconds = seconds
        self._settings.value.nanoseconds = nanoseconds
        self._settime(self._file, _ABSOLUTE, self._pointer, None)

    def close(self) -> None:
        """See `Alarm`."""
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def _ring(self) -> None:
        try:
            os.read(self._file, 8)
        except BlockingIOError:
            return  # it was set anew after it rang
        self._callback()
