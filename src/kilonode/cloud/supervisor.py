"""The supervisor of one emulated cloud: starts its processes, starts again what dies, ends all when told to.

It runs detached (`python -m kilonode.cloud.supervisor FOLDER NAME`) until SIGTERM or SIGINT, or until the process that
the cloud is for has ended: the own cloud of a run that was killed does not stay for ever. A process that dies is
started again after a delay that doubles with each death in a row; one that dies too often, or that says it cannot work
(exit status 2: bad input), is left. Its children end by themselves when it is killed, because their standard input
ends. It says what runs in `processes.json` of the state folder. It knows nothing of what a role does.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock, RealClock
from kilonode.base.errors import InputError, KilonodeError, LabError
from kilonode.base.processes import ProcessIdentity, identify, is_alive, module_command, start_child
from kilonode.cloud.folder import CloudRecord, ProcessRecord, ProcessState, ProcessTable, StateFolder
from kilonode.cloud.layout import process_names

ROLE_PROCESS_MODULE: Final = "kilonode.cloud.role_process"
FIRST_DELAY_S: Final = 0.1
LONGEST_DELAY_S: Final = 5.0
HEALTHY_AFTER_S: Final = 10.0
"""A process that lived this long starts again without delay when it dies."""
DEATHS_LIMIT: Final = 20
DEATHS_WINDOW_S: Final = 60.0
"""More deaths than the limit within the window, and a process is given up."""
OWNER_INTERVAL_S: Final = 1.0
"""How often it looks whether the process that the cloud is for still runs."""
STOP_TIMEOUT_S: Final = 10.0
"""How long a process has to end by itself."""

_log = logging.getLogger(__name__)


class Supervisor:
    """Keeps the processes named in `commands` running."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        log_file: Callable[[str], Path],
        publish: Callable[[ProcessTable], None],
        clock: Clock,
    ) -> None:
        own = identify(os.getpid())
        if own is None:
            raise LabError("a process cannot find itself", hint="is /proc mounted?")
        self._identity = own
        self._commands = commands
        self._log_file = log_file
        self._publish = publish
        self._clock = clock
        self._records: dict[str, ProcessRecord] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything and keep it running until `stop` is set; then end everything."""
        async with asyncio.TaskGroup() as group:
            for name, command in self._commands.items():
                group.create_task(self._keep(name, command, stop), name=f"keep-{name}")

    async def _keep(self, name: str, command: Sequence[str], stop: asyncio.Event) -> None:
        deaths_ns: deque[int] = deque(maxlen=DEATHS_LIMIT)
        delay_s = 0.0
        restarts = 0
        while not stop.is_set():
            process = await start_child(command, self._log_file(name))
            started_ns = self._clock.now_ns()
            self._say(name, state=ProcessState.RUNNING, identity=identify(process.pid), restarts=restarts)
            if await self._until_dead_or_stopped(process, stop):
                self._say(name, state=ProcessState.STOPPED, identity=None)
                return
            now_ns = self._clock.now_ns()
            last_exit = describe_exit(process.returncode or 0)
            _log.warning("%s (pid %d) ended: %s", name, process.pid, last_exit)
            crowded = (
                len(deaths_ns) == DEATHS_LIMIT and now_ns - deaths_ns[0] < DEATHS_WINDOW_S * NANOSECONDS_PER_SECOND
            )
            deaths_ns.append(now_ns)
            if crowded or process.returncode == InputError.exit_code:
                _log.error("%s is given up", name)
                self._say(name, state=ProcessState.FAILED, identity=None, last_exit=last_exit)
                await stop.wait()  # whoever looks at the cloud still finds out why
                return
            restarts += 1
            healthy = now_ns - started_ns > HEALTHY_AFTER_S * NANOSECONDS_PER_SECOND
            delay_s = 0.0 if healthy else min(max(delay_s * 2, FIRST_DELAY_S), LONGEST_DELAY_S)
            self._say(name, state=ProcessState.WAITING, identity=None, restarts=restarts, last_exit=last_exit)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), delay_s)
        self._say(name, state=ProcessState.STOPPED)

    async def _until_dead_or_stopped(self, process: asyncio.subprocess.Process, stop: asyncio.Event) -> bool:
        """Wait; on `stop` end the process. True when it ended because of `stop`."""
        dead = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([dead, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if dead.done() and not stop.is_set():
            return False
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                await asyncio.wait_for(asyncio.shield(dead), STOP_TIMEOUT_S)
            except TimeoutError:
                _log.warning("pid %d did not end by itself", process.pid)
                process.kill()
        await dead
        return True

    def _say(self, name: str, **changes: object) -> None:
        record = self._records.get(name) or ProcessRecord(name, ProcessState.WAITING)
        self._records[name] = msgspec.structs.replace(record, **changes)
        self._publish(ProcessTable(self._identity, tuple(self._records.values())))


def describe_exit(status: int) -> str:
    """How a process ended, for people."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"


async def supervise(folder: StateFolder) -> None:
    """Run the cloud whose state is in `folder` until SIGTERM or SIGINT."""
    record = folder.read_record()
    if record is None:
        raise InputError("this folder holds no cloud", where=str(folder.path))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with folder.supervised():
        clock = RealClock()
        supervisor = Supervisor(process_commands(folder, record), folder.log, folder.write_processes, clock)
        watching = asyncio.create_task(_stop_with_owner(record.owner, stop, clock), name="owner")
        try:
            await supervisor.run(stop)
        finally:
            watching.cancel()
        folder.forget_processes()


async def _stop_with_owner(owner: ProcessIdentity | None, stop: asyncio.Event, clock: Clock) -> None:
    """Set `stop` when the process that the cloud is for has ended."""
    if owner is None:
        return
    while is_alive(owner):
        await clock.sleep(OWNER_INTERVAL_S)
    _log.warning("the process that this cloud is for (pid %d) has ended: ending too", owner.pid)
    stop.set()


def process_commands(folder: StateFolder, record: CloudRecord) -> dict[str, list[str]]:
    """The command of each process that makes up a cloud, by name."""
    where = (str(folder.state), folder.name)
    return {name: module_command(ROLE_PROCESS_MODULE, *where, name) for name in process_names(record)}


def main() -> None:
    """Entry of the supervisor's process. Arguments: the folder of all state, the name of the cloud."""
    os.umask(0o077)  # what the cloud writes is for its owner alone
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection is a file, and load has many
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(supervise(StateFolder(Path(sys.argv[1]), sys.argv[2])))
    except KilonodeError as error:
        _log.error("%s", error)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
