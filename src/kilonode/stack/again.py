"""One process of a stack on its own: which there are, starting one that does not run, ending one and starting it anew.

Bringing a whole stack up does more, and in an order (`bringing_up`); here everything is made and configured already,
and what else of the stack runs is left as it is, also when it is broken: nothing is asked of another service to see
that this one works. A process is told ready by what it does itself: the database answers, an API answers, what speaks
over the message bus holds a connection to it, and still runs a moment later: a service may connect, and die of what it
asks another one next.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import psutil

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import InputError, OperationError
from kilonode.base.processes import ProcessIdentity, is_alive, send, wait_until_gone
from kilonode.base.usage import families
from kilonode.clients.http import HttpTransport
from kilonode.stack import daemons
from kilonode.stack.configuration.site import ADDRESS, Site
from kilonode.stack.folder import ServiceRecord, StackFolder
from kilonode.stack.launch import site_of
from kilonode.stack.running import GRACE_S, LOOK_EVERY_S, died, start, until_ready
from kilonode.stack.services import API_LABELS, COMPUTE, Service, openstack_services
from kilonode.stack.status import wanted_processes

READY_TIMEOUT_S: Final = 120.0
ANSWER_TIMEOUT_S: Final = 10.0
"""How long an answer is waited for until it is asked again: what came before a server could answer may hang."""
DRAIN_S: Final = 15.0
"""How long requests that are under way may take before their API is ended all the same."""
STAYS_S: Final = 5.0
"""How long what speaks over the message bus is looked at after it was seen to work."""
LOCK_TIMEOUT_S: Final = 20.0
"""How long another command that starts something of the same stack is waited for."""
FINISH: Final = b"q"
"""What uwsgi understands by its pipe."""
ALIASES: Final = {
    "mariadb": ("mysql",),
    "neutron-api": ("neutron", "neutron-server"),
    "glance": ("glance-api",),
    "placement": ("placement-api",),
}
"""What services are also called."""


Tell = Callable[[bool], None]
"""Told whether the process works, whenever that changes."""


class StackProcess(msgspec.Struct, frozen=True):
    """One process that a stack has, running or not."""

    process: str
    services: tuple[str, ...]
    """What it is one of: its service, and what that is also called."""
    host: str
    """Of a compute service, the host; otherwise empty: this machine."""
    identity: ProcessIdentity | None
    """None: it does not run."""
    release: str = ""
    """The release that it runs, or would when it is started; empty: it comes from the system's packages."""


def stack_processes(state: Path, name: str) -> tuple[StackProcess, ...]:
    """Every process of a stack in the order of starting. Raises InputError when there is no such stack."""
    site = site_of(state, name)
    alive = {record.process: record.identity for record in site.folder.services() if is_alive(record.identity)}
    releases = {service.label: service.release for service in openstack_services(site)}
    return tuple(
        StackProcess(process, (service, *ALIASES.get(service, ())), process if service == COMPUTE else "",
                     alive.get(process), releases.get(process, ""))
        for process, (service, _) in wanted_processes(site).items()
    )  # fmt: skip


async def start_again(
    state: Path, name: str, process: str, clock: Clock, tell: Tell = lambda works: None
) -> ProcessIdentity:
    """Start one process unless it runs, and return when it works and stays. Raises InputError."""
    site = site_of(state, name)
    service = service_of(site, process)
    record = await _start(site, service, clock)
    await until_ready(site.folder, [record], clock, READY_TIMEOUT_S, _readiness(site, service, record, clock))
    tell(True)
    if service.port is None:
        try:
            await _until_seen_to_stay(site.folder, record, clock)
        except InputError:
            tell(False)
            raise
    return record.identity


async def restart(
    state: Path, name: str, process: str, clock: Clock, tell: Tell = lambda works: None
) -> ProcessIdentity:
    """End one process in good order and start it anew. Raises InputError."""
    await end(state, name, process, clock)
    return await start_again(state, name, process, clock, tell)


async def end(state: Path, name: str, process: str, clock: Clock) -> None:
    """End one process in good order, if it runs: an API when it has answered what is under way. Raises InputError."""
    folder = site_of(state, name).folder
    records = [record for record in folder.services() if record.process == process and is_alive(record.identity)]
    for record in records:
        family = families({"": [record.identity]})[""]
        how = signal.SIGTERM
        if _told_to_finish(folder.control_pipe(process)):
            if await wait_until_gone(family, clock, DRAIN_S):
                continue
            how = signal.SIGQUIT  # in uwsgi the one signal that still ends it then
        send(record.identity, how)
        if not await wait_until_gone(family, clock, GRACE_S):
            for member in family:
                send(member, signal.SIGKILL)
            await wait_until_gone(family, clock, GRACE_S)


def _told_to_finish(pipe: Path) -> bool:
    """Tell an API to answer what is under way, and end; False when nobody listens."""
    try:
        descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "wb", buffering=0) as told:
            return told.write(FINISH) == len(FINISH)
    except OSError:  # it has no pipe, or ended before or meanwhile
        return False


def service_of(site: Site, process: str) -> Service:
    """How a process of a stack is started. Raises InputError when it has none of that name."""
    ports = site.ports
    if process == "mariadb":
        return Service(process, tuple(daemons.mariadb_command(site)), port=ports.mariadb)
    if process == "epmd":
        return Service(process, tuple(daemons.epmd_command(site)), port=ports.epmd)
    if process == "rabbitmq":
        variables = daemons.rabbitmq_variables(site)
        return Service(process, tuple(daemons.rabbitmq_command()), variables=variables, port=ports.rabbitmq)
    if process == "memcached":
        return Service(process, tuple(daemons.memcached_command(site)), port=ports.memcached)
    for service in openstack_services(site):
        if service.label == process:
            return service
    raise InputError(
        f"stack {site.folder.name!r} has no process {process!r}", expected=", ".join(wanted_processes(site))
    )


async def _start(site: Site, service: Service, clock: Clock) -> ServiceRecord:
    """Start it under the lock of the stack: two that write down what they started would lose one."""
    async with locked(site.folder, clock):
        return start(site.folder, service)


@asynccontextmanager
async def locked(folder: StackFolder, clock: Clock) -> AsyncIterator[None]:
    """Hold the lock of the stack, when whoever has it has let go of it. Raises InputError when that takes too long."""
    deadline_ns = clock.now_ns() + int(LOCK_TIMEOUT_S * NANOSECONDS_PER_SECOND)
    async with AsyncExitStack() as held:
        while True:
            try:
                held.enter_context(folder.locked())
                break
            except InputError:
                if clock.now_ns() > deadline_ns:
                    raise
            await clock.sleep(LOOK_EVERY_S)
        yield


def _readiness(site: Site, service: Service, record: ServiceRecord, clock: Clock) -> Callable[[], Awaitable[str]]:
    if service.name == "mariadb":
        return lambda: _database_missing(site)
    if service.command[0].endswith("/uwsgi"):
        api = next(name for name, label in API_LABELS.items() if label == service.label)
        return lambda: _answer_missing(f"{site.url(api)}/", clock)
    if service.port is not None:
        port = service.port
        return lambda: _listening_missing(port)
    return lambda: _bus_missing(site, record)


async def _until_seen_to_stay(folder: StackFolder, record: ServiceRecord, clock: Clock) -> None:
    """Raises InputError when it ends within `STAYS_S`."""
    deadline_ns = clock.now_ns() + int(STAYS_S * NANOSECONDS_PER_SECOND)
    while clock.now_ns() < deadline_ns:
        await clock.sleep(LOOK_EVERY_S)
        if not is_alive(record.identity):
            raise died(folder, record.process, "soon after it had begun to work")


async def _database_missing(site: Site) -> str:
    try:
        await daemons.query(site, "SELECT 1;")
    except InputError as error:
        return error.problem.got or error.problem.what
    return ""


async def _answer_missing(url: str, clock: Clock) -> str:
    transport = HttpTransport(clock)
    try:
        response = await transport.request("GET", url, timeout_s=ANSWER_TIMEOUT_S)
    except OperationError as error:
        return str(error)
    finally:
        await transport.close()
    return "" if response.status < 500 else f"{url} answers {response.status}"


async def _listening_missing(port: int) -> str:
    try:
        _, writer = await asyncio.open_connection(ADDRESS, port)
    except OSError as error:
        return f"port {port}: {error.strerror}"
    writer.close()
    return ""


async def _bus_missing(site: Site, record: ServiceRecord) -> str:
    """Nothing is missing while there is no message bus: the process is up, and will connect when there is one."""
    if await _listening_missing(site.ports.rabbitmq):
        return ""
    for member in families({"": [record.identity]})[""]:
        try:
            connections = psutil.Process(member.pid).net_connections("tcp")
        except psutil.Error:
            continue
        if any(getattr(each.raddr, "port", None) == site.ports.rabbitmq for each in connections):
            return ""
    return "no connection to the message bus"
