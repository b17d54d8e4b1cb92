"""Scenarios against the emulated cloud in simulated time, run as the load engine runs them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from kilonode.base.clock import SimulatedClock
from kilonode.base.outcomes import Outcome
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.cloud.access import access_facts
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.scenarios.registry import find
from kilonode.scenarios.resolve import Resolver
from kilonode.scenarios.tenant import Tenant
from tests.scenarios.recording import Recorder

LISTS: Final = {
    "server": ("compute", "/servers?all_tenants=true", "servers"),
    "keypair": ("compute", "/os-keypairs", "keypairs"),
    "volume": ("volume", "/volumes?all_tenants=true", "volumes"),
    "image": ("image", "/images", "images"),
    "network": ("network", "/networks", "networks"),
    "subnet": ("network", "/subnets", "subnets"),
    "port": ("network", "/ports", "ports"),
    "router": ("network", "/routers", "routers"),
    "security group": ("network", "/security-groups", "security_groups"),
    "floating ip": ("network", "/floatingips", "floatingips"),
    "user": ("identity", "/users", "users"),
    "project": ("identity", "/projects", "projects"),
}


@dataclass
class Emulated:
    """A cloud, and a recorder of iterations on it."""

    recorder: Recorder
    connection: Connection

    async def run(self, name: str, values: dict[str, Any], number: int = 0) -> tuple[Outcome, str]:
        """One iteration of a scenario; names in its arguments are resolved. Gives how it ended."""
        scenario = find(name)
        resolved = await Resolver(self.connection).arguments(scenario, values)
        return await self.recorder.run(scenario, resolved, number)

    async def contents(self) -> dict[str, list[str]]:
        """Everything that a user could have made: kind to ids."""
        found: dict[str, list[str]] = {}
        for kind, (service, path, collection) in LISTS.items():
            items = await self.connection.service(service).list_all(path, collection)
            found[kind] = sorted(str(item.get("id") or item["keypair"]["name"]) for item in items)
        return found

    async def used_vcpus(self) -> int:
        """How much of the nodes is taken."""
        answer = await self.connection.compute.get("/os-hypervisors/statistics")
        return int(answer["hypervisor_statistics"]["vcpus_used"])


@asynccontextmanager
async def emulated_cloud(*, user: str = "admin", nodes: int = 4, stages: str = "fast") -> AsyncIterator[Emulated]:
    """A cloud of a few nodes and a tenant that is one of its first users, in that user's own project."""
    clock = SimulatedClock(asyncio.get_running_loop())
    async with SimulatedCloud(CloudSettings(nodes=nodes, stages=stages, seed=5), clock) as cloud:
        transport = ApplicationTransport(cloud.application)
        access = Access(**msgspec.structs.asdict(access_facts(cloud.settings, user)))
        connection = Connection(access, transport, clock)
        await connection.connect()
        networks = await connection.network.list_all("/networks", "networks")
        tenant = Tenant(
            access=access,
            project_id=connection.project_id,
            user_id=connection.user_id,
            networks=tuple(item["id"] for item in networks if not item["router:external"]),
            external_network=next((item["id"] for item in networks if item["router:external"]), ""),
        )
        try:
            yield Emulated(Recorder(clock, transport, connection, tenant), connection)
        finally:
            connection.tokens.close()
            await transport.close()
