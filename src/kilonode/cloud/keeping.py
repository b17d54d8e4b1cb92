"""Keeping one process of a cloud running: starts it, starts it again when it dies, replaces it when asked to.

A process that dies is started again after a delay that doubles with each death in a row; one that dies too often, or
that says it cannot work (exit status 2: bad input), is left until it is restarted on purpose. A replacement is started
beside the one it replaces, which goes on until the new one says that it could; when it never does, nothing has changed
(decision 0104).
"""

import asyncio
import contextlib
import logging
import signal
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import InputError, LabError
from kilonode.cloud.child import Child
from kilonode.cloud.commands import ProcessChange, ProcessCommand
from kilonode.cloud.cues import DRAIN, GO, PREPARED, READY
from kilonode.cloud.folder import ProcessState
from kilonode.cloud.ports import SharedPort

FIRST_DELAY_S: Final = 0.1
LONGEST_DELAY_S: Final = 5.0
HEALTHY_AFTER_S: Final = 10.0
"""A process that lived this long starts again without delay when it dies."""
DEATHS_LIMIT: Final = 20
DEATHS_WINDOW_S: Final = 60.0
"""More deaths than the limit within the window, and a process is given up."""
STOP_TIMEOUT_S: Final = 10.0
"""How long a process has to end by itself."""
READY_TIMEOUT_S: Final = 120.0
"""How long a replacement may take until it can begin: it reads all documents first."""
DRAIN_TIMEOUT_S: Final = 45.0
"""How long a process that was replaced has to end: longer than `serving.DRAIN_LIMIT_S` and what follows it."""
CHANGES_KEPT: Final = 16
"""How many changes of a process can be taken back."""

Say = Callable[..., None]
"""Called with fields of the process's record that changed."""
_log = logging.getLogger(__name__)


class Keeper:
    """Keeps the process `name` running. With a `port` it is one that answers there."""

    def __init__(
        self, name: str, command: ProcessCommand, log: Path, clock: Clock, say: Say, port: SharedPort | None = None
    ) -> None:
        self.name = name
        self._command = command
        self._earlier: deque[ProcessCommand] = deque(maxlen=CHANGES_KEPT)
        self._log = log
        self._clock = clock
        self._say = say
        self._port = port
        self._child: Child | None = None
        self._started_ns = 0
        self._restarts = 0
        self._replacements = 0
        self._deaths_ns: deque[int] = deque(maxlen=DEATHS_LIMIT)
        self._delay_s = 0.0
        self._changing = asyncio.Lock()
        """Held by whoever starts a process."""
        self._replaced = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep it running until `stop` is set; then end it."""
        while not stop.is_set():
            child = await self._current()
            if child is None:
                await self._first_of(stop, self._replaced)
                continue
            await self._first_of(stop, self._replaced, child)
            self._replaced.clear()
            if stop.is_set() or not child.has_ended:
                continue
            async with self._changing:  # a replacement that is being made may have taken over meanwhile
                if child is not self._child:
                    continue
                self._child = None
            await self._after_death(child, stop)
        if self._child is not None:
            await self._child.end(STOP_TIMEOUT_S)
        self._say(state=ProcessState.STOPPED, identity=None, ready=False)

    async def _current(self) -> Child | None:
        """The process that does the work, started if there is none; None when it cannot even be started."""
        async with self._changing:
            if self._child is None:
                try:
                    child = await self._start(self._command)
                except LabError as error:
                    _log.error("%s", error)
                    self._say(state=ProcessState.FAILED, identity=None, ready=False, last_exit=error.problem.what)
                    return None
                self._child = child
                self._started_ns = self._clock.now_ns()
                self._tell_of(child)
                child.tell(GO)
            return self._child

    async def replace(self, change: ProcessChange) -> str:
        """Have another process do the work; what happened, for people. Raises LabError when that one cannot."""
        async with self._changing:
            command = self._changed(change)
            began_ns = self._clock.now_ns()
            old = self._child
            # Two that answer on one port are no trouble; other work waits until the one that does it has ended.
            new = await self._new(command, waits=old is not None and self._port is None)
            self._take_over(new, command, change)
            passed_s = (self._clock.now_ns() - began_ns) / NANOSECONDS_PER_SECOND
            said = f"{self.name}: pid {new.pid} could begin after {passed_s:.1f} s"
            if old is not None:
                began_ns = self._clock.now_ns()
                await self._retire(old)
                passed_s = (self._clock.now_ns() - began_ns) / NANOSECONDS_PER_SECOND
                said += f", pid {old.pid} ended {passed_s:.1f} s later"
            new.tell(GO)
            await self._until_ready(new)
            return said

    def _take_over(self, new: Child, command: ProcessCommand, change: ProcessChange) -> None:
        """From now on this is the process."""
        if change.back:
            self._earlier.pop()
        elif command != self._command:
            self._earlier.append(self._command)
        self._command, self._child = command, new
        self._started_ns = self._clock.now_ns()
        self._replacements += 1
        self._deaths_ns.clear()
        self._replaced.set()
        self._tell_of(new)

    async def _until_ready(self, new: Child) -> None:
        """Whoever replaced a process may count on the new one. Raises LabError when it does not begin its work."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                if await new.said(READY):
                    return
            why = "it ended; it is started again"
        except TimeoutError:
            why = f"it was not ready after {READY_TIMEOUT_S:g} s"
        raise LabError(f"{self.name} was replaced by a process that does no work", got=why, where=str(self._log))

    def _changed(self, change: ProcessChange) -> ProcessCommand:
        if not change.back:
            return self._command.changed(change)
        if not self._earlier:
            raise InputError(f"{self.name} was not changed: there is nothing to take back", where=self.name)
        return self._earlier[-1]

    async def _new(self, command: ProcessCommand, *, waits: bool) -> Child:
        """Another process that can begin; unless it `waits`, it has begun."""
        new = await self._start(command)
        try:
            if not waits:
                new.tell(GO)
            async with asyncio.timeout(READY_TIMEOUT_S):
                able = await new.said(PREPARED if waits else READY)
            if able:
                return new
            why = f"it ended: {describe_exit(new.status)}"
        except TimeoutError:
            why = f"it was not ready after {READY_TIMEOUT_S:g} s"
        except BaseException:
            await new.kill()
            raise
        await new.kill()
        kept = "the process that was there goes on" if self._child is not None else "there is still none"
        raise LabError(f"{self.name} cannot be replaced; {kept}", got=why, hint=f"look at the log: {self._log}")

    async def _retire(self, old: Child) -> None:
        try:
            await old.end(DRAIN_TIMEOUT_S, DRAIN)
        except BaseException:
            await old.kill()
            raise

    async def _start(self, command: ProcessCommand) -> Child:
        try:
            return await Child.start(command, self._log, self._port, self._on_ready)
        except OSError as error:
            raise LabError(
                f"{self.name} cannot be started", where=command.arguments[0], got=error.strerror or str(error)
            ) from error

    def _on_ready(self, child: Child) -> None:
        if child is self._child:
            self._tell_of(child)

    def _tell_of(self, child: Child) -> None:
        self._say(
            state=ProcessState.RUNNING,
            identity=child.identity,
            ready=child.is_ready,
            version=self._command.version,
            restarts=self._restarts,
            replacements=self._replacements,
        )

    async def _after_death(self, child: Child, stop: asyncio.Event) -> None:
        """Wait as long as is right before the next one; for one that is given up, until it is replaced."""
        now_ns = self._clock.now_ns()
        last_exit = describe_exit(child.status)
        _log.warning("%s (pid %d) ended: %s", self.name, child.pid, last_exit)
        if self._port is not None:
            self._port.renew()
        deaths = self._deaths_ns
        crowded = len(deaths) == DEATHS_LIMIT and now_ns - deaths[0] < DEATHS_WINDOW_S * NANOSECONDS_PER_SECOND
        deaths.append(now_ns)
        if crowded or child.status == InputError.exit_code:
            _log.error("%s is given up", self.name)
            self._say(state=ProcessState.FAILED, identity=None, ready=False, last_exit=last_exit)
            await self._first_of(stop, self._replaced)  # whoever looks at the cloud still finds out why
            return
        self._restarts += 1
        healthy = now_ns - self._started_ns > HEALTHY_AFTER_S * NANOSECONDS_PER_SECOND
        self._delay_s = 0.0 if healthy else min(max(self._delay_s * 2, FIRST_DELAY_S), LONGEST_DELAY_S)
        self._say(state=ProcessState.WAITING, identity=None, ready=False, restarts=self._restarts, last_exit=last_exit)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._delay_s):
                await self._first_of(stop, self._replaced)

    @staticmethod
    async def _first_of(*events: asyncio.Event | Child) -> None:
        """Wait until one of the events is set or the process has ended."""
        waiting = [
            asyncio.ensure_future(event.ended() if isinstance(event, Child) else event.wait()) for event in events
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()


async def replace_together(keepers: Sequence[Keeper], change: ProcessChange) -> str:
    """Have other processes do the work of several at one instant; what happened, for people.

    All of them come up beside those that are there, and none begins before each could. Raises LabError when one cannot:
    then they are all gone again, and those that were there go on.
    """
    async with contextlib.AsyncExitStack() as held:
        for keeper in keepers:
            await held.enter_async_context(keeper._changing)
        commands = [keeper._changed(change) for keeper in keepers]
        new: list[Child] = []
        try:
            for keeper, command in zip(keepers, commands, strict=True):
                new.append(await keeper._new(command, waits=True))
            for child in new:
                child.tell(GO)
            await asyncio.gather(*(one._until_ready(child) for one, child in zip(keepers, new, strict=True)))
        except BaseException:
            for child in new:
                await child.kill()
            raise
        old = [keeper._child for keeper in keepers]
        for keeper, child, command in zip(keepers, new, commands, strict=True):
            keeper._take_over(child, command, change)
        await asyncio.gather(
            *(one._retire(child) for one, child in zip(keepers, old, strict=True) if child is not None)
        )
    return f"{', '.join(keeper.name for keeper in keepers)}: replaced at one instant"


def describe_exit(status: int) -> str:
    """How a process ended, for people."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"
