"""Several sites of one cloud: one identity, and everything else apart."""

import asyncio
from typing import Any

import msgspec
import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import InputError
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.cloud.context import Cloud, CloudSettings, Secrets
from kilonode.cloud.openstack.compute.model import FLAVOR
from kilonode.cloud.openstack.identity.model import PROJECT
from kilonode.cloud.openstack.network.model import NETWORK
from kilonode.cloud.seed import seed
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.cloud.sites import of_each_site, region_names, with_sites
from kilonode.control.mirror import Delete
from kilonode.store.memory import MemoryStore

URLS = ("http://127.0.0.1:15000", "http://127.0.0.1:15001", "http://127.0.0.1:15002")


def three_sites() -> tuple[SimulatedCloud, SimulatedClock]:
    clock = SimulatedClock(asyncio.get_running_loop())
    return SimulatedCloud(with_sites(CloudSettings(nodes=2, stages="instant"), URLS), clock), clock


async def connected(cloud: SimulatedCloud, clock: SimulatedClock, region: str) -> Connection:
    """Logged in at the first site, to work in `region`."""
    facts = cloud.access
    access = Access(
        auth_url=facts.auth_url,
        username=facts.username,
        password=facts.password,
        project_name=facts.project_name,
        user_domain_name=facts.user_domain_name,
        project_domain_name=facts.project_domain_name,
        region_name=region,
    )
    connection = Connection(access, ApplicationTransport(cloud.application), clock)
    await connection.connect(["compute", "image", "network", "identity"])
    return connection


async def boot(connection: Connection, name: str) -> str:
    image = (await connection.image.get("/images"))["images"][0]["id"]
    server = {"name": name, "flavorRef": "1", "imageRef": image, "networks": "none"}
    made: dict[str, Any] = await connection.compute.post("/servers", json={"server": server})
    return str(made["server"]["id"])


async def names_of_servers(connection: Connection) -> list[str]:
    return [server["name"] for server in (await connection.compute.get("/servers"))["servers"]]


async def test_a_token_of_one_site_works_at_every_site_and_servers_stay_where_they_were_booted() -> None:
    cloud, clock = three_sites()
    async with cloud:
        here = await connected(cloud, clock, "RegionOne")
        there = await connected(cloud, clock, "RegionThree")
        await boot(here, "here")
        await boot(there, "there")
        assert await names_of_servers(here) == ["here"]
        assert await names_of_servers(there) == ["there"]


async def test_the_catalog_has_every_region_with_its_own_addresses() -> None:
    cloud, clock = three_sites()
    async with cloud:
        connection = await connected(cloud, clock, "RegionTwo")
        catalog = (await connection.identity.get("/auth/catalog"))["catalog"]
        compute = next(service for service in catalog if service["type"] == "compute")
        public = {one["region"]: one["url"] for one in compute["endpoints"] if one["interface"] == "public"}
        assert public == {
            region: f"{url}/compute/v2.1" for region, url in zip(region_names(len(URLS)), URLS, strict=True)
        }
        regions = (await connection.identity.get("/regions"))["regions"]
        assert [region["id"] for region in regions] == region_names(len(URLS))


async def test_a_project_that_was_made_at_one_site_is_known_at_all() -> None:
    cloud, clock = three_sites()
    async with cloud:
        here = await connected(cloud, clock, "RegionOne")
        there = await connected(cloud, clock, "RegionTwo")
        made = await here.identity.post("/projects", json={"project": {"name": "apart"}})
        found = await there.identity.get(f"/projects/{made['project']['id']}")
        assert found["project"]["name"] == "apart"
        await here.identity.delete(f"/projects/{made['project']['id']}")
        names = [project["name"] for project in (await there.identity.get("/projects"))["projects"]]
        assert "apart" not in names


async def test_each_site_has_nodes_and_networks_of_its_own() -> None:
    cloud, clock = three_sites()
    async with cloud:
        ids = set()
        for region in region_names(len(URLS)):
            connection = await connected(cloud, clock, region)
            assert len((await connection.compute.get("/os-hypervisors"))["hypervisors"]) == 2
            ids |= {network["id"] for network in (await connection.network.get("/networks"))["networks"]}
        assert len(ids) == 3 * len(URLS)


def test_a_cloud_with_one_address_has_no_sites() -> None:
    settings = with_sites(CloudSettings(), ["http://127.0.0.1:9"])
    assert settings.sites == ()
    assert of_each_site(settings) == [settings]


async def test_one_login_reaches_the_services_of_every_region() -> None:
    cloud, clock = three_sites()
    async with cloud:
        connection = await connected(cloud, clock, "RegionOne")
        await boot(connection, "here")
        there = connection.service("compute", "RegionTwo")
        assert there.root_url.startswith(URLS[1])
        assert (await there.get("/servers"))["servers"] == []
        with pytest.raises(InputError, match="RegionTen"):
            connection.service("compute", "RegionTen")


@pytest.mark.parametrize("gone", ["admin", "demo"])
async def test_a_site_that_comes_later_does_without_the_projects_that_are_gone(gone: str) -> None:
    clock, shared, stores = SimulatedClock(asyncio.get_running_loop()), MemoryStore(), [MemoryStore(), MemoryStore()]
    secrets = Secrets(admin_password="secret", token_key="0" * 64)
    settings = msgspec.structs.replace(with_sites(CloudSettings(stages="instant"), URLS[:2]), secrets=secrets)
    one, two = of_each_site(settings)
    first = await Cloud.open(stores[0], clock, one, "api", (), shared)
    await seed(first)
    key = next(key for key, entry in first.mirror.all(PROJECT).items() if entry.value.name == gone)
    await first.mirror.commit([Delete(PROJECT, key)])
    later = await Cloud.open(stores[1], clock, two, "api", (), shared)
    await seed(later)
    assert later.mirror.all(FLAVOR), "the rest is there"
    assert {entry.value.project_id for entry in later.mirror.all(NETWORK).values()} == {
        entry.value.id for entry in first.mirror.all(PROJECT).values() if entry.value.name in ("admin", "demo")
    }
    for cloud in (first, later):
        await cloud.close()
    for store in (shared, *stores):
        await store.close()
