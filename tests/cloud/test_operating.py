"""Whole clouds with several processes for each role: restarts under load, deaths, frozen ones, other numbers."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError, LabError
from kilonode.base.processes import ProcessIdentity, is_alive, send, wait_until_gone
from kilonode.cloud.folder import StateFolder
from kilonode.cloud.launch import CloudStatus, UpSettings, describe, down, status, up
from kilonode.cloud.operating import CloudProcess, ProcessChange, processes, restart
from tests.cloud.plain_client import PlainClient
from tests.cloud.strict_client import StrictConnection
from tests.owning import these_tests

pytestmark = [pytest.mark.real_loop, pytest.mark.processes]

NAME = "lab"
TWO_OF_EACH = {"api": 2, "scheduler": 2, "fleet": 2}
USERS = 3
REST_S = 0.1


@asynccontextmanager
async def running(state: Path, **wishes: Any) -> AsyncIterator[CloudStatus]:
    wanted = UpSettings(
        state=state, name=NAME, **{"nodes": 20, "stages": "instant", "port": 0, "owner": these_tests(), **wishes}
    )
    try:
        yield await up(wanted, lambda _: None)
    finally:
        with suppress(InputError):
            await down(state, NAME, lambda _: None)


async def log_in(found: CloudStatus) -> PlainClient:
    return await asyncio.to_thread(PlainClient.log_in, Path(found.clouds_file), NAME)


def identity(of: Sequence[CloudProcess], name: str) -> ProcessIdentity:
    found = next(one.identity for one in of if one.name == name)
    assert found is not None
    return found


def environment_of(process: ProcessIdentity) -> list[str]:
    return Path(f"/proc/{process.pid}/environ").read_text().split("\0")


def broken_build(folder: Path) -> Path:
    """The Python of an environment in which Kilonode comes up, and every handler of the api fails."""
    python = folder / "python"
    python.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "from kilonode.cloud import role_process\n"
        "from kilonode.cloud.openstack.web import application\n"
        "async def broken(*given): raise RuntimeError('answers 500')\n"
        "application._handle = broken\n"
        "sys.argv = sys.argv[2:]\n"
        "sys.exit(role_process.main())\n"
    )
    python.chmod(0o755)
    return python


class Load:
    """Users who boot, look at and delete servers, each over one connection that stays open, until told to stop.

    They rest between servers: what is to start beside them shall not wait for a processor.
    """

    def __init__(self, client: PlainClient, flavor: str, image: str) -> None:
        self.kept: list[str] = []
        self.connections = [StrictConnection(client) for _ in range(USERS)]
        self._body = {"name": "s", "flavorRef": flavor, "imageRef": image, "networks": "none"}
        self._stop = asyncio.Event()

    @property
    def answered(self) -> int:
        return sum(connection.answered for connection in self.connections)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        users = [asyncio.create_task(self._user(connection)) for connection in self.connections]
        try:
            yield
        finally:
            self._stop.set()
            await asyncio.gather(*users)
            for connection in self.connections:
                connection.close()

    async def _user(self, connection: StrictConnection) -> None:
        while not self._stop.is_set():
            code, created = await connection.call("POST", "/compute/v2.1/servers", {"server": self._body})
            assert code == 202
            server = created["server"]["id"]
            for _ in range(3):
                assert (await connection.call("GET", f"/compute/v2.1/servers/{server}"))[0] == 200
            if len(self.kept) < 40:
                self.kept.append(server)
            else:
                assert (await connection.call("DELETE", f"/compute/v2.1/servers/{server}"))[0] == 204
            await RealClock().sleep(REST_S)


async def load_on(client: PlainClient) -> Load:
    flavor = await asyncio.to_thread(client.first, "/compute/v2.1/flavors", "flavors")
    image = await asyncio.to_thread(client.first, "/image/v2/images", "images")
    return Load(client, flavor, image)


async def all_active(client: PlainClient, wanted: Sequence[str]) -> None:
    """Wait until nothing is building any more: then every server that was asked for is there and runs."""
    servers: dict[str, Any] = {}
    while not servers or any(server["status"] == "BUILD" for server in servers.values()):
        servers = await asyncio.to_thread(client.servers)
    assert {servers[server]["status"] for server in wanted} == {"ACTIVE"}


async def test_no_request_fails_while_every_process_is_replaced_again_and_again(tmp_path: Path) -> None:
    async with running(tmp_path, roles={**TWO_OF_EACH, "volume": 1}) as found:
        folder = StateFolder(tmp_path, NAME)
        client = await log_in(found)
        idle = StrictConnection(client)
        load = await load_on(client)
        first = processes(folder)
        assert [one.name for one in first] == [
            "api-1", "api-2", "scheduler-1", "scheduler-2", "controllers", "volume", "fleet-1", "fleet-2"
        ]  # fmt: skip
        assert [one.roles for one in first][4:7] == [("network", "image"), ("volume",), ("fleet",)]
        async with load.running():
            for names, count in (((), len(first)), (("api", "fleet-1"), 3)):
                before = load.answered
                assert (await idle.call("GET", "/compute/v2.1/servers?limit=1"))[0] == 200
                told: list[str] = []
                replaced = await restart(folder, names, report=told.append)
                assert len(told) == len(replaced) == count
                assert load.answered > before
            assert (await idle.call("GET", "/compute/v2.1/servers?limit=1"))[0] == 200
        idle.close()
        last = processes(folder)
        assert not any(one.identity is not None and is_alive(one.identity) for one in first)
        assert [one.replacements for one in last] == [2, 2, 1, 1, 1, 1, 2, 1]
        assert {(one.restarts, one.last_exit) for one in last} == {(0, "")}
        await all_active(client, load.kept)


async def test_a_role_can_run_another_version_beside_the_others_and_one_that_fails_changes_nothing(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, roles={"api": 2}) as found:
        folder = StateFolder(tmp_path, NAME)
        await restart(folder, ["api-2"], ProcessChange(version="B", environment={"SAID": "so"}))
        now = processes(folder)
        kilonode = now[0].version
        assert [one.version for one in now] == [kilonode, "B", kilonode, kilonode, kilonode]
        second = identity(now, "api-2")
        assert "SAID=so" in environment_of(second)
        with pytest.raises(LabError, match="goes on"):
            await restart(folder, ["api"], ProcessChange(version="C", interpreter="/bin/false"))
        assert processes(folder)[1].identity == second
        before = [one.identity for one in processes(folder)]
        with pytest.raises(LabError, match="api-1 cannot be replaced; the process that was there goes on"):
            await restart(folder, ["api"], ProcessChange("D", str(broken_build(tmp_path))), together=True)
        assert "answers 500" in StateFolder(tmp_path, NAME).log("api-1").read_text()
        assert [one.identity for one in processes(folder)] == before
        with pytest.raises(InputError, match="no such process") as caught:
            await restart(folder, ["api-3"])
        assert "did you mean" in str(caught.value)
        assert any("api-2" in line and " B" in line for line in describe(await status(tmp_path, NAME)))
        assert (await status(tmp_path, NAME)).ready
        assert found.ready


async def test_a_version_with_another_stage_profile_behaves_otherwise_until_it_is_taken_back(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("extends: instant\nservices:\n  compute.list_servers: {failure: {odds: 1, status: 503}}\n")
    async with running(tmp_path) as found:
        folder = StateFolder(tmp_path, NAME)
        client = await log_in(found)
        before = processes(folder)[0].version
        for change, version, code in (
            (ProcessChange("B", stages=str(bad)), "B", 503),
            (ProcessChange("C", environment={"SAID": "so"}), "C", 503),
            (ProcessChange(back=True), "B", 503),
            (ProcessChange(back=True), before, 200),
        ):
            await restart(folder, ["api"], change)
            assert processes(folder)[0].version == version
            connection = StrictConnection(client)
            assert (await connection.call("GET", "/compute/v2.1/servers"))[0] == code
            connection.close()
        with pytest.raises(LabError, match="nothing to take back"):
            await restart(folder, ["api"], ProcessChange(back=True))
        with pytest.raises(InputError, match="no stage profile"):
            await restart(folder, ["api"], ProcessChange(stages=str(tmp_path / "none.yaml")))
        assert processes(folder)[0].replacements == 4


async def test_one_of_two_apis_can_be_killed_or_frozen_and_the_other_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path, roles={"api": 2}) as found:
        folder = StateFolder(tmp_path, NAME)
        client = await log_in(found)
        assert all(one.ready for one in found.processes)  # `up` waits for all of them, not for the first that answers
        first = identity(processes(folder), "api-1")
        send(first, signal.SIGSTOP)
        connections = [StrictConnection(client) for _ in range(24)]
        asked = [
            asyncio.create_task(connection.call("GET", "/compute/v2.1/servers?limit=1")) for connection in connections
        ]
        done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert done  # by the other one; whoever was dealt to the frozen one waits
        send(first, signal.SIGCONT)
        assert {(await task)[0] for task in asked} == {200}
        assert waiting or done

        send(first, signal.SIGKILL)
        assert await wait_until_gone([first], RealClock(), 30)
        served = 0
        for connection in connections:
            with suppress(OSError, EOFError):  # those that the dead one had
                assert (await connection.call("GET", "/compute/v2.1/servers?limit=1"))[0] == 200
                served += 1
            connection.close()
        assert served > 0
        while not all(one.ready for one in processes(folder)):
            await RealClock().sleep(0.02)
        assert [one.restarts for one in processes(folder)] == [1, 0, 0, 0, 0]


async def test_a_cloud_can_come_up_again_with_other_numbers_of_processes_and_keeps_its_servers(tmp_path: Path) -> None:
    async with running(tmp_path, roles={"fleet": 3}) as found:
        client = await log_in(found)
        load = await load_on(client)
        async with load.running():
            while len(load.kept) < 30:
                await RealClock().sleep(0.02)
        await all_active(client, load.kept)
    async with running(tmp_path, roles={"fleet": 2, "scheduler": 2}, nodes=21) as again:
        assert (again.ready, again.nodes_up) == (True, 21)
        assert [one.name for one in again.processes] == [
            "api", "scheduler-1", "scheduler-2", "controllers", "fleet-1", "fleet-2"
        ]  # fmt: skip
        client = await log_in(again)
        assert set(load.kept) <= set(await asyncio.to_thread(client.servers))
        for server in load.kept:
            await asyncio.to_thread(client.call, "DELETE", f"/compute/v2.1/servers/{server}")
        left = load.kept
        while set(left) & set(load.kept):
            left = [
                one["id"] for one in (await asyncio.to_thread(client.call, "GET", "/compute/v2.1/servers"))["servers"]
            ]


async def test_a_cloud_in_one_process_is_replaced_too_but_not_one_that_only_remembers(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path, NAME)
    async with running(tmp_path, all_in_one=True) as found:
        client = await log_in(found)
        load = await load_on(client)
        async with load.running():
            await restart(folder)
        await all_active(client, load.kept)
        assert processes(folder)[0].replacements == 1
    with pytest.raises(InputError, match="not running"):
        await restart(folder)
    async with running(tmp_path, store="memory", fresh=True):
        with pytest.raises(InputError, match="memory"):
            await restart(folder)
