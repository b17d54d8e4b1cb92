"""The closed loop: a virtual user starts its next iteration when the one before has ended and it has thought.

Each virtual user is a task that follows its own part of the plan (`kilonode.load.virtual_users`), so a ramp needs no
one to start and stop them. An iteration of a closed loop is due when it starts. Think times are drawn from a random
stream of each virtual user, so they do not depend on the number of worker processes.

In simulated time an iteration that takes no time at all is followed by a pause of a millisecond, for otherwise virtual
time would never pass.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND
from kilonode.base.randomness import Randomness
from kilonode.load.iterating import VirtualUser, Work
from kilonode.load.loop import Loop, Surroundings
from kilonode.load.virtual_users import VuPlan

SIMULATED_PAUSE_S: Final = 0.001


class ClosedLoop(Loop):
    """One closed workload of one worker."""

    def __init__(self, work: Work, start_s: float, plan: VuPlan, seed: int, around: Surroundings) -> None:
        super().__init__(work, start_s, plan.end_s, around)
        self._plan = plan
        self._randomness = Randomness(seed, "think", work.workload)
        self._shared: Iterator[int] | None = None
        if plan.iterations_shared is not None:
            self._shared = iter(self._segment.shared(plan.iterations_shared, plan.vus))
        self._waiting: dict[VirtualUser, None] = {}
        """Virtual users that sleep, in the order in which they began to."""
        self._running = 0
        self._started = 0

    @property
    def active(self) -> int:
        """Iterations that run now."""
        return self._running

    @property
    def due(self) -> int:
        """Iterations started so far."""
        return self._started

    def _begin(self) -> None:
        for vu in self._segment.virtual_users(self._plan.vus):
            self._start_user(partial(self._live, vu))

    async def _live(self, vu: int, user: VirtualUser) -> None:
        """A virtual user: iterate whenever it is active."""
        numbers = self._numbers(vu)
        think_time = self._plan.think_time
        thinking = self._randomness.child(vu).stream() if think_time is not None else None
        runner, now, time_slice = self._runner, self._now_ns, self._slice
        for interval in self._plan.active(vu):
            until_ns = self._start_ns + round(interval.end_s * NANOSECONDS_PER_SECOND)
            await self._sleep_until(user, self._start_ns + round(interval.start_s * NANOSECONDS_PER_SECOND))
            while not self._is_over and (now_ns := now()) < until_ns:
                number = next(numbers, None)
                if number is None:
                    return
                self._started += 1
                time_slice.last_runner = user
                self._running += 1
                try:
                    await runner.begin(user, number, now_ns, now_ns)
                    finished_ns = runner.finish(user)
                except (Exception, asyncio.CancelledError) as error:
                    finished_ns = await runner.fail(user, error)
                finally:
                    self._running -= 1
                if thinking is not None and think_time is not None:
                    await self._sleep(user, thinking.uniform(think_time.min, think_time.max))
                elif self._clock.simulated and finished_ns == now_ns:
                    await self._sleep(user, SIMULATED_PAUSE_S)
                elif time_slice.is_over(user, finished_ns):
                    await time_slice.give_way()

    def _numbers(self, vu: int) -> Iterator[int]:
        """The numbers of the iterations of one virtual user, in order."""
        if self._shared is not None:
            return self._shared
        return iter(self._plan.numbers(vu))

    async def _sleep_until(self, user: VirtualUser, at_ns: int) -> None:
        # Event loops round timers to milliseconds, up or down; nothing may start before its time.
        while (left_ns := at_ns - self._now_ns()) > 0 and not self._is_over:
            await self._sleep(user, left_ns / NANOSECONDS_PER_SECOND)

    async def _sleep(self, user: VirtualUser, seconds: float) -> None:
        if self._is_over:
            return
        self._waiting[user] = None
        try:
            await self._clock.sleep(seconds)
        finally:
            del self._waiting[user]

    def _stop_starting(self, *, early: bool) -> None:
        for user in self._waiting:
            if user.task is not None:
                user.task.cancel()

    def _close(self) -> None:
        self._is_over = True

    async def _account(self) -> None:
        pass  # nothing is due in a closed loop before it starts

    def _is_done(self) -> bool:
        return True
