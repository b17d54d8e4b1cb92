"""What an emulated cloud is and does now, as a record, and in words for people."""

import shlex

import msgspec

from kilonode.base.units import format_seconds
from kilonode.base.usage import ServiceUsage
from kilonode.cloud.access import DEMO_SUFFIX
from kilonode.cloud.folder import ProcessRecord, StoreName
from kilonode.cloud.plan import DEFAULT_NAME


class CloudStatus(msgspec.Struct, frozen=True):
    """One cloud."""

    name: str
    url: str
    folder: str
    clouds_file: str
    nodes: int
    stages: str
    store: StoreName
    all_in_one: bool
    running: bool
    """Its supervisor is alive."""
    ready: bool
    """It answers, and all its nodes are up."""
    nodes_up: int = 0
    problem: str = ""
    """Why it is not ready."""
    processes: tuple[ProcessRecord, ...] = ()
    usage: dict[str, ServiceUsage] = {}
    """What each process that runs uses, by its name, and the supervisor; empty when nobody looked."""


def describe(status: CloudStatus) -> list[str]:
    """Lines for people: all there is to know."""
    state = "ready" if status.ready else f"not ready: {status.problem}" if status.running else "down"
    lines = [
        f"cloud {status.name}: {state}",
        f"  address    {status.url}",
        f"  nodes      {status.nodes_up} of {status.nodes} up, stages {status.stages}",
        f"  store      {status.store}, {describe_layout(all_in_one=status.all_in_one)}",
        f"  state      {status.folder}",
    ]
    if status.usage:
        lines.append(f"  {'':<10} {'':<8} {'':<12} {'cpu now':>8} {'cpu total':>9} {'memory':>9} {'tcp':>5}")
    for process in status.processes:
        pid = f"pid {process.identity.pid}" if process.identity else "-"
        used = describe_usage(status.usage[process.name]) if process.name in status.usage else ""
        history = f"  restarted {process.restarts} times, last {process.last_exit}" if process.last_exit else ""
        lines.append(f"  {process.name:<10} {process.state:<8} {pid:<12} {used}{history}".rstrip())
    return lines + ([f"  {line}" for line in how_to_use(status)] if status.running else [])


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
