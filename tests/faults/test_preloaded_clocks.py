"""The clock of a program that is not ours, told by a library that was loaded before it: a real one, that sleeps too."""

import asyncio
import contextlib
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base import clock_file
from kilonode.base.clock import NANOSECONDS_PER_SECOND, RealClock
from kilonode.base.errors import InputError
from kilonode.base.processes import ProcessIdentity, identify, is_alive, wait_until_gone
from kilonode.base.randomness import Randomness
from kilonode.faults.driver import Step
from kilonode.faults.healing import heal_left
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.language import parse
from kilonode.faults.local_processes import LocalProcesses
from kilonode.faults.planning import plan_sentence
from kilonode.faults.registry import Drivers
from kilonode.faults.watching import see

pytestmark = [
    pytest.mark.real_loop,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a compiler (apt-get install gcc libc6-dev)"),
]
CLOCK = RealClock()
DRIVERS = Drivers([LocalProcesses(CLOCK)])
TELLS = """
import datetime, os, sys, threading, time
if os.fork() == 0:
    while os.getppid() != 1:
        time.time()
        time.sleep(0.05)
    os._exit(0)
for _ in sys.stdin:
    before = time.monotonic()
    time.sleep(0.02)
    threading.Event().wait(0.02)
    waited = time.monotonic() - before
    print(time.time(), datetime.datetime.now(datetime.UTC).timestamp(), waited, time.monotonic(), flush=True)
"""
"""Says what time it is by several clocks whenever it is asked, with a child that looks at the time too."""


class Program:
    """The program, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process, identity: ProcessIdentity) -> None:
        self.process = process
        self.identity = identity

    async def off_s(self) -> float:
        """What its wall clock is off by; everything else it says must be right."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        wall, utc, waited, monotonic = map(float, (await self.process.stdout.readline()).split())
        assert wall == pytest.approx(utc, abs=1)
        assert waited >= 0.04
        assert monotonic == pytest.approx(CLOCK.now_ns() / 1e9, abs=20)
        return wall - CLOCK.utc().timestamp()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Path(str(files("kilonode.stack") / "placed" / "wall_clock.c"))
    built = tmp_path_factory.mktemp("library") / "wall_clock.so"
    options = ["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC"]
    subprocess.run(["cc", *options, "-o", built, source, "-ldl", "-lpthread"], check=True)
    return built


@contextlib.asynccontextmanager
async def told(library: Path, file: Path) -> AsyncIterator[Program]:
    clock_file.make_clock_file(file)
    variables = {**os.environ, "LD_PRELOAD": str(library), clock_file.CLOCK_VARIABLE: str(file)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TELLS, env=variables, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    identity = identify(process.pid)
    assert identity is not None
    try:
        program = Program(process, identity)
        await program.off_s()
        yield program
    finally:
        if is_alive(identity):
            process.kill()
        await process.communicate()


async def planned(sentence: str) -> Step:
    (part,) = await plan_sentence(parse(sentence), DRIVERS, Randomness(1))
    (step,) = part.fault.steps
    return step


async def test_wall_clock_time_is_off_and_nothing_else_is(library: Path, tmp_path: Path) -> None:
    async with told(library, tmp_path / "clock") as program:
        assert await program.off_s() == pytest.approx(0, abs=5)
        step = await planned(f"skew clock of process '{program.identity.pid}' by -90s")
        effect = await DRIVERS.named("processes").inject(step, lambda fuller: None)
        assert re.search(r"pid \d+.*-90s off", effect.words)
        assert await program.off_s() == pytest.approx(-90, abs=5)
        with pytest.raises(InputError, match="off already"):
            await planned(f"skew clock of process '{program.identity.pid}' by 5s")
        for _ in range(2):
            await DRIVERS.named("processes").heal(step)
        assert await program.off_s() == pytest.approx(0, abs=5)
        assert set(clock_file.said_ns(tmp_path / "clock").values()) == {0}
        assert len(clock_file.said_ns(tmp_path / "clock")) == 2, "its child says what it goes by too"


async def test_whoever_comes_later_sets_it_right(library: Path, tmp_path: Path) -> None:
    async with told(library, tmp_path / "clock") as program:
        (part,) = await plan_sentence(
            parse(f"skew clock of process '{program.identity.pid}' by 1d"), DRIVERS, Randomness(1)
        )
        with new_journal(tmp_path / "journals", "skew", CLOCK) as journal:
            await Injector(DRIVERS, journal, CLOCK).inject(part.fault)
        assert await program.off_s() == pytest.approx(86_400, abs=5)
        await heal_left(tmp_path / "journals", DRIVERS, CLOCK, lambda words: None)
        assert await program.off_s() == pytest.approx(0, abs=5)
        assert not any(record.open for record in journals(tmp_path / "journals"))


async def test_what_has_ended_took_its_clock_with_it(library: Path, tmp_path: Path) -> None:
    async with told(library, tmp_path / "clock") as program:
        step = await planned(f"skew clock of process '{program.identity.pid}' by 5s")
        await DRIVERS.named("processes").inject(step, lambda fuller: None)
        program.process.kill()
        await program.process.wait()
        assert await wait_until_gone([program.identity], CLOCK, 20)
        await DRIVERS.named("processes").heal(step)
        assert clock_file.offset_ns_of(tmp_path / "clock") == 0
        (tmp_path / "clock").unlink()
        assert "gone" in (await DRIVERS.named("processes").heal(step)).words


async def test_of_a_program_that_does_not_look_at_its_clock_it_is_said_so(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kilonode.faults.preloaded_clocks.SOON_S", 0.05)
    clock_file.make_clock_file(tmp_path / "clock")
    with (tmp_path / "clock").open("r+b") as file:  # the word of one that ended, whose pid is another's by now: ours
        file.seek(16)
        file.write(struct.pack("<qq", os.getpid(), 5 * NANOSECONDS_PER_SECOND))
    variables = {**os.environ, "LD_PRELOAD": str(library), clock_file.CLOCK_VARIABLE: str(tmp_path / "clock")}
    process = await asyncio.create_subprocess_exec("sleep", "60", env=variables)
    try:
        await see("mapped", lambda: clock_file.clock_file_of(process.pid) is not None, CLOCK, 20)
        step = await planned(f"skew clock of process '{process.pid}' by 5s")
        effect = await DRIVERS.named("processes").inject(step, lambda fuller: None)
        assert "has not looked since" in effect.words
        assert "right" in (await DRIVERS.named("processes").heal(step)).words
    finally:
        process.kill()
        await process.wait()


async def test_a_program_without_the_library_is_refused() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        with pytest.raises(InputError, match="it is the machine's"):
            await planned(f"skew clock of process '{process.pid}' by 5s")
    finally:
        process.kill()
        await process.wait()


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=5))
def test_a_clock_file_says_what_was_put_in_last(tmp_path_factory: pytest.TempPathFactory, offsets: list[int]) -> None:
    file = tmp_path_factory.mktemp("clocks") / "deep" / "clock"
    for offset_ns in offsets:
        clock_file.make_clock_file(file)
        clock_file.put_off(file, offset_ns)
        assert clock_file.offset_ns_of(file) == offset_ns
    assert clock_file.said_ns(file) == {}
