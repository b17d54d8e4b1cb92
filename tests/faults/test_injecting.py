"""Injecting and healing on virtual time: the order that nothing may change, and healing however it ends."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.randomness import Randomness
from kilonode.faults.driver import Capability, Effect, Found, Keep, Step
from kilonode.faults.healing import heal_left
from kilonode.faults.injecting import Disrupted, Injector
from kilonode.faults.journal import journals, new_journal, read_journal
from kilonode.faults.language import parse
from kilonode.faults.model import Action, Fault, Kind, Target
from kilonode.faults.planning import plan_sentence
from kilonode.faults.registry import Drivers

LEAVES_NOTHING = {Action.KILL, Action.RESTART}


class Diary:
    """A driver for three services that only writes down what it is told to, and when."""

    name = "diary"

    def __init__(self, clock: SimulatedClock, folder: Path) -> None:
        self.clock = clock
        self.folder = folder
        self.lines: list[str] = []
        self.refuses = ""
        self.stays_broken = ""
        self.takes_s = 0.0
        self.healing_takes_s = 0.0
        self.there = ["api-1", "api-2", "scheduler"]

    def handles(self, fault: Fault) -> bool:
        return fault.target.kind is Kind.SERVICE

    async def find(self, target: Target) -> Sequence[Found]:
        things = [Found(Kind.SERVICE, name, (name.partition("-")[0],)) for name in self.there]
        return [each for each in things if not target.names or {each.name, *each.groups} & set(target.names)]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        heals = "" if fault.action in LEAVES_NOTHING else "heal it"
        return [Step(self.name, fault.action, each.name, f"{fault.action} {each.name}", heals) for each in found]

    async def inject(self, step: Step, keep: Keep) -> Effect:
        self._must_be_in_the_journal(step)
        if self.takes_s:
            await self.clock.sleep(self.takes_s)
        if step.name == self.refuses:
            raise FaultError("no")
        self._note(step.words)
        return Effect(self.clock.now_ns(), step.words)

    async def heal(self, step: Step) -> Effect:
        if step.name in self.stays_broken.split():
            raise FaultError("stays broken")
        if self.healing_takes_s:
            await self.clock.sleep(self.healing_takes_s)
        self._note(f"heal {step.name}")
        return Effect(self.clock.now_ns(), f"healed {step.name}")

    async def capabilities(self) -> Sequence[Capability]:
        return ()

    def _must_be_in_the_journal(self, step: Step) -> None:
        written = [entry.step for record in journals(self.folder) for entry in record.entries]
        assert step in written

    def _note(self, words: str) -> None:
        self.lines.append(f"{self.clock.now_ns() / 1e9:g} {words}")


class Lab:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SimulatedClock(asyncio.get_running_loop())
        self.diary = Diary(self.clock, folder)
        self.drivers = Drivers([self.diary])
        self.stop = asyncio.Event()
        self.results: list[Disrupted] = []
        self.own_end: bool | None = None

    async def do(self, text: str, stop_after_s: float | None = None) -> list[str]:
        plan = await plan_sentence(parse(text), self.drivers, Randomness(1))
        if stop_after_s is not None:
            asyncio.get_running_loop().call_later(stop_after_s, self.stop.set)
        with new_journal(self.folder, text, self.clock) as journal:
            injector = Injector(self.drivers, journal, self.clock)
            try:
                self.own_end = await injector.carry_out(plan, self.stop)
            finally:
                self.results = injector.results
        return self.diary.lines

    def open(self) -> int:
        return sum(len(record.open) for record in journals(self.folder))


async def test_a_fault_with_a_duration_is_healed_at_its_end(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    assert await lab.do("freeze scheduler for 10 seconds") == ["0 freeze scheduler", "10 heal scheduler"]
    assert lab.results == [
        Disrupted("freeze scheduler for 10s", 0, told_ns=0, took_effect_ns=0, healed_ns=10_000_000_000, lasting=True)
    ]
    assert (lab.own_end, lab.open()) == (True, 0)


async def test_the_duration_counts_from_the_effect_and_not_from_the_attempt(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.diary.takes_s = 3
    assert await lab.do("freeze scheduler for 10s") == ["3 freeze scheduler", "13 heal scheduler"]
    assert (lab.results[0].due_ns, lab.results[0].told_ns, lab.results[0].took_effect_ns) == (0, 0, 3_000_000_000)


async def test_parts_follow_one_another_and_pauses_are_kept(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lines = await lab.do("after 5s freeze api-1 for 10s, then after 2s kill scheduler, then kill api-2")
    assert lines == ["5 freeze api-1", "15 heal api-1", "17 kill scheduler", "17 kill api-2"]


async def test_what_it_happens_during_is_there_before_and_healed_after(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lines = await lab.do("freeze scheduler for 4s while freeze api-1 while freeze api-2 for 9s")
    assert lines == [
        "0 freeze api-1", "0 freeze api-2", "0 freeze scheduler", "4 heal scheduler", "9 heal api-2", "9 heal api-1"
    ]  # fmt: skip


async def test_without_a_duration_it_lasts_until_it_is_stopped_and_the_last_is_healed_first(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lines = await lab.do("freeze api-1 while freeze api-2, then freeze scheduler", stop_after_s=60)
    assert lines[:3] == ["0 freeze api-2", "0 freeze api-1", "0 freeze scheduler"]
    assert lines[3:] == ["60 heal scheduler", "60 heal api-1", "60 heal api-2"]
    assert lab.own_end


async def test_stopped_early_everything_is_healed_at_once_and_nothing_more_begins(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lines = await lab.do("freeze api-1 for 10s, then kill scheduler", stop_after_s=4)
    assert lines == ["0 freeze api-1", "4 heal api-1"]
    assert (lab.own_end, lab.open()) == (False, 0)


async def test_stopped_while_it_is_being_injected_it_is_healed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.diary.takes_s = 30
    assert await lab.do("freeze api-1 for 10s", stop_after_s=4) == ["4 heal api-1"]
    assert (lab.own_end, lab.open()) == (False, 0)
    assert lab.results[0].took_effect_ns is None


async def test_when_one_of_several_cannot_be_done_all_are_healed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.diary.refuses = "api-2"
    with pytest.raises(FaultError, match="no"):
        await lab.do("freeze scheduler for 60s while freeze api")
    assert sorted(lab.diary.lines) == ["0 freeze api-1", "0 heal api-1", "0 heal api-2"]
    assert lab.open() == 0


async def test_a_cancelled_run_heals(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    doing = asyncio.ensure_future(lab.do("freeze api-1 for 60s"))
    await lab.clock.sleep(5)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert lab.diary.lines == ["0 freeze api-1", "5 heal api-1"]
    assert lab.open() == 0


async def test_all_that_one_fault_did_is_healed_at_the_same_time(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.diary.healing_takes_s = 30
    lines = await lab.do("freeze api for 10s while freeze scheduler")
    assert sorted(lines[3:]) == ["40 heal api-1", "40 heal api-2", "70 heal scheduler"]
    assert [each.healed_ns for each in lab.results] == [40_000_000_000, 70_000_000_000]


async def test_what_was_left_of_one_fault_is_healed_at_the_same_time_and_the_last_fault_first(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.diary.stays_broken = "api-1 api-2 scheduler"
    with pytest.raises(FaultError):
        await lab.do("freeze scheduler while freeze api", stop_after_s=5)
    lab.diary.stays_broken, lab.diary.healing_takes_s, lab.diary.lines = "", 30, []
    await heal_left(tmp_path, lab.drivers, lab.clock, lambda words: None)
    assert [lab.diary.lines[0], *sorted(lab.diary.lines[1:])] == ["35 heal scheduler", "65 heal api-1", "65 heal api-2"]


async def test_what_cannot_be_healed_stays_open_and_does_not_keep_others_from_being_healed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.diary.stays_broken = "api-2"
    with pytest.raises(FaultError, match="could not be healed"):
        await lab.do("freeze api-1 for 9s while freeze api-2 while freeze scheduler", stop_after_s=5)
    assert sorted(lab.diary.lines[3:]) == ["5 heal api-1", "5 heal scheduler"]
    assert lab.open() == 1
    lab.diary.stays_broken = ""
    (healed,) = await heal_left(tmp_path, lab.drivers, lab.clock, lambda words: None)
    assert (healed.healed, healed.left, lab.open()) == (1, 0, 0)
    assert await heal_left(tmp_path, lab.drivers, lab.clock, lambda words: None) == ()


async def test_what_a_process_that_runs_has_injected_is_left_to_it_unless_all_is_said(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    with new_journal(tmp_path, "freeze api-1", lab.clock) as journal:
        journal.plan([Step("diary", Action.FREEZE, "api-1", "freeze api-1", "heal it")])
        (left,) = await heal_left(tmp_path, lab.drivers, lab.clock, lambda words: None)
        assert (left.busy, lab.diary.lines) == (True, [])
        (healed,) = await heal_left(tmp_path, lab.drivers, lab.clock, lambda words: None, everything=True)
        assert (healed.healed, lab.diary.lines) == (1, ["0 heal api-1"])


async def test_a_later_part_meets_what_runs_then(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    asyncio.get_running_loop().call_later(5, lab.diary.there.remove, "api-2")
    with pytest.raises(FaultError, match="api-2 is not there any more"):
        await lab.do("freeze scheduler for 10s, then kill api-2")
    assert lab.results[-1].took_effect_ns is None
    assert lab.open() == 0


@pytest.mark.parametrize("text", ["kill nobody", "kill scheduler, then kill nobody", "reboot one node"])
async def test_what_means_nothing_is_refused_before_anything_is_touched(tmp_path: Path, text: str) -> None:
    lab = Lab(tmp_path)
    with pytest.raises(InputError):
        await lab.do(text)
    assert lab.diary.lines == []


async def test_a_step_of_a_driver_that_is_not_there_is_left_open(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    with new_journal(tmp_path, "x", lab.clock) as journal:
        journal.plan([Step("elsewhere", Action.FREEZE, "x", "freeze x", "thaw x")])
    (healed,) = await heal_left(tmp_path, lab.drivers, lab.clock, lambda words: None)
    assert (healed.healed, healed.left) == (0, 1)
    record = read_journal(journal.path)
    assert record is not None
    assert "there is no driver 'elsewhere'" in record.entries[0].words


class Machines(Diary):
    """A driver for two nodes, and for the one service that is on one of them."""

    name = "machines"

    def handles(self, fault: Fault) -> bool:
        return fault.target.kind in (Kind.NODE, Kind.SERVICE)

    async def find(self, target: Target) -> Sequence[Found]:
        if target.kind is Kind.NODE:
            return [Found(Kind.NODE, "a"), Found(Kind.NODE, "b")]
        return [Found(Kind.SERVICE, "mysqld", node="b")] if target.names in ((), ("mysqld",)) else ()


@pytest.mark.parametrize(
    ("text", "driver", "name"),
    [
        ("freeze scheduler", "diary", "scheduler"),
        ("freeze mysqld", "machines", "mysqld"),
        ("reboot all nodes with mysqld", "machines", "b"),
    ],
)
async def test_a_fault_goes_to_the_first_driver_that_finds_something(
    tmp_path: Path, text: str, driver: str, name: str
) -> None:
    lab = Lab(tmp_path)
    drivers = Drivers([lab.diary, Machines(lab.clock, tmp_path)])
    (part,) = await plan_sentence(parse(text), drivers, Randomness(1))
    assert [(step.driver, step.name) for step in part.fault.steps] == [(driver, name)]


async def test_what_no_driver_finds_is_refused_in_the_words_of_the_first(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    drivers = Drivers([lab.diary, Machines(lab.clock, tmp_path)])
    with pytest.raises(InputError, match="did you mean 'scheduler'"):
        await plan_sentence(parse("freeze schedler"), drivers, Randomness(1))
