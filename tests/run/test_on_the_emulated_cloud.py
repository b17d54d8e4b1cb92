"""Setup and cleanup against the emulated cloud, which is somebody else's idea of how services answer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from kilonode.base.clock import Clock, SimulatedClock
from kilonode.base.units import Size
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.cloud.access import access_facts
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.run.cleanup import clean
from kilonode.run.environment import describe_cloud
from kilonode.run.experiment import FlavorSpec, ImageSpec, Setup
from kilonode.run.leftovers import KINDS, find_leftovers, list_everything
from kilonode.run.setup import prepare
from tests.run.recorder import Recorder

RUN = "0badcafe"
SETUP = Setup(
    projects=3,
    users_per_project=2,
    networks_per_project=1,
    routers_per_project=1,
    security_group_rules=2,
    flavors={"tiny": FlavorSpec(properties={"kind": "made"})},
    images={"blank": ImageSpec(size=Size(2**20))},
)
FOREIGN = [
    "kn-deadbeef-network-0",
    "kn-0badcafe",
    "kn-0badcafe-",
    "kn-",
    "KN-0badcafe-x",
    "somebody's",
    "kn-0badcafe0-x",
]


class Lab:
    """The emulated cloud with what a run needs of it."""

    def __init__(self, clock: Clock, transport: ApplicationTransport, access: Access) -> None:
        self.clock, self.transport, self.access = clock, transport, access
        self.recorder = Recorder()

    async def connect(self, access: Access) -> Connection:
        connection = Connection(access, self.transport, self.clock)
        await connection.connect()
        return connection


@asynccontextmanager
async def lab(nodes: int = 5) -> AsyncIterator[Lab]:
    clock = SimulatedClock(asyncio.get_running_loop())
    async with SimulatedCloud(CloudSettings(nodes=nodes, stages="fast", seed=3), clock) as cloud:
        transport = ApplicationTransport(cloud.application)
        yield Lab(clock, transport, Access(**msgspec.structs.asdict(access_facts(cloud.settings))))
        await transport.close()


async def contents(connection: Connection) -> Counter[tuple[str, str]]:
    """Kind and id of everything that a user could have made."""
    found: Counter[tuple[str, str]] = Counter()
    for kind in KINDS:
        for item in await list_everything(connection, kind):
            found[kind.name, str(item.get("id") or item["keypair"]["name"])] += 1
    return found


async def add_foreign(connection: Connection) -> None:
    """Things with names that look nearly like a run's."""
    network = connection.network
    for name in FOREIGN:
        await connection.identity.post("/projects", json={"project": {"name": name}})
        await connection.identity.post("/users", json={"user": {"name": name, "password": "a-password"}})
        made = await network.post("/networks", json={"network": {"name": name}})
        network_id = made["network"]["id"]
        subnet = {"network_id": network_id, "name": name, "ip_version": 4, "cidr": "192.0.2.0/24"}
        await network.post("/subnets", json={"subnet": subnet})
        await network.post("/ports", json={"port": {"network_id": network_id, "name": name}})
        await network.post("/routers", json={"router": {"name": name}})
        await network.post("/security-groups", json={"security_group": {"name": name}})
        await connection.volume.post("/volumes", json={"volume": {"name": name, "size": 1}})
        await connection.image.post(
            "/images", json={"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "private"}
        )
        flavor = {"name": name, "vcpus": 1, "ram": 64, "disk": 1}
        await connection.compute.post("/flavors", json={"flavor": flavor})


async def test_a_run_leaves_the_emulated_cloud_as_it_was() -> None:
    async with lab() as around:
        admin = await around.connect(around.access)
        await add_foreign(admin)
        before = await contents(admin)
        ready = await prepare(around.access, around.connect, SETUP, RUN, around.clock, around.recorder)
        assert len(ready.tenants) == 6
        assert all(tenant.external_network for tenant in ready.tenants)
        await use(
            around, ready.tenants[0].access, ready.tenants[0].networks[0], ready.flavors["tiny"], ready.images["blank"]
        )
        assert {op.outcome for op in around.recorder.ops} == {"ok"}
        report = await clean(admin, RUN, around.clock, around.recorder)
        assert report.complete, report
        assert report.unseen == ()
        assert await contents(admin) == before
        hypervisors = await admin.compute.get("/os-hypervisors/statistics")
        assert hypervisors["hypervisor_statistics"]["vcpus_used"] == 0


async def use(around: Lab, access: Access, network: str, flavor: str, image: str) -> None:
    """What a load cut off in the middle leaves: servers with ports, a volume, a floating IP, a key pair."""
    tenant = await around.connect(access)
    for number in range(3):
        server = {
            "name": f"kn-{RUN}-boots-{number}-server",
            "flavorRef": flavor,
            "imageRef": image,
            "networks": [{"uuid": network}],
        }
        await tenant.compute.post("/servers", json={"server": server})
    await tenant.volume.post("/volumes", json={"volume": {"name": f"kn-{RUN}-volumes-0-volume", "size": 1}})
    await tenant.compute.post("/os-keypairs", json={"keypair": {"name": f"kn-{RUN}-keys-0-key"}})
    external = await tenant.network.list_all("/networks", "networks", {"router:external": "true"})
    address = {"floating_network_id": external[0]["id"], "description": f"kn-{RUN}-addresses-0-floating-ip"}
    await tenant.network.post("/floatingips", json={"floatingip": address})
    await around.clock.sleep(1.5)


async def test_leftovers_of_a_killed_run_are_found_by_an_administrator_who_knows_nothing_of_it() -> None:
    async with lab() as around:
        await prepare(
            around.access, around.connect, Setup(projects=2, networks_per_project=1), RUN, around.clock, around.recorder
        )
        admin = await around.connect(around.access)
        found = await find_leftovers(admin)
        assert Counter(leftover.kind for leftover in found.leftovers) == {
            "project": 2,
            "user": 2,
            "network": 2,
            "subnet": 2,
            "security_group": 2,
        }
        assert {leftover.run_id for leftover in found.leftovers} == {RUN}


async def test_the_emulated_cloud_is_described() -> None:
    async with lab(nodes=5) as around:
        facts = await describe_cloud(await around.connect(around.access), name="box", emulated=True)
        assert facts.nodes == 5
        assert facts.region == "RegionOne"
        assert set(facts.endpoints) == {"identity", "compute", "network", "image", "volume", "placement"}
        assert facts.microversions["compute"]
