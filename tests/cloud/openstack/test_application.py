"""All services together: their operations, and the profiles that speak of them."""

import asyncio
from pathlib import Path

import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import InputError
from kilonode.cloud.context import Cloud, CloudSettings, Secrets
from kilonode.cloud.openstack.application import SERVICES, application
from kilonode.cloud.profiles import known_profiles
from kilonode.store.memory import MemoryStore


async def make(stages: str) -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    settings = CloudSettings(stages=stages, secrets=Secrets("password", "5a" * 32))
    cloud = await Cloud.open(MemoryStore(), clock, settings, "api", ())
    try:
        application(cloud)
    finally:
        await cloud.close()


@pytest.mark.parametrize("profile", known_profiles())
async def test_every_profile_speaks_of_operations_that_there_are(profile: str) -> None:
    await make(profile)


async def test_a_service_time_for_no_operation_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    profile = tmp_path / "slow.yaml"
    profile.write_text("extends: instant\nservices:\n  compute.list_server: {base: 1s}\n")
    with pytest.raises(InputError, match=r"did you mean 'compute\.list_servers'"):
        await make(str(profile))


def test_every_service_has_a_place_and_names_of_its_own() -> None:
    assert len({service.prefix for service in SERVICES}) == len(SERVICES)
    assert len({service.name for service in SERVICES}) == len(SERVICES)
    for service in SERVICES:
        assert all(name.startswith(f"{service.name}.") and name.islower() for name in service.operations())
