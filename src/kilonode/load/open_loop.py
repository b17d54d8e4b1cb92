"""The open loop: iterations start when they are due, whatever the cloud does.

There is no task for each iteration and nothing polls. The schedule is a list of due instants with a position in it. An
alarm rings when the next iteration is due; the dispatcher then wakes as many idle virtual users as iterations are due,
and makes new ones when there are too few. A virtual user takes the next due iteration from the schedule, runs it, and
takes the next; when none is due it is idle. When `max_vus` iterations run, what is due is recorded as dropped.

Due instants come from the pacer alone: a late alarm, a busy process or a full pool changes when an iteration starts,
never when it was due. Iterations that are due but not begun wait in the schedule, so waiting costs no memory. What is
still not begun when the drain time is over is recorded as dropped, as is what waits when the load is stopped early.
"""

import asyncio
from bisect import bisect_right
from typing import Final

import numpy as np

from kilonode.base.clock import NANOSECONDS_PER_SECOND
from kilonode.history.blocks import LARGEST_BLOCK_OPS, Int64s
from kilonode.load.alarm import open_alarm
from kilonode.load.iterating import VirtualUser, Work
from kilonode.load.loop import Loop, Surroundings
from kilonode.load.pacers import Pacer, Seconds

NEVER_NS: Final = 2**63 - 1

SHORTEST_SLEEP_NS: Final = 100_000
"""At high rates iterations are started in batches this far apart: an alarm costs about as much as an iteration."""

_SCHEDULE_PIECE: Final = 1024
"""How many due instants are computed at once: some tens of microseconds of work."""
_MOST_WOKEN_AT_ONCE: Final = 64
_MOST_DROPPED_AT_ONCE: Final = 512
"""Bounds on what the dispatcher does before the event loop gets a turn."""


class OpenLoop(Loop):
    """One open workload of one worker."""

    def __init__(self, work: Work, start_s: float, pacer: Pacer, max_vus: int, around: Surroundings) -> None:
        """`max_vus` is that of all workers together."""
        super().__init__(work, start_s, pacer.end_s, around)
        self._pacer = pacer
        self._max_vus = max(1, self._segment.count_of(max_vus))
        self._alarm = open_alarm(self._loop, self._clock, self._dispatch)
        self._shortest_sleep_ns = 0 if self._clock.simulated else SHORTEST_SLEEP_NS
        self._due_ns: list[int] = []
        """The piece of the schedule at hand; its last entry is `NEVER_NS` when no piece follows."""
        self._position = 0
        self._first = 0
        """The place of the piece's first entry in this worker's segment."""
        self._running = 0
        self._idle: list[asyncio.Future[None]] = []
        self._woken = 0
        """Virtual users that will look for work in this turn or the next of the event loop: they were told to, or they
        gave way."""
        self._stopped_ns: int | None = None
        """When the schedule was made to end before its time."""
        self._left: int | None = None
        """The place of the first entry that was due by then and not begun; None: there is none."""
        self._load_piece()

    @property
    def active(self) -> int:
        """Iterations that run now."""
        return self._running

    @property
    def due(self) -> int:
        """Iterations due so far."""
        until_ns = self._now_ns() if self._stopped_ns is None else self._stopped_ns
        return self._segment.count_of(self._pacer.count_by((until_ns - self._start_ns) / NANOSECONDS_PER_SECOND))

    def _begin(self) -> None:
        self._dispatch()

    def _load_piece(self) -> None:
        """Compute the next piece of the schedule."""
        self._first += len(self._due_ns)
        indices = self._segment.indices(self._first, _SCHEDULE_PIECE)
        due_ns = self._to_ns(self._pacer.due_s(indices))
        self._due_ns = due_ns.tolist()
        self._position = 0
        if len(due_ns) < _SCHEDULE_PIECE:
            self._due_ns.append(NEVER_NS)

    def _to_ns(self, due_s: Seconds) -> Int64s:
        """Those instants of the schedule that exist, on the clock."""
        due_s = due_s[np.isfinite(due_s)]
        return np.rint(due_s * NANOSECONDS_PER_SECOND).astype(np.int64) + self._start_ns

    def _advance(self) -> int:
        """Step over the next entry of the schedule; returns the number of its iteration."""
        place = self._first + self._position
        self._position += 1
        if self._position == len(self._due_ns):
            self._load_piece()
        if self._due_ns[self._position] == NEVER_NS:
            self._release_idle()
        return place * self._segment.workers + self._segment.worker

    async def _live(self, user: VirtualUser) -> None:
        """A virtual user: take what is due, run it, until the schedule is over."""
        self._woken -= 1
        runner, now, time_slice = self._runner, self._now_ns, self._slice
        now_ns = now()
        while True:
            due_ns = self._due_ns[self._position]
            if due_ns > now_ns:
                if due_ns == NEVER_NS:
                    return
                released = self._loop.create_future()
                self._idle.append(released)
                await released
                self._woken -= 1
                now_ns = now()
                continue
            number = self._advance()
            time_slice.last_runner = user
            self._running += 1
            try:
                await runner.begin(user, number, due_ns, now_ns)
                now_ns = runner.finish(user)
            except (Exception, asyncio.CancelledError) as error:
                now_ns = await runner.fail(user, error)
            finally:
                self._running -= 1
            if time_slice.is_over(user, now_ns):
                self._woken += 1
                await time_slice.give_way()
                self._woken -= 1
                now_ns = now()

    def _dispatch(self) -> None:
        """See that everything that is due is begun or dropped, and that the alarm rings when the next is due."""
        now_ns = self._now_ns()
        waiting = bisect_right(self._due_ns, now_ns, self._position) - self._position
        if waiting and self._running >= self._max_vus:
            waiting -= self._drop(now_ns, min(waiting, _MOST_DROPPED_AT_ONCE))
        wanted = waiting - self._woken
        for _ in range(min(wanted, _MOST_WOKEN_AT_ONCE)):
            if self._idle:
                self._idle.pop().set_result(None)
            elif self._living < self._max_vus:
                self._start_user(self._live)
            else:
                break  # every virtual user is busy, or on its way
            self._woken += 1
        if self._woken < waiting:
            self._loop.call_soon(self._dispatch)
            return
        next_place = self._position + waiting
        # Where the piece is used up, whoever takes its last entry gets the next piece: look again then.
        next_ns = self._due_ns[next_place] if next_place < len(self._due_ns) else now_ns
        if next_ns != NEVER_NS:
            self._alarm.set(max(next_ns, now_ns + self._shortest_sleep_ns))

    def _drop(self, now_ns: int, count: int) -> int:
        for _ in range(count):
            due_ns = self._due_ns[self._position]
            self._runner.drop(self._advance(), due_ns, now_ns)
        self.dropped += count
        return count

    def _release_idle(self) -> None:
        """Nothing will be due any more: let idle virtual users end."""
        while self._idle:
            released = self._idle.pop()
            if not released.done():
                released.set_result(None)
                self._woken += 1

    def _stop_starting(self, *, early: bool) -> None:
        if early:
            self._close()

    def _close(self) -> None:
        """Make the schedule end here; what is due by now and was not begun is recorded by `_account`."""
        if self._stopped_ns is not None:
            return
        self._stopped_ns = self._now_ns()
        self._alarm.close()
        if self._due_ns[self._position] <= self._stopped_ns:
            self._left = self._first + self._position
        self._due_ns, self._position = [NEVER_NS], 0
        self._release_idle()

    async def _account(self) -> None:
        if self._left is None or self._stopped_ns is None:
            return
        now_ns = self._now_ns()
        while True:
            indices = self._segment.indices(self._left, LARGEST_BLOCK_OPS)
            due_ns = self._to_ns(self._pacer.due_s(indices))
            count = int((due_ns <= self._stopped_ns).sum())
            if count == 0:
                return
            await self._runner.drop_many(indices[:count], due_ns[:count], now_ns)
            self.dropped += count
            self._left += count

    def _is_done(self) -> bool:
        return self._is_over and self._due_ns[self._position] == NEVER_NS
