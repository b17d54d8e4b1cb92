"""What a stack is and does now, as a record, and in words for people."""

from pathlib import Path

import msgspec

from kilonode.base.clock import RealClock
from kilonode.base.errors import KilonodeError
from kilonode.base.processes import ProcessIdentity, is_alive
from kilonode.base.usage import ServiceUsage
from kilonode.base.usage import look as look_at_processes
from kilonode.clients.http import HttpTransport
from kilonode.clients.openstack.connection import Connection
from kilonode.stack import content
from kilonode.stack.configuration.site import Site
from kilonode.stack.launch import site_of
from kilonode.stack.meters import MariaMeter, RabbitMeter
from kilonode.stack.services import openstack_services


class ServiceStatus(msgspec.Struct, frozen=True):
    """One service."""

    name: str
    processes_wanted: int
    """How many processes of it there should be, without those that they start themselves."""
    pids: tuple[int, ...]
    """Those that run."""
    port: int | None = None
    usage: ServiceUsage | None = None
    """All its processes together, with those they started; None: none runs."""
    releases: tuple[str, ...] = ()
    """The releases of those that run; empty: they come from the system's packages, or none runs."""

    @property
    def well(self) -> bool:
        """All its processes run."""
        return len(self.pids) == self.processes_wanted


class StackStatus(msgspec.Struct, frozen=True):
    """One stack."""

    name: str
    folder: str
    clouds_file: str
    release: str
    """That the stack was made of, or brought to as a whole."""
    packages: dict[str, str]
    digests: dict[str, str]
    nodes: int
    network: bool
    running: bool
    """Something of it runs."""
    ready: bool
    """All processes run, and all nodes are up."""
    nodes_up: int | None
    """None: the API does not say."""
    problems: tuple[str, ...]
    """Why it is not ready."""
    services: tuple[ServiceStatus, ...]
    messages: dict[str, float] = {}
    """What the broker says of itself; empty: nothing."""
    queues: dict[str, int] = {}
    """The queues in which the most messages wait."""
    database: dict[str, float] = {}
    """What the database says of itself; empty: nothing."""
    run: str = ""
    upgraded: dict[str, str] = {}
    """The processes that are of another release, because an upgrade is under way or was cut off: which."""


def wanted_processes(site: Site) -> dict[str, tuple[str, int | None]]:
    """Every process that a stack of these settings has: its name to its service and port, in the order of starting."""
    ports = site.ports.by_name()
    found: dict[str, tuple[str, int | None]] = {
        "mariadb": ("mariadb", ports["mariadb"]),
        "epmd": ("epmd", ports["epmd"]),
        "rabbitmq": ("rabbitmq", ports["rabbitmq"]),
        "memcached": ("memcached", ports["memcached"]),
    }
    return found | {service.label: (service.name, service.port) for service in openstack_services(site)}


def alive_processes(site: Site) -> dict[str, tuple[ProcessIdentity, ...]]:
    """The processes of each service that run now, without those they started themselves."""
    found: dict[str, tuple[ProcessIdentity, ...]] = {name: () for name, _ in wanted_processes(site).values()}
    for record in site.folder.services():
        if is_alive(record.identity):
            found[record.name] = (*found.get(record.name, ()), record.identity)
    return found


def dead_processes(site: Site) -> list[str]:
    """The names of processes that should run and do not."""
    alive = {record.process for record in site.folder.services() if is_alive(record.identity)}
    return [process for process in wanted_processes(site) if process not in alive]


async def look(state: Path, name: str) -> StackStatus:
    """A stack as it is now. Raises InputError when there is none."""
    site = site_of(state, name)
    record = site.folder.read_record()
    clock = RealClock()
    alive = alive_processes(site)
    running = any(alive.values())
    usages = await look_at_processes(alive, clock) if running else {}
    problems = (
        [f"{process} does not run" for process in _shortened(dead_processes(site))] if running else ["it is down"]
    )
    nodes_up = None
    messages: dict[str, float] = {}
    queues: dict[str, int] = {}
    database: dict[str, float] = {}
    if running:
        nodes_up = await _nodes_up(site, clock, problems)
        messages, queues = await _messages(site, clock, problems)
        database = await _database(site, problems)
    return StackStatus(
        name=name,
        folder=str(site.folder.path),
        clouds_file=str(site.folder.clouds_file),
        release=site.settings.release,
        packages=record.packages if record else {},
        digests=record.digests if record else {},
        nodes=site.settings.nodes,
        network=site.settings.network,
        running=running,
        ready=running and not problems,
        nodes_up=nodes_up,
        problems=tuple(problems),
        services=_services(site, alive, usages),
        messages=messages,
        queues=queues,
        database=database,
        run=record.run if record else "",
        upgraded=dict(site.releases),
    )


def describe(status: StackStatus) -> list[str]:
    """Lines for people."""
    state = "ready" if status.ready else "not ready" if status.running else "down"
    up = "unknown" if status.nodes_up is None else str(status.nodes_up)
    lines = [
        f"stack {status.name}: {state}",
        f"  release    {status.release}: " + ", ".join(f"{name} {one}" for name, one in status.packages.items()),
        f"  nodes      {up} of {status.nodes} up, {'with' if status.network else 'without'} networks",
        f"  state      {status.folder}",
    ]
    for release in sorted({*status.upgraded.values()}):
        names = ", ".join(process for process, one in status.upgraded.items() if one == release)
        lines.append(f"  upgrade    to {release} under way, or cut off: of that release are {names}")
    lines += [f"  problem    {problem}" for problem in status.problems]
    lines += ["", *_table(status.services)]
    if status.messages:
        waiting = ", ".join(f"{name} {count}" for name, count in status.queues.items()) or "none"
        ready, open_ = status.messages["messages_ready"], status.messages["messages_unacknowledged"]
        lines.append(
            f"  messages: {ready:.0f} ready, {open_:.0f} unacknowledged in {status.messages['queues']:.0f} queues; "
            f"longest: {waiting}"
        )
    if status.database:
        lines.append(
            f"  database: {status.database['queries_total']:.0f} statements since its start, "
            f"{status.database['connections_open']:.0f} connections"
        )
    return lines


def _table(services: tuple[ServiceStatus, ...]) -> list[str]:
    heading = ("service", "release", "port", "pid", "processes", "CPU now", "CPU", "memory", "files", "connections")
    rows = [heading]
    for service in services:
        usage = service.usage
        pids = ", ".join(str(pid) for pid in service.pids[:1]) + (" …" if len(service.pids) > 1 else "")
        state = "" if service.well else f" of {service.processes_wanted}"
        rows.append(
            (
                service.name,
                ", ".join(service.releases),
                str(service.port or ""),
                pids or "down",
                f"{usage.processes if usage else 0}{state}",
                f"{usage.cpu_fraction:.0%}" if usage and usage.cpu_fraction is not None else "",
                f"{usage.cpu_s:.1f} s" if usage else "",
                f"{usage.memory_bytes / 2**20:.0f} MiB" if usage else "",
                str(usage.descriptors) if usage and usage.descriptors is not None else "",
                str(usage.connections) if usage and usage.connections is not None else "",
            )
        )
    widths = [max(len(row[place]) for row in rows) for place in range(len(heading))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def _services(
    site: Site, alive: dict[str, tuple[ProcessIdentity, ...]], usages: dict[str, ServiceUsage]
) -> tuple[ServiceStatus, ...]:
    wanted = wanted_processes(site)
    records = [record for record in site.folder.services() if is_alive(record.identity)]
    found = []
    for name in dict.fromkeys(service for service, _ in wanted.values()):
        members = [port for service, port in wanted.values() if service == name]
        pids = tuple(identity.pid for identity in alive.get(name, ()))
        releases = tuple(sorted({one.release for one in records if one.name == name and one.release}))
        found.append(ServiceStatus(name, len(members), pids, members[0], usages.get(name), releases))
    return tuple(found)


async def _nodes_up(site: Site, clock: RealClock, problems: list[str]) -> int | None:
    transport = HttpTransport(clock)
    try:
        connection = Connection(content.admin_access(site), transport, clock)
        await connection.connect()
        up = await content.nodes_up(site, connection)
    except KilonodeError as error:
        problems.append(f"the API does not answer: {error}")
        return None
    finally:
        await transport.close()
    if up < site.settings.nodes:
        problems.append(f"{site.settings.nodes - up} nodes are not up")
    return up


async def _messages(site: Site, clock: RealClock, problems: list[str]) -> tuple[dict[str, float], dict[str, int]]:
    meter = RabbitMeter(site, clock)
    try:
        return dict(await meter.read()), await meter.longest_queues()
    except KilonodeError as error:
        problems.append(f"the message bus does not say: {error}")
        return {}, {}
    finally:
        await meter.close()


async def _database(site: Site, problems: list[str]) -> dict[str, float]:
    meter = MariaMeter(site)
    try:
        return dict(await meter.read())
    except KilonodeError as error:
        problems.append(f"the database does not say: {error}")
        return {}
    finally:
        await meter.close()


def _shortened(names: list[str]) -> list[str]:
    """A few names, and how many more."""
    most = 5
    return names if len(names) <= most else [*names[:most], f"and {len(names) - most} more"]
