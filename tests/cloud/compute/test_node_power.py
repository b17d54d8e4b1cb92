"""Nodes that lose their power, shut down, reboot and come back, with their servers, in simulated time."""

from collections.abc import Callable
from pathlib import Path

from kilonode.cloud.openstack.compute.model import Server
from kilonode.cloud.power import lose_power, power_on, reboot, reset, shut_down
from kilonode.cloud.resources import NODE, OFF, RUNNING, Node
from kilonode.control.mirror import Put
from tests.cloud.compute.harness import Compute, running

Power = Callable[[Node, int], Node]


async def power(compute: Compute, name: str, action: Power) -> None:
    entry = compute.cloud.mirror.all(NODE)[name]
    changed = action(entry.value, compute.cloud.now_us())
    await compute.cloud.mirror.commit([Put(NODE, changed, name, entry.revision)])


def node(compute: Compute, name: str = "compute-0001") -> Node:
    found: Node = compute.cloud.mirror.all(NODE)[name].value
    return found


async def booted(compute: Compute, name: str = "one") -> Server:
    server = await compute.rest(await compute.boot(name))
    assert server is not None
    assert server.state == "active"
    return server


async def state_of(compute: Compute, name: str) -> str:
    rows = (await compute.ok("GET", "/os-services?binary=nova-compute", as_="admin"))["services"]
    return {row["host"]: str(row["state"]) for row in rows}[name]


async def test_servers_are_evacuated_from_a_node_without_power_and_do_not_come_back_with_it() -> None:
    async with running(nodes=2, stages="fast") as compute:
        moved, kept = await booted(compute), None
        old = moved.node
        while kept is None or kept.node != old:
            kept = await booted(compute, "kept")
        await power(compute, old, lose_power)
        assert node(compute, old).state == OFF
        assert await state_of(compute, old) == "up"  # nobody knows yet
        await compute.clock.sleep(compute.settings.service_down_time_s + 15)
        assert await state_of(compute, old) == "down"
        assert (await compute.act(moved.id, "evacuate", {}, as_="admin")).status == 200
        evacuated = await compute.rest(moved.id)
        assert evacuated is not None
        assert evacuated.node != old
        await power(compute, old, power_on)
        await compute.clock.sleep(3)
        assert (node(compute, old).state, node(compute, old).task) == (OFF, "booting")
        await compute.clock.sleep(6)
        assert (node(compute, old).state, node(compute, old).task) == (RUNNING, None)
        assert await state_of(compute, old) == "up"
        back = compute.server(kept.id)
        assert back is not None
        assert (await compute.ok("GET", f"/servers/{kept.id}"))["server"]["status"] in ("HARD_REBOOT", "ACTIVE")
        back = await compute.rest(kept.id)
        assert back is not None
        assert (back.state, back.node) == ("active", old)
        assert compute.server(moved.id) == evacuated
        compute.check_books()


async def test_guests_can_be_found_stopped_instead(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: lifecycle\nstages:\n"
        "  - {name: node-boot, when: {kind: node, task: booting}, next: {state: running}, does: stop-guests}\n"
    )
    async with running(nodes=1, stages=str(path)) as compute:
        server = await booted(compute)
        await power(compute, server.node, reset)
        await compute.clock.sleep(1)
        found = compute.server(server.id)
        assert found is not None
        assert (found.state, found.task) == ("stopped", None)
        assert (await compute.act(server.id, "os-start")).status == 202
        started = await compute.rest(server.id)
        assert started is not None
        assert started.state == "active"


async def test_a_server_that_was_being_built_goes_on_when_its_node_is_back() -> None:
    async with running(nodes=1, stages="fast") as compute:
        server_id = await compute.boot()
        await compute.clock.sleep(0.5)
        await power(compute, "compute-0001", lose_power)
        before = compute.server(server_id)
        assert before is not None
        assert before.state == "building"
        await compute.clock.sleep(30)
        assert compute.server(server_id) == before
        await power(compute, "compute-0001", power_on)
        after = await compute.rest(server_id)
        assert after is not None
        assert after.state == "active"


async def test_an_orderly_reboot_goes_on_after_its_fleet_was_killed() -> None:
    async with running(nodes=1, stages="fast") as compute:
        server = await booted(compute)
        await power(compute, server.node, reboot)
        await compute.clock.sleep(0.5)
        assert (node(compute).state, node(compute).silent_since_us) == (RUNNING, 0)
        await compute.kill("fleet")
        await compute.start_fleet()
        await compute.clock.sleep(3)
        assert (node(compute).state, node(compute).task) == (OFF, "booting")
        assert node(compute).silent_since_us > 0
        await compute.clock.sleep(9)
        assert (node(compute).state, node(compute).silent_since_us) == (RUNNING, 0)
        assert node(compute).turn == 1


async def test_an_administrator_shuts_a_node_down_and_starts_it_by_the_old_api() -> None:
    async with running(nodes=1) as compute:
        place = "/os-hosts/compute-0001"
        assert (await compute.call("GET", f"{place}/shutdown", version="2.42")).status == 403
        down = await compute.ok("GET", f"{place}/shutdown", as_="admin", version="2.42")
        assert down == {"host": "compute-0001", "power_action": "shutdown"}
        await compute.clock.sleep(compute.settings.service_down_time_s + 15)
        assert node(compute).state == OFF
        assert (await compute.call("GET", f"{place}/reboot", as_="admin", version="2.42")).status == 400
        await compute.ok("GET", f"{place}/startup", as_="admin", version="2.42")
        await compute.clock.sleep(0.1)
        assert node(compute).state == RUNNING


async def test_a_node_that_fails_to_boot_stays_off(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: lifecycle\nrules:\n"
        '  - {name: dead, stage: node-boot, when: {host: "*-0001"}, first: 1, failure: {odds: 1, message: "dead"}}\n'
    )
    async with running(nodes=1, stages=str(path)) as compute:
        await power(compute, "compute-0001", reset)
        await compute.clock.sleep(1)
        assert (node(compute).state, node(compute).task) == (OFF, None)
        await power(compute, "compute-0001", power_on)
        await compute.clock.sleep(1)
        assert node(compute).state == RUNNING


async def test_what_a_node_already_does_is_not_begun_again() -> None:
    async with running(nodes=1) as compute:
        one, now_us = node(compute), compute.cloud.now_us()
        assert power_on(one, now_us) == one
        off = lose_power(one, now_us)
        assert shut_down(off, now_us) == off
        booting = power_on(off, now_us)
        assert power_on(booting, now_us + 5) == booting
        assert reboot(off, now_us) == booting
        assert lose_power(off, now_us + 5).silent_since_us == now_us


async def test_a_silent_service_is_down_after_the_time_that_was_set() -> None:
    async with running(nodes=1, service_down_time_s=6.0, heartbeat_s=2.0) as compute:
        await power(compute, "compute-0001", lose_power)
        await compute.clock.sleep(5)
        assert await state_of(compute, "compute-0001") == "up"
        await compute.clock.sleep(2)
        assert await state_of(compute, "compute-0001") == "down"
        await compute.clock.sleep(2)
        server = await compute.rest(await compute.boot())
        assert server is not None
        assert server.state == "error"
