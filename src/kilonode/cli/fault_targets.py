"""What faults can be done to from the command line: the drivers, wired to the clouds of this machine."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kilonode.base.clock import Clock
from kilonode.base.errors import InputError
from kilonode.cli.fault_endpoints import ENDPOINT_NAMES, EmulatedEndpoints, EmulatedLocations
from kilonode.cli.fault_stacks import StacksHere
from kilonode.cli.node_targets import NodesOfCloud
from kilonode.cli.state import state_folder
from kilonode.cloud import operating
from kilonode.cloud.folder import StateFolder
from kilonode.faults import members, powered_nodes, stack_members
from kilonode.faults.completing import Names
from kilonode.faults.containers import Containers
from kilonode.faults.driver import Driver
from kilonode.faults.hosted import HostFaults
from kilonode.faults.hosted_containers import HostedContainers
from kilonode.faults.hosted_machines import HostedMachines
from kilonode.faults.hosted_network import HostedNetwork
from kilonode.faults.local_processes import LocalProcesses
from kilonode.faults.machine_faults import MachineFaults
from kilonode.faults.members import Member, Members
from kilonode.faults.model import Kind
from kilonode.faults.network_faults import NetworkFaults
from kilonode.faults.power import HostPower
from kilonode.faults.powered_nodes import PoweredNodes
from kilonode.faults.registry import Drivers
from kilonode.faults.request_faults import RequestFaults
from kilonode.faults.stack_members import StackMembers

HOSTS_VARIABLE: Final = "KILONODE_HOSTS"
"""The variable of the environment that names the hosts file where no option does."""

_OF_CLOUDS: Final = frozenset({members.NAME, stack_members.NAME, powered_nodes.NAME})


class EmulatedCloud:
    """The processes of an emulated cloud, as its supervisor knows them."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self.cloud = folder.name
        self.folder: Path | None = folder.path

    async def members(self) -> Sequence[Member]:
        """Its processes now."""
        if self._folder.read_record() is None:
            raise InputError(
                f"{self.cloud!r} is neither an emulated cloud nor a stack here",
                hint="bring one up: kilonode cloud up, kilonode stack up",
            )
        found = operating.processes(self._folder)
        if not found:
            raise InputError(
                f"cloud {self.cloud!r} is not running", where=str(self._folder.path), hint="start it: kilonode cloud up"
            )
        return [Member(each.name, each.roles, each.identity) for each in found]

    async def restart(self, name: str) -> None:
        """Restart one without a request being lost."""
        await operating.restart(self._folder, [name])


def drivers_for(cloud: str, clock: Clock, hosts: Path | None = None) -> Drivers:
    """All drivers, with the services of the emulated cloud, or of the stack, of that name.

    `hosts` is a hosts file; None: the one that the environment names, if any.
    """
    folder = StateFolder(state_folder(), cloud)
    stacks = StacksHere(state_folder(), clock)
    services: list[Driver] = [Members(EmulatedCloud(folder), clock), StackMembers(stacks, cloud, clock)]
    if stacks.has(cloud):
        if not _runs(folder):
            services.reverse()  # the first is the one that says what is wrong
        elif stacks.runs(cloud):
            raise InputError(f"an emulated cloud and a stack are both called {cloud!r}", hint="end one of them")
    return Drivers(
        [
            *services,
            HostPower(hosts or hosts_file(), clock),  # before ssh, which can switch nothing on again
            HostFaults(hosts or hosts_file(), clock),
            LocalProcesses(clock),
            HostedContainers(hosts or hosts_file(), clock),
            Containers(clock),
            PoweredNodes(NodesOfCloud(folder), clock, lambda name: NodesOfCloud(StateFolder(state_folder(), name))),
            RequestFaults(EmulatedEndpoints(folder), clock),
            HostedNetwork(hosts or hosts_file(), clock),
            NetworkFaults(EmulatedLocations(folder), clock),
            HostedMachines(hosts or hosts_file(), clock),
            MachineFaults(clock),
        ]
    )


def drivers_without_cloud(clock: Clock, hosts: Path | None = None) -> Drivers:
    """The drivers for what belongs to no cloud: hosts, and what runs on this machine."""
    return Drivers([driver for driver in drivers_for("", clock, hosts) if driver.name not in _OF_CLOUDS])


def hosts_file() -> Path | None:
    """The hosts file that the environment names; None: there is none."""
    named = os.environ.get(HOSTS_VARIABLE)
    return Path(named) if named else None


def _runs(folder: StateFolder) -> bool:
    try:
        return bool(operating.processes(folder))
    except InputError:
        return False


def names_in(cloud: str) -> Names:
    """What can be named in a sentence about that cloud; nothing when it is down."""
    try:
        folder = StateFolder(state_folder(), cloud)
        found = operating.processes(folder)
        record = folder.read_record()
    except InputError:
        return {}
    names = dict.fromkeys(name for each in found for name in (*each.roles, each.name))
    regions = tuple(site.region for site in record.settings.sites) if record else ()
    return {Kind.SERVICE: tuple(names), Kind.SITE: regions, Kind.ENDPOINT: ENDPOINT_NAMES}


def journal_folder() -> Path:
    """Where the journals of undo are."""
    return state_folder() / "faults"
