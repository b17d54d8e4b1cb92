"""The process of one worker: `python -m kilonode.load.worker_process`. `kilonode.load.processes` starts it, not people.

It runs on uvloop, obeys the commands on its standard input (`kilonode.load.messages`), and ends when its input ends:
a worker does not outlive who started it. Ctrl-C is the conductor's to understand, so it is ignored here. Whatever a
scenario prints goes to standard error.
"""

import asyncio
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

import uvloop

from kilonode.base.clock import RealClock
from kilonode.base.encoding import decode_json
from kilonode.base.errors import InputError, OperationError
from kilonode.clients.http import HttpTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.transports import tls_settings
from kilonode.clients.proxies import ProxySettings
from kilonode.clients.transport import Transport
from kilonode.load.messages import Begin, Command, Ended, Failed, Halt, Ready, Report, Reported, line_of
from kilonode.load.plan import WorkerPlan
from kilonode.load.worker import Worker

LONGEST_LINE_BYTES: Final = 256 * 2**20
"""A plan with ten thousand tenants has some ten megabytes."""
MOST_UNSENT_BYTES: Final = 16 * 2**20
"""When nobody reads the reports, more of them are left out; the history has everything."""

MOST_CONNECTIONS: Final = 60_000
"""To one host: as many as there are ports. Virtual users bound the load; a queue in the client would hide it."""

LAST_WORDS_S: Final = 5.0
"""How long the last reports may take to be read by whoever started this process."""

_COLLECT_AFTER: Final = (20_000, 20, 20)
"""See `quiet_collector`."""


def main() -> None:
    """Run one worker to its end; the exit code is zero unless it failed."""
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to all; the conductor decides what they mean
        signal.signal(number, signal.SIG_IGN)
    reports = os.dup(1)
    os.dup2(2, 1)
    raise_open_files_limit()
    sys.exit(uvloop.run(_run(reports)))


def raise_open_files_limit() -> None:
    """Every connection is an open file: take as many as the system allows without asking."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def quiet_collector() -> None:
    """Keep Python's cycle collector from stopping the load for long.

    What was made in preparation (modules, connections, catalogs of a thousand tenants) is set aside for good, so that a
    full collection looks at what the load made alone, and collections come more rarely. Figures: decision 0064.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


async def _run(reports: int) -> int:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=LONGEST_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    pipe, closing = await loop.connect_write_pipe(_Closing, os.fdopen(reports, "wb", buffering=0))

    def send(report: Report) -> None:
        if pipe.get_write_buffer_size() < MOST_UNSENT_BYTES or not isinstance(report, Reported):
            pipe.write(line_of(report))

    try:
        plan = decode_json(await commands.readline(), WorkerPlan)
        await _serve(plan, commands, send)
    except (InputError, OperationError) as error:
        send(Failed.of(error))
        return error.exit_code
    finally:
        pipe.close()  # sends what waits to be sent first
        await asyncio.wait([closing.closed], timeout=LAST_WORDS_S)
        if len(asyncio.all_tasks()) > 1:
            # A scenario that does not let itself be cancelled: asyncio would wait for it for ever.
            os._exit(0)
    return 0


async def _serve(plan: WorkerPlan, commands: asyncio.StreamReader, send: Callable[[Report], None]) -> None:
    clock = RealClock()

    def open_transport(access: Access | None) -> Transport:
        return HttpTransport(
            clock,
            tls=tls_settings(access),
            proxies=ProxySettings.from_environment(),
            max_connections_per_host=MOST_CONNECTIONS,
        )

    worker = Worker(plan, clock, open_transport)
    begin: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    listening = asyncio.create_task(_listen(commands, worker, begin), name="commands")
    preparing = asyncio.create_task(worker.prepare(), name="prepare")
    try:
        await asyncio.wait([preparing, listening], return_when=asyncio.FIRST_COMPLETED)
        if not preparing.done():
            return  # told to end before there was anything to do
        preparing.result()
        quiet_collector()
        send(Ready())
        either: list[asyncio.Future[Any]] = [begin, listening]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if begin.done():
            send(Ended(await worker.run(begin.result(), lambda progress: send(Reported(progress)))))
    finally:
        for task in (preparing, listening):
            task.cancel()
        await asyncio.gather(preparing, listening, return_exceptions=True)
        await worker.close()


async def _listen(commands: asyncio.StreamReader, worker: Worker, begin: "asyncio.Future[int]") -> None:
    """Obey commands; returns when there is nothing left to wait for: told to end before the load, or left alone."""
    while line := await commands.readline():
        match decode_json(line, Command):
            case Begin(zero_ns):
                begin.set_result(zero_ns)
            case Halt(at_once=at_once):
                if at_once:
                    worker.kill()
                else:
                    worker.stop()
                if not begin.done():
                    return
    worker.kill()


class _Closing(asyncio.BaseProtocol):
    """Tells when the pipe is closed and all was sent."""

    def __init__(self) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)


if __name__ == "__main__":
    main()
