"""How every workload begins and ends, whether its loop is open or closed.

A loop has virtual users, each a task. It ends by itself when its load model says so, or early by `stop`; then nothing
new starts, and what runs may finish for the drain time; what still runs then, or at `kill`, is cancelled and recorded
as such. `run` returns when all that has happened. Nothing here blocks for ever: a scenario that does not let itself be
cancelled is recorded and left behind.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.history.journal import JournalWriter
from kilonode.load.fairness import TimeSlice
from kilonode.load.iterating import IterationRunner, VirtualUser, Watchdog, Work
from kilonode.load.segments import Segment

CANCEL_GRACE_S: Final = 5.0
"""How long cancelled iterations may take to notice."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all workloads of one worker share."""

    clock: Clock
    zero_ns: int
    """The run's zero on the clock."""
    segment: Segment
    drain_s: float
    slice: TimeSlice
    journal: JournalWriter
    """Takes Ops whose instants are the clock's."""


class Loop(ABC):
    """One workload of one worker. `run` once."""

    def __init__(self, work: Work, start_s: float, end_s: float, around: Surroundings) -> None:
        """`start_s` counts from the run's zero, `end_s` from the start of the workload."""
        self.workload: Final = work.workload
        self.dropped = 0
        """Iterations that could not be started, so far."""
        self._loop = asyncio.get_running_loop()
        self._clock = around.clock
        self._now_ns = around.clock.now_ns
        self._slice = around.slice
        self._segment = around.segment
        self._drain_s = around.drain_s
        self._start_ns = around.zero_ns + round(start_s * NANOSECONDS_PER_SECOND)
        self._end_ns = self._start_ns + round(end_s * NANOSECONDS_PER_SECOND)
        self._timeout_ns = work.iteration_timeout_ns
        self._runner = IterationRunner(work, around.clock, around.journal)
        self._users: list[VirtualUser] = []
        self._living = 0
        """Tasks of virtual users that have not ended."""
        self._is_over = False
        """Nothing new is due from now on."""
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    @abstractmethod
    def active(self) -> int:
        """How many iterations run now."""

    @property
    @abstractmethod
    def due(self) -> int:
        """How many iterations were due so far in this worker's segment; in a closed loop, how many started."""

    @abstractmethod
    def _begin(self) -> None:
        """Set everything up; the start of the workload may lie ahead."""

    @abstractmethod
    def _stop_starting(self, *, early: bool) -> None:
        """The workload is over, as planned or early: release the virtual users that wait for work."""

    @abstractmethod
    def _close(self) -> None:
        """Start nothing any more, whatever is due."""

    @abstractmethod
    async def _account(self) -> None:
        """Nothing runs any more: record what was due and never started."""

    @abstractmethod
    def _is_done(self) -> bool:
        """Whether no virtual user lives because there is nothing to do any more."""

    async def run(self) -> None:
        """From before the start to after the end. An error of the engine itself is raised here."""
        watchdog = Watchdog(self._loop, self._clock, self._timeout_ns, self._users)
        try:
            if not self._is_over:  # unless it was stopped before it could begin
                self._timer = self._call_at(self._end_ns, self._end_as_planned)
                self._begin()
            self._check()
            await self._ended.wait()
            tasks = [user.task for user in self._users if user.task is not None and not user.task.done()]
            if tasks:
                await asyncio.wait(tasks, timeout=CANCEL_GRACE_S)
        finally:
            watchdog.close()
            self._close()
            self._cancel_users()
            if self._timer is not None:
                self._timer.cancel()
        await self._account()
        for user in self._users:
            user.abandon(self._now_ns())
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Start nothing more; let what runs finish within the drain time."""
        if not self._is_over:
            self._end(early=True)

    def kill(self) -> None:
        """Start nothing more and cancel what runs."""
        self.stop()
        self._cut_off()

    def _end_as_planned(self) -> None:
        self._end(early=False)

    def _end(self, *, early: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._is_over = True
        self._stop_starting(early=early)
        self._timer = self._loop.call_later(self._drain_s, self._cut_off)
        self._check()

    def _cut_off(self) -> None:
        self._close()
        self._cancel_users()
        self._ended.set()

    def _cancel_users(self) -> None:
        for user in self._users:
            if user.task is not None and not user.task.done():
                user.task.cancel()

    def _check(self) -> None:
        if self._living == 0 and self._is_done():
            self._ended.set()

    def _start_user(self, live: Callable[[VirtualUser], Coroutine[Any, Any, None]]) -> VirtualUser:
        user = self._runner.new_user()
        user.task = self._loop.create_task(live(user))
        user.task.add_done_callback(self._user_ended)
        self._users.append(user)
        self._living += 1
        return user

    def _user_ended(self, task: asyncio.Task[None]) -> None:
        self._living -= 1
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()
            self._cut_off()
        self._check()

    def _call_at(self, at_ns: int, callback: Callable[[], None]) -> asyncio.TimerHandle:
        delay_s = (at_ns - self._now_ns()) / NANOSECONDS_PER_SECOND
        return self._loop.call_later(max(0.0, delay_s), callback)
