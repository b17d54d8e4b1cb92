"""Ports that take time to be plugged, and the servers that wait for them, in simulated time."""

from pathlib import Path
from typing import Any

from kilonode.cloud.openstack.network.model import PORT, Port
from tests.cloud.compute.harness import Compute, running


def profile(folder: Path, delay: str, more: str = "") -> str:
    path = folder / "mine.yaml"
    path.write_text(f"extends: lifecycle\ndelays:\n  port-bind: {delay}\n{more}")
    return str(path)


async def network_of(compute: Compute) -> str:
    network: dict[str, Any] = (await compute.ok("POST", "/network/v2.0/networks", {"network": {"name": "n"}}))[
        "network"
    ]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"}
    await compute.ok("POST", "/network/v2.0/subnets", {"subnet": subnet})
    return str(network["id"])


async def boot(compute: Compute, network_id: str, name: str = "one") -> str:
    return await compute.boot(name, networks=[{"uuid": network_id}])


def ports(compute: Compute) -> list[Port]:
    return [entry.value for entry in compute.cloud.mirror.all(PORT).values() if entry.value.device_id]


async def test_a_server_is_active_when_its_port_is(tmp_path: Path) -> None:
    async with running(stages=profile(tmp_path, "{distribution: fixed, value: 7s}")) as compute:
        network_id = await network_of(compute)
        server_id = await boot(compute, network_id)
        await compute.clock.sleep(5)
        assert [port.status for port in ports(compute)] == ["BUILD"]
        server = compute.server(server_id)
        assert server is not None
        assert (server.state, server.task) == ("building", "spawning")
        await compute.clock.sleep(2.1)
        assert [port.status for port in ports(compute)] == ["ACTIVE"]
        server = compute.server(server_id)
        assert server is not None
        assert (server.state, server.launched_us - server.created_us) == ("active", 7_000_000)


async def test_a_port_that_is_plugged_before_the_server_is_spawned_costs_no_time(tmp_path: Path) -> None:
    more = "  spawn: {distribution: fixed, value: 9s}\n"
    async with running(stages=profile(tmp_path, "{distribution: fixed, value: 2s}", more)) as compute:
        server = await compute.rest(await boot(compute, await network_of(compute)))
        assert server is not None
        assert (server.state, server.launched_us - server.created_us) == ("active", 9_000_000)


async def test_a_port_that_cannot_be_plugged_fails_its_server(tmp_path: Path) -> None:
    more = 'failures:\n  port-bind: {odds: 1, message: "no agent"}\n'
    async with running(stages=profile(tmp_path, "{distribution: fixed, value: 1s}", more)) as compute:
        server = await compute.rest(await boot(compute, await network_of(compute)))
        assert server is not None
        assert server.fault is not None
        assert (server.state, server.fault.message) == ("error", "Virtual Interface creation failed")
        compute.check_books()


async def test_a_server_waits_five_minutes_for_ports_that_nobody_plugs(tmp_path: Path) -> None:
    async with running(stages=profile(tmp_path, "{distribution: fixed, value: 1s}")) as compute:
        network_id = await network_of(compute)
        await compute.kill("network")
        server_id = await boot(compute, network_id)
        await compute.clock.sleep(290)
        server = compute.server(server_id)
        assert server is not None
        assert server.state == "building"
        late = await boot(compute, network_id, "late")
        await compute.clock.sleep(20)
        server = compute.server(server_id)
        assert server is not None
        assert server.state == "error"
        await compute.start_network()
        ended = await compute.rest(late)
        assert ended is not None
        assert ended.state == "active"


async def test_a_renamed_port_is_plugged_when_it_would_have_been(tmp_path: Path) -> None:
    async with running(stages=profile(tmp_path, "{distribution: uniform, min: 5s, max: 50s}")) as compute:
        server_id = await boot(compute, await network_of(compute))
        await compute.clock.sleep(1)
        port = ports(compute)[0]
        await compute.ok("PUT", f"/network/v2.0/ports/{port.id}", {"port": {"name": "other"}})
        await compute.kill("network")
        await compute.start_network()
        server = await compute.rest(server_id)
        assert server is not None
        stage = compute.cloud.stages.find(PORT, "DOWN", "BUILD")
        assert stage is not None
        assert server.launched_us - server.created_us == compute.cloud.stages.delay_us(stage, port.id, 1)


async def test_under_instant_a_port_is_active_in_the_commit_that_binds_it() -> None:
    async with running(stages="instant") as compute:
        network_id = await network_of(compute)
        seen: list[str] = []

        def look(kind: str, key: str) -> None:
            if kind == PORT and (entry := compute.cloud.mirror.get(PORT, key)) is not None:
                seen.append(entry.value.status)

        compute.cloud.mirror.subscribe(look)
        server = await compute.rest(await boot(compute, network_id))
        assert server is not None
        assert server.state == "active"
        assert seen == ["ACTIVE"]
