"""Running the packet filter's commands, on the loop that runs have."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import uvloop

from kilonode.base.clock import RealClock
from kilonode.base.errors import FaultError
from kilonode.base.processes import identify, wait_until_gone
from kilonode.faults import netfilter
from kilonode.faults.watching import see

CLOCK = RealClock()


def test_a_command_that_has_ended_before_it_is_spoken_to_has_been_run(monkeypatch: pytest.MonkeyPatch) -> None:
    create = asyncio.create_subprocess_exec

    async def create_and_let_it_end(*command: str, **settings: Any) -> asyncio.subprocess.Process:
        process = await create(*command, **settings)
        await process.wait()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", create_and_let_it_end)
    assert uvloop.run(netfilter.run(["echo", "done"])) == "done\n"
    assert uvloop.run(netfilter.run(["echo", "done"], "words that echo does not read")) == "done\n"
    with pytest.raises(FaultError, match="refused"):
        uvloop.run(netfilter.run(["false"]))


def test_a_command_is_given_its_words_whole() -> None:
    words = "table inet x\n" * 20_000
    assert uvloop.run(netfilter.run(["cat"], words)) == words


def test_a_command_that_does_not_end_is_ended_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netfilter, "_TIMEOUT_S", 0.05)
    with pytest.raises(FaultError, match=r"did not end in 0\.05 s"):
        uvloop.run(netfilter.run(["sleep", "60"]))


def test_a_command_has_ended_when_it_has_whatever_it_leaves_running() -> None:
    pid = int(uvloop.run(netfilter.run(["sh", "-c", "sleep 60 & echo $!"])))
    os.kill(pid, signal.SIGKILL)  # it is still there


@pytest.mark.parametrize("late_s", [0.0, 0.3], ids=["while it runs", "while it is started"])
def test_a_command_that_is_given_up_is_ended_with_what_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late_s: float
) -> None:
    create = asyncio.create_subprocess_exec
    started = tmp_path / "pid"

    async def started_late(*command: str, **settings: Any) -> asyncio.subprocess.Process:
        process = await create(*command, **settings)
        await asyncio.sleep(late_s)
        return process

    async def give_up() -> None:
        running = asyncio.create_task(netfilter.run(["sh", "-c", f"sleep 60 & echo $! >{started}; wait"]))
        await see("started", lambda: started.exists() and started.read_text().endswith("\n"), CLOCK, 30)
        identity = identify(int(started.read_text()))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()
        assert identity is not None
        assert await wait_until_gone([identity], CLOCK, 30)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started_late)
    uvloop.run(give_up())
