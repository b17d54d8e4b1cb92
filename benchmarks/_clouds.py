"""Emulated clouds for benchmarks: brought up in a folder of their own, and what their processes use."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil

from kilonode.base.clock import RealClock
from kilonode.clients.openstack.access import load_access
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.transports import open_transport
from kilonode.cloud.folder import StateFolder
from kilonode.cloud.launch import CloudStatus, UpSettings, down, up
from kilonode.cloud.usage import SUPERVISOR, CloudServices

NAME = "benchmark"


@contextmanager
def state_folder() -> Iterator[Path]:
    """A folder for one cloud, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="kilonode-benchmark-") as folder:
        yield Path(folder)


@asynccontextmanager
async def cloud(folder: Path, **settings: Any) -> AsyncIterator[CloudStatus]:
    """A new, empty cloud that nobody else uses: SQLite on disk, nothing waits."""
    status = await up(
        UpSettings(state=folder, name=NAME, stages="instant", store="sqlite", port=0, **settings), lambda _: None
    )
    os.environ["OS_CLIENT_CONFIG_FILE"] = status.clouds_file
    try:
        yield status
    finally:
        await down(folder, NAME, lambda _: None)


@asynccontextmanager
async def connection() -> AsyncIterator[Connection]:
    """The administrator's connection to the cloud that was brought up last."""
    clock = RealClock()
    access = load_access(NAME)
    transport = open_transport(access, clock)
    try:
        connected = Connection(access, transport, clock)
        await connected.connect(["compute", "image", "network"])
        yield connected
    finally:
        await transport.close()


async def wanted_server(connected: Connection, *, plugged: bool) -> dict[str, Any]:
    """What is asked of each server: the smallest flavor, and when it is `plugged` a network with room for all."""
    image = (await connected.image.get("/images"))["images"][0]["id"]
    flavors = (await connected.compute.get("/flavors"))["flavors"]
    flavor = next(one["id"] for one in flavors if one["name"] == "m1.tiny")
    networks: Any = "none"
    if plugged:
        network = (await connected.network.post("/networks", json={"network": {"name": "wide"}}))["network"]
        subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/16"}
        await connected.network.post("/subnets", json={"subnet": subnet})
        networks = [{"uuid": network["id"]}]
    return {"flavorRef": flavor, "imageRef": image, "networks": networks}


def processes(folder: Path, *, supervisor: bool = True) -> dict[str, psutil.Process]:
    """The cloud's processes by name."""
    services = CloudServices(StateFolder(folder, NAME)).services()
    return {
        name: psutil.Process(identities[0].pid)
        for name, identities in services.items()
        if identities and (supervisor or name != SUPERVISOR)
    }


def cpu_s(process: psutil.Process) -> float:
    """What a process has used so far, in seconds of CPU."""
    times = process.cpu_times()
    return float(times.user + times.system)
