"""Whole clouds as real processes: up, down, status, and what is left after every kind of death."""

import asyncio
import os
import random
import signal
import socket
import urllib.error
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError
from kilonode.base.processes import ProcessIdentity, is_alive, send, wait_until_gone
from kilonode.cloud.folder import ProcessRecord, ProcessState, ProcessTable, StateFolder
from kilonode.cloud.launch import CloudStatus, UpSettings, describe, down, status, up
from tests.cloud.plain_client import NoAnswer, PlainClient
from tests.owning import these_tests

pytestmark = [pytest.mark.real_loop, pytest.mark.processes]

NAME = "lab"
KILL_ROUNDS = 3
AUTHORS = 4


def wanted(state: Path, **wishes: Any) -> UpSettings:
    return UpSettings(
        state=state, name=NAME, **{"nodes": 20, "stages": "instant", "port": 0, "owner": these_tests(), **wishes}
    )


@asynccontextmanager
async def running(state: Path, lines: list[str] | None = None, **wishes: Any) -> AsyncIterator[CloudStatus]:
    """A cloud that is up, and that is gone afterwards whatever happens in between."""
    try:
        yield await up(wanted(state, **wishes), (lines if lines is not None else []).append)
    finally:
        with suppress(InputError):
            await down(state, NAME, lambda _: None)


def identities(found: CloudStatus) -> list[ProcessIdentity]:
    return [process.identity for process in found.processes if process.identity is not None]


def supervisor(state: Path) -> ProcessIdentity:
    table = StateFolder(state, NAME).read_processes()
    assert table is not None
    return table.supervisor


async def log_in(found: CloudStatus) -> PlainClient:
    return await asyncio.to_thread(PlainClient.log_in, Path(found.clouds_file), NAME)


async def booted(client: PlainClient, name: str) -> str:
    flavor = await asyncio.to_thread(client.first, "/compute/v2.1/flavors", "flavors")
    image = await asyncio.to_thread(client.first, "/image/v2/images", "images")
    return await asyncio.to_thread(client.boot, name, flavor, image)


async def test_a_cloud_comes_up_goes_down_without_a_trace_and_goes_on_with_its_data(tmp_path: Path) -> None:
    lines: list[str] = []
    async with running(tmp_path, lines) as found:
        assert (found.ready, found.nodes_up) == (True, 20)
        assert [process.name for process in found.processes] == ["api", "scheduler", "controllers", "fleet"]
        assert all(is_alive(identity) for identity in identities(found))
        assert any("OS_CLIENT_CONFIG_FILE" in line for line in lines)
        now = await status(tmp_path, NAME)
        told = describe(now)
        assert "cloud lab: ready" in told
        assert set(now.usage) == {"supervisor", *(process.name for process in now.processes)}
        assert all(usage.memory_bytes > 2**20 and usage.cpu_s > 0 for usage in now.usage.values())
        assert any("cpu now" in line and "memory" in line for line in told)
        with pytest.raises(InputError, match="already up"):
            await up(wanted(tmp_path), lines.append)
        server = await booted(await log_in(found), "kept")
        everyone = [*identities(found), supervisor(tmp_path)]
    assert not any(is_alive(identity) for identity in everyone)
    assert describe(await status(tmp_path, NAME))[0] == "cloud lab: down"
    with pytest.raises(InputError, match="is not running"):
        await down(tmp_path, NAME, lines.append)

    async with running(tmp_path, nodes=25, all_in_one=True) as again:
        assert (again.ready, again.nodes_up) == (True, 25)
        assert [process.name for process in again.processes] == ["cloud"]
        assert (await asyncio.to_thread((await log_in(again)).servers))[server]["name"] == "kept"

    await down(tmp_path, NAME, lines.append, purge=True)
    assert not StateFolder(tmp_path, NAME).exists
    with pytest.raises(InputError, match="no emulated cloud"):
        await status(tmp_path, NAME)


async def test_a_cloud_in_memory_runs_in_one_process_and_forgets(tmp_path: Path) -> None:
    async with running(tmp_path, store="memory") as found:
        assert [process.name for process in found.processes] == ["cloud"]
        await booted(await log_in(found), "forgotten")
    # As a crash of the machine leaves it: after the next boot the identifiers belong to others, here to ourselves.
    stale = ProcessIdentity(os.getpid(), 1, "an earlier boot")
    table = ProcessTable(stale, (ProcessRecord("cloud", ProcessState.RUNNING, stale),))
    StateFolder(tmp_path, NAME).write_processes(table)
    lines: list[str] = []
    async with running(tmp_path, lines) as again:
        assert "it was not ended properly last time; going on from its data" in lines
        assert await asyncio.to_thread((await log_in(again)).servers) == {}


async def test_a_port_in_use_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} is in use") as caught:
            await up(wanted(tmp_path, port=port), lambda _: None)
    assert "--port" in str(caught.value)
    assert StateFolder(tmp_path, NAME).read_processes() is None


async def test_what_a_role_says_before_it_gives_up_reaches_the_user(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path, NAME)
    folder.make()
    folder.store.write_text("not a database, and long enough to look like a broken one: " + "x" * 5000)
    with pytest.raises(InputError, match="the store cannot be opened"):
        await up(wanted(tmp_path, all_in_one=True), lambda _: None)
    assert folder.read_processes() is None


async def test_a_role_that_is_killed_comes_back(tmp_path: Path) -> None:
    async with running(tmp_path) as found:
        for victim in identities(found):
            send(victim, signal.SIGKILL)
        assert await wait_until_gone(identities(found), RealClock(), 30)
        client = None
        while client is None:
            with suppress(NoAnswer, OSError):
                client = await log_in(found)
        await booted(client, "after")
        now = await status(tmp_path, NAME)
        while {process.state for process in now.processes} != {ProcessState.RUNNING}:
            now = await status(tmp_path, NAME)
        assert {process.restarts for process in now.processes} == {1}
        assert {process.last_exit for process in now.processes} == {"signal 9 (SIGKILL)"}


async def test_a_cloud_whose_supervisor_was_killed_ends_and_can_come_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kilonode.cloud.ending.KILL_TIMEOUT_S", 1.0)
    async with running(tmp_path) as found:
        frozen = identities(found)[0]
        send(frozen, signal.SIGSTOP)  # it cannot end by itself
        send(supervisor(tmp_path), signal.SIGKILL)
        assert await wait_until_gone(identities(found)[1:], RealClock(), 30)
        lines: list[str] = []
        async with running(tmp_path, lines, all_in_one=True):
            assert "it was not ended properly last time; going on from its data (1 ended)" in lines
            assert not is_alive(frozen)


class Acknowledged(dict[str, str]):
    """Names of servers by id, from several threads; sets an event when there are enough."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._enough = 0
        self._event = asyncio.Event()

    async def reach(self, more: int) -> None:
        self._enough = len(self) + more
        self._event.clear()
        await self._event.wait()

    def add(self, server_id: str, name: str) -> None:
        self[server_id] = name
        if len(self) >= self._enough:
            self._loop.call_soon_threadsafe(self._event.set)


async def test_an_acknowledged_write_survives_the_death_of_every_process(tmp_path: Path) -> None:
    instants = random.Random(5)
    acknowledged = Acknowledged()
    for number in range(KILL_ROUNDS):
        async with running(tmp_path, all_in_one=number > 0) as found:
            client = await log_in(found)
            before = await asyncio.to_thread(client.servers)
            assert {server_id: before[server_id]["name"] for server_id in acknowledged} == acknowledged
            await asyncio.gather(
                _kill_after(tmp_path, found, acknowledged, instants.randrange(10, 60)),
                *(
                    asyncio.to_thread(_boot_until_dead, client, f"{number}-{author}", acknowledged)
                    for author in range(AUTHORS)
                ),
            )
    async with running(tmp_path, all_in_one=True) as found:
        client = await log_in(found)
        servers: dict[str, Any] = {}
        while not servers or any(server["status"] == "BUILD" for server in servers.values()):
            servers = await asyncio.to_thread(client.servers)
        # Also what nobody acknowledged is whole: it was scheduled, and is either there or not.
        assert acknowledged.keys() <= servers.keys()
        assert {server["status"] for server in servers.values()} == {"ACTIVE"}


async def _kill_after(state: Path, found: CloudStatus, acknowledged: Acknowledged, more: int) -> None:
    await acknowledged.reach(more)
    victims = [supervisor(state), *identities(found)]
    for victim in victims:
        send(victim, signal.SIGKILL)
    assert await wait_until_gone(victims, RealClock(), 30)


def _boot_until_dead(client: PlainClient, prefix: str, acknowledged: Acknowledged) -> None:
    flavor = client.first("/compute/v2.1/flavors", "flavors")
    image = client.first("/image/v2/images", "images")
    for number in range(10_000):
        name = f"{prefix}-{number}"
        try:
            acknowledged.add(client.boot(name, flavor, image), name)
        except (NoAnswer, urllib.error.HTTPError):
            return
    raise AssertionError("the cloud was not killed")


async def test_a_site_that_is_down_takes_no_login_and_no_server_of_another_with_it(tmp_path: Path) -> None:
    async with running(tmp_path, nodes=3, sites=2) as found:
        assert [site.region for site in found.sites] == ["RegionOne", "RegionTwo"]
        assert (found.nodes, found.nodes_up) == (6, 6)
        there = await log_in(found)
        there = PlainClient(found.sites[1].public_url, there.token)
        server = await booted(there, "there")
        first_api = next(one.identity for one in found.processes if one.name == "RegionOne.api")
        assert first_api is not None
        send(first_api, signal.SIGSTOP)  # frozen rather than killed: nobody starts it again meanwhile
        try:
            assert list(await asyncio.to_thread(there.servers)) == [server]
        finally:
            send(first_api, signal.SIGCONT)
        here = await log_in(found)
        assert await asyncio.to_thread(here.servers) == {}
