"""Nodes of a cloud of real processes are turned off and on from outside."""

from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError
from kilonode.cloud.folder import StateFolder
from kilonode.cloud.powering import set_power
from tests.cloud.test_launch import NAME, running

pytestmark = [pytest.mark.real_loop, pytest.mark.processes]
PATIENCE_TURNS = 600


async def test_nodes_are_turned_off_and_on_while_the_cloud_runs(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path, NAME)
    async with running(tmp_path, nodes=3, all_in_one=True):
        names = ["compute-0001", "compute-0003"]
        off = await set_power(folder, names, "off")
        assert [(node.name, node.state, node.task) for node in off] == [(name, "off", None) for name in names]
        with pytest.raises(InputError, match="there is no such node"):
            await set_power(folder, ["compute-0001", "compute-9"], "on")
        with pytest.raises(InputError, match="no such site"):
            await set_power(folder, names, "on", "elsewhere")
        found = await set_power(folder, names, "on")
        for _ in range(PATIENCE_TURNS):
            if all(node.state == "running" for node in found):
                break
            await RealClock().sleep(0.05)
            found = await set_power(folder, names, "on")  # what is about to boot is not begun again
        assert [(node.state, node.task) for node in found] == [("running", None)] * 2
    with pytest.raises(InputError, match="not running"):
        await set_power(folder, names, "off")


async def test_nodes_that_are_in_memory_alone_cannot_be_reached(tmp_path: Path) -> None:
    async with running(tmp_path, nodes=1, store="memory"):
        with pytest.raises(InputError, match="in the memory of its one process"):
            await set_power(StateFolder(tmp_path, NAME), ["compute-0001"], "off")
