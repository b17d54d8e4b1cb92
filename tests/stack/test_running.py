import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError
from kilonode.base.processes import is_alive, start_detached
from kilonode.stack.folder import StackFolder
from kilonode.stack.running import MARK, end_all, end_strays, processes_of, start, until_ready
from kilonode.stack.services import Service

pytestmark = pytest.mark.real_loop

SLEEP = ("/bin/sleep", "600")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StackFolder]:
    folder = StackFolder(tmp_path, "stack")
    folder.make()
    yield folder
    for identity in processes_of(folder):
        os.kill(identity.pid, signal.SIGKILL)


async def test_a_process_that_runs_is_not_started_twice(folder: StackFolder) -> None:
    first = start(folder, Service("sleeper", SLEEP))
    assert start(folder, Service("sleeper", SLEEP)) == first
    assert len(processes_of(folder)) == 1


async def test_what_was_started_but_not_recorded_is_found_and_ended(folder: StackFolder) -> None:
    pid = start_detached(SLEEP, folder.log("lost"), {MARK: str(folder.path)})
    assert [identity.pid for identity in processes_of(folder)] == [pid]
    assert await end_all(folder, RealClock()) == 1
    assert processes_of(folder) == ()


async def test_commands_that_outlived_their_up_are_ended_and_services_are_not(folder: StackFolder) -> None:
    service = start(folder, Service("sleeper", SLEEP))
    start_detached(SLEEP, folder.log("lost"), {MARK: str(folder.path)})
    await end_strays(folder, RealClock())
    assert processes_of(folder) == (service.identity,)


async def test_children_that_hide_their_environment_are_ended_with_the_session_they_are_in(folder: StackFolder) -> None:
    script = "env -i /bin/sleep 600 & env -i /bin/sleep 600 & wait"
    record = start(folder, Service("parent", ("/bin/sh", "-c", script)))

    async def missing() -> str:
        return "" if len(processes_of(folder)) == 3 else "children"

    await until_ready(folder, [record], RealClock(), 10.0, missing)
    os.kill(record.identity.pid, signal.SIGKILL)

    async def leader_runs() -> str:
        return "the leader runs" if is_alive(record.identity) else ""

    await until_ready(folder, [], RealClock(), 10.0, leader_runs)
    assert await end_all(folder, RealClock()) == 2
    assert processes_of(folder) == ()


async def test_processes_of_others_are_never_touched(folder: StackFolder, tmp_path: Path) -> None:
    other = StackFolder(tmp_path, "other")
    other.make()
    theirs = start(other, Service("sleeper", SLEEP))
    stranger = subprocess.Popen(SLEEP, start_new_session=True)  # noqa: ASYNC220 - nobody waits for it
    try:
        start(folder, Service("sleeper", SLEEP))
        assert await end_all(folder, RealClock()) == 1
        assert is_alive(theirs.identity)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        await end_all(other, RealClock())


async def test_a_process_that_ends_while_it_is_waited_for_is_an_error_with_its_last_words(folder: StackFolder) -> None:
    async def never() -> str:
        return "nothing yet"

    async def start_and_wait() -> None:
        record = start(folder, Service("broken", ("/bin/sh", "-c", "echo no such key; exit 3")))
        await until_ready(folder, [record], RealClock(), 10.0, never)

    with pytest.raises(InputError, match="broken ended at once") as caught:
        await start_and_wait()
    assert caught.value.problem.got == "no such key"
    assert "kilonode stack logs broken" in caught.value.problem.hint


async def test_what_does_not_get_ready_in_time_says_what_was_missing(folder: StackFolder) -> None:
    record = start(folder, Service("slow", SLEEP))

    async def never() -> str:
        return "port 1: connection refused"

    with pytest.raises(InputError, match="slow did not get ready") as caught:
        await until_ready(folder, [record], RealClock(), 0.0, never)
    assert caught.value.problem.got.startswith("port 1: connection refused")
