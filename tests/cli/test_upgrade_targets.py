"""The processes of a real emulated cloud, as upgrades see and replace them."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from kilonode.base.errors import InputError, KilonodeError
from kilonode.cli.upgrade_targets import CloudUpgrades
from kilonode.cloud.folder import StateFolder
from kilonode.cloud.launch import UpSettings, down, up
from kilonode.run.upgrade_serving import Instance
from kilonode.run.upgrades import Version
from tests.owning import these_tests

pytestmark = [pytest.mark.real_loop, pytest.mark.processes]
NAME = "lab"


async def test_old_and_new_are_both_seen_while_one_takes_over_from_the_other(tmp_path: Path) -> None:
    wanted = UpSettings(state=tmp_path, name=NAME, nodes=2, stages="instant", port=0, owner=these_tests())
    await up(wanted, lambda line: None)
    try:
        cloud = CloudUpgrades(StateFolder(tmp_path, NAME))
        before = {one.name: one for one in await cloud.instances()}
        assert set(before) == {"api", "scheduler", "controllers", "fleet"}
        assert all(one.serves and not one.leaving for one in before.values())
        seen: list[Instance] = []

        async def look() -> None:
            while True:
                seen.extend(one for one in await cloud.instances() if one.name == "scheduler")
                await asyncio.sleep(0.01)

        looking = asyncio.create_task(look())
        await cloud.replace("scheduler", Version(label="B"))
        looking.cancel()
        after = [one for one in await cloud.instances() if one.name == "scheduler"]
        assert [(one.version, one.serves, one.leaving) for one in after] == [("B", True, False)]
        assert after[0].identity != before["scheduler"].identity
        assert any(one.leaving and one.identity == before["scheduler"].identity for one in seen)
        await cloud.take_back("scheduler")
        assert next(one for one in await cloud.instances() if one.name == "scheduler").version == before["api"].version
        with pytest.raises(KilonodeError):
            await cloud.replace("scheduler", Version(label="C", interpreter="/bin/false"))
        assert next(one for one in await cloud.instances() if one.name == "scheduler").version == before["api"].version
    finally:
        with suppress(InputError):
            await down(tmp_path, NAME, lambda line: None)
