"""Boots per second of the emulated cloud: 5,000 servers, one request each, until all are ACTIVE on 1,000 nodes.

Profile `instant` (nothing waits, so what is measured is the cloud's own work), documents in SQLite on disk, the load by
Kilonode's own client on the same cores. Each repeat is a new, empty cloud. The peer is the rate that CIAO's authors
claimed in 2016: 5,000 servers and 10,000 containers "in one minute", 250 starts/s; their method was never published.
Measured from the first request until a list shows that nothing is building any more; afterwards all are counted.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil
import uvloop

from kilonode.base.clock import RealClock
from kilonode.clients.openstack.access import load_access
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.transports import open_transport
from kilonode.cloud.launch import CloudStatus, UpSettings, down, up
from kilonode.cloud.role_counts import read_role_counts

PUBLISHED_PER_S = 250.0
REQUIRED_PER_S = 500.0
AIMED_PER_S = 1_500.0
NAME = "benchmark"
LOOK_EVERY_S = 0.05
TIMEOUT_S = 300.0


class Figures(msgspec.Struct, frozen=True):
    """One repeat."""

    accepted_per_s: float
    active_per_s: float
    cloud_cpu_s: float
    generator_cpu_s: float


async def measure(settings: UpSettings, servers: int, at_once: int, networks: str) -> Figures:
    """One repeat on a cloud of its own."""
    status = await up(settings, lambda _: None)
    os.environ["OS_CLIENT_CONFIG_FILE"] = status.clouds_file
    try:
        return await load(status, servers, at_once, networks)
    finally:
        await down(settings.state, settings.name, lambda _: None)


async def load(status: CloudStatus, servers: int, at_once: int, networks: str) -> Figures:
    """Boot `servers`, at most `at_once` requests at a time."""
    clock = RealClock()
    access = load_access(NAME)
    transport = open_transport(access, clock)
    cloud = Connection(access, transport, clock)
    await cloud.connect(["compute", "image"])
    try:
        image = (await cloud.image.get("/images"))["images"][0]["id"]
        flavors = (await cloud.compute.get("/flavors"))["flavors"]
        flavor = next(one["id"] for one in flavors if one["name"] == "m1.tiny")
        wanted = {"flavorRef": flavor, "imageRef": image, "networks": networks}
        if networks == "port":
            wanted["networks"] = [{"uuid": await make_network(cloud)}]
        numbers = iter(range(servers))

        async def boot() -> None:
            for number in numbers:
                await cloud.compute.request("POST", "/servers", json={"server": {"name": f"s-{number}", **wanted}})

        cloud_cpu_s, generator_cpu_s = cpu_s(status), time.process_time()
        began_s = time.perf_counter()
        await asyncio.gather(*(boot() for _ in range(at_once)))
        accepted_s = time.perf_counter() - began_s
        while (await cloud.compute.get("/servers?status=BUILD&limit=1"))["servers"]:
            if time.perf_counter() - began_s > TIMEOUT_S:
                raise SystemExit(f"not all servers were ACTIVE after {TIMEOUT_S:g} s")
            await asyncio.sleep(LOOK_EVERY_S)
        active_s = time.perf_counter() - began_s
        figures = Figures(
            servers / accepted_s,
            servers / active_s,
            cpu_s(status) - cloud_cpu_s,
            time.process_time() - generator_cpu_s,
        )
        booted = await cloud.compute.list_all("/servers", "servers", query=[("status", "ACTIVE")])
        if len(booted) != servers:
            raise SystemExit(f"{len(booted)} of {servers} servers are ACTIVE")
        return figures
    finally:
        await transport.close()


async def make_network(cloud: Connection) -> str:
    """A network with room for all servers."""
    network = (await cloud.network.post("/networks", json={"network": {"name": "wide"}}))["network"]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/16"}
    await cloud.network.post("/subnets", json={"subnet": subnet})
    return str(network["id"])


def cpu_s(status: CloudStatus) -> float:
    """What the cloud's processes have used so far, in seconds of CPU."""
    pids = [process.identity.pid for process in status.processes if process.identity is not None]
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(one.user + one.system for one in times)


async def run(arguments: argparse.Namespace) -> list[Figures]:
    found = []
    for repeat in range(arguments.repeats):
        with tempfile.TemporaryDirectory(prefix="kilonode-benchmark-") as folder:
            settings = UpSettings(
                state=Path(folder),
                name=NAME,
                nodes=arguments.nodes,
                stages="instant",
                store="sqlite",
                all_in_one=arguments.layout == "one" and not arguments.roles,
                roles=read_role_counts(arguments.roles) if arguments.roles else None,
                port=0,
            )
            figures = await measure(settings, arguments.servers, arguments.at_once, arguments.networks)
        found.append(figures)
        print(
            f"  {repeat + 1}: {figures.active_per_s:6,.0f} boots/s ({figures.accepted_per_s:,.0f}/s accepted); "
            f"CPU: cloud {figures.cloud_cpu_s:.2f} s, generator {figures.generator_cpu_s:.2f} s",
            flush=True,
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cloud_boot", description=__doc__)
    parser.add_argument("--servers", type=int, default=5_000)
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--at-once", type=int, default=64, help="requests under way at a time")
    parser.add_argument("--networks", choices=("none", "port"), default="port", help="what each server is plugged into")
    parser.add_argument("--layout", choices=("one", "each"), default="one", help="processes: one, or one for each role")
    parser.add_argument("--roles", default="", help="how many processes roles have, such as api=2,scheduler=2")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a smoke test: fewer servers and repeats")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.servers, arguments.nodes, arguments.repeats = 300, 100, 1
    print(
        f"{arguments.servers:,} servers on {arguments.nodes:,} nodes, {arguments.at_once} requests at a time, "
        f"networks: {arguments.networks}, processes: {arguments.roles or arguments.layout}"
    )
    found = uvloop.run(run(arguments))
    median = statistics.median(figures.active_per_s for figures in found)
    ratios = [figures.active_per_s / PUBLISHED_PER_S for figures in found]
    print(
        f"median {median:,.0f} boots/s = {median / PUBLISHED_PER_S:.1f} × CIAO's published {PUBLISHED_PER_S:g}/s "
        f"(from {min(ratios):.1f} to {max(ratios):.1f} ×); required {REQUIRED_PER_S:g}/s, aimed {AIMED_PER_S:,g}/s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
