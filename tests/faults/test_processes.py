"""Faults on real processes: killed, ended, frozen by signals and by control groups, and healed whatever happened."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.processes import ProcessIdentity, is_alive, is_stopped, send
from kilonode.base.randomness import Randomness
from kilonode.faults import freezer, signalling
from kilonode.faults.driver import Effect, State, Step
from kilonode.faults.healing import heal_left
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.language import parse
from kilonode.faults.local_processes import LocalProcesses
from kilonode.faults.model import Kind, Target
from kilonode.faults.planning import plan_sentence
from kilonode.faults.registry import Drivers
from kilonode.faults.watching import see
from tests.faults.programs import FAMILY, FORKS, INJECTS, running

CLOCK = RealClock()
DRIVER = LocalProcesses(CLOCK)
DRIVERS = Drivers([DRIVER])
HIERARCHY = freezer.find_hierarchy()

pytestmark = pytest.mark.real_loop
needs_cgroups = pytest.mark.skipif(HIERARCHY is None, reason="control groups cannot be written here")


async def steps(text: str) -> tuple[Step, ...]:
    (part,) = await plan_sentence(parse(text), DRIVERS, Randomness(1))
    return part.fault.steps


async def do(text: str) -> tuple[Step, Effect]:
    """Inject one step; the step in its fullest version."""
    (step,) = await steps(text)
    kept = [step]
    effect = await DRIVER.inject(step, kept.append)
    return kept[-1], effect


def of(head: ProcessIdentity) -> str:
    return f"process '{head.pid}'"


async def test_a_killed_process_takes_its_children_with_it() -> None:
    async with running(FAMILY, "3") as head:
        family = signalling.family_of(head)
        assert len(family) == 4
        _, effect = await do(f"kill {of(head)}")
        assert not any(is_alive(member) for member in family)
        assert effect.at_ns <= CLOCK.now_ns()
        assert "is gone" in effect.words


async def test_killing_one_that_makes_children_all_the_time_leaves_none_of_them() -> None:
    async with running(FORKS) as head:
        await do(f"kill {of(head)}")
        assert signalling.family_of(head) == ()


async def test_a_frozen_process_and_its_children_are_stopped_and_go_on() -> None:
    async with running(FAMILY, "3") as head:
        family = signalling.family_of(head)
        step, _ = await do(f"freeze {of(head)}")
        assert all(is_stopped(member) for member in family)
        await DRIVER.heal(step)
        assert not any(is_stopped(member) for member in family)
        await DRIVER.heal(step)  # twice does no harm
        assert all(is_alive(member) for member in family)


async def test_a_process_that_makes_children_all_the_time_is_frozen_with_all_of_them() -> None:
    async with running(FORKS) as head:
        step, _ = await do(f"freeze {of(head)}")
        family = signalling.family_of(head)
        assert all(is_stopped(member) for member in family)
        await DRIVER.heal(step)
        assert not any(is_stopped(member) for member in family)


async def test_what_somebody_else_had_stopped_stays_stopped() -> None:
    async with running(FAMILY, "2") as head:
        _, child, other = signalling.family_of(head)
        os.kill(child.pid, signal.SIGSTOP)
        step, _ = await do(f"freeze {of(head)}")
        assert is_stopped(other)
        await DRIVER.heal(step)
        assert is_stopped(child)
        assert not is_stopped(other)
        os.kill(head.pid, signal.SIGSTOP)
        await see("stopped", lambda: is_stopped(head), CLOCK, 10)
        with pytest.raises(InputError, match="is stopped already"):
            await steps(f"freeze {of(head)}")


async def test_freezing_one_that_has_just_ended_fails_and_leaves_nothing() -> None:
    async with running(FAMILY, "0") as head:
        (step,) = await steps(f"freeze {of(head)}")
    with pytest.raises(FaultError, match="has ended"):
        await DRIVER.inject(step, lambda fuller: None)
    await DRIVER.heal(step)


async def test_a_terminated_process_may_end_by_itself() -> None:
    async with running(FAMILY, "0") as head:
        _, effect = await do(f"terminate {of(head)}")
        assert not is_alive(head)
        assert "has ended" in effect.words


async def test_unfreeze_has_a_stopped_process_go_on() -> None:
    async with running(FAMILY, "1") as head:
        os.kill(head.pid, signal.SIGSTOP)
        await do(f"unfreeze {of(head)}")
        assert not is_stopped(head)


@needs_cgroups
async def test_the_kernels_freezer_stops_a_family_and_its_group_is_gone_afterwards() -> None:
    assert HIERARCHY is not None
    async with running(FORKS) as head:
        home = _groups(head)
        step, effect = await do(f"freeze {of(head)} by cgroup")
        assert effect.words.rpartition(" ")[2] in _groups_here()
        assert _groups(head) != home
        assert not await _works(head)
        assert not is_stopped(head)  # nobody is told
        await DRIVER.heal(step)
        assert effect.words.rpartition(" ")[2] not in _groups_here()
        assert _groups(head) == home
        await DRIVER.heal(step)


@pytest.mark.parametrize("version", [1, 2])
async def test_both_versions_of_control_groups_freeze_and_leave_nothing(version: int) -> None:
    hierarchy = next((each for each in freezer.find_hierarchies() if each.version == version), None)
    if hierarchy is None:
        pytest.skip(f"control groups of version {version} cannot be written here")
    async with running(FORKS) as head:
        home = _groups(head)
        group = freezer.plan_group(head, hierarchy)
        await freezer.freeze(head, group, "it", CLOCK)
        assert group.path in _groups_here(hierarchy)
        assert not await _works(head)
        await freezer.thaw(group, "it", CLOCK)
        assert group.path not in _groups_here(hierarchy)
        assert _groups(head) == home
        assert await _works(head)


async def test_where_there_are_no_control_groups_it_is_said(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"proc /proc proc rw 0 0\ncgroup2 {tmp_path}/missing cgroup2 rw 0 0\n")
    assert freezer.find_hierarchies(mounts) == ()


@needs_cgroups
async def test_a_group_that_was_only_half_made_is_healed_too() -> None:
    async with running(FAMILY, "1") as head:
        (step,) = await steps(f"freeze {of(head)} by cgroup")
        await DRIVER.heal(step)
        _make_group(step.heals.rpartition(" ")[2], head)
        await DRIVER.heal(step)
        assert step.heals.rpartition(" ")[2] not in _groups_here()
        assert is_alive(head)


async def test_processes_are_found_by_program_and_by_script_but_never_ourselves(tmp_path: Path) -> None:
    script = tmp_path / "kn-test-script"
    script.write_text("import time; print('ready', flush=True); time.sleep(600)")
    async with running(f"import os, sys; os.execv(sys.executable, [sys.executable, {str(script)!r}])") as head:
        (found,) = await DRIVER.find(parse("kill kn-test-script process").parts[0].fault.target)
        assert found.identity == head
        ourselves = (Path(sys.executable).name, str(os.getpid()), str(os.getppid()), "1")
        everything = await DRIVER.find(Target(Kind.PROCESS, ourselves))
        found_pids = {each.identity.pid for each in everything if each.identity}
        assert not {os.getpid(), os.getppid(), 1} & found_pids


async def test_two_of_one_name_are_refused_unless_a_count_is_said(tmp_path: Path) -> None:
    script = tmp_path / "kn-test-twins"
    script.write_text("import time; print('ready', flush=True); time.sleep(600)")
    program = f"import os, sys; os.execv(sys.executable, [sys.executable, {str(script)!r}])"
    async with running(program), running(program):
        with pytest.raises(InputError, match="more than one is called"):
            await steps("freeze kn-test-twins process")
        assert len(await steps("freeze all kn-test-twins processes")) == 2
        assert len(await steps("freeze one of 2 kn-test-twins processes")) == 1


async def test_killing_for_a_while_is_refused_because_nobody_would_start_it_again() -> None:
    async with running(FAMILY, "0") as head:
        with pytest.raises(InputError, match="can start"):
            await steps(f"kill {of(head)} for 10s")
        assert is_alive(head)


async def test_what_works_here_is_said_with_reasons() -> None:
    found = {each.name: each for each in await DRIVER.capabilities()}
    assert found["signals"].state is State.WORKS
    assert (found["cgroup freezer"].state is State.WORKS) == (HIERARCHY is not None)
    assert bool(found["cgroup freezer"].why) == (HIERARCHY is None)


@pytest.mark.parametrize("means", ["signal", pytest.param("cgroup", marks=needs_cgroups)])
@pytest.mark.parametrize("seed", range(5))
async def test_whatever_was_left_by_a_killed_injector_is_healed(tmp_path: Path, means: str, seed: int) -> None:
    """Each seed kills five injectors at random instants of their injecting and healing."""
    stream = random.Random(f"{means} {seed}")
    async with running(FORKS if seed % 2 else FAMILY, "2") as head:
        for number in range(5):
            folder = tmp_path / str(number)
            sentence = f"freeze {of(head)} by {means} for {stream.choice([1, 5, 20])} ms"
            async with running(INJECTS, str(folder), sentence) as injector:
                await asyncio.sleep(stream.uniform(0, 0.1))
                send(injector, signal.SIGKILL)  # unless it has just ended by itself
                await see("gone", lambda: not is_alive(injector), CLOCK, 10)
            await heal_left(folder, DRIVERS, CLOCK, lambda words: None)
            assert not any(record.open for record in journals(folder))
            assert not any(is_stopped(member) for member in signalling.family_of(head))
            assert is_alive(head)
            assert means == "signal" or not set(_groups_here()) & _groups_of(folder)


async def test_a_sentence_about_real_processes_is_carried_out(tmp_path: Path) -> None:
    async with running(FAMILY, "1") as first, running(FAMILY, "1") as second:
        text = f"kill {of(first)} while freeze {of(second)}"
        plan = await plan_sentence(parse(text), DRIVERS, Randomness(1))
        with new_journal(tmp_path, text, CLOCK) as journal:
            injector = Injector(DRIVERS, journal, CLOCK)
            assert await injector.carry_out(plan, asyncio.Event())
        assert not is_alive(first)
        assert not any(is_stopped(member) for member in signalling.family_of(second))
        assert [each.lasting for each in injector.results] == [False, True]


def _groups(head: ProcessIdentity) -> str:
    return Path(f"/proc/{head.pid}/cgroup").read_text()


def _groups_here(hierarchy: freezer.Hierarchy | None = HIERARCHY) -> list[str]:
    return [str(path) for path in Path(hierarchy.root).rglob("kilonode-frozen-*")] if hierarchy else []


def _make_group(path: str, head: ProcessIdentity) -> None:
    Path(path).mkdir()
    (Path(path) / "cgroup.procs").write_text(str(head.pid))


def _groups_of(folder: Path) -> set[str]:
    every = [entry.step for record in journals(folder) for entry in record.entries if entry.step]
    return {step.heals.rpartition(" ")[2] for step in every}


async def _works(head: ProcessIdentity) -> bool:
    """Whether it gets any processor time, asked until it does or for a second."""
    before = _cpu_ticks(head)
    for _ in range(100):
        await CLOCK.sleep(0.01)
        if _cpu_ticks(head) > before:
            return True
    return False


def _cpu_ticks(head: ProcessIdentity) -> int:
    fields = Path(f"/proc/{head.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
