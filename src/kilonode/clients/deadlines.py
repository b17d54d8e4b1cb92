"""Deadlines for very many short waits, most of which end long before.

A timer for each request would cost a good part of its whole budget. Waits of the same length end in the order in which
they began, so one timer per length is enough: it looks at the oldest wait that still goes on. A wait costs one
insertion and one removal in a dict; the timer fires about once per timeout. All times are loop time in seconds.
"""

import asyncio
from typing import Final, Protocol

_MOST_LANES: Final = 64


class Expiring(Protocol):
    """Something that can be too late."""

    def expire(self) -> None:
        """The deadline has passed."""
        ...


class Lane:
    """Waits of one length, in the order in which they began."""

    __slots__ = ("_loop", "seconds", "timer", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.seconds = seconds
        self.waiting: dict[Expiring, float] = {}
        """What waits, and until when. Whoever begins to wait puts `loop.time() + seconds` in and calls `watch`; what
        waits takes itself out at the very end of its wait, for it may begin another at once."""
        self.timer: asyncio.TimerHandle | None = None
        """None: nobody watches."""
        self._loop = loop

    def watch(self) -> None:
        """Look at the waits from now on; needed only while `timer` is None."""
        if self.timer is None:
            self.timer = self._loop.call_later(self.seconds, self._look)

    def stop(self) -> None:
        """Watch no more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _look(self) -> None:
        self.timer = None
        now = self._loop.time()
        late = []
        for waiting, deadline in self.waiting.items():
            if deadline > now:
                self.timer = self._loop.call_at(deadline, self._look)
                break
            late.append(waiting)
        for waiting in late:
            del self.waiting[waiting]
            waiting.expire()


class Deadlines:
    """A lane for each length of wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lanes: dict[float, Lane] = {}

    def lane(self, seconds: float) -> Lane:
        """The lane for waits of this length; when very many lengths are in use, one of its own."""
        lane = self._lanes.get(seconds)
        if lane is None:
            lane = Lane(self._loop, seconds)
            if len(self._lanes) >= _MOST_LANES:
                self._lanes = {length: known for length, known in self._lanes.items() if known.timer is not None}
            if len(self._lanes) < _MOST_LANES:
                self._lanes[seconds] = lane
        return lane

    def stop(self) -> None:
        """Watch no more."""
        for lane in self._lanes.values():
            lane.stop()
