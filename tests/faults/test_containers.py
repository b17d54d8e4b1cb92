"""Faults on containers of a real engine, and how an engine that answers nonsense, or not at all, is met."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import FaultError, InputError
from kilonode.faults.container_faults import COMPOSE, ContainerMemory
from kilonode.faults.containers import Containers
from kilonode.faults.docker_engine import SOCKET, Container, Engine, engine_here
from kilonode.faults.driver import State
from kilonode.faults.healing import heal_left
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.language import parse
from kilonode.faults.registry import Drivers
from tests.faults.dockerd import engine, image, missing, network
from tests.faults.killed import left_by_one_who_was_killed
from tests.faults.lasting import in_effect, plan

CLOCK = RealClock()
MISSING = missing()
needs_docker = pytest.mark.skipif(bool(MISSING), reason=MISSING or "there is an engine")

pytestmark = pytest.mark.real_loop


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("docker")
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(engine(folder))
        except RuntimeError as error:
            pytest.skip(str(error))
        asyncio.run(Engine(found).request("POST", "/images/create?fromSrc=-&repo=waits", body=image(folder)))
        asyncio.run(Engine(found).request("POST", "/networks/create", network(found, "lane")))
        yield found


def drivers_of(socket: Path) -> Drivers:
    return Drivers([Containers(CLOCK, lambda: Engine(socket))])


@asynccontextmanager
async def containers(socket: Path, *names: str, on: str = "none") -> AsyncIterator[Drivers]:
    """So many that run, and the driver for them."""
    asked = Engine(socket)
    try:
        for name in names:
            body = {
                "Image": "waits", "Cmd": ["/waits"], "Labels": {COMPOSE: name.rstrip("-12")},
                "HostConfig": {"NetworkMode": on},
            }  # fmt: skip
            if on != "none":
                body["NetworkingConfig"] = {"EndpointsConfig": {on: {"Aliases": ["other-name"]}}}
            await asked.request("POST", f"/containers/create?name={name}", body)
            await asked.act(name, "start")
        yield drivers_of(socket)
    finally:
        for name in names:
            await asked.request("DELETE", f"/containers/{name}?force=1")


async def now(socket: Path, name: str) -> Container:
    return await Engine(socket).container(name)


@needs_docker
@pytest.mark.parametrize("verb", ["kill", "terminate"])
async def test_a_container_that_was_ended_runs_again_when_it_is_healed(socket: Path, tmp_path: Path, verb: str) -> None:
    async with containers(socket, "web-1", "web-2") as drivers:
        fault = await plan(f"{verb} web-1 container for 1s", drivers)
        async with in_effect(fault, drivers, tmp_path):
            assert not (await now(socket, "web-1")).state.running
            assert (await now(socket, "web-2")).state.running
        assert (await now(socket, "web-1")).state.running


@needs_docker
async def test_a_frozen_container_is_paused_and_found_by_its_compose_service(socket: Path, tmp_path: Path) -> None:
    async with containers(socket, "web-1", "web-2") as drivers:
        fault = await plan("freeze 1 of 2 web containers by cgroup", drivers)
        (chosen,) = fault.chosen
        async with in_effect(fault, drivers, tmp_path):
            paused = [name for name in ("web-1", "web-2") if (await now(socket, name)).state.paused]
            assert paused == [chosen.name]
        assert not (await now(socket, chosen.name)).state.paused


@needs_docker
async def test_a_restart_is_seen_by_another_start_and_leaves_nothing(socket: Path, tmp_path: Path) -> None:
    async with containers(socket, "web-1") as drivers:
        before = await now(socket, "web-1")
        fault = await plan("restart web-1 container", drivers)
        assert not fault.lasting
        with new_journal(tmp_path, "restart", CLOCK) as journal:
            await Injector(drivers, journal, CLOCK).inject(fault)
        after = await now(socket, "web-1")
        assert after.state.running
        assert after.state.started_at != before.state.started_at


@needs_docker
async def test_an_unplugged_container_gets_its_networks_back_with_its_names_there(socket: Path, tmp_path: Path) -> None:
    async with containers(socket, "web-1", on="lane") as drivers:
        fault = await plan("unplug web-1 container", drivers)
        async with in_effect(fault, drivers, tmp_path):
            assert (await now(socket, "web-1")).networks == {}
        (endpoint,) = (await now(socket, "web-1")).networks.values()
        assert endpoint.aliases is not None
        assert "other-name" in endpoint.aliases


@needs_docker
@pytest.mark.parametrize("verb", ["kill", "freeze", "unplug"])
async def test_what_one_process_did_before_it_was_killed_is_healed_by_another(
    socket: Path, tmp_path: Path, verb: str
) -> None:
    async with containers(socket, "web-1", on="lane"):
        await left_by_one_who_was_killed(__name__, socket, tmp_path, f"{verb} web-1 container")
        broken = await now(socket, "web-1")
        assert not broken.state.running or broken.state.paused or not broken.networks
        # The journal knows the engine.
        await heal_left(tmp_path, drivers_of(Path("/nowhere")), CLOCK, lambda w: None)
        assert not any(record.open for record in journals(tmp_path))
        healed = await now(socket, "web-1")
        assert healed.state.running
        assert not healed.state.paused
        assert healed.networks


@needs_docker
async def test_what_cannot_be_done_to_a_container_is_refused_before_anything_is_touched(socket: Path) -> None:
    async with containers(socket, "web-1") as drivers:
        with pytest.raises(InputError, match="there is no container 'wob-1'"):
            await plan("kill wob-1 container", drivers)
        await Engine(socket).act("web-1", "kill")
        with pytest.raises(InputError, match="container web-1 does not run"):
            await plan("freeze web-1 container", drivers)
        with pytest.raises(InputError, match="nothing here can freeze a container"):
            await plan("freeze web-1 container by signal", drivers)
        (capability,) = await Containers(CLOCK, lambda: Engine(socket)).capabilities()
        assert capability.state is State.WORKS


async def test_an_engine_that_is_not_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    driver = Containers(CLOCK, lambda: Engine(tmp_path / "nothing.sock"))
    with pytest.raises(InputError, match="Docker's engine does not answer"):
        await driver.find(parse("kill a container").parts[0].fault.target)
    (capability,) = await driver.capabilities()
    assert capability.state is State.MISSING
    assert "apt-get install docker.io" in capability.why


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "answers something else"),
        (b"SSH-2.0-OpenSSH\r\n", "answers something else"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", "answers something else"),
        (b'HTTP/1.0 200 OK\r\n\r\n[{"Id": 1', "answers something else"),
        (b'HTTP/1.0 500 No\r\n\r\n{"message": "out of order"}', "500: out of order"),
        (b"HTTP/1.0 403 No\r\n\r\nplain words", "403: plain words"),
    ],
)  # fmt: skip
async def test_an_engine_that_answers_nonsense_or_refuses_is_an_error_with_its_words(
    tmp_path: Path, answer: bytes, words: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "engine.sock")
    async with server:
        with pytest.raises(FaultError, match=words):
            await Engine(tmp_path / "engine.sock").containers()


def test_an_engine_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    with pytest.raises(InputError, match="only an engine of this machine"):
        engine_here()
    monkeypatch.setenv("DOCKER_HOST", "unix:///tmp/a.sock")
    assert engine_here().socket == Path("/tmp/a.sock")
    monkeypatch.delenv("DOCKER_HOST")
    assert engine_here().socket == SOCKET


def test_only_what_an_engine_needs_is_in_a_journal() -> None:
    from kilonode.faults.docker_engine import Endpoint
    from kilonode.faults.driver import remember

    kept = json.loads(remember(ContainerMemory("/s", "c", {"lane": Endpoint("n", ("a",))})))
    assert kept == {"socket": "/s", "container": "c", "networks": {"lane": {"NetworkID": "n", "Aliases": ["a"]}}}
