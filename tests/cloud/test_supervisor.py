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
from kilonode.base.errors import InputError, LabError
from kilonode.base.processes import (
    ProcessIdentity,
    identify,
    is_alive,
    module_command,
    send,
    start_detached,
    wait_until_gone,
)
from kilonode.cloud import keeping
from kilonode.cloud.commands import ProcessChange, ProcessCommand
from kilonode.cloud.control_channel import RestartRequest, answering, ask
from kilonode.cloud.folder import ProcessRecord, ProcessState, ProcessTable
from kilonode.cloud.keeping import describe_exit
from kilonode.cloud.supervisor import Supervisor

pytestmark = [pytest.mark.real_loop, pytest.mark.processes]

UNTIL_INPUT_ENDS = "import sys; sys.stdin.read()"
STUBBORN = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
)


WORKER = """
import os, sys
NAME = os.path.basename(os.readlink("/proc/self/fd/1")).removesuffix(".log")
def say(word): os.write(int(os.environ["KILONODE_CUES"]), word.encode() + b"\\n")
if os.environ.get("CANNOT") == NAME: sys.exit(1)
say("prepared")
for line in sys.stdin:
    print(os.environ.get("LABEL", "first"), line.strip(), flush=True)
    if line == "go\\n": say("ready")
    if line == "drain\\n": break
"""
"""Does what a role process does: begins when it may, lets go when it is told to."""
AS_IT_IS = ProcessChange()


class Watched:
    """A running supervisor, and what it published."""

    def __init__(self) -> None:
        self.tables: asyncio.Queue[ProcessTable] = asyncio.Queue()
        self.stop = asyncio.Event()
        self.latest: dict[str, ProcessRecord] = {}
        self.supervisor: Supervisor

    async def replace(self, name: str, change: ProcessChange = AS_IT_IS) -> list[str]:
        told: list[str] = []
        await self.supervisor.restart(RestartRequest((name,), change), told.append)
        return told

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
    commands = {
        name: ProcessCommand((sys.executable, "-c", program), version="A") for name, program in programs.items()
    }
    watched.supervisor = Supervisor(
        commands, lambda name: folder / f"{name}.log", watched.tables.put_nowait, RealClock()
    )
    running = asyncio.create_task(watched.supervisor.run(watched.stop))
    try:
        yield watched
    finally:
        watched.stop.set()
        await running


async def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    async with supervised(tmp_path, one=UNTIL_INPUT_ENDS, two=UNTIL_INPUT_ENDS) as watched:
        await watched.until(lambda latest: len(latest) == 2 and all(one.identity for one in latest.values()))
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
    monkeypatch.setattr(keeping, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(keeping, "DEATHS_LIMIT", 2)
    async with supervised(tmp_path, one="raise SystemExit(1)") as watched:
        await watched.until(lambda latest: "one" in latest and latest["one"].state == ProcessState.FAILED)
    assert watched.latest["one"].restarts == 2


async def test_a_process_that_does_not_listen_is_killed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "STOP_TIMEOUT_S", 0.01)
    async with supervised(tmp_path, one=STUBBORN) as watched:
        await watched.until(lambda latest: "one" in latest and latest["one"].identity is not None)
        deaf = watched.identity("one")
        while not (tmp_path / "one.log").read_text():  # noqa: ASYNC110 - a file is no event
            await asyncio.sleep(0)
    assert not is_alive(deaf)


async def test_several_take_over_at_one_instant_or_none_of_them(tmp_path: Path) -> None:
    async with supervised(tmp_path, one=WORKER, two=WORKER) as watched:
        await watched.until(lambda latest: len(latest) == 2 and all(one.ready for one in latest.values()))
        before = watched.identity("one"), watched.identity("two")

        async def replace(**variables: str) -> None:
            change = ProcessChange(version="B", environment={"LABEL": "second", **variables})
            await watched.supervisor.restart(RestartRequest(("one", "two"), change, together=True), lambda said: None)

        with pytest.raises(LabError, match="two cannot be replaced; the process that was there goes on"):
            await replace(CANNOT="two")
        assert all(is_alive(identity) for identity in before)
        assert [(tmp_path / f"{name}.log").read_text().split() for name in ("one", "two")] == [["first", "go"]] * 2
        await replace()
        await watched.until(lambda latest: all(one.version == "B" and one.ready for one in latest.values()))
        assert not any(is_alive(identity) for identity in before)
        assert {watched.identity(name) for name in ("one", "two")}.isdisjoint(before)
        for name in ("one", "two"):
            assert (tmp_path / f"{name}.log").read_text().splitlines() == ["first go", "second go", "first drain"]


async def test_a_replacement_begins_only_when_the_process_it_replaces_has_let_go(tmp_path: Path) -> None:
    async with supervised(tmp_path, one=WORKER) as watched:
        await watched.until(lambda latest: "one" in latest and latest["one"].ready)
        first = watched.identity("one")
        told = await watched.replace("one", ProcessChange(version="B", environment={"LABEL": "second"}))
        assert f"pid {first.pid} ended" in told[0]
        await watched.until(lambda latest: latest["one"].replacements == 1 and latest["one"].ready)
        second = watched.latest["one"]
        assert (second.version, second.restarts, second.last_exit) == ("B", 0, "")
        assert watched.identity("one") != first
        assert not is_alive(first)
        assert (tmp_path / "one.log").read_text().splitlines() == ["first go", "first drain", "second go"]
        os.kill(watched.identity("one").pid, signal.SIGKILL)
        await watched.until(lambda latest: latest["one"].restarts == 1 and latest["one"].ready)
        assert watched.latest["one"].version == "B"
    assert (tmp_path / "one.log").read_text().splitlines()[3] == "second go"


async def test_a_replacement_that_does_not_come_up_changes_nothing(tmp_path: Path) -> None:
    async with supervised(tmp_path, one=WORKER) as watched:
        await watched.until(lambda latest: "one" in latest and latest["one"].ready)
        first = watched.identity("one")
        with pytest.raises(LabError, match="goes on") as caught:
            await watched.replace("one", ProcessChange(version="B", interpreter="/bin/false"))
        assert "exit status 1" in str(caught.value)
        with pytest.raises(LabError, match="cannot be started"):
            await watched.replace("one", ProcessChange(version="B", interpreter="/no/such/python"))
        with pytest.raises(InputError, match="no such process"):
            await watched.replace("two")
        assert is_alive(first)
        assert (watched.latest["one"].version, watched.latest["one"].replacements) == ("A", 0)


async def test_a_process_that_was_given_up_is_started_by_a_restart(tmp_path: Path) -> None:
    async with supervised(tmp_path, one="raise SystemExit(2)") as watched:
        await watched.until(lambda latest: "one" in latest and latest["one"].state == ProcessState.FAILED)
        with pytest.raises(LabError, match="there is still none"):
            await watched.replace("one")
    counted = "import pathlib; p = pathlib.Path('count'); n = p.exists(); p.touch(); n or exit(2)\n" + WORKER
    counted = counted.replace("'count'", repr(str(tmp_path / "count")))
    async with supervised(tmp_path, two=counted) as watched:
        await watched.until(lambda latest: "two" in latest and latest["two"].state == ProcessState.FAILED)
        await watched.replace("two")
        await watched.until(lambda latest: latest["two"].state == ProcessState.RUNNING and latest["two"].ready)


async def test_a_frozen_process_can_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "DRAIN_TIMEOUT_S", 0.01)
    async with supervised(tmp_path, one=WORKER) as watched:
        await watched.until(lambda latest: "one" in latest and latest["one"].ready)
        first = watched.identity("one")
        os.kill(first.pid, signal.SIGSTOP)
        await watched.replace("one")
        assert not is_alive(first)
        await watched.until(lambda latest: latest["one"].replacements == 1 and latest["one"].ready)


async def test_a_supervisor_is_asked_by_a_socket_for_its_owner_alone_however_long_its_folders_name(
    tmp_path: Path,
) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    wanted = RestartRequest(("one", "two"), ProcessChange(version="B"))

    async def act(request: RestartRequest, tell: Callable[[str], None]) -> None:
        assert request == wanted
        tell("half way")
        if asked:
            raise InputError("no more")
        asked.append(request)

    asked: list[RestartRequest] = []
    for _ in range(2):  # also where a supervisor that was killed left its socket
        async with answering(folder, act):
            assert (folder / "control").stat().st_mode & 0o777 == 0o600
            if not asked:
                assert [said async for said in ask(folder, wanted)] == ["half way"]
            else:
                with pytest.raises(LabError, match="could not do") as caught:
                    assert [said async for said in ask(folder, wanted)]
                assert "no more" in str(caught.value)
    with pytest.raises(InputError, match="does not answer"):
        assert [said async for said in ask(folder, wanted)]


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
