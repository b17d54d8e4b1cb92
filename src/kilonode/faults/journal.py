"""The journal of undo: what heals each injection is on disk before the injection happens.

One file for each process that injects, under `$KILONODE_STATE/faults/`, of JSON lines: a head, then entries that only
ever say more about a step (planned, kept anew, took effect, healed, not healed). What must be on disk is when the call
returns: planned and kept before anything is touched, healed after it. A file that was cut off anywhere in its last line
is whole: that line's step had not begun. Whoever writes a journal holds its lock, so what nobody holds is left over
from a process that ended, however it ended, and `kilonode fault heal` heals what it left. Writing waits for the disk, a
few milliseconds, and so does the event loop: a fault that is not yet written must not happen.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.errors import InputError
from kilonode.base.files import PRIVATE
from kilonode.base.formats import refuse_newer
from kilonode.base.locks import hold
from kilonode.base.processes import ProcessIdentity, identify, this_boot
from kilonode.faults.driver import Step

FORMAT_VERSION: Final = 1
KEPT_JOURNALS: Final = 100
"""Healed journals beyond so many are removed, the oldest first."""
_SUFFIX: Final = ".journal"


class Event(StrEnum):
    """What an entry says of its step."""

    PLANNED = "planned"
    """It will be done, or was done in part, or was done."""
    TOOK_EFFECT = "took effect"
    HEALED = "healed"
    NOT_HEALED = "not healed"


class Head(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line."""

    format_version: int
    writer: ProcessIdentity | None
    at: str
    """When it was begun, UTC."""
    words: str
    """What it is about: the sentence, the run."""
    cloud: str = ""
    """Where it happened, as the command that heals needs to name it."""


class Occasion(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which fault a step belongs to: who reads the journal of a run that was killed makes its operation of it."""

    place: int
    """Of the fault among those of its sentence, in the order in which they were begun."""
    sentence: str
    due_ns: int
    """When it was due, by the writer's clock."""
    name: str = ""
    """Of the disruption of an experiment."""
    number: int = 0
    """Of the disruption of an experiment."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every further line; as read, what is known of one step in the end."""

    number: int
    event: Event
    at: str
    step: Step | None = None
    """With PLANNED: the step, in its fullest version so far."""
    words: str = ""
    at_ns: int | None = None
    """When it was seen, by the clock of who wrote the line; None: an older Kilonode wrote it."""
    boot: str = ""
    """The boot of the machine that this clock belongs to, where another process than the journal's writer wrote it."""
    occasion: Occasion | None = None
    """With PLANNED, the first time."""

    @property
    def open(self) -> bool:
        """Whether something may be left of it to heal."""
        return self.event is not Event.HEALED and self.step is not None and bool(self.step.heals)


class Record(msgspec.Struct, frozen=True):
    """A journal as it was read."""

    path: Path
    head: Head
    entries: tuple[Entry, ...]
    """One for each step."""

    @property
    def open(self) -> tuple[Entry, ...]:
        """What may have to be healed, in the order in which it is to be done: the last injected first."""
        return tuple(entry for entry in reversed(self.entries) if entry.open)


class Journal:
    """Writes one journal."""

    def __init__(self, path: Path, clock: Clock, steps: dict[int, Step], boot: str = "") -> None:
        self.path = path
        self._clock = clock
        self._steps = steps
        self._boot = boot

    def plan(self, steps: Sequence[Step], occasion: Occasion | None = None) -> tuple[int, ...]:
        """Write down what will be done, all of it at once. On disk when this returns."""
        first = len(self._steps) + 1
        numbers = tuple(range(first, first + len(steps)))
        self._steps.update(zip(numbers, steps, strict=True))
        self._write(
            [self._entry(number, Event.PLANNED, step=self._steps[number], occasion=occasion) for number in numbers]
        )
        return numbers

    def keep(self, number: int, step: Step) -> None:
        """Write a fuller version of a step down. On disk when this returns."""
        self._steps[number] = step
        self._write([self._entry(number, Event.PLANNED, step=step)])

    def step(self, number: int) -> Step:
        """A step in its fullest version."""
        return self._steps[number]

    def took_effect(self, number: int, words: str, at_ns: int | None = None) -> None:
        """The step was done and seen, at `at_ns` if not now."""
        self._write([self._entry(number, Event.TOOK_EFFECT, words=words, at_ns=at_ns)], synchronous=False)

    def healed(self, number: int, words: str, at_ns: int | None = None) -> None:
        """The step was undone and seen to be, at `at_ns` if not now. On disk when this returns."""
        self._write([self._entry(number, Event.HEALED, words=words, at_ns=at_ns)])

    def not_healed(self, number: int, words: str) -> None:
        """The step could not be undone; it stays open."""
        self._write([self._entry(number, Event.NOT_HEALED, words=words)])

    def _entry(
        self,
        number: int,
        event: Event,
        *,
        step: Step | None = None,
        words: str = "",
        at_ns: int | None = None,
        occasion: Occasion | None = None,
    ) -> Entry:
        at_ns = self._clock.now_ns() if at_ns is None else at_ns
        return Entry(number, event, self._clock.utc().isoformat(), step, words, at_ns, self._boot, occasion)

    def _write(self, entries: Sequence[Entry], *, synchronous: bool = True) -> None:
        _append(self.path, b"".join(encode_json(entry) + b"\n" for entry in entries), synchronous=synchronous)


@contextlib.contextmanager
def new_journal(folder: Path, words: str, clock: Clock, cloud: str = "") -> Iterator[Journal]:
    """A journal of this process's own; it stays, and is nobody's any more, when the context is left."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    forget_old(folder)
    stamp = clock.utc().strftime("%Y%m%d-%H%M%S")
    path = folder / f"{stamp}-{os.getpid()}-{secrets.token_hex(3)}{_SUFFIX}"
    with hold(path, "this journal is another's", ""):
        head = Head(FORMAT_VERSION, identify(os.getpid()), clock.utc().isoformat(), words, cloud)
        _append(path, encode_json(head) + b"\n")
        _synchronise_folder(folder)
        yield Journal(path, clock, {})


@contextlib.contextmanager
def continue_journal(record: Record, clock: Clock) -> Iterator[Journal]:
    """A journal that another process left, to be healed. Raises InputError while somebody else holds it."""
    with hold(record.path, "whoever injected this still runs", "end it, or heal with --all"):
        _cut_torn_line(record.path)
        yield journal_of_another(record, clock)


def journal_of_another(record: Record, clock: Clock) -> Journal:
    """A journal to write in that another process began, without its lock."""
    return Journal(record.path, clock, steps_of(record), this_boot())


def announce(journal: Journal, folder: Path) -> None:
    """Have a journal that lies elsewhere found in `folder` too, where `kilonode fault heal` looks."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    forget_old(folder)
    (folder / journal.path.name).symlink_to(journal.path.resolve())


def steps_of(record: Record) -> dict[int, Step]:
    """The steps of a journal by their numbers."""
    return {entry.number: entry.step for entry in record.entries if entry.step is not None}


def journals(folder: Path) -> tuple[Record, ...]:
    """All journals of a folder, and those announced in it, the oldest first.

    One that cannot be read raises InputError: it may hold a cure.
    """
    return tuple(record for path in _whole_paths(folder) if (record := read_journal(path)) is not None)


def read_journal(path: Path) -> Record | None:
    """One journal; None when its process ended before it had written the first line, so before it did anything."""
    read = read_lines(path)
    if read is None:
        return None
    head, lines = read
    known: dict[int, Entry] = {}
    for line in lines:
        before = known.get(line.number)
        if before is not None:
            line = msgspec.structs.replace(
                line, step=line.step or before.step, occasion=line.occasion or before.occasion
            )
        known[line.number] = line
    return Record(path, head, tuple(known[number] for number in sorted(known)))


def read_lines(path: Path) -> tuple[Head, tuple[Entry, ...]] | None:
    """The same, line by line."""
    lines = path.read_bytes().split(b"\n")
    whole = lines[:-1]  # what follows the last line feed was not written to its end
    if not whole:
        return None
    try:
        head = decode_json(whole[0], Head)
        refuse_newer(head.format_version, FORMAT_VERSION, what="this journal of faults", where=str(path))
        return head, tuple(decode_json(line, Entry) for line in whole[1:])
    except msgspec.DecodeError as error:
        raise InputError("the journal of faults cannot be read", where=str(path), got=str(error)) from error


def forget_old(folder: Path) -> None:
    """Remove old journals in which nothing is left to heal; of those that lie elsewhere, that they were announced."""
    for path in _paths(folder)[:-KEPT_JOURNALS]:
        if not path.exists():  # where it lay, it was removed
            path.unlink(missing_ok=True)
            continue
        with contextlib.suppress(InputError, FileNotFoundError), hold(path, "", ""):
            record = read_journal(path)
            if record is None or not record.open:
                path.unlink()


def _whole_paths(folder: Path) -> list[Path]:
    """Where they lie themselves, so that a lock means the same whichever way a journal was found."""
    return list(dict.fromkeys(path.resolve() for path in _paths(folder) if path.exists()))


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}"))


def _cut_torn_line(path: Path) -> None:
    data = path.read_bytes()
    os.truncate(path, data.rfind(b"\n") + 1)


def _append(path: Path, data: bytes, *, synchronous: bool = True) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        if synchronous:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _synchronise_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
