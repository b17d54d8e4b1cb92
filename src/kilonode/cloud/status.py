"""What an emulated cloud is and does now, as a record, and in words for people."""

import shlex
from typing import Final

import msgspec

from kilonode.base.units import format_seconds
from kilonode.base.usage import ServiceUsage
from kilonode.cloud.access import DEMO_SUFFIX
from kilonode.cloud.context import Site
from kilonode.cloud.folder import ProcessState, StoreName
from kilonode.cloud.operating import CloudProcess
from kilonode.cloud.plan import DEFAULT_NAME

NAME_WIDE: Final = 12


class CloudStatus(msgspec.Struct, frozen=True):
    """One cloud."""

    name: str
    url: str
    folder: str
    clouds_file: str
    nodes: int
    """Of all sites."""
    stages: str
    store: StoreName
    all_in_one: bool
    running: bool
    """Its supervisor is alive."""
    ready: bool
    """It answers, and all its nodes are up."""
    nodes_up: int = 0
    sites: tuple[Site, ...] = ()
    """Its regions; empty when it has one."""
    problem: str = ""
    """Why it is not ready."""
    processes: tuple[CloudProcess, ...] = ()
    usage: dict[str, ServiceUsage] = {}
    """What each process that runs uses, by its name, and the supervisor; empty when nobody looked."""


def describe(status: CloudStatus) -> list[str]:
    """Lines for people: all there is to know."""
    state = "ready" if status.ready else f"not ready: {status.problem}" if status.running else "down"
    sites = status.sites or [Site("address", status.url)]
    wide = max(NAME_WIDE, *(len(process.name) for process in status.processes), 0)
    lines = [
        f"cloud {status.name}: {state}",
        *(f"  {site.region:<10} {site.public_url}" for site in sites),
        f"  nodes      {status.nodes_up} of {status.nodes} up, stages {status.stages}",
        f"  store      {status.store}, {describe_layout(all_in_one=status.all_in_one)}",
        f"  state      {status.folder}",
    ]
    if status.processes:
        used = f"{'cpu now':>8} {'cpu total':>9} {'memory':>9} {'tcp':>5}" if status.usage else ""
        lines.append(f"  {'':<{wide}} {'':<9} {'pid':>8} {'up for':>8} {used}".rstrip())
    lines += [_process_line(process, status.usage.get(process.name), wide) for process in status.processes]
    return lines + ([f"  {line}" for line in how_to_use(status)] if status.running else [])


def _process_line(process: CloudProcess, usage: ServiceUsage | None, wide: int) -> str:
    state = "starting" if process.state == ProcessState.RUNNING and not process.ready else process.state
    pid = f"{process.identity.pid}" if process.identity is not None else "-"
    up = "-" if process.uptime_s is None else format_seconds(process.uptime_s)
    used = describe_usage(usage) if usage is not None else ""
    times = "once" if process.restarts == 1 else f"{process.restarts} times"
    history = f"  restarted {times}, last {process.last_exit}" if process.last_exit else ""
    return f"  {process.name:<{wide}} {state:<9} {pid:>8} {up:>8} {used}  {process.version}{history}".rstrip()


def describe_usage(usage: ServiceUsage) -> str:
    """What a process uses, in columns: of a processor now, in all, resident memory, established connections."""
    now = "-" if usage.cpu_fraction is None else f"{usage.cpu_fraction:.0%}"
    tcp = "-" if usage.connections is None else str(usage.connections)
    return f"{now:>8} {format_seconds(usage.cpu_s):>9} {usage.memory_bytes / 2**20:>5.0f} MiB {tcp:>5}"


def how_to_use(status: CloudStatus) -> list[str]:
    """Lines for people: how to log in, how to end it."""
    option = "" if status.name == DEFAULT_NAME else f" --name {status.name}"
    return [
        f"export OS_CLIENT_CONFIG_FILE={shlex.quote(status.clouds_file)}",
        f"openstack --os-cloud {status.name} hypervisor list    # as a user: --os-cloud {status.name}{DEMO_SUFFIX}",
        f"end it with: kilonode cloud down{option}",
    ]


def describe_layout(*, all_in_one: bool) -> str:
    """How roles are spread over processes."""
    return "all roles in one process" if all_in_one else "a process per role"
