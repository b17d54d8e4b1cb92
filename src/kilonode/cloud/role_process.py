"""One process of an emulated cloud: opens the store and runs its role, or all roles, until told to end.

Started by the supervisor as `python -m kilonode.cloud.role_process FOLDER NAME PROCESS`; what the two tell each other
is in `cues`. It ends on SIGTERM or SIGINT, when it has let its work go, and when its standard input ends, which is when
its supervisor has died. Exit status: 0 when told to end, 2 when what it was given cannot work (its supervisor then does
not try again), 5 for any other failure. Its words go to its log.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import stat
import sys
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError, KilonodeError, LabError
from kilonode.cloud.commands import STAGES_VARIABLE
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.cues import PORT_VARIABLE, WORDS_VARIABLE, Cues
from kilonode.cloud.folder import CloudRecord, StateFolder
from kilonode.cloud.layout import region_of, roles_of
from kilonode.cloud.ports import inherited
from kilonode.cloud.roles import run_roles
from kilonode.cloud.sites import of_region
from kilonode.cloud.wall_clock import WallClock, followed
from kilonode.store.memory import MemoryStore
from kilonode.store.protocol import Store
from kilonode.store.sqlite import SqliteStore

COLLECT_EVERY_OBJECTS: Final = 10_000
"""How many new objects make Python look for cycles; its default of 700 costs a role with 15,000 servers 11 % of its CPU
time, and pauses of 70 ms, to find nothing: documents are trees."""

_log = logging.getLogger(__name__)


async def run(folder: StateFolder, process: str) -> None:
    """Run the process named `process` of the cloud in `folder` until it is told to end."""
    record = folder.read_record()
    if record is None:
        raise InputError("this folder holds no cloud", where=str(folder.path))
    cues = Cues(_inherited(WORDS_VARIABLE))
    region = region_of(process)
    async with contextlib.AsyncExitStack() as opened:
        store, shared = await _open_stores(folder, record, region, opened)
        settings = _settings(folder, record, region)
        roles = roles_of(process, settings.roles)
        serve_api = partial(_serve_api, cues=cues, door=(folder.path, process, region))
        wall = WallClock(RealClock(), folder.path, process)
        await opened.enter_async_context(followed(wall))
        running = run_roles(roles, store, wall.clock, settings, serve_api, shared, cues=cues, prove=_prove)
        work = asyncio.create_task(running, name=process)
        _end_when_told(work, cues)
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def _serve_api(cloud: Cloud, cues: Cues, door: tuple[Path, str, str]) -> None:
    from kilonode.cloud.door import Door, watched
    from kilonode.cloud.openstack.application import open_application
    from kilonode.cloud.serving import serve

    application = Door(await open_application(cloud), *door, cloud.clock)
    # It listens only now: who connects before the role can answer is refused, as with any server that is down.
    with inherited(_inherited(PORT_VARIABLE)) as listener, watched(application):
        limits = cloud.settings.services.limits
        await serve(application, listener, ready=cues.ready, drain=cues.drain, limits=limits)


async def _prove(cloud: Cloud) -> None:
    from kilonode.cloud.openstack.proving import prove

    await prove(cloud)


def _inherited(variable: str) -> int:
    """A descriptor that the supervisor gave us. Raises InputError."""
    number = os.environ.get(variable, "")
    if not number.isdecimal():
        raise InputError(
            "a process of a cloud is started by its supervisor", where=variable, hint="use: kilonode cloud up"
        )
    return int(number)


async def _open_stores(
    folder: StateFolder, record: CloudRecord, region: str, opened: contextlib.AsyncExitStack
) -> tuple[Store, Store | None]:
    """The store of the site, and what all sites share where there are several; closed with `opened`."""
    if record.store == "memory":
        only = MemoryStore()
        opened.push_async_callback(only.close)
        return only, None

    async def open_file(path: Path) -> Store:
        store = await SqliteStore.open(path, synchronous=record.synchronous)
        opened.push_async_callback(store.close)
        return store

    if not region:
        return await open_file(folder.store), None
    return await open_file(folder.of_site(region) / folder.store.name), await open_file(folder.store)


def _settings(folder: StateFolder, record: CloudRecord, region: str) -> CloudSettings:
    kept = folder.secrets()
    if kept is None:
        raise InputError("the secrets of the cloud are gone", where=str(folder.path), hint="bring it up anew")
    data = folder.of_site(region) if region else folder.path
    own = of_region(record.settings, region)
    stages = os.environ.get(STAGES_VARIABLE) or own.stages
    return msgspec.structs.replace(own, secrets=kept, state_folder=str(data), stages=stages)


def _end_when_told(work: "asyncio.Task[None]", cues: Cues) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    if stat.S_ISFIFO(os.fstat(0).st_mode):

        def on_input() -> None:
            data = os.read(0, 1024)
            cues.hear(data)
            if not data:
                loop.remove_reader(0)
                _log.warning("the supervisor is gone; ending")
                work.cancel()

        loop.add_reader(0, on_input)


def main() -> int:
    """Entry of the process. Arguments: the folder of all state, the name of the cloud, the name of the process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    gc.set_threshold(COLLECT_EVERY_OBJECTS)
    folder, process = StateFolder(Path(sys.argv[1]), sys.argv[2]), sys.argv[3]
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(folder, process))
    except KilonodeError as error:
        _log.error("%s", error)
        return error.exit_code
    except Exception:
        _log.exception("%s failed", process)
        return LabError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
