"""Disruptions beside the load: each at its time, written down before it is done, healed whatever happens, an Op each.

The conductor hands in a clock, drivers and where to record; every disruption has a task of its own, so any number can
be in effect at once. Undo is journalled in the run's folder. When the load is over, or somebody wants it over, all is
healed: also when everything is to end at once, because what is broken stays broken otherwise.

How each fault becomes an Op: `kilonode.run.disruption_ops`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import KilonodeError, trim
from kilonode.base.finishing import finish
from kilonode.base.outcomes import Outcome
from kilonode.check.live import LiveReport, Totals
from kilonode.check.live_conditions import LiveCondition
from kilonode.faults.injecting import InEffect, Injector, Left
from kilonode.faults.journal import Journal, announce, new_journal
from kilonode.faults.registry import Drivers
from kilonode.history.records import Op
from kilonode.run.deaths import Deliberate
from kilonode.run.disruption_ops import disruption_op, op_of
from kilonode.run.disruption_plans import Occurrence
from kilonode.run.interruption import Interruption
from kilonode.run.upgrade_serving import Upgradable
from kilonode.run.upgrading import DueUpgrade, Upgrader


class JournalHead(msgspec.Struct, frozen=True):
    """What the journal of undo says at its head, and where it is to be found."""

    words: str
    """Whose it is."""
    cloud: str
    announced: Path | None
    """Where `kilonode fault heal` looks for it too."""


class Disruptor:
    """Does the disruptions of one run."""

    def __init__(
        self,
        occurrences: Sequence[Occurrence],
        drivers: Drivers | None,
        head: JournalHead,
        clock: Clock,
        record: Callable[[Op], None],
        note: Callable[[str], None],
        cloud: Upgradable | None = None,
        left: Left | None = None,
        deliberate: Deliberate | None = None,
    ) -> None:
        """`left`: what other runs and commands left in effect, which a fault of this run may end. `deliberate` is told
        what is ended on purpose.
        """
        self._left = left
        self._deliberate = deliberate or Deliberate(clock)
        self._in_effect = InEffect()
        self._occurrences = occurrences
        self._cloud = cloud
        self._upgraders: list[Upgrader] = []
        self._drivers = drivers if drivers is not None else Drivers([])
        self._head = head
        self._clock = clock
        self._record = record
        self._note = note
        self._totals = Totals()
        self._conditions = {one.number: LiveCondition(one.condition) for one in occurrences if one.condition}
        self._begun = {one.number: asyncio.Event() for one in occurrences}
        """Of those that wait for something: that it has come."""

    def add(self, report: LiveReport) -> None:
        """Take what a worker reports: what waits for it begins."""
        self._totals.add(report)
        for upgrader in self._upgraders:
            upgrader.add(report)
        for one in self._occurrences:
            if one.iteration is not None:
                workload, number = one.iteration
                if self._totals.state(workload).due > number:
                    self._begun[one.number].set()
        for number, condition in self._conditions.items():
            if condition.add(report):
                self._begun[number].set()

    @contextlib.asynccontextmanager
    async def beside(
        self, zero_ns: int, end_ns: int, interruption: Interruption, journals: Path
    ) -> AsyncIterator[None]:
        """While inside, disruptions happen; all are healed at `end_ns`, when somebody wants the load ended, and when
        the context is left.
        """
        if not self._occurrences:
            yield
            return
        stop = asyncio.Event()
        with new_journal(journals, self._head.words, self._clock, self._head.cloud) as journal:
            if self._head.announced is not None:
                announce(journal, self._head.announced)
            ender = asyncio.create_task(self._end(stop, end_ns, interruption), name="end of disruptions")
            tasks = [
                asyncio.create_task(self._disrupt(one, zero_ns, stop, journal), name=f"disruption {one.number}")
                for one in self._occurrences
            ]
            try:
                yield
            finally:
                stop.set()
                ender.cancel()
                # To the end, also when this is cancelled: the journal is not let go while one of them writes in it.
                for ended in await finish(asyncio.gather(*tasks, return_exceptions=True)):
                    if isinstance(ended, BaseException):
                        raise ended

    async def _end(self, stop: asyncio.Event, end_ns: int, interruption: Interruption) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(interruption.wait(), max(0.0, self._seconds_until(end_ns)))
        stop.set()

    async def _disrupt(self, one: Occurrence, zero_ns: int, stop: asyncio.Event, journal: Journal) -> None:
        """One time of one disruption, from waiting for it to its Ops."""
        due_ns = await self._wait(one, zero_ns, stop)
        if one.upgrade is not None and due_ns is not None:
            upgrade = DueUpgrade(one.upgrade, one.name, one.number, due_ns)
            upgrader = Upgrader(upgrade, self._cloud, self._clock, self._record, self._note, self._deliberate)
            self._upgraders.append(upgrader)
            await upgrader.carry_out(stop)
            return
        injector = Injector(self._drivers, journal, self._clock, self._note, one.name, one.number,
                            among=self._in_effect, left=self._left, aim=self._deliberate.aim)  # fmt: skip
        failed = ""
        if due_ns is not None:
            try:
                await injector.carry_out(one.parts, stop, due_ns)
            except (KilonodeError, OSError) as error:
                failed = trim(str(error))
                self._note(f"disruption {one.sentence}: {failed}")
        done = injector.results
        for each in done:
            self._record(op_of(one.name, one.number, each, self._clock.now_ns()))
        planned = [fault.sentence for fault in one.faults] if one.upgrade is None else [one.sentence]
        for sentence in planned[len(done) :]:
            why = failed or ("the load was over before it was due" if due_ns is None else "the load was over")
            now_ns = self._clock.now_ns()
            due = now_ns if one.at_s is None else zero_ns + _ns(one.at_s)
            self._record(disruption_op(one.name, one.number, sentence, due, now_ns, now_ns, Outcome.DROPPED, why))

    async def _wait(self, one: Occurrence, zero_ns: int, stop: asyncio.Event) -> int | None:
        """Wait until it is due, and return when that was; None: the load is over."""
        due_ns = None if one.at_s is None else zero_ns + _ns(one.at_s)
        begun = asyncio.create_task(self._begun[one.number].wait())
        stopped = asyncio.create_task(stop.wait())
        try:
            timeout_s = None if due_ns is None else max(0.0, self._seconds_until(due_ns))
            await asyncio.wait([begun, stopped], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (begun, stopped):
                task.cancel()
        if stop.is_set():
            return None
        return self._clock.now_ns() if due_ns is None else due_ns

    def _seconds_until(self, at_ns: int) -> float:
        return (at_ns - self._clock.now_ns()) / NANOSECONDS_PER_SECOND


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS_PER_SECOND)
