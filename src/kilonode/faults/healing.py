"""Healing what another process left: after a crash or `kill -9` of whoever injected it."""

import contextlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.faults.driver import Effect, Step
from kilonode.faults.ending import ends
from kilonode.faults.injecting import Tell, undo, undo_together
from kilonode.faults.journal import Journal, Record, continue_journal, journal_of_another, journals
from kilonode.faults.registry import Drivers


class Healed(msgspec.Struct, frozen=True):
    """What became of one journal."""

    journal: str
    words: str
    """What it is about."""
    healed: int
    left: int
    """Steps that could not be healed; they stay in the journal."""
    busy: bool = False
    """Whoever injected it still runs, so it was left alone."""


async def heal_left(
    folder: Path, drivers: Drivers, clock: Clock, tell: Tell, *, everything: bool = False
) -> tuple[Healed, ...]:
    """Heal all that is open in the journals of processes that ended; with `everything` also of those that run."""
    done = []
    for record in journals(folder):
        if not record.open:
            continue
        try:
            with _taken(record, clock, everything=everything) as journal:
                tell(f"{record.head.words}, begun {record.head.at}:")
                effects = [
                    effect
                    for numbers in _by_fault(record)
                    for effect in await undo_together(numbers, drivers, journal, tell)
                ]
        except InputError:
            done.append(Healed(record.path.name, record.head.words, 0, len(record.open), busy=True))
            continue
        healed = sum(effect is not None for effect in effects)
        done.append(Healed(record.path.name, record.head.words, healed, len(effects) - healed))
    return tuple(done)


def left_open(folder: Path, clock: Clock) -> tuple[Record, ...]:
    """The journals in which something is open that nobody will heal any more."""
    found = []
    for record in journals(folder):
        with contextlib.suppress(InputError):
            if record.open:
                with continue_journal(record, clock):
                    found.append(record)
    return tuple(found)


class LeftBehind:
    """What processes that ended left open on one cloud, for faults that end what earlier ones began."""

    def __init__(self, folder: Path, clock: Clock, cloud: str) -> None:
        """`folder` is where all journals are found."""
        self._folder = folder
        self._clock = clock
        self._cloud = cloud

    def steps(self) -> tuple[Step, ...]:
        """All of it."""
        return tuple(entry.step for record in self._records() for entry in record.open if entry.step is not None)

    async def end(self, step: Step, drivers: Drivers, tell: Tell) -> list[Effect]:
        """Heal what such a step ends of it. Raises FaultError when that cannot be."""
        effects = []
        for record in self._records():
            numbers = [entry.number for entry in record.open if entry.step is not None and ends(step, entry.step)]
            if not numbers:
                continue
            try:
                with continue_journal(record, self._clock) as journal:
                    healed = [await undo(number, drivers, journal, tell) for number in numbers]
            except InputError as error:  # somebody else began to heal it at this moment
                raise FaultError(error.problem.what, where=str(record.path)) from error
            if None in healed:
                raise FaultError("what was left of an earlier fault could not be healed", where=record.head.words)
            effects += [effect for effect in healed if effect is not None]
        return effects

    def _records(self) -> list[Record]:
        return [record for record in left_open(self._folder, self._clock) if record.head.cloud == self._cloud]


def _by_fault(record: Record) -> list[list[int]]:
    """The numbers of what is open, together what one fault did; the last fault first."""
    faults = groupby(record.open, key=lambda entry: entry.occasion or entry.number)
    return [[entry.number for entry in entries] for _, entries in faults]


@contextlib.contextmanager
def _taken(record: Record, clock: Clock, *, everything: bool) -> Iterator[Journal]:
    """The journal to write in, with its lock; of one whose writer still has the lock, without."""
    with contextlib.ExitStack() as stack:
        try:
            journal = stack.enter_context(continue_journal(record, clock))
        except InputError:
            if not everything:
                raise
            # Its writer adds whole lines at the end, as we do, and heals again what we healed, which does no harm.
            journal = journal_of_another(record, clock)
        yield journal
