"""An api proves that it answers before anybody else can ask it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import LabError
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.openstack import proving
from kilonode.cloud.openstack.compute import servers
from kilonode.cloud.openstack.proving import prove
from kilonode.store.memory import MemoryStore
from tests.cloud.openstack.harness import openstack


@asynccontextmanager
async def green(store: MemoryStore, settings: CloudSettings) -> AsyncIterator[Cloud]:
    """What an api that is about to begin has of a cloud."""
    cloud = await Cloud.open(store, SimulatedClock(asyncio.get_running_loop()), settings, "api-2", ())
    try:
        yield cloud
    finally:
        await cloud.close()


async def test_an_api_that_works_proves_it_and_writes_nothing() -> None:
    async with openstack() as cloud, green(cloud.store, cloud.settings) as view:
        assert proving._token(view), "it asks as somebody"
        before = await cloud.store.list()
        await prove(view)
        assert await cloud.store.list() == before


async def test_of_a_cloud_without_any_contents_there_is_nobody_to_log_in_as() -> None:
    async with openstack() as cloud, green(MemoryStore(), cloud.settings) as view:
        assert proving._token(view) == ""
        await prove(view)


async def test_what_a_service_cannot_read_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    async with openstack() as cloud, green(cloud.store, cloud.settings) as view:

        def broken(*given: Any) -> Any:
            raise KeyError("servers")

        monkeypatch.setattr(servers, "paginate", broken)
        with pytest.raises(LabError, match="does not answer as it should") as caught:
            await prove(view)
        assert (caught.value.problem.path, caught.value.problem.got) == ("GET /compute/v2.1/servers", "status 500")


async def test_a_version_that_is_to_fail_is_no_broken_one(tmp_path: Path) -> None:
    stages = tmp_path / "bad.yaml"
    lists = ("identity.list_own_projects", "compute.list_servers", "placement.list_providers", "image.list_images",
             "network.list_networks", "volume.list_default_types")  # fmt: skip
    failing = [f"  {name}: {{failure: {{odds: 1, status: 503}}}}\n" for name in lists]
    stages.write_text(f"extends: instant\nservices:\n{''.join(failing)}")
    async with openstack() as cloud:
        settings = msgspec.structs.replace(cloud.settings, stages=str(stages))
        async with green(cloud.store, settings) as view:
            await prove(view)
