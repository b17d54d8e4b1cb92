"""Every scenario of the library on the emulated cloud: it does what its docstring says, and leaves what it should."""

from typing import Any

import pytest

from kilonode.base.outcomes import Outcome
from kilonode.scenarios.registry import all_scenarios, find
from tests.scenarios.emulated import emulated_cloud

SERVER = {"flavor": "m1.tiny", "image": "cirros"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "noop": {},
    "http.get": {"url": "http://127.0.0.1:15000/identity/v3"},
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
    "network.create_floating_ip": {"floating ip"},
}
"""What stays until the end of the run; of every other scenario nothing."""


def test_every_scenario_of_the_library_is_tested() -> None:
    assert set(ARGUMENTS) == {scenario.name for scenario in all_scenarios()}


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_a_scenario_records_the_steps_it_promises_and_leaves_what_it_should(name: str) -> None:
    async with emulated_cloud() as cloud:
        before = await cloud.contents()
        used = await cloud.used_vcpus()
        assert await cloud.run(name, ARGUMENTS[name], number=3) == (Outcome.OK, "")
        after = await cloud.contents()
        assert {kind for kind in after if len(after[kind]) != len(before[kind])} - {"port"} == LEAVES.get(
            name, set()
        ) - {"port"}
        if "server" not in LEAVES.get(name, set()):
            assert await cloud.used_vcpus() == used
        scenario = find(name)
        steps = cloud.recorder.steps
        assert {step.outcome for step in steps} <= {"ok"}
        recorded = {step.step for step in steps}
        assert set(scenario.steps) <= recorded
        assert all(scenario.may_record(step) for step in recorded) and "cleanup" not in recorded
