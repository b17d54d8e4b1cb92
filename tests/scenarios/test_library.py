"""Every scenario of the library on the emulated cloud: it does what its docstring says, and leaves what it should."""

import asyncio
from typing import Any

import pytest

from kilonode.base.outcomes import Outcome
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.scenarios.registry import find
from tests.scenarios.emulated import emulated_cloud
from tests.scenarios.recording import Recorded
from tests.scenarios.shipped import library

SERVER = {"flavor": "m1.tiny", "image": "cirros"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "noop": {},
    "http.get": {"url": "http://127.0.0.1:15000/identity/v3"},
    "probe": {"endpoint": "compute"},
    "identity.issue_token": {},
    "identity.validate_token": {},
    "identity.create_and_delete_user": {},
    "identity.list_projects": {"everyone": True},
    "compute.boot": SERVER,
    "compute.boot_and_delete": SERVER,
    "compute.boot_and_list": SERVER,
    "compute.list_servers": {},
    "compute.show_server": SERVER | {"times": 3},
    "compute.stop_and_start": SERVER,
    "compute.resize": SERVER | {"to_flavor": "m1.small"},
    "compute.live_migrate": SERVER,
    "compute.create_and_delete_keypair": {},
    "compute.list_keypairs": {},
    "compute.list_hypervisors": {},
    "network.create_network": {},
    "network.create_and_delete_network": {},
    "network.list_networks": {},
    "network.create_subnet": {},
    "network.create_and_delete_subnet": {},
    "network.list_subnets": {},
    "network.create_port": {"network": "private"},
    "network.create_and_delete_port": {"network": "private"},
    "network.list_ports": {},
    "network.create_router": {},
    "network.create_and_delete_router": {},
    "network.list_routers": {},
    "network.create_security_group": {"rules": 2},
    "network.create_and_delete_security_group": {"rules": 2},
    "network.list_security_groups": {},
    "network.create_floating_ip": {},
    "network.create_and_delete_floating_ip": {},
    "network.list_floating_ips": {},
    "image.list_images": {},
    "image.create_and_delete_image": {"size": "200kB"},
    "volume.create_and_delete_volume": {"size": "2GiB"},
    "volume.attach_and_detach_volume": SERVER,
    "volume.list_volumes": {},
    "placement.allocation_candidates": {},
}
LEAVES = {
    "compute.boot": {"server", "port"},
    "compute.boot_and_list": {"server", "port"},
    "network.create_network": {"network"},
    "network.create_subnet": {"network", "subnet"},
    "network.create_port": {"port"},
    "network.create_router": {"router"},
    "network.create_security_group": {"security group"},
    "network.create_floating_ip": {"floating ip", "port"},
}
"""What stays until the end of the run; of every other scenario nothing."""

NOVA_TASKS = ("scheduling", "networking", "block_device_mapping", "spawning")
"""The task states of a boot, in order."""


def test_every_scenario_of_the_library_is_tested() -> None:
    assert set(ARGUMENTS) == {scenario.name for scenario in library()}


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_a_scenario_records_the_steps_it_promises_and_leaves_what_it_should(name: str) -> None:
    async with emulated_cloud() as cloud:
        before = await cloud.contents()
        used = await cloud.used_vcpus()
        assert await cloud.run(name, ARGUMENTS[name], number=3) == (Outcome.OK, "")
        after = await cloud.contents()
        leaves = LEAVES.get(name, set())
        assert {kind for kind in after if after[kind] != before[kind]} == leaves
        assert all(set(before[kind]) < set(after[kind]) for kind in leaves)
        if "server" not in leaves:
            assert await cloud.used_vcpus() == used
        scenario = find(name)
        steps = cloud.recorder.steps
        assert {step.outcome for step in steps} <= {"ok"}
        recorded = {step.step for step in steps}
        assert set(scenario.steps) <= recorded
        assert all(scenario.may_record(step) for step in recorded) and "cleanup" not in recorded


async def test_a_server_that_fits_nowhere_fails_with_the_schedulers_words_and_is_deleted() -> None:
    async with emulated_cloud(nodes=0) as cloud:
        before = await cloud.contents()
        outcome, message = await cloud.run("compute.boot", SERVER)
        assert outcome == Outcome.WRONG_STATE
        assert "No valid host was found" in message
        assert await cloud.contents() == before
        assert cloud.recorder.one("boot.accepted").outcome == "ok"
        assert cloud.recorder.one("cleanup.server").outcome == "ok"


async def test_an_ordinary_user_may_not_do_what_needs_an_administrator() -> None:
    async with emulated_cloud(user="demo") as cloud:
        for name in ("compute.list_hypervisors", "identity.create_and_delete_user", "placement.allocation_candidates"):
            outcome, _ = await cloud.run(name, {})
            assert outcome == Outcome.HTTP_4XX, name


async def test_a_boot_shows_the_phases_that_the_cloud_goes_through() -> None:
    async with emulated_cloud() as cloud:
        await cloud.run("compute.boot", SERVER)
        phases = [step for step in cloud.recorder.steps if step.step.startswith("boot.active.")]
        active = cloud.recorder.one("boot.active")
        names = [phase.step.rpartition(".")[2] for phase in phases]
        assert names == [name for name in NOVA_TASKS if name in names]
        assert "spawning" in names
        assert sum(phase.finished_ns - phase.started_ns for phase in phases) == active.finished_ns - active.started_ns
        assert 0 < active.resolution_ns <= active.finished_ns - active.started_ns


async def test_many_iterations_at_once_leave_nothing_behind_and_do_not_disturb_each_other() -> None:
    async with emulated_cloud(stages="instant") as cloud:
        before = await cloud.contents()
        names = ["compute.stop_and_start", "volume.attach_and_detach_volume", "network.create_and_delete_router"]
        outcomes = await asyncio.gather(
            *(cloud.run(name, ARGUMENTS[name], number) for number in range(10) for name in names)
        )
        assert set(outcomes) == {(Outcome.OK, "")}
        assert await cloud.contents() == before


def test_the_same_seed_records_the_same_steps_at_the_same_instants() -> None:
    async def record() -> list[Recorded]:
        async with emulated_cloud() as cloud:
            for name in ("compute.live_migrate", "volume.attach_and_detach_volume"):
                await cloud.run(name, ARGUMENTS[name])
            return cloud.recorder.steps

    assert run_coroutine_simulated(record()) == run_coroutine_simulated(record())
