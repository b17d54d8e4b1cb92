"""An emulated cloud inside this event loop, on virtual time, with what can break and upgrade it.

It is the whole emulator, which takes most of a second to load: only runs on virtual time import it.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from kilonode.base.clock import Clock
from kilonode.cli.simulated_faults import SimulatedDoor, simulated_drivers
from kilonode.cli.simulated_upgrades import SimulatedUpgrades
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connections import OpenTransport
from kilonode.clients.transport import Transport
from kilonode.cloud.access import AccessFacts
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.faults.registry import Drivers
from kilonode.run.upgrade_serving import Upgradable


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated cloud that is up."""

    access: AccessFacts
    open_transport: OpenTransport
    drivers: Drivers | None
    upgradable: Upgradable | None


@contextlib.asynccontextmanager
async def simulated_cloud(
    settings: CloudSettings, clock: Clock, *, together: bool, disrupted: bool
) -> AsyncIterator[Simulated]:
    """Bring one up; with processes to break where it is `disrupted`."""
    async with SimulatedCloud(settings, clock, apart=disrupted, all_in_one=together) as simulated:

        def door(access: Access | None) -> Transport:
            return SimulatedDoor(simulated) if disrupted else ApplicationTransport(simulated.application)

        yield Simulated(
            simulated.access,
            door,
            simulated_drivers(simulated, clock) if disrupted else None,
            SimulatedUpgrades(simulated) if disrupted else None,
        )
