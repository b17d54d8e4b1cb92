"""A machine under stress, and full disks: small ones that the tests make."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError
from kilonode.base.processes import is_alive, send
from kilonode.base.randomness import Randomness
from kilonode.faults import detached
from kilonode.faults.driver import Effect, Step, recall
from kilonode.faults.healing import heal_left
from kilonode.faults.journal import journals
from kilonode.faults.language import parse
from kilonode.faults.machine_faults import MachineFaults, MachineMemory
from kilonode.faults.planning import plan_sentence
from kilonode.faults.registry import Drivers
from kilonode.faults.watching import see
from tests.faults.programs import INJECTS_STRESS, running

pytestmark = pytest.mark.real_loop
CLOCK = RealClock()
DRIVER = MachineFaults(CLOCK)
DRIVERS = Drivers([DRIVER])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", folder], check=False)
    if mounted.returncode:
        pytest.skip("a disk cannot be mounted here: needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


async def planned(sentence: str) -> Step:
    (part,) = await plan_sentence(parse(sentence), DRIVERS, Randomness(1))
    (step,) = part.fault.steps
    return step


@contextlib.asynccontextmanager
async def injected(sentence: str) -> AsyncIterator[tuple[Step, Effect]]:
    step = await planned(sentence)
    try:
        yield step, await DRIVER.inject(step, lambda fuller: None)
    finally:
        await DRIVER.heal(step)
        await DRIVER.heal(step)
        assert detached.find(recall(step, MachineMemory).token) == ()


@pytest.fixture(params=["stress-ng", "our own workers"])
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who stresses."""
    if request.param != "stress-ng":
        monkeypatch.setattr("kilonode.faults.machine_faults.STRESS_NG", "no-such-program")
    elif shutil.which("stress-ng") is None:
        pytest.skip("needs stress-ng (apt-get install stress-ng)")
    return str(request.param)


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize(("resource", "words"), [("cpu", "processors of this machine are used"), ("disk", "MiB/s")])
async def test_what_is_stressed_is_seen_to_be_used(resource: str, words: str) -> None:
    async with injected(f"stress {resource} at 30% on node localhost") as (_, effect):
        assert words in effect.words


async def test_the_kernel_is_stressed_by_stress_ng_alone(workers: str) -> None:
    sentence = "stress kernel at 20% on node localhost for 30s"
    if workers != "stress-ng":
        with pytest.raises(InputError, match="cannot be stressed"):
            await planned(sentence)
        return
    async with injected(sentence) as (step, effect):
        memory = recall(step, MachineMemory)
        assert "of that in the kernel" in effect.words
        assert memory.lifetime_s == 90
        carrying = [cmdline(each.pid) for each in detached.find(memory.token)]
        theirs = [line for line in carrying if line.startswith(memory.program.encode() + b"\0")]
        assert len(theirs) > 4
        assert all(b"\x0090s\0" in line for line in theirs)
    assert memory.token not in os.listdir(tempfile.gettempdir())  # noqa: PTH208


async def test_workers_end_with_the_process_that_started_them_and_by_themselves(workers: str) -> None:
    resource = "kernel" if workers == "stress-ng" else "cpu"
    async with injected(f"stress {resource} at 10% on node localhost") as (step, _):
        token = recall(step, MachineMemory).token
        (leader,) = [each for each in detached.find(token) if b"stress_process" in cmdline(each.pid)][:1]
        os.kill(leader.pid, signal.SIGALRM)  # what its own timer sends
        await see("gone", lambda: not detached.find(token), CLOCK, 20)


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.usefixtures("workers")
async def test_memory_is_held_up_to_the_percent_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kilonode.faults.machine_faults._memory_bytes", lambda percent: 2**26)
    async with injected("stress memory at 50% on node localhost") as (_, effect):
        assert int(effect.words.split()[0]) >= 57  # nine tenths are seen before it is said


async def test_a_disk_is_as_full_as_the_sentence_says_and_empty_again(disk: Path) -> None:
    async with injected(f"fill disk {disk} to 75% on node localhost") as (_, effect):
        assert effect.words.startswith("75.0%")
        (disk / "small").write_bytes(bytes(1_000_000))
        with pytest.raises(InputError, match="as full already"):
            await planned(f"fill disk {disk} to 75% on node localhost")
    assert os.listdir(disk) == ["small"]  # noqa: PTH208


async def test_without_a_percent_nothing_can_be_written_any_more(disk: Path) -> None:
    async with injected(f"fill disk {disk} on node localhost"):
        with pytest.raises(OSError, match="No space left"):
            (disk / "more").write_bytes(bytes(1_000_000))
    (disk / "more").write_bytes(bytes(1_000_000))


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("stress cpu at 10% on one node", "no such node"),
        ("stress memory at 99% on node localhost", "no memory left"),
        ("fill disk on node localhost", "which disk"),
        ("fill disk /nowhere/at/all on node localhost", "not a folder"),
        ("fill disk relative on node localhost", "not a folder"),
        ("skew clock by -5s on node localhost", "everybody's"),
    ],
)
async def test_what_would_harm_or_cannot_be_is_refused(sentence: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        await planned(sentence)


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_a_killed_injector_left_is_healed(disk: Path, tmp_path: Path, seed: int) -> None:
    """Each seed kills injectors at random instants of their injecting and healing."""
    stream = random.Random(seed)
    for number in range(4):
        folder = tmp_path / str(number)
        sentence = stream.choice(
            [
                "stress cpu at 10% on node localhost for 20ms",
                "stress disk at 10% on node localhost for 20ms",
                f"fill disk {disk} on node localhost for 20ms",
            ]
        )
        async with running(INJECTS_STRESS, str(folder), sentence) as injector:
            await asyncio.sleep(stream.uniform(0, 1.2))
            send(injector, signal.SIGKILL)  # unless it has just ended by itself
            await see("gone", lambda injector=injector: not is_alive(injector), CLOCK, 10)  # type: ignore[misc]
        await heal_left(folder, DRIVERS, CLOCK, lambda words: None)
        entries = [entry for record in journals(folder) for entry in record.entries]
        assert not any(entry.open for entry in entries)
        assert os.listdir(disk) == []  # noqa: PTH208
        for entry in entries:
            assert entry.step is not None
            assert detached.find(recall(entry.step, MachineMemory).token) == ()
