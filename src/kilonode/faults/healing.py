"""Healing what another process left: after a crash or `kill -9` of whoever injected it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import InputError
from kilonode.faults.injecting import Tell, undo
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
                effects = [await undo(entry.number, drivers, journal, tell) for entry in record.open]
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
