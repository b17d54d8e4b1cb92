"""Faults on services that nobody starts again: real processes of a stand-in stack, ended, started and healed."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from kilonode.base.clock import RealClock
from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.errors import FaultError, InputError
from kilonode.base.processes import ProcessIdentity, identify, is_alive, is_stopped, start_detached, wait_until_gone
from kilonode.base.randomness import Randomness
from kilonode.faults.healing import heal_left
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.language import parse
from kilonode.faults.planning import PlannedPart, plan_sentence
from kilonode.faults.registry import Drivers
from kilonode.faults.stack_members import StackMember, StackMembers

CLOCK = RealClock()
SERVICES = {"keystone": ("keystone",), "compute-001": ("nova-compute",), "compute-002": ("nova-compute",)}

pytestmark = pytest.mark.real_loop


class StandIn:
    """A stack whose services do nothing; which processes they are is in a file, so that others know it too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.starts = 0
        self.broken = False

    def table(self) -> dict[str, ProcessIdentity]:
        file = self.folder / "table.json"
        return decode_json(file.read_bytes(), dict[str, ProcessIdentity]) if file.exists() else {}

    async def members(self, stack: str) -> Sequence[StackMember]:
        alive = {name: each for name, each in self.table().items() if is_alive(each)}
        return [
            StackMember(name, services, name if name.startswith("compute") else "", alive.get(name))
            for name, services in SERVICES.items()
        ]

    async def start(self, stack: str, name: str) -> ProcessIdentity:
        assert stack == "stack"
        if self.broken:
            raise InputError("it ended at once")
        table = self.table()
        if name not in table or not is_alive(table[name]):
            self.starts += 1
            pid = start_detached([sys.executable, "-c", "import time; time.sleep(600)"], self.folder / "log")
            identity = identify(pid)
            assert identity is not None
            table[name] = identity
            (self.folder / "table.json").write_bytes(encode_json(table))
        return table[name]

    async def restart(self, stack: str, name: str) -> ProcessIdentity:
        os.kill(self.table()[name].pid, signal.SIGTERM)
        await wait_until_gone([self.table()[name]], CLOCK, 10)
        return await self.start(stack, name)


@contextlib.asynccontextmanager
async def stack_in(folder: Path) -> AsyncIterator[tuple[StandIn, Drivers]]:
    stacks = StandIn(folder)
    try:
        for name in SERVICES:
            await stacks.start("stack", name)
        yield stacks, Drivers([StackMembers(stacks, "stack", CLOCK)])
    finally:
        for each in stacks.table().values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)


async def plan(text: str, drivers: Drivers) -> tuple[PlannedPart, ...]:
    return await plan_sentence(parse(text), drivers, Randomness(1))


@pytest.mark.parametrize("verb", ["kill", "terminate"])
async def test_what_was_ended_stays_dead_for_its_time_and_is_started_again(tmp_path: Path, verb: str) -> None:
    async with stack_in(tmp_path) as (stacks, drivers):
        before = stacks.table()["keystone"]
        planned = await plan(f"{verb} keystone for 10ms", drivers)
        assert planned[0].fault.steps[0].heals == "start keystone again"
        with new_journal(tmp_path / "faults", verb, CLOCK) as journal:
            injector = Injector(drivers, journal, CLOCK)
            injection = await injector.inject(planned[0].fault)
            assert not is_alive(before)
            assert (await stacks.members("stack"))[0].identity is None
            await injector.heal(injection)
        after = stacks.table()["keystone"]
        assert is_alive(after)
        assert after != before
        assert injector.results[0].healed_ns is not None


async def test_one_of_several_of_a_service_is_chosen_by_its_node_too(tmp_path: Path) -> None:
    async with stack_in(tmp_path) as (_, drivers):
        assert [each.name for each in (await plan("kill one nova-compute", drivers))[0].fault.chosen] != []
        (chosen,) = (await plan("freeze nova-compute on node compute-002", drivers))[0].fault.chosen
        assert chosen.name == "compute-002"
        assert len((await plan("kill nova-compute", drivers))[0].fault.chosen) == 2


async def test_a_start_brings_back_what_does_not_run_and_leaves_alone_what_does(tmp_path: Path) -> None:
    async with stack_in(tmp_path) as (stacks, drivers):
        before = stacks.table()["keystone"]
        with new_journal(tmp_path / "faults", "start", CLOCK) as journal:
            injector = Injector(drivers, journal, CLOCK)
            await injector.inject((await plan("start keystone", drivers))[0].fault)
            assert stacks.table()["keystone"] == before
            os.kill(before.pid, signal.SIGKILL)
            await wait_until_gone([before], CLOCK, 10)
            await injector.inject((await plan("start keystone", drivers))[0].fault)
        assert is_alive(stacks.table()["keystone"])
        assert not any(each.lasting for each in injector.results)


async def test_a_restart_ends_with_another_process(tmp_path: Path) -> None:
    async with stack_in(tmp_path) as (stacks, drivers):
        before = stacks.table()["keystone"]
        with new_journal(tmp_path / "faults", "restart", CLOCK) as journal:
            await Injector(drivers, journal, CLOCK).inject((await plan("restart keystone", drivers))[0].fault)
        assert not is_alive(before)
        assert is_alive(stacks.table()["keystone"])


async def test_what_cannot_be_started_again_stays_in_the_journal_until_it_can(tmp_path: Path) -> None:
    async with stack_in(tmp_path) as (stacks, drivers):
        with new_journal(tmp_path / "faults", "kill", CLOCK) as journal:
            injector = Injector(drivers, journal, CLOCK)
            injection = await injector.inject((await plan("kill keystone", drivers))[0].fault)
            stacks.broken = True
            with pytest.raises(FaultError, match="could not be healed"):
                await injector.heal(injection)
        stacks.broken = False
        (healed,) = await heal_left(tmp_path / "faults", drivers, CLOCK, lambda words: None)
        assert (healed.healed, healed.left) == (1, 0)
        assert is_alive(stacks.table()["keystone"])


async def test_what_does_not_run_cannot_be_killed(tmp_path: Path) -> None:
    async with stack_in(tmp_path) as (stacks, drivers):
        os.kill(stacks.table()["keystone"].pid, signal.SIGKILL)
        await wait_until_gone([stacks.table()["keystone"]], CLOCK, 10)
        with pytest.raises(InputError, match="does not run"):
            await plan("kill keystone", drivers)


async def test_a_frozen_service_goes_on_when_it_is_healed(tmp_path: Path) -> None:
    async with stack_in(tmp_path) as (stacks, drivers):
        with new_journal(tmp_path / "faults", "freeze", CLOCK) as journal:
            injector = Injector(drivers, journal, CLOCK)
            injection = await injector.inject((await plan("freeze keystone", drivers))[0].fault)
            assert is_stopped(stacks.table()["keystone"])
            await injector.heal(injection)
        assert not is_stopped(stacks.table()["keystone"])


INJECTS = """
import asyncio, pathlib, sys
from kilonode.faults.injecting import Injector
from kilonode.faults.journal import new_journal
from kilonode.faults.registry import Drivers
from kilonode.faults.stack_members import StackMembers
from tests.faults.test_stack_members import CLOCK, StandIn, plan

async def main():
    folder = pathlib.Path(sys.argv[1])
    drivers = Drivers([StackMembers(StandIn(folder), "stack", CLOCK)])
    planned = await plan("kill keystone", drivers)
    with new_journal(folder / "faults", "kill", CLOCK) as journal:
        await Injector(drivers, journal, CLOCK).inject(planned[0].fault)
        print("killed", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_what_one_process_killed_before_it_was_killed_itself_is_started_by_another(tmp_path: Path) -> None:
    async with stack_in(tmp_path) as (stacks, _):
        before = stacks.table()["keystone"]
        injector = await asyncio.create_subprocess_exec(
            sys.executable, "-c", INJECTS, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert injector.stdout is not None
        assert (await injector.stdout.readline()).strip() == b"killed"
        injector.kill()
        await injector.wait()
        assert not is_alive(before)
        # Whoever heals knows of no stack: the journal says which it was.
        others = Drivers([StackMembers(stacks, "", CLOCK)])
        await heal_left(tmp_path / "faults", others, CLOCK, lambda words: None)
        assert is_alive(stacks.table()["keystone"])
        assert not any(record.open for record in journals(tmp_path / "faults"))


async def test_what_nobody_finds_is_told_by_a_driver_that_could_look(tmp_path: Path) -> None:
    class NoStacks(StandIn):
        async def members(self, stack: str) -> Sequence[StackMember]:
            raise InputError("there is no stack")

    class Another(StackMembers):
        name = "another"

    none, some = StackMembers(NoStacks(tmp_path), "a", CLOCK), Another(StandIn(tmp_path), "stack", CLOCK)
    with pytest.raises(InputError, match="there is no service 'keystoen'") as raised:
        await plan("kill keystoen", Drivers([none, some]))
    assert "keystone" in str(raised.value)
    with pytest.raises(InputError, match="there is no stack"):
        await plan("kill keystone", Drivers([none]))
