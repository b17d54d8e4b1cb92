"""The whole cloud on virtual time in one loop: real requests, no socket, and the same again from the same seed."""

import asyncio
from typing import Any

import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import InputError, LabError
from kilonode.base.simulation import run_simulated
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.store.memory import MemoryStore
from kilonode.store.protocol import Document

SERVERS = 12


async def connected(cloud: SimulatedCloud, clock: SimulatedClock) -> Connection:
    facts = cloud.access
    access = Access(
        auth_url=facts.auth_url,
        username=facts.username,
        password=facts.password,
        project_name=facts.project_name,
        user_domain_name=facts.user_domain_name,
        project_domain_name=facts.project_domain_name,
        region_name=facts.region_name,
    )
    connection = Connection(access, ApplicationTransport(cloud.application), clock)
    await connection.connect(["compute", "image"])
    return connection


async def boot_some(clock: SimulatedClock) -> tuple[int, list[str], tuple[Document, ...]]:
    """When the last of some servers was active, their nodes, and everything the cloud then holds."""
    async with SimulatedCloud(CloudSettings(nodes=5, stages="fast", seed=3), clock) as cloud:
        connection = await connected(cloud, clock)
        image = (await connection.image.get("/images"))["images"][0]["id"]
        server = {"name": "s", "flavorRef": "1", "imageRef": image, "networks": "none"}
        await asyncio.gather(*(connection.compute.post("/servers", json={"server": server}) for _ in range(SERVERS)))
        servers: list[dict[str, Any]] = []
        while not servers or any(found["status"] != "ACTIVE" for found in servers):
            await clock.sleep(0.05)
            servers = (await connection.compute.get("/servers/detail"))["servers"]
        nodes = [found["OS-EXT-SRV-ATTR:host"] for found in servers]
        return clock.now_ns(), nodes, (await cloud.store.list()).documents


def test_servers_become_active_on_virtual_time_and_the_same_seed_gives_the_same_cloud() -> None:
    finished_ns, nodes, documents = run_simulated(boot_some)
    assert len(nodes) == SERVERS
    assert len(set(nodes)) == 5
    assert (finished_ns, nodes, documents) == run_simulated(boot_some)


async def test_a_cloud_that_was_not_started_has_no_application() -> None:
    cloud = SimulatedCloud(CloudSettings(nodes=1), SimulatedClock(asyncio.get_running_loop()))
    with pytest.raises(LabError, match="not started"):
        _ = cloud.application
    await cloud.stop()


async def test_what_ends_a_role_ends_the_start() -> None:
    cloud = SimulatedCloud(CloudSettings(nodes=1, stages="no such profile"), SimulatedClock(asyncio.get_running_loop()))
    with pytest.raises(InputError):
        await cloud.start()
    with pytest.raises(InputError):
        await cloud.stop()


async def test_a_role_that_is_started_again_gives_no_id_of_its_life_before() -> None:
    clock, store = SimulatedClock(asyncio.get_running_loop()), MemoryStore()
    lives = []
    for _ in range(2):
        cloud = await Cloud.open(store, clock, CloudSettings(seed=3), "api", ())
        lives.append({cloud.new_id() for _ in range(20)})
        await cloud.close()
        await clock.sleep(1.0)
    assert lives[0] & lives[1] == set()
