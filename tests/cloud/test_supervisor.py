"""The supervisor over real processes: what dies comes back, what cannot work is left, and nothing survives its end."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.processes import (
    ProcessIdentity,
    identify,
    is_alive,
    module_command,
    send,
    start_detached,
    wait_until_gone,
)
from kilonode.cloud import supervisor as supervisor_module
from kilonode.cloud.folder import ProcessRecord, ProcessState, ProcessTable
from kilonode.cloud.supervisor import Supervisor, describe_exit

pytestmark = [pytest.mark.real_loop, pytest.mark.processes]

UNTIL_INPUT_ENDS = "import sys; sys.stdin.read()"
STUBBORN = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
)


class Watched:
    """A running supervisor, and what it published."""

    def __init__(self) -> None:
        self.tables: asyncio.Queue[ProcessTable] = asyncio.Queue()
        self.stop = asyncio.Event()
        self.latest: dict[str, ProcessRecord] = {}

    async def until(self, condition: Callable[[dict[str, ProcessRecord]], bool]) -> None:
        while not condition(self.latest):
            self.latest = {record.name: record for record in (await self.tables.get()).processes}

    def identity(self, name: str) -> ProcessIdentity:
        found = self.latest[name].identity
        assert found is not None
        return found


@asynccontextmanager
async def supervised(folder: Path, **programs: str) -> AsyncIterator[Watched]:
    watched = Watched()
    commands = {name: [sys.executable, "-c", program] for name, program in programs.items()}
    keeper = Supervisor(commands, lambda name: folder / f"{name}.log", watched.tables.put_nowait, RealClock())
    running = asyncio.create_task(keeper.run(watched.stop))
    try:
        yield watched
    finally:
        watched.stop.set()
        await running


async def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    async with supervised(tmp_path, one=UNTIL_INPUT_ENDS, two=UNTIL_INPUT_ENDS) as watched:
        await watched.until(lambda latest: len(latest) == 2)
        first, other = watched.identity("one"), watched.identity("two")
        os.kill(first.pid, signal.SIGKILL)
        await watched.until(lambda latest: latest["one"].restarts == 1 and latest["one"].state == ProcessState.RUNNING)
        again = watched.identity("one")
        assert again != first
        assert is_alive(again)
        assert is_alive(other)
        assert watched.latest["one"].last_exit == "signal 9 (SIGKILL)"
    assert not any(is_alive(identity) for identity in (first, again, other))


async def test_a_process_that_says_it_cannot_work_is_left(tmp_path: Path) -> None:
    async with supervised(tmp_path, one="print('no such profile'); raise SystemExit(2)") as watched:
        await watched.until(lambda latest: "one" in latest and latest["one"].state == ProcessState.FAILED)
    assert (tmp_path / "one.log").read_text() == "no such profile\n"
    assert watched.latest["one"].last_exit == "exit status 2"


async def test_a_process_that_dies_again_and_again_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(supervisor_module, "DEATHS_LIMIT", 2)
    async with supervised(tmp_path, one="raise SystemExit(1)") as watched:
        await watched.until(lambda latest: "one" in latest and latest["one"].state == ProcessState.FAILED)
    assert watched.latest["one"].restarts == 2


async def test_a_process_that_does_not_listen_is_killed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "STOP_TIMEOUT_S", 0.01)
    async with supervised(tmp_path, one=STUBBORN) as watched:
        await watched.until(lambda latest: "one" in latest)
        deaf = watched.identity("one")
        while not (tmp_path / "one.log").read_text():  # noqa: ASYNC110 - a file is no event
            await asyncio.sleep(0)
    assert not is_alive(deaf)


async def test_an_identity_is_never_that_of_another_process() -> None:
    own = identify(os.getpid())
    assert own is not None
    assert is_alive(own)
    for other in (
        ProcessIdentity(own.pid, own.started_ticks + 1, own.boot),
        ProcessIdentity(own.pid, own.started_ticks, "another boot"),
    ):
        assert not is_alive(other)
        assert not send(other, signal.SIGKILL)


async def test_a_detached_process_is_in_a_session_of_its_own_and_its_remains_do_not_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pid = start_detached([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"], log)
    identity = identify(pid) or ProcessIdentity(pid, 0, "")
    assert await wait_until_gone([identity], RealClock(), 60)
    assert log.read_text() == "True\n"


async def test_waiting_for_a_process_that_stays_ends_in_time() -> None:
    own = identify(os.getpid())
    assert own is not None
    assert not await wait_until_gone([own], RealClock(), 0.0)


async def test_a_module_is_run_by_this_interpreter() -> None:
    assert module_command("a.b", "c") == [sys.executable, "-m", "a.b", "c"]


async def test_exits_are_described_for_people() -> None:
    assert [describe_exit(status) for status in (0, 5, -15, -99)] == [
        "exit status 0", "exit status 5", "signal 15 (SIGTERM)", "signal 99"
    ]  # fmt: skip
