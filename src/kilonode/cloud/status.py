"""What an emulated cloud is and does now, as a record, and in words for people."""

import shlex

import msgspec

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
    for process in status.processes:
        pid = f"pid {process.identity.pid}" if process.identity else "-"
        history = f"restarted {process.restarts} times, last {process.last_exit}" if process.last_exit else ""
        lines.append(f"  {process.name:<10} {process.state:<8} {pid:<12} {history}".rstrip())
    return lines + ([f"  {line}" for line in how_to_use(status)] if status.running else [])


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
