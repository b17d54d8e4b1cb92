"""An API of a stack that is told to end answers what is under way first: a real uwsgi, with an application of ours."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from kilonode.base.clock import RealClock
from kilonode.stack import again
from kilonode.stack.commands import run_command
from kilonode.stack.configuration.site import Site
from kilonode.stack.environment import find_uv
from kilonode.stack.launch import site_of
from kilonode.stack.needs import choose_ports
from kilonode.stack.running import end_all, processes_of
from kilonode.stack.services import Service, uwsgi

pytestmark = [
    pytest.mark.stack,
    pytest.mark.real_loop,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="uwsgi is built from source: gcc is missing"),
]

APPLICATION = """
import os

def application(environment, start):
    pipe = environment["QUERY_STRING"]
    if pipe:
        open(pipe + ".asked", "w").close()
        with open(pipe) as told:  # answers when it is told to
            told.read()
    start("200 OK", [])
    return [b"whole"]
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with uwsgi alone."""
    path = tmp_path_factory.mktemp("uwsgi") / "environment"

    async def build() -> None:
        log = path.with_suffix(".log")
        await run_command([find_uv(), "venv", "--python", sys.executable, path], log, timeout_s=60)
        await run_command(
            [find_uv(), "pip", "install", "--python", path / "bin" / "python", "uwsgi"], log, timeout_s=240
        )

    asyncio.run(build())
    (next((path / "lib").glob("python3.*/site-packages")) / "slow.py").write_text(APPLICATION)
    return path


@asynccontextmanager
async def keystone(planned: Site, programs: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """The one API of a stack that runs."""
    folder = planned.folder
    record = folder.read_record()
    assert record is not None
    folder.write_record(msgspec.structs.replace(record, ports=choose_ports(0)))
    site = site_of(folder.state, "stack")
    site.environment.path = programs
    port = site.ports.keystone
    service = Service("keystone", uwsgi(site, "slow:application", port, "keystone"), port=port)
    monkeypatch.setattr(again, "service_of", lambda site, process: service)
    try:
        await again.start_again(folder.state, "stack", "keystone", RealClock())
        yield site
    finally:
        await end_all(folder, RealClock(), at_once=True)


async def ask(port: int, pipe: Path) -> bytes:
    """Ask for something that takes as long as nobody writes into a pipe; all of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /?{pipe} HTTP/1.0\r\n\r\n".encode())
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def until(there: Callable[[], bool]) -> None:
    while not there():
        await RealClock().sleep(0.02)


async def test_a_request_that_is_under_way_is_answered_before_an_api_ends(
    site: Site, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with keystone(site, programs, monkeypatch) as running:
        answer = asyncio.create_task(ask(running.ports.keystone, pipe))
        await until(pipe.with_suffix(".asked").exists)
        ending = asyncio.create_task(again.end(site.folder.state, "stack", "keystone", RealClock()))
        await until(lambda: "Gracefully killing worker" in site.folder.log("keystone").read_text())
        await asyncio.to_thread(pipe.write_text, "go on")
        assert (await answer).endswith(b"whole")
        await ending
        assert processes_of(site.folder) == ()


async def test_a_request_that_takes_too_long_does_not_keep_an_api(
    site: Site, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "DRAIN_S", 0.5)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with keystone(site, programs, monkeypatch) as running:
        answer = asyncio.create_task(ask(running.ports.keystone, pipe))
        await until(pipe.with_suffix(".asked").exists)
        await again.end(site.folder.state, "stack", "keystone", RealClock())
        assert await answer == b""
        assert processes_of(site.folder) == ()


async def test_an_api_without_its_pipe_is_ended_as_any_process(
    site: Site, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keystone(site, programs, monkeypatch):
        site.folder.control_pipe("keystone").unlink()
        await again.end(site.folder.state, "stack", "keystone", RealClock())
        assert processes_of(site.folder) == ()
