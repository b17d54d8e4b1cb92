"""Who runs how long before the event loop gets a turn.

A scenario that never waits (`noop`, or one that finds its answer in memory) would let one virtual user run for ever:
no timer, no answer of another workload would be seen. So all virtual users of a worker share a slice of time; when it
is over each gives way after the iteration it is in. One that has waited by itself owes nothing. In simulated time,
where such work takes no time at all, a slice is a number of iterations.
"""

import asyncio
from typing import Final

from kilonode.base.clock import Clock

SLICE_NS: Final = 1_000_000
"""Long enough that giving way costs next to nothing, short enough that nobody is kept waiting noticeably."""

SLICE_ITERATIONS_SIMULATED: Final = 100


class TimeSlice:
    """The slice that all virtual users of one worker share."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._now_ns = clock.now_ns
        self._simulated = clock.simulated
        self._until_ns = 0
        self._left = SLICE_ITERATIONS_SIMULATED
        self._renewing = False
        self.last_runner: object = None
        """Who began an iteration last. Who finds himself here after his iteration has probably not waited in it."""

    def is_over(self, runner: object, now_ns: int) -> bool:
        """Whether `runner`, who has just ended an iteration, should give way. Cheap: asked after every iteration."""
        if self.last_runner is not runner:
            return False
        if self._simulated:
            self._left -= 1
            return self._left <= 0
        return now_ns > self._until_ns

    async def give_way(self) -> None:
        """Let the event loop look at everything else once; a new slice begins then."""
        if not self._renewing:
            self._renewing = True
            self._loop.call_soon(self._renew)
        await asyncio.sleep(0)

    def _renew(self) -> None:
        self._renewing = False
        self._left = SLICE_ITERATIONS_SIMULATED
        self._until_ns = self._now_ns() + SLICE_NS
