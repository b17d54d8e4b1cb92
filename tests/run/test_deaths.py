"""Processes that die during a run: what was meant is no news, everything else is an Op."""

import asyncio
import os

import msgspec
import pytest

from kilonode.base.clock import Clock
from kilonode.base.errors import InputError
from kilonode.base.processes import ProcessIdentity, identify
from kilonode.base.simulation import run_simulated
from kilonode.faults.driver import Step
from kilonode.faults.model import Action
from kilonode.history.records import Op
from kilonode.run.deaths import ANYTHING, LOOK_EVERY_S, DeathWatch, Deliberate, Standing


def pid(number: int) -> ProcessIdentity:
    return ProcessIdentity(number, number, "boot")


class Cloud:
    """Processes as a test has them."""

    def __init__(self, *standings: Standing) -> None:
        self.now = {one.name: one for one in standings}
        self.silent = False

    def standings(self) -> list[Standing]:
        if self.silent:
            raise InputError("nobody can tell")
        return list(self.now.values())

    def change(self, name: str, **changes: object) -> None:
        self.now[name] = msgspec.structs.replace(self.now[name], **changes)


class Watched:
    """A cloud that is watched, and what was recorded."""

    def __init__(self, clock: Clock, cloud: Cloud) -> None:
        self.clock, self.cloud = clock, cloud
        self.deliberate = Deliberate(clock)
        self.ops: list[Op] = []
        self.notes: list[str] = []
        self.watch = DeathWatch(cloud, self.deliberate, clock, self.ops.append, self.notes.append)

    async def looks(self, number: int = 1) -> None:
        """Wait until it was looked so often."""
        await self.clock.sleep(number * LOOK_EVERY_S + 0.01)

    @property
    def died(self) -> list[str]:
        return [op.step for op in self.ops]


def step(action: Action, name: str, identity: ProcessIdentity | None) -> Step:
    return Step("services", action, name, "", identity=identity)


def watched(scene: object, *standings: Standing) -> Watched:
    """Play a scene beside the watch; what was seen."""

    async def run(clock: Clock) -> Watched:
        beside = Watched(clock, Cloud(*standings))
        async with beside.watch:
            await scene(beside)  # type: ignore[operator]
        return beside

    return run_simulated(run)


API = Standing("api", pid(1))
COMPUTE = Standing("compute-002", pid(2))


def test_a_process_that_dies_is_recorded_with_the_two_looks_it_died_between() -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks(3)
        beside.cloud.change("compute-002", identity=None, words="nobody starts it again")
        await beside.looks(2)

    seen = watched(scene, API, COMPUTE)
    [op] = seen.ops
    assert (op.kind, op.step, op.outcome, op.error) == ("death", "compute-002", "wrong_state", "nobody starts it again")
    assert op.started_ns / 1e9 == pytest.approx(3 * LOOK_EVERY_S)
    assert op.finished_ns / 1e9 == pytest.approx(4 * LOOK_EVERY_S)
    assert op.resolution_ns == op.finished_ns - op.started_ns
    assert seen.notes == ["compute-002 ended in the last 500 ms, which nobody asked for: nobody starts it again"]


def test_what_was_down_before_and_what_comes_up_is_no_death() -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks()
        beside.cloud.change("api", identity=pid(9))
        await beside.looks()

    assert watched(scene, Standing("api", None)).died == []


def test_one_that_its_supervisor_started_again_in_between_is_counted_as_often_as_it_died() -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks()
        beside.cloud.change("api", identity=pid(9), restarts=3, words="signal 9 (SIGKILL), started again")
        await beside.looks()

    seen = watched(scene, API)
    assert [op.error for op in seen.ops] == ["3 times; signal 9 (SIGKILL), started again"]


def test_one_that_was_replaced_in_good_order_did_not_die_unless_the_new_one_did() -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks()
        beside.cloud.change("api", identity=pid(8), replacements=1)
        await beside.looks()
        assert beside.died == []
        beside.cloud.change("api", identity=pid(9), replacements=2, restarts=1)
        await beside.looks()

    assert watched(scene, API).died == ["api"]


@pytest.mark.parametrize("action", [Action.KILL, Action.TERMINATE, Action.RESTART])
def test_a_fault_accounts_for_the_end_of_what_it_was_aimed_at_once(action: Action) -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks()
        beside.deliberate.aim([step(action, "api", pid(1))])
        beside.cloud.change("api", identity=pid(3), restarts=1)
        beside.cloud.change("compute-002", identity=None)
        await beside.looks()
        assert beside.died == ["compute-002"]
        beside.cloud.change("api", identity=pid(4), restarts=2)
        await beside.looks()

    assert watched(scene, API, COMPUTE).died == ["compute-002", "api"]


def test_a_fault_after_which_a_process_should_still_be_there_does_not_account_for_its_death() -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks()
        beside.deliberate.aim([step(Action.FREEZE, "api", pid(1))])
        beside.cloud.change("api", identity=None)
        await beside.looks()

    assert watched(scene, API).died == ["api"]


def test_a_fault_whose_process_was_replaced_instead_does_not_account_for_a_later_death() -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks()
        beside.deliberate.aim([step(Action.RESTART, "api", pid(1))])
        beside.cloud.change("api", identity=pid(5), replacements=1)
        await beside.looks(2)
        beside.cloud.change("api", identity=None)
        await beside.looks()

    assert watched(scene, API).died == ["api"]


def test_a_fault_may_be_aimed_at_a_child_of_a_process() -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks()
        child = identify(os.getpid())
        beside.deliberate.aim([step(Action.KILL, "worker", child)])
        beside.cloud.change("api", identity=None)
        await beside.looks()

    parent = identify(os.getppid())
    assert watched(scene, Standing("api", parent), Standing("other", pid(1))).died == []


@pytest.mark.parametrize("name", ["api", ANYTHING])
def test_what_ends_while_it_is_replaced_was_meant_and_what_ends_afterwards_was_not(name: str) -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks()
        beside.deliberate.begin(name)
        beside.cloud.change("api", identity=None)
        await beside.looks()
        beside.cloud.change("api", identity=pid(7))
        beside.deliberate.end(name)
        await beside.looks(2)
        assert beside.died == []
        beside.cloud.change("api", identity=None)
        await beside.looks()

    assert watched(scene, API).died == ["api"]


def test_while_nobody_can_tell_the_time_in_between_grows() -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks()
        beside.cloud.silent = True
        beside.cloud.change("api", identity=None)
        await beside.looks(4)
        beside.cloud.silent = False
        await beside.looks()

    [op] = watched(scene, API).ops
    assert op.resolution_ns / 1e9 == pytest.approx(5 * LOOK_EVERY_S)


def test_what_dies_just_before_the_end_is_seen_when_the_watch_ends() -> None:
    async def scene(beside: Watched) -> None:
        await beside.looks()
        beside.cloud.change("api", identity=None)
        await asyncio.sleep(0)

    assert watched(scene, API).died == ["api"]
