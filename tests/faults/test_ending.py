"""Faults that end what earlier ones began: in one sentence, in one run, and what others left; on virtual time."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.processes import ProcessIdentity
from kilonode.base.randomness import Randomness
from kilonode.faults.driver import Capability, Effect, Found, Keep, Step
from kilonode.faults.ending import ends
from kilonode.faults.healing import LeftBehind
from kilonode.faults.injecting import Disrupted, InEffect, Injector
from kilonode.faults.journal import journals, new_journal
from kilonode.faults.language import parse
from kilonode.faults.model import Action, Fault, Kind, Target
from kilonode.faults.planning import plan_sentence, unended
from kilonode.faults.registry import Drivers

ABLE = {Action.UNPLUG, Action.FREEZE, Action.UNFREEZE, Action.KILL, Action.START}


class Switchboard:
    """A driver for three services that knows which are unplugged, frozen or dead."""

    name = "switchboard"

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.away: dict[str, Action] = {}
        self.lines: list[str] = []
        self.there = ["mysql-1", "mysql-2", "mysql-3", "web"]

    def handles(self, fault: Fault) -> bool:
        return fault.target.kind is Kind.SERVICE and fault.action in ABLE

    async def find(self, target: Target) -> Sequence[Found]:
        things = [Found(Kind.SERVICE, name, (name.partition("-")[0],)) for name in self.there]
        return [each for each in things if not target.names or {each.name, *each.groups} & set(target.names)]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        heals = "" if fault.action in (Action.UNFREEZE, Action.START) else "heal it"
        return [Step(self.name, fault.action, each.name, f"{fault.action} {each.name}", heals) for each in found]

    async def inject(self, step: Step, keep: Keep) -> Effect:
        self.lines.append(f"{self.clock.now_ns() / 1e9:g} {step.words}")
        if step.heals:
            self.away[step.name] = step.action
        else:
            self.away.pop(step.name, None)
        return Effect(self.clock.now_ns(), step.words)

    async def heal(self, step: Step) -> Effect:
        self.lines.append(f"{self.clock.now_ns() / 1e9:g} heal {step.name}")
        self.away.pop(step.name, None)
        return Effect(self.clock.now_ns(), f"healed {step.name}")

    async def capabilities(self) -> Sequence[Capability]:
        return ()


class Lab:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SimulatedClock(asyncio.get_running_loop())
        self.board = Switchboard(self.clock)
        self.drivers = Drivers([self.board])
        self.stop = asyncio.Event()

    async def do(self, *sentences: str) -> list[Disrupted]:
        """Carry sentences out at the same time, as the disruptions of one run."""
        left = LeftBehind(self.folder, self.clock, "cloud")
        before = [*left.steps()]
        plans = []
        for text in sentences:
            plan = await plan_sentence(parse(text), self.drivers, Randomness(1), before=before)
            before += [step for part in plan for step in part.fault.steps]
            plans.append(plan)
        with new_journal(self.folder, "all", self.clock, "cloud") as journal:
            among = InEffect()
            injectors = [Injector(self.drivers, journal, self.clock, among=among, left=left) for _ in plans]
            await asyncio.gather(*(one.carry_out(plan, self.stop) for one, plan in zip(injectors, plans, strict=True)))
        return [each for one in injectors for each in one.results]

    async def leave(self, text: str, cloud: str = "cloud") -> None:
        """Do it and leave it, as one who is killed."""
        plan = await plan_sentence(parse(text), self.drivers, Randomness(1))
        with new_journal(self.folder, text, self.clock, cloud) as journal:
            await Injector(self.drivers, journal, self.clock).inject(plan[0].fault)

    def open(self) -> int:
        return sum(len(record.open) for record in journals(self.folder))


async def test_plug_ends_an_earlier_unplug_of_one_sentence(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    unplugged, plugged = await lab.do("unplug web, then after 10s plug web")
    assert lab.board.lines == ["0 unplug web", "10 heal web"]
    assert (unplugged.healed_ns, unplugged.ended_by) == (10_000_000_000, "plug web")
    assert (plugged.took_effect_ns, plugged.lasting, lab.open()) == (10_000_000_000, False, 0)


async def test_plug_ends_an_unplug_of_another_disruption_before_its_time(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    unplugged, _ = await lab.do("unplug web for 60s", "after 20s plug web")
    assert lab.board.lines == ["0 unplug web", "20 heal web"]
    assert (unplugged.healed_ns, unplugged.ended_by) == (20_000_000_000, "plug web")
    assert lab.clock.now_ns() == 20_000_000_000  # nobody waits for the rest of the minute


async def test_one_of_several_can_be_plugged_in_again_while_the_others_stay_off(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    unplugged, _ = await lab.do("unplug mysql for 60s", "after 20s plug mysql-2")
    assert sorted(lab.board.lines[3:]) == ["20 heal mysql-2", "60 heal mysql-1", "60 heal mysql-3"]
    assert unplugged.healed_ns == 60_000_000_000


async def test_of_several_those_are_plugged_in_that_are_off(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    await lab.do("unplug one of 3 mysql, then after 5s plug one of 3 mysql")
    (unplug, heal) = lab.board.lines
    assert unplug.rpartition(" ")[2] == heal.rpartition(" ")[2]


async def test_what_another_command_left_is_ended_too(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    await lab.leave("unplug web")
    assert lab.open() == 1
    (plugged,) = await lab.do("plug web")
    assert lab.board.lines == ["0 unplug web", "0 heal web"]
    assert (plugged.took_effect_ns, lab.open()) == (0, 0)


async def test_what_is_not_found_any_more_can_still_be_plugged_in(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    await lab.leave("unplug web")
    lab.board.there.remove("web")
    await lab.do("plug web")
    assert lab.open() == 0


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("plug web", "nothing to plug"),
        ("plug web, then unplug web for 5s", "nothing to plug"),
        ("unplug web for 5s, then plug web", "nothing to plug"),  # it is healed by then
        ("unplug web, then plug mysql", "nothing to plug"),
        ("freeze web, then plug web", "nothing to plug"),
        ("connect lan network on node a", "nothing here can connect"),
    ],
)
async def test_where_nothing_could_be_ended_it_is_refused_before_anything_is_touched(
    tmp_path: Path, sentence: str, words: str
) -> None:
    lab = Lab(tmp_path)
    with pytest.raises(InputError, match=words):
        await lab.do(sentence)
    assert lab.board.lines == []


async def test_what_was_left_on_another_cloud_is_not_meant(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    await lab.leave("unplug web", cloud="other")
    with pytest.raises(InputError, match="nothing to plug"):
        await lab.do("plug web")


async def test_what_was_healed_meanwhile_cannot_be_ended_any_more(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    with pytest.raises(FaultError, match="none of it is in effect"):
        await lab.do("unplug web for 5s", "after 10s plug web")
    assert (lab.board.lines, lab.open()) == (["0 unplug web", "5 heal web"], 0)


@pytest.mark.parametrize(("first", "second"), [("freeze", "unfreeze"), ("kill", "start")])
async def test_unfreeze_and_start_mark_what_was_frozen_or_killed_as_healed(
    tmp_path: Path, first: str, second: str
) -> None:
    lab = Lab(tmp_path)
    begun, _ = await lab.do(f"{first} web, then after 10s {second} web")
    assert lab.board.lines == [f"0 {first} web", "10 heal web"]
    assert (begun.healed_ns, begun.ended_by, lab.open()) == (10_000_000_000, f"{second} web", 0)


async def test_without_anything_to_end_they_do_what_they_say(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    await lab.do("unfreeze web, then start web")
    assert lab.board.lines == ["0 unfreeze web", "0 start web"]


async def test_it_is_known_beforehand_whether_a_sentence_ends_by_itself(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for text, count in (("unplug mysql, then plug mysql", 0), ("unplug mysql, then plug mysql-1", 1), ("kill web", 1)):
        assert len(unended(await plan_sentence(parse(text), lab.drivers, Randomness(1)))) == count


def test_two_processes_of_one_name_are_told_apart_when_they_are_thawed() -> None:
    ours, theirs = ProcessIdentity(1, 1, "boot"), ProcessIdentity(2, 2, "boot")
    frozen = Step("processes", Action.FREEZE, "mysqld", "", "thaw", identity=ours)
    assert ends(Step("processes", Action.UNFREEZE, "mysqld", "", identity=ours), frozen)
    assert not ends(Step("processes", Action.UNFREEZE, "mysqld", "", identity=theirs), frozen)
