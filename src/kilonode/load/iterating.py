"""One iteration, from its start to its record: what open and closed loops have in common.

A `VirtualUser` is a task that runs iterations one after the other, and the recorder of their steps. `IterationRunner`
begins an iteration and records how it ended; when it failed, undoes what it made, which is not part of the measured
iteration. `Watchdog` cancels iterations that take too long. Instants are the clock's nanoseconds; the journal makes
them count from the run's zero.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.connection import Connection
from kilonode.history.blocks import Int64s, uniform_block
from kilonode.history.journal import JournalWriter
from kilonode.history.records import OpKind
from kilonode.scenarios.iteration import Iteration, WorkloadContext, classify_exception
from kilonode.scenarios.tenant import Tenant

# Plain text instead of enumerations: they are read several times in each iteration.
_ITERATION: Final = OpKind.ITERATION.value
_OK: Final = Outcome.OK.value
_DROPPED: Final = Outcome.DROPPED.value
_CANCELLED: Final = Outcome.CANCELLED.value

MOST_UNWRITTEN_BYTES: Final = 16 * 2**20
"""With so much waiting to be written, whoever records many Ops at once lets the disk catch up first."""

_SHORTEST_WATCH_NS: Final = 1_000_000
_WATCHES_PER_TIMEOUT: Final = 1000
"""A timeout is exact to this part of itself (or to `_SHORTEST_WATCH_NS`), which bounds the watchdog's work."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the iterations of one workload do, resolved and ready to be called."""

    workload: str
    scenario: Callable[..., Awaitable[Any]]
    arguments: dict[str, Any]
    context: WorkloadContext
    tenants: Sequence[Tenant]
    connections: Sequence[Connection]
    """One for each tenant, in their order; logged in."""
    iteration_timeout_ns: int


class VirtualUser:
    """One task that runs iterations, and what it is doing now."""

    __slots__ = ("_append", "_journal", "_workload", "due_ns", "iteration", "number", "started_ns", "task")

    def __init__(self, workload: str, journal: JournalWriter) -> None:
        self._workload = workload
        self._journal = journal
        self._append = journal.append
        self.task: asyncio.Task[None] | None = None
        self.iteration: Iteration | None = None
        self.number = 0
        """The number of the iteration it is in, or was in last."""
        self.due_ns = 0
        self.started_ns = 0
        """When the iteration it is in started; zero between iterations."""

    def record_step(
        self,
        kind: str,
        step: str,
        due_ns: int,
        started_ns: int,
        finished_ns: int,
        outcome: str,
        error: str,
        resolution_ns: int,
    ) -> None:
        """Record a step of the current iteration: the `StepRecorder` that scenarios are given."""
        self._append(
            (
                kind,
                self._workload,
                step,
                self.number,
                due_ns,
                started_ns,
                finished_ns,
                outcome,
                error,
                resolution_ns,
            )
        )

    def record_iteration(self, finished_ns: int, outcome: str, error: str) -> None:
        """Record the current iteration as a whole, unless it was abandoned; it has ended."""
        started_ns = self.started_ns
        if not started_ns:
            return
        self.started_ns = 0
        self._append(
            (_ITERATION, self._workload, "", self.number, self.due_ns, started_ns, finished_ns, outcome, error, 0)
        )
        self._journal.encode_when_full()

    def abandon(self, now_ns: int) -> None:
        """Record an iteration that does not let itself be cancelled as cut off now."""
        self.record_iteration(now_ns, _CANCELLED, "cut off by the end of the run, and did not stop")


class IterationRunner:
    """Runs the iterations of one workload."""

    def __init__(self, work: Work, clock: Clock, journal: JournalWriter) -> None:
        self._work = work
        self._scenario = work.scenario
        self._arguments = work.arguments
        self._now_ns = clock.now_ns
        self._journal = journal
        self._tenants = len(work.tenants)

    def new_user(self) -> VirtualUser:
        """A virtual user of this workload, without a task."""
        return VirtualUser(self._work.workload, self._journal)

    def begin(self, user: VirtualUser, number: int, due_ns: int, started_ns: int) -> Awaitable[Any]:
        """Begin an iteration; the caller awaits the result in `user`'s task, and then calls `finish` or `fail`.

        Three calls instead of one coroutine around the scenario's, which would be resumed each time the scenario is.
        """
        work = self._work
        if self._tenants:
            place = number % self._tenants
            iteration = Iteration(
                work.context, number, due_ns, started_ns, user.record_step, work.connections[place], work.tenants[place]
            )
        else:
            iteration = Iteration(work.context, number, due_ns, started_ns, user.record_step)
        user.iteration = iteration
        user.number = number
        user.due_ns = due_ns
        user.started_ns = started_ns
        return self._scenario(iteration, **self._arguments)

    def finish(self, user: VirtualUser) -> int:
        """The iteration went well, unless the watchdog had cancelled it and it swallowed that; returns when."""
        finished_ns = self._now_ns()
        if user.iteration is not None and user.iteration.timed_out:
            self._uncancel()
            outcome, message = classify_exception(asyncio.CancelledError(), timed_out=True)
            user.record_iteration(finished_ns, outcome.value, message)
        else:
            user.record_iteration(finished_ns, _OK, "")
        return finished_ns

    async def fail(self, user: VirtualUser, error: BaseException) -> int:
        """The iteration raised; returns when the virtual user is free again.

        Raises `error` again when it is a cancellation by someone else than the watchdog. Undoes what the iteration
        made: that is not measured, and not watched, for it is bounded by itself.
        """
        finished_ns = self._now_ns()
        iteration = user.iteration
        timed_out = iteration is not None and iteration.timed_out
        outcome, message = classify_exception(error, timed_out=timed_out)
        user.record_iteration(finished_ns, outcome.value, message)
        if isinstance(error, asyncio.CancelledError) and not (timed_out and self._uncancel()):
            raise error
        if iteration is not None and iteration.has_made:
            await iteration.clean_up()
            return self._now_ns()
        return finished_ns

    def _uncancel(self) -> bool:
        """Take the watchdog's cancellation back; False when somebody else has cancelled the task, too."""
        task = asyncio.current_task()
        return task is not None and task.uncancel() == 0

    async def drop_many(self, numbers: Int64s, due_ns: Int64s, now_ns: int) -> None:
        """Record many iterations that were due and could not be started, at most `LARGEST_BLOCK_OPS`."""
        words = (_ITERATION, self._work.workload, "", _DROPPED, "")
        self._journal.add_block(uniform_block(words, numbers, due_ns, now_ns))
        if self._journal.backlog_bytes > MOST_UNWRITTEN_BYTES:
            await asyncio.get_running_loop().run_in_executor(None, self._journal.write)
        else:
            await asyncio.sleep(0)

    def drop(self, number: int, due_ns: int, now_ns: int) -> None:
        """Record an iteration that was due and could not be started."""
        self._journal.add_op((_ITERATION, self._work.workload, "", number, due_ns, now_ns, now_ns, _DROPPED, "", 0))


class Watchdog:
    """Cancels iterations that have run longer than the workload's iteration timeout.

    It looks at all virtual users when the oldest iteration it saw would time out, which may be long over by then: no
    timer is set for each iteration, so a fast iteration pays nothing for having a timeout.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Clock, timeout_ns: int, users: Sequence[VirtualUser]
    ) -> None:
        self._loop = loop
        self._now_ns = clock.now_ns
        self._timeout_ns = timeout_ns
        self._shortest_ns = max(_SHORTEST_WATCH_NS, timeout_ns // _WATCHES_PER_TIMEOUT)
        self._users = users
        self._handle = loop.call_later(timeout_ns / NANOSECONDS_PER_SECOND, self._look)

    def close(self) -> None:
        """Watch no more."""
        self._handle.cancel()

    def _look(self) -> None:
        now_ns = self._now_ns()
        oldest_ns = now_ns
        for user in self._users:
            if user.started_ns == 0 or user.iteration is None or user.iteration.timed_out:
                continue
            if user.started_ns + self._timeout_ns > now_ns:
                oldest_ns = min(oldest_ns, user.started_ns)
            elif user.task is not None:
                user.iteration.timed_out = True
                user.task.cancel()
        next_ns = max(oldest_ns + self._timeout_ns, now_ns + self._shortest_ns)
        self._handle = self._loop.call_later((next_ns - now_ns) / NANOSECONDS_PER_SECOND, self._look)
