"""Disruptions beside the load: their journal stays theirs until the last of them is healed, whoever wants it over."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import InputError
from kilonode.base.finishing import finish
from kilonode.base.randomness import Randomness
from kilonode.faults.driver import Effect, Step
from kilonode.faults.journal import Record, continue_journal, journals
from kilonode.faults.language import parse
from kilonode.faults.planning import plan_sentence
from kilonode.faults.registry import Drivers
from kilonode.history.records import Op
from kilonode.run.deaths import Deliberate
from kilonode.run.disrupting import Disruptor, JournalHead
from kilonode.run.disruption_plans import Occurrence
from kilonode.run.interruption import Interruption
from tests.faults.test_injecting import Diary

SECOND_NS = 1_000_000_000


class Slow(Diary):
    """Takes ten seconds to heal."""

    async def heal(self, step: Step) -> Effect:
        await self.clock.sleep(10)
        return await super().heal(step)


class Told(Deliberate):
    """Writes down at whom faults are aimed."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(clock)
        self._now_ns = clock.now_ns
        self.lines: list[str] = []

    def aim(self, steps: Sequence[Step]) -> None:
        self.lines += [f"{self._now_ns() // SECOND_NS} {step.action.value} {step.name}" for step in steps]


class Bench:
    """One freeze, beside a load that never ends by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SimulatedClock(asyncio.get_running_loop())
        self.diary = Slow(self.clock, folder)
        self.ops: list[Op] = []
        self.deliberate = Told(self.clock)

    async def run(self) -> None:
        drivers = Drivers([self.diary])
        sentence = "freeze scheduler for 100s"
        parts = await plan_sentence(parse(sentence), drivers, Randomness(1))
        one = Occurrence("frost", sentence, 0, "at 1 s", 1.0, None, None, parts)
        head = JournalHead("run 00c0ffee", "", None)
        disruptor = Disruptor(
            [one], drivers, head, self.clock, self.ops.append, lambda words: None, deliberate=self.deliberate
        )
        async with disruptor.beside(0, 1000 * SECOND_NS, Interruption(), self.folder):
            await asyncio.Event().wait()

    def journal(self) -> Record:
        (record,) = journals(self.folder)
        return record


async def test_the_journal_is_not_let_go_while_a_fault_is_healed_however_often_it_is_cancelled(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    load = asyncio.create_task(bench.run())
    await bench.clock.sleep(5)
    for _ in range(3):
        load.cancel()
        await bench.clock.sleep(1)
        assert bench.journal().open, "it takes longer than that"
        with pytest.raises(InputError, match="still runs"), continue_journal(bench.journal(), bench.clock):
            pass
    with pytest.raises(asyncio.CancelledError):
        await load
    assert not bench.journal().open
    assert bench.diary.lines == ["1 freeze scheduler", "15 heal scheduler"]
    assert bench.deliberate.lines == ["1 freeze scheduler"]
    assert [(op.started_ns, op.finished_ns, op.outcome) for op in bench.ops] == [
        (SECOND_NS, 15 * SECOND_NS, "cancelled")
    ]


async def test_a_cancel_waits_for_what_has_to_be_finished_and_then_wins() -> None:
    done = []

    async def work() -> str:
        await asyncio.sleep(5)
        done.append(asyncio.get_running_loop().time())
        return "done"

    assert await finish(work()) == "done"
    task = asyncio.create_task(finish(work()))
    for _ in range(3):
        await asyncio.sleep(1)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(done) == 2


async def test_what_failed_is_raised_after_its_end() -> None:
    async def work() -> None:
        await asyncio.sleep(1)
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        await finish(work())
