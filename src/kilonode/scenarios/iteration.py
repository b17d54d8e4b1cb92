"""What a scenario is given: one `Iteration`, whose `step` times and records what the scenario does.

A step is a plain context manager: `with it.step("boot"):`. It is recorded when it is left, with the outcome of the
exception that left it. Steps nest under the innermost open step of the same task, or of the task that started it, and
then have dotted names; so an action that opens steps nests rightly also when it runs several times at once.

Dueness: the engine may start an iteration later than it was due. That lateness is charged to the first step, and to the
first step inside it, and so on: such a step is due its iteration's lateness before it starts. Every later step is due
when it starts. What a scenario does before its first step is charged to no step (the iteration itself always counts
from its own due).

Instants are nanoseconds of the run's `Clock`. A step costs well under a microsecond (decision 0050), hence the plain
slots and the absence of anything clever. The iteration's own Op is recorded by the load engine, not here.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from kilonode.base.clock import Clock
from kilonode.base.errors import InputError, OperationError, trim
from kilonode.base.outcomes import Outcome
from kilonode.base.randomness import Randomness
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.transport import Transport
from kilonode.scenarios.naming import resource_name
from kilonode.scenarios.tenant import Tenant
from kilonode.scenarios.undo import Undo, UndoList

STEP: Final = "step"
"""The kind of Op that steps are recorded as: the value of `kilonode.history.records.OpKind.STEP`."""

_OK: Final = Outcome.OK.value


class StepRecorder(Protocol):
    """Takes the steps of one iteration; given by the load engine. Instants are the clock's, not relative to zero."""

    def __call__(
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
        """Record one step that has ended."""
        ...


@dataclass(frozen=True, slots=True)
class WorkloadContext:
    """What all iterations of one workload in one worker share."""

    workload: str
    run_id: str
    seed: int
    clock: Clock
    transport: Transport


class Iteration:
    """One iteration of a workload. Scenarios take it as `it`."""

    __slots__ = (
        "_cloud",
        "_context",
        "_lateness_ns",
        "_names",
        "_now_ns",
        "_random",
        "_record",
        "_undo",
        "due_ns",
        "number",
        "tenant",
        "timed_out",
    )

    def __init__(
        self,
        context: WorkloadContext,
        number: int,
        due_ns: int,
        started_ns: int,
        record: StepRecorder,
        cloud: Connection | None = None,
        tenant: Tenant | None = None,
    ) -> None:
        self._context = context
        self._record = record
        self._now_ns = context.clock.now_ns
        self._cloud = cloud
        self._lateness_ns = started_ns - due_ns
        self._random: random.Random | None = None
        self._names: dict[str, int] | None = None
        self._undo: UndoList | None = None
        self.number = number
        """Number of the iteration in its workload, from 0, the same whatever the number of worker processes."""
        self.due_ns = due_ns
        """When this iteration was due."""
        self.tenant = tenant
        """Whose resources the iteration works on; None without a cloud."""
        self.timed_out = False
        """Set by the engine right before it cancels an iteration for having taken too long: what was under way is then
        recorded as timed out, not as cut off by the end of the run, and what it made is cleaned up."""

    @property
    def workload(self) -> str:
        """The workload's name in the experiment."""
        return self._context.workload

    @property
    def run_id(self) -> str:
        """The run's eight hexadecimal characters, for metadata; names have it already."""
        return self._context.run_id

    @property
    def clock(self) -> Clock:
        """The run's clock. A scenario that wants to wait says `await it.clock.sleep(seconds)`."""
        return self._context.clock

    @property
    def transport(self) -> Transport:
        """Sends HTTP requests to any address, without a cloud's login."""
        return self._context.transport

    @property
    def random(self) -> random.Random:
        """A random stream of this iteration alone: it depends on the run's seed, the workload and the number."""
        if self._random is None:
            context = self._context
            self._random = Randomness(context.seed, "iteration", context.workload, self.number).stream()
        return self._random

    @property
    def cloud(self) -> Connection:
        """The cloud under test, as the tenant's user. Raises InputError when the experiment has no cloud."""
        if self._cloud is None:
            raise InputError(
                "the scenario needs a cloud and the experiment has none",
                where=f"workloads.{self.workload}",
                hint="add cloud: {emulated: {nodes: 10}} or cloud: {openstack: name-in-clouds.yaml}",
            )
        return self._cloud

    def name(self, noun: str) -> str:
        """A new name for something this iteration makes, such as `kn-5f0c21aa-boots-17-server`.

        Unique in the run, at most 60 characters, and found by cleanup. `noun` is lowercase words joined by dashes. The
        second name for one noun ends in 2, and so on.
        """
        if self._names is None:
            self._names = {}
        count = self._names[noun] = self._names.get(noun, 0) + 1
        return resource_name(self._context.run_id, self.workload, self.number, noun, count)

    def step(self, name: str) -> "Step":
        """A step to be entered by `with`. Nests under the innermost open step of this task."""
        return Step(self, name, None)

    def made(self, noun: str, identity: str, undo: Callable[[], Awaitable[object]]) -> None:
        """Remember something that was made, and how to undo it should this iteration fail."""
        if self._undo is None:
            self._undo = UndoList()
        self._undo.add(Undo(noun, identity, undo))

    def unmade(self, noun: str, identity: str) -> None:
        """What was made is gone, so there is nothing left to undo."""
        if self._undo is not None:
            self._undo.remove(noun, identity)

    @property
    def has_made(self) -> bool:
        """True while there is something to undo."""
        return self._undo is not None and bool(self._undo)

    async def clean_up(self) -> None:
        """Undo what was made, last first, as the step `cleanup` with one step in it for each thing.

        Best effort within a bounded time: what fails is recorded and not raised, for the run's own cleanup finds the
        rest by name. What was undone, or could not be, is forgotten.
        """
        undo = self._undo
        if not undo:
            return
        try:
            with self.step("cleanup") as cleanup:
                await undo.run(cleanup.step)
        except OperationError:
            return  # recorded by the step

    async def sleep(self, seconds: float) -> None:
        """Wait on the run's clock."""
        await self._context.clock.sleep(seconds)


_INNERMOST: Final[ContextVar["Step | None"]] = ContextVar("innermost step", default=None)
_innermost = _INNERMOST.get
_open = _INNERMOST.set
_close = _INNERMOST.reset


class Step:
    """One step. Made by `Iteration.step`, or by `Step.step` for a child that is named under this one explicitly."""

    __slots__ = (
        "_iteration",
        "_lateness_ns",
        "_parent",
        "_token",
        "due_ns",
        "name",
        "resolution_ns",
        "started_ns",
    )

    _token: Token["Step | None"]
    due_ns: int
    """When the step was due; known once it was entered."""
    started_ns: int
    """When the step started; known once it was entered."""

    def __init__(self, iteration: Iteration, name: str, parent: "Step | None") -> None:
        self._iteration = iteration
        self._parent = parent
        self._lateness_ns = 0
        self.name = name
        """The dotted name, whole once the step was entered."""
        self.resolution_ns = 0
        """Set it when the end of the step is found by polling: see `kilonode.clients.waiting.Waited`."""

    def __enter__(self) -> Self:
        iteration = self._iteration
        parent = self._parent or _innermost()
        owner: Iteration | Step = iteration
        if parent is not None and parent._iteration is iteration:
            owner = parent
            self.name = f"{parent.name}.{self.name}"
        self._token = _open(self)
        lateness_ns = owner._lateness_ns
        started_ns = self.started_ns = iteration._now_ns()
        self.due_ns = started_ns - lateness_ns
        if lateness_ns:  # handed down once: to the first step, and to the first step inside it
            owner._lateness_ns = 0
            self._lateness_ns = lateness_ns
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        iteration = self._iteration
        finished_ns = iteration._now_ns()
        _close(self._token)
        if error is None:
            iteration._record(STEP, self.name, self.due_ns, self.started_ns, finished_ns, _OK, "", self.resolution_ns)
            return
        outcome, message = classify_exception(error, timed_out=iteration.timed_out)
        iteration._record(
            STEP, self.name, self.due_ns, self.started_ns, finished_ns, outcome.value, message, self.resolution_ns
        )

    def step(self, name: str) -> "Step":
        """A step under this one, whichever is the innermost: for tasks that outlive the place they were started at."""
        return Step(self._iteration, name, self)

    def record(self, name: str, started_ns: int, finished_ns: int, resolution_ns: int = 0) -> None:
        """Record a good step under this one whose instants became known only afterwards, such as a phase that was seen
        while polling. It is due when it starts.
        """
        self._iteration._record(
            STEP, f"{self.name}.{name}", started_ns, started_ns, finished_ns, _OK, "", resolution_ns
        )


def classify_exception(error: BaseException, *, timed_out: bool = False) -> tuple[Outcome, str]:
    """Outcome and message of whatever left a step or an iteration.

    `timed_out` says that a cancellation was the engine's own for having taken too long.
    """
    if isinstance(error, OperationError):
        return error.outcome, error.message
    if isinstance(error, asyncio.CancelledError):
        if timed_out:
            return Outcome.TIMEOUT, "the iteration took longer than its iteration_timeout"
        return Outcome.CANCELLED, "cut off by the end of the run"
    if isinstance(error, TimeoutError):
        return Outcome.TIMEOUT, trim(str(error)) or "took too long"
    return Outcome.SCENARIO, trim(f"{type(error).__name__}: {error}{_place(error)}")


def _place(error: BaseException) -> str:
    """Where in the scenario's code an unexpected exception came from, for whoever has to mend it."""
    traceback = error.__traceback__
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f" ({Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno})"
