"""Upgrades carried out on a cloud that does as the test says, on virtual time; commands for real."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from kilonode.base.clock import RealClock, SimulatedClock
from kilonode.base.encoding import from_plain
from kilonode.base.errors import InputError, LabError
from kilonode.check.live import LiveReport, LiveStep
from kilonode.history.records import Op
from kilonode.history.upgrades import SERVING, STEPS, part_of_upgrade
from kilonode.run.deaths import Deliberate
from kilonode.run.upgrade_commands import run_command
from kilonode.run.upgrade_plans import plan_upgrade
from kilonode.run.upgrade_serving import Instance, Migration, Upgradable
from kilonode.run.upgrades import Upgrade, Version
from kilonode.run.upgrading import DueUpgrade, Upgrader

STARTS_S = 1.0
LEAVES_S = 0.5


class Cloud(Upgradable):
    """Two apis and a fleet. A replacement takes a second to come up; what it replaces ends half a second later."""

    def __init__(
        self, clock: SimulatedClock, *, wrong: str = "", failing: str = "", migrates: Sequence[str] = ()
    ) -> None:
        """`wrong`: who is of another version than wanted; `failing`: whose replacement does not come up; `migrates`:
        roles whose data are migrated before the first of them is replaced, and after the last.
        """
        self.migrates = migrates
        self.migrated: list[str] = []
        self._clock = clock
        self._wrong, self._failing = wrong, failing
        self._number = 0
        self.now = {name: self._new(name, "A") for name in ("api-1", "api-2", "fleet")}
        self._earlier: dict[str, str] = {}
        self._leaving: list[Instance] = []
        self.busy = self.most_busy = 0
        self.dies = ""
        """Who dies as soon as another one is replaced, and is not started again."""

    def _new(self, name: str, version: str) -> Instance:
        self._number += 1
        return Instance(name, (name.partition("-")[0],), str(self._number), version, serves=True)

    async def instances(self) -> Sequence[Instance]:
        return [*self.now.values(), *self._leaving]

    async def check(self, names: Sequence[str], to: Version | None, *, together: bool = False) -> None:
        if to is not None and to.name == "refused":
            raise InputError("no such version")

    async def replace(self, name: str, to: Version | None) -> None:
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        await self._clock.sleep(STARTS_S)
        self.busy -= 1
        if name == self._failing:
            raise LabError(f"{name} cannot be replaced")
        self._earlier[name] = self.now[name].version
        await self._put(name, "odd" if name == self._wrong else to.label if to is not None else "A")
        if self.dies not in ("", name):
            self.now[self.dies] = msgspec.structs.replace(self.now[self.dies], serves=False)

    async def replace_together(self, names: Sequence[str], to: Version | None) -> None:
        await self._clock.sleep(STARTS_S)
        if self._failing in names:
            raise LabError("they cannot take over")
        self._earlier |= {name: self.now[name].version for name in names}
        await asyncio.gather(*(self._put(name, to.label if to is not None else "A") for name in names))

    async def migrations(self, names: Sequence[str], to: Version | None, *, after: bool) -> Sequence[Migration]:
        roles = {one.roles[0] for one in self.now.values() if one.name in names}
        if after:
            roles -= {one.roles[0] for one in self.now.values() if to is not None and one.version != to.name}
        when = "after" if after else "before"
        return [
            Migration(role, f"{role} {when}", partial(self._migrate, f"{role} {when}"))
            for role in self.migrates
            if role in roles and f"{role} {when}" not in self.migrated
        ]

    async def _migrate(self, words: str) -> None:
        await self._clock.sleep(STARTS_S)
        self.migrated.append(words)

    async def take_back(self, name: str) -> None:
        await self._put(name, self._earlier.pop(name))

    async def _put(self, name: str, version: str) -> None:
        old = msgspec.structs.replace(self.now[name], leaving=True)
        self._leaving.append(old)
        self.now[name] = self._new(name, version)
        await self._clock.sleep(LEAVES_S)
        self._leaving.remove(old)


def upgrade_of(**said: Any) -> Upgrade:
    value = {"to": {"label": "B"}, "steps": [{"replace": ["api"]}], **said}
    return from_plain(value, Upgrade)


class Told(Deliberate):
    """Writes down what is said to be meant."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(clock)
        self.lines: list[str] = []

    def begin(self, name: str) -> None:
        self.lines.append(f"{name}?")
        super().begin(name)

    def end(self, name: str) -> None:
        self.lines.append(f"{name}.")
        super().end(name)


class Done:
    """What became of one upgrade."""

    def __init__(self, ops: Sequence[Op], cloud: Cloud, meant: Sequence[str]) -> None:
        self.whole = ops[-1]
        self.meant = meant
        self.cloud = cloud
        parts = [(part_of_upgrade(op.step), op) for op in ops[:-1]]
        self.steps = [(part.what, part.action.value, op.outcome) for part, op in parts if part and part.action in STEPS]
        self.served = [
            (part.what, part.action.value, op.started_ns / 1e9, op.finished_ns / 1e9)
            for part, op in parts
            if part and part.action in SERVING
        ]  # fmt: skip
        self.versions = [one.version for one in cloud.now.values()]


def report(at_s: float, **outcomes: int) -> LiveReport:
    step = LiveStep(
        workload="probe",
        step="",
        outcomes=outcomes,
        latency={0.01: outcomes.get("ok", 0)},
        service={},
        failed_latency={},
    )
    return LiveReport(worker=0, at_s=at_s, steps=(step,), workloads=())


async def do(
    upgrade: Upgrade,
    *,
    ends_s: float = 1e6,
    failing_from_s: float = 1e6,
    silent: bool = False,
    wrong: str = "",
    failing: str = "",
    migrates: Sequence[str] = (),
    dies: str = "",
) -> Done:
    clock = SimulatedClock(asyncio.get_running_loop())
    cloud = Cloud(clock, wrong=wrong, failing=failing, migrates=migrates)
    cloud.dies = dies
    began_ns = clock.now_ns()
    ops: list[Op] = []

    def record(op: Op) -> None:
        moved = {key: getattr(op, key) - began_ns for key in ("due_ns", "started_ns", "finished_ns")}
        ops.append(msgspec.structs.replace(op, **moved))

    deliberate = Told(clock)
    upgrader = Upgrader(DueUpgrade(upgrade, "mine", 3, began_ns), cloud, clock, record, lambda words: None, deliberate)
    stop = asyncio.Event()

    async def load() -> None:
        while not silent:
            await clock.sleep(1.0)
            at_s = (clock.now_ns() - began_ns) / 1e9
            upgrader.add(report(at_s, ok=9, http_5xx=1) if at_s > failing_from_s else report(at_s, ok=10))

    async def end() -> None:
        await clock.sleep(ends_s)
        stop.set()

    others = [asyncio.create_task(load()), asyncio.create_task(end())]
    try:
        await upgrader.carry_out(stop)
    finally:
        for task in others:
            task.cancel()
    return Done(ops, cloud, deliberate.lines)


async def test_one_after_the_other_is_replaced_and_verified_and_who_served_is_written_down() -> None:
    done = await do(upgrade_of())
    assert done.steps == [(name, action, "ok") for name in ("api-1", "api-2") for action in ("replace", "verify")]
    assert (done.whole.step, done.whole.workload, done.whole.iteration) == ("upgrade api to B", "mine", 3)
    assert (done.whole.outcome, done.whole.started_ns) == ("ok", 0)
    assert done.whole.finished_ns / 1e9 == pytest.approx(3.0)
    assert done.versions == ["B", "B", "A"]
    assert done.cloud.most_busy == 1
    assert [(what, action) for what, action, _, _ in sorted(done.served)] == [
        ("api-1", "new"), ("api-1", "old"), ("api-2", "new"), ("api-2", "old")
    ]  # fmt: skip
    instants = [instant for *_, since, until in sorted(done.served) for instant in (since, until)]
    assert instants == pytest.approx([1.0, 3.0, 0.0, 1.5, 2.5, 3.0, 0.0, 3.0], abs=0.03)


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (2, 2), ("all", 3)])
async def test_batches_have_as_many_as_said(at_once: object, most: int) -> None:
    done = await do(upgrade_of(steps=[{"replace": ["fleet", "api"], "at_once": at_once}], pause="2s"))
    assert done.cloud.most_busy == most
    batches = -(-3 // most)
    assert done.whole.finished_ns / 1e9 == pytest.approx(1.5 * batches + 2 * (batches - 1))


@pytest.mark.parametrize(
    ("wrong", "failing", "error"),
    [("api-2", "", "api-2 is not what it should be"), ("", "api-2", "api-2 cannot be replaced")],
)
async def test_what_fails_ends_the_upgrade_and_is_taken_back(wrong: str, failing: str, error: str) -> None:
    done = await do(upgrade_of(steps=[{"replace": ["api"]}, {"replace": ["fleet"]}]), wrong=wrong, failing=failing)
    assert done.whole.outcome == "wrong_state"
    assert error in done.whole.error
    assert done.whole.error.endswith("; taken back")
    assert done.versions == ["A", "A", "A"]
    meant = ["api-1?", "api-1.", "api-2?", "api-2."]
    assert done.meant == [*meant, *(["api-2?", "api-2."] if wrong else ()), "api-1?", "api-1."]
    assert not any(what == "fleet" for what, _, _ in done.steps)
    assert done.steps[-1] == ("api-1", "undo", "ok")


async def test_what_was_seen_to_work_and_died_since_ends_the_upgrade_before_data_are_changed_for_good() -> None:
    done = await do(upgrade_of(), dies="api-1", migrates=["api"])
    assert done.whole.outcome == "wrong_state"
    assert "api-1 is not what it should be" in done.whole.error
    assert done.whole.error.endswith("; taken back; what was migrated stays: api")
    assert done.cloud.migrated == ["api before"]


async def test_without_back_it_stays_half_done() -> None:
    done = await do(upgrade_of(back=False), failing="api-2")
    assert done.versions == ["B", "A", "A"]
    assert done.whole.outcome == "wrong_state"
    assert "taken back" not in done.whole.error


async def test_a_load_that_suffers_while_it_is_watched_ends_the_upgrade() -> None:
    watch = {"for": "5s", "criteria": ["probe error_rate < 1%"]}
    good = await do(upgrade_of(watch=watch))
    assert good.whole.outcome == "ok"
    assert good.steps.count(("api-1", "verify", "ok")) == 2
    bad = await do(upgrade_of(watch=watch), failing_from_s=2.5)
    assert bad.whole.error == "probe error_rate < 1% does not hold; taken back"
    assert bad.versions == ["A", "A", "A"]
    unseen = await do(upgrade_of(watch=watch), silent=True)
    assert "is not known" in unseen.whole.error


async def test_a_load_that_ends_before_the_upgrade_has_it_taken_back() -> None:
    done = await do(upgrade_of(), ends_s=1.2)
    assert (done.whole.outcome, done.versions) == ("cancelled", ["A", "A", "A"])
    assert done.whole.error == "the load was over before it was done; taken back"


async def test_a_step_that_is_cut_off_is_not_said_to_have_been_done() -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    ops: list[Op] = []
    upgrader = Upgrader(DueUpgrade(upgrade_of(), "mine", 3, clock.now_ns()), Cloud(clock), clock, ops.append, print)
    doing = asyncio.create_task(upgrader.carry_out(asyncio.Event()))
    await clock.sleep(STARTS_S / 2)
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    replaced = [op for op in ops if op.step == "upgrade api to B: api-1.replace"]
    assert [(op.outcome, op.error) for op in replaced] == [("cancelled", "it was cut off")]


async def test_what_is_cut_off_is_brought_to_its_end_and_taken_back() -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    ops: list[Op] = []
    cloud = Cloud(clock)
    upgrader = Upgrader(DueUpgrade(upgrade_of(), "mine", 3, clock.now_ns()), cloud, clock, ops.append, print)
    doing = asyncio.create_task(upgrader.carry_out(asyncio.Event()))
    await clock.sleep(2.0)  # api-1 is done, api-2 under way
    for _ in range(3):  # however often somebody wants it over
        doing.cancel()
        await clock.sleep(0.3)
    await asyncio.gather(doing, return_exceptions=True)
    assert doing.cancelled()
    assert [one.version for one in cloud.now.values()] == ["A", "A", "A"]
    assert not any(one.leaving for one in await cloud.instances())
    undone = [op.step for op in ops if op.step.endswith(".undo")]
    assert undone == ["upgrade api to B: api-2.undo", "upgrade api to B: api-1.undo"]
    assert (ops[-1].outcome, ops[-1].error) == ("cancelled", "it was cut off; taken back")


async def test_what_is_taken_back_because_the_load_is_over_is_so_whole_however_often_it_is_cut_off() -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    ops: list[Op] = []
    cloud = Cloud(clock)
    stop = asyncio.Event()
    upgrader = Upgrader(DueUpgrade(upgrade_of(), "mine", 3, clock.now_ns()), cloud, clock, ops.append, print)
    doing = asyncio.create_task(upgrader.carry_out(stop))
    await clock.sleep(1.2)  # api-1 is done, or nearly
    stop.set()
    await clock.sleep(0.8)
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    assert [one.version for one in cloud.now.values()] == ["A", "A", "A"]
    assert ops[-1].error.endswith("; taken back")


async def test_data_are_migrated_before_the_first_and_after_the_last_and_not_taken_back() -> None:
    done = await do(upgrade_of(steps=[{"replace": ["api", "fleet"]}]), migrates=("api",))
    assert done.steps == [
        ("api", "migrate", "ok"),
        ("api-1", "replace", "ok"), ("api-1", "verify", "ok"),
        ("api-2", "replace", "ok"), ("api-2", "verify", "ok"),
        ("fleet", "replace", "ok"), ("fleet", "verify", "ok"),
        ("api", "migrate", "ok"),
    ]  # fmt: skip
    assert done.cloud.migrated == ["api before", "api after"]
    failed = await do(upgrade_of(), migrates=("api",), failing="api-2")
    assert failed.cloud.migrated == ["api before"]
    assert failed.whole.error == "api-2 cannot be replaced; taken back; what was migrated stays: api"


async def test_of_the_same_version_started_anew_there_is_nothing_to_take_back() -> None:
    done = await do(upgrade_of(to=None), failing="api-2")
    assert (done.whole.outcome, done.whole.error) == ("wrong_state", "api-2 cannot be replaced")
    assert not any(action == "undo" for _, action, _ in done.steps)


async def test_blue_green_is_one_instant_or_nothing() -> None:
    steps = [{"replace": ["api"], "way": "blue_green"}]
    done = await do(upgrade_of(steps=steps))
    assert done.versions == ["B", "B", "A"]
    began = [since for _, action, since, _ in done.served if action == "new"]
    assert began == pytest.approx([STARTS_S, STARTS_S], abs=0.03)
    failed = await do(upgrade_of(steps=steps), failing="api-2")
    assert failed.versions == ["A", "A", "A"]
    assert failed.whole.error == "they cannot take over"
    watch = {"for": "5s", "criteria": ["probe error_rate < 1%"]}
    back = await do(upgrade_of(steps=steps, watch=watch), failing_from_s=2.5)
    assert (back.versions, back.whole.error) == (
        ["A", "A", "A"], "probe error_rate < 1% does not hold; taken back"
    )  # fmt: skip


async def test_names_that_the_cloud_does_not_have_are_refused_before() -> None:
    cloud = Cloud(SimulatedClock(asyncio.get_running_loop()))
    assert await plan_upgrade(upgrade_of(), cloud) == ("replace api-1, api-2, one after the other",)
    with pytest.raises(InputError, match="no process 'apis'"):
        await plan_upgrade(upgrade_of(steps=[{"replace": ["apis"]}]), cloud)
    with pytest.raises(InputError, match="no such version"):
        await plan_upgrade(upgrade_of(to={"label": "refused"}), cloud)
    with pytest.raises(InputError, match="nothing here can replace"):
        await plan_upgrade(upgrade_of(), None)


def command(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.mark.real_loop
@pytest.mark.parametrize("last", ["pass", "import sys; print('no room'); sys.exit(4)", "import time; time.sleep(60)"])
async def test_commands_are_run_in_order_and_taken_back_from_the_last(last: str, tmp_path: Path) -> None:
    said = tmp_path / "said"

    def say(word: str) -> list[str]:
        return command(f"open({str(said)!r}, 'a').write({word + ' '!r})")

    steps = [
        {"run": say("stop"), "kind": "stop", "undo": say("start")},
        {"run": say("migrate"), "undo": say("back")},
        {"run": command(last), "kind": "verify", "timeout": "1s"},
    ]
    upgrade = from_plain({"steps": steps}, Upgrade)
    ops: list[Op] = []
    clock = RealClock()
    await Upgrader(DueUpgrade(upgrade, "", 0, clock.now_ns()), None, clock, ops.append, lambda words: None).carry_out(
        asyncio.Event()
    )
    whole = ops[-1]
    assert whole.step == "upgrade by commands"
    if last == "pass":
        assert (whole.outcome, said.read_text()) == ("ok", "stop migrate ")
        return
    assert (whole.outcome, said.read_text()) == ("wrong_state", "stop migrate back start ")
    assert ("no room" if "room" in last else "did not end within 1 s") in whole.error
    parts = [part for op in ops[:-1] if (part := part_of_upgrade(op.step)) and part.action in STEPS]
    assert [part.action.value for part in parts] == [
        "stop", "migrate", "verify", "undo", "undo"
    ]  # fmt: skip


@pytest.mark.real_loop
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_command_ends_when_it_does_and_not_with_what_it_leaves_running(
    loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    stays = tmp_path / "stays"
    code = f"import subprocess; open({str(stays)!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid))"
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run_command(command(code), 30.0))
    os.kill(int(stays.read_text()), signal.SIGKILL)  # it is still there
