"""Faults on containers of hosts: a real engine of Docker, asked through real sshds in namespaces."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError
from kilonode.faults.container_faults import COMPOSE
from kilonode.faults.docker_engine import Container, Engine
from kilonode.faults.driver import State
from kilonode.faults.healing import heal_left
from kilonode.faults.hosted_containers import HostedContainers
from kilonode.faults.journal import journals
from kilonode.faults.language import parse
from kilonode.faults.registry import Drivers
from tests.faults import dockerd, sshd
from tests.faults.killed import left_by_one_who_was_killed
from tests.faults.lasting import in_effect, plan

CLOCK = RealClock()
MISSING = dockerd.missing() or sshd.missing()
NAMES = ("web-1", "web-2", "store")

pytestmark = [
    pytest.mark.real_loop,
    pytest.mark.skipif(bool(MISSING), reason=MISSING or "there are an engine and hosts"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the engine's socket and a hosts file: the first of two hosts has the engine."""
    folder = tmp_path_factory.mktemp("hosted")
    try:
        with dockerd.engine(folder) as socket, sshd.ssh_hosts(folder, 2) as (first, second):
            asyncio.run(_containers(Engine(socket), dockerd.image(folder)))
            (folder / "hosts.yaml").write_text(
                "hosts:\n"
                f"  node-1: {{address: {first.address}, docker_socket: {socket}, login: {{user: root, "
                "key_file: host-1/key, known_hosts: host-1/known_hosts}}\n"
                f"  node-2: {{address: {second.address}, docker_socket: /run/nothing.sock, login: {{user: root, "
                "key_file: host-2/key, known_hosts: host-2/known_hosts}}\n"
                "containers:\n  database: {container: store}\n  shop: {container: web, hosts: [node-1]}\n"
                "  lost: {container: lost, hosts: [node-2]}\n"
            )
            yield folder
    except RuntimeError as error:
        pytest.skip(str(error))


async def _containers(engine: Engine, image: bytes) -> None:
    await engine.request("POST", "/images/create?fromSrc=-&repo=waits", body=image)
    await engine.request("POST", "/networks/create", dockerd.network(engine.socket, "lane"))
    for name in NAMES:
        body = {
            "Image": "waits", "Cmd": ["/waits"], "Labels": {COMPOSE: name.rstrip("-12")},
            "HostConfig": {"NetworkMode": "lane"},
        }  # fmt: skip
        await engine.request("POST", f"/containers/create?name={name}", body)
        await engine.act(name, "start")


def drivers_of(place: Path) -> Drivers:
    return Drivers([HostedContainers(place / "hosts.yaml", CLOCK)])


async def now(place: Path, name: str) -> Container:
    """As the engine says, asked here."""
    return await Engine(place / "docker.sock").container(name)


async def test_a_container_of_the_hosts_file_is_killed_and_runs_again(place: Path, tmp_path: Path) -> None:
    drivers = drivers_of(place)
    fault = await plan("kill database container for 1s", drivers)
    assert fault.steps[0].words.startswith("kill container store on node-1 (")
    async with in_effect(fault, drivers, tmp_path) as injection:
        assert not (await now(place, "store")).state.running
        assert injection.resolution_ns > 0
    assert (await now(place, "store")).state.running


async def test_one_of_a_service_is_frozen_and_all_on_a_node_are_found_by_their_own_names(
    place: Path, tmp_path: Path
) -> None:
    drivers = drivers_of(place)
    fault = await plan("freeze 1 of 2 shop containers", drivers)
    (chosen,) = fault.chosen
    async with in_effect(fault, drivers, tmp_path):
        assert [name for name in NAMES if (await now(place, name)).state.paused] == [chosen.name]
    assert not (await now(place, chosen.name)).state.paused
    everybody = await plan("restart all containers on node node-1", drivers)
    assert {each.name for each in everybody.chosen} == set(NAMES)
    (only,) = (await plan("restart web-2 container on node node-1", drivers)).chosen
    assert only.name == "web-2"


async def test_what_one_process_did_before_it_was_killed_is_healed_by_another_without_the_hosts_file(
    place: Path, tmp_path: Path
) -> None:
    await left_by_one_who_was_killed(__name__, place, tmp_path, "unplug database container")
    assert (await now(place, "store")).networks == {}
    await heal_left(tmp_path, Drivers([HostedContainers(None, CLOCK)]), CLOCK, lambda words: None)
    assert not any(record.open for record in journals(tmp_path))
    assert list((await now(place, "store")).networks) == ["lane"]


async def test_what_is_not_there_is_refused_and_a_host_without_an_engine_has_nothing(place: Path) -> None:
    drivers = drivers_of(place)
    with pytest.raises(InputError, match="there is no container 'store'"):
        await plan("kill store container", drivers)  # its name in the file is another
    with pytest.raises(InputError, match="there is no engine of Docker"):
        await plan("kill lost container", drivers)
    with pytest.raises(InputError, match="node-2 has no container 'store'"):
        await plan("kill store container on node node-2", drivers)
    found = {each.name: each for each in await HostedContainers(place / "hosts.yaml", CLOCK).capabilities()}
    assert found["node-1"].state is State.WORKS
    assert found["node-2"].state is State.MISSING
    assert "/run/nothing.sock" in found["node-2"].why


def test_without_a_hosts_file_there_are_no_containers_of_hosts(tmp_path: Path) -> None:
    fault = parse("kill store container on node node-1").parts[0].fault
    assert not HostedContainers(None, CLOCK).handles(fault)
    (tmp_path / "hosts.yaml").write_text("hosts: {node-1: {address: 192.0.2.1}}\n")
    driver = HostedContainers(tmp_path / "hosts.yaml", CLOCK)
    assert driver.handles(fault)
    assert not driver.handles(parse("kill store container").parts[0].fault), "no container is in the file"
