"""The supervisor of one emulated cloud: starts its processes, starts again what dies, ends all when told to.

It runs detached (`python -m kilonode.cloud.supervisor FOLDER NAME`) until SIGTERM or SIGINT, or until the process that
the cloud is for has ended: the own cloud of a run that was killed does not stay for ever. How one process is kept
running is `keeping`; what commands ask of it comes by `control_channel`. It owns the sockets on the cloud's port, of
which each api process is given one. Its children end by themselves when it is killed, because their standard input
ends. It says what runs in `processes.json` of the state folder. It knows nothing of what a role does.
"""

import asyncio
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import Clock, RealClock
from kilonode.base.errors import InputError, KilonodeError, LabError
from kilonode.base.processes import ProcessIdentity, identify, is_alive
from kilonode.cloud.commands import ProcessCommand, own_command
from kilonode.cloud.control_channel import RestartRequest, Tell, answering
from kilonode.cloud.folder import CloudRecord, ProcessRecord, ProcessState, ProcessTable, StateFolder
from kilonode.cloud.keeping import Keeper, replace_together
from kilonode.cloud.layout import API, process_names, region_of, role_of, roles_of
from kilonode.cloud.ports import SharedPort
from kilonode.cloud.sites import of_region, port_of

ROLE_PROCESS_MODULE: Final = "kilonode.cloud.role_process"
OWNER_INTERVAL_S: Final = 1.0
"""How often it looks whether the process that the cloud is for still runs."""

_log = logging.getLogger(__name__)


class Supervisor:
    """Keeps the processes named in `commands` running; those in `ports` answer there."""

    def __init__(
        self,
        commands: Mapping[str, ProcessCommand],
        log_file: Callable[[str], Path],
        publish: Callable[[ProcessTable], None],
        clock: Clock,
        ports: Mapping[str, SharedPort] | None = None,
    ) -> None:
        own = identify(os.getpid())
        if own is None:
            raise LabError("a process cannot find itself", hint="is /proc mounted?")
        self._identity = own
        self._publish = publish
        self._records = {name: ProcessRecord(name, ProcessState.WAITING) for name in commands}
        self._keepers = {
            name: Keeper(name, command, log_file(name), clock, self._teller(name), (ports or {}).get(name))
            for name, command in commands.items()
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything and keep it running until `stop` is set; then end everything."""
        async with asyncio.TaskGroup() as group:
            for name, keeper in self._keepers.items():
                group.create_task(keeper.run(stop), name=f"keep-{name}")

    async def restart(self, request: RestartRequest, tell: Tell) -> None:
        """Replace processes one after the other, so that of several with one role there is always one that works; or
        together.
        """
        for name in request.names:
            if name not in self._keepers:
                raise InputError("the cloud has no such process", where=name, expected=", ".join(self._keepers))
        if request.together:
            tell(await replace_together([self._keepers[name] for name in request.names], request.change))
            return
        for name in request.names:
            tell(await self._keepers[name].replace(request.change))

    def _teller(self, name: str) -> Callable[..., None]:
        def say(**changes: object) -> None:
            self._records[name] = msgspec.structs.replace(self._records[name], **changes)
            self._publish(ProcessTable(self._identity, tuple(self._records.values())))

        return say


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
        commands = process_commands(folder, record)
        ports = {
            name: SharedPort(record.host, port_of(of_region(record.settings, region_of(name))))
            for name in commands
            if _answers(name, record)
        }
        supervisor = Supervisor(commands, folder.log, folder.write_processes, clock, ports)
        watching = asyncio.create_task(_stop_with_owner(record.owner, stop, clock), name="owner")
        try:
            async with answering(folder.path, supervisor.restart):
                await supervisor.run(stop)
        finally:
            watching.cancel()
        folder.forget_processes()


def _answers(process: str, record: CloudRecord) -> bool:
    return any(role_of(role) == API for role in roles_of(process, record.settings.roles))


async def _stop_with_owner(owner: ProcessIdentity | None, stop: asyncio.Event, clock: Clock) -> None:
    """Set `stop` when the process that the cloud is for has ended."""
    if owner is None:
        return
    while is_alive(owner):
        await clock.sleep(OWNER_INTERVAL_S)
    _log.warning("the process that this cloud is for (pid %d) has ended: ending too", owner.pid)
    stop.set()


def process_commands(folder: StateFolder, record: CloudRecord) -> dict[str, ProcessCommand]:
    """The command of each process that makes up a cloud, by name."""
    where = (str(folder.state), folder.name)
    return {name: own_command(ROLE_PROCESS_MODULE, (*where, name)) for name in process_names(record)}


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
