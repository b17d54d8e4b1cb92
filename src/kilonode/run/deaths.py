"""Processes of the cloud that end during a run although nothing in the run was meant to end them: seen, and an Op each.

Which processes there are is told by a `ProcessSource`, asked twice a second. What is ended on purpose is told to a
`Deliberate` before it is done: by faults that end processes, by replacements, by commands of upgrades. A fault that
only disturbs a process (freezes it, cuts it off, skews its clock) does not account for its death: that is what such a
fault is there to bring to light. Why a process died is not known here, nor what is to be thought of it: that is said by
`kilonode.check`.

An Op of kind *death*: `step` is the process, *started* the last look at which it was there, *finished* the first at
which it was gone, so its resolution is the time between them. Instants are of the clock, in nanoseconds.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol, Self

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import KilonodeError, trim
from kilonode.base.outcomes import Outcome
from kilonode.base.processes import ProcessIdentity
from kilonode.base.units import format_seconds
from kilonode.base.usage import families
from kilonode.faults.driver import Step
from kilonode.faults.model import Action
from kilonode.history.records import Op, OpKind

LOOK_EVERY_S: Final = 0.5
ANYTHING: Final = ""
"""Of what is done by a command nobody knows which processes it ends."""
ENDING: Final = frozenset({Action.KILL, Action.TERMINATE, Action.RESTART})
"""The faults after which a process is gone, or another."""


class Standing(msgspec.Struct, frozen=True):
    """A process that the cloud should have, as it is now."""

    name: str
    identity: ProcessIdentity | None
    """None: it does not run."""
    replacements: int = 0
    """How often another one was put in its place in good order; 0 where nobody counts."""
    restarts: int = 0
    """How often it was started again because it had ended; 0 where nobody does that."""
    words: str = ""
    """How it ended last and what became of it, for people, where that is known."""


class ProcessSource(Protocol):
    """Somebody who knows which processes a cloud should have."""

    def standings(self) -> Sequence[Standing]:
        """All of them now. Asked twice a second: be quick. Raises KilonodeError when nobody can tell."""
        ...


class _Aim(msgspec.Struct, frozen=True):
    """A fault is about to end a process."""

    name: str
    head: ProcessIdentity
    at_ns: int


class Deliberate:
    """What is ended on purpose."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heads: dict[str, ProcessIdentity] = {}
        self._aims: list[_Aim] = []
        """What faults are about to end, or have ended, each for one death."""
        self._open: dict[str, list[int]] = {}
        """What is being replaced now, and since when."""
        self._over: list[tuple[str, int]] = []
        """What was replaced, and when that was over."""

    def know(self, standings: Sequence[Standing]) -> None:
        """Take which processes there are."""
        self._heads = {one.name: one.identity for one in standings if one.identity is not None}

    def aim(self, steps: Sequence[Step]) -> None:
        """A fault is about to be injected."""
        now_ns = self._clock.now_ns()
        for step in steps:
            if step.action in ENDING and step.identity is not None:
                self._aims += [_Aim(name, self._heads[name], now_ns) for name in self._whose(step.identity)]

    def begin(self, name: str) -> None:
        """From now on this process may end, or with `ANYTHING` every one."""
        self._open.setdefault(name, []).append(self._clock.now_ns())

    def end(self, name: str) -> None:
        """No longer."""
        self._open[name].pop()
        self._over.append((name, self._clock.now_ns()))

    def account_for(self, before: Standing, deaths: int, since_ns: int) -> int:
        """How many of so many deaths of a process were meant, which was this at the last look, at `since_ns`."""
        name = before.name
        if any(self._open.get(each) for each in (name, ANYTHING)):
            return deaths
        if any(each in (name, ANYTHING) and at_ns >= since_ns for each, at_ns in self._over):
            return deaths
        aims = [
            aim for aim in self._aims if aim.name == name and (aim.head == before.identity or aim.at_ns >= since_ns)
        ][:deaths]
        for aim in aims:
            self._aims.remove(aim)
        return len(aims)

    def _whose(self, identity: ProcessIdentity) -> list[str]:
        """The process that this one is, or is a descendant of."""
        heads = [name for name, head in self._heads.items() if head == identity]
        if heads:
            return heads
        # Only now, because it is a look at every process of the machine.
        members = families({name: [head] for name, head in self._heads.items()})
        return [name for name, family in members.items() if identity in family]


class DeathWatch:
    """Looks until its context is left."""

    def __init__(
        self,
        source: ProcessSource,
        deliberate: Deliberate,
        clock: Clock,
        record: Callable[[Op], None],
        note: Callable[[str], None],
    ) -> None:
        self._source, self._deliberate, self._clock = source, deliberate, clock
        self._record, self._note = record, note
        self._last: dict[str, Standing] = {}
        self._looked_ns = 0
        self._told = 0
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._look()
        self._looking = asyncio.create_task(self._follow(), name="deaths")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        self._look()

    async def _follow(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            self._look()

    def _look(self) -> None:
        with contextlib.suppress(KilonodeError, OSError):  # the next look sees what this one would have
            found = self._source.standings()
            since_ns, self._looked_ns = self._looked_ns, self._clock.now_ns()
            for one in found:
                before = self._last.get(one.name, one)
                deaths = _deaths(before, one)
                deaths -= self._deliberate.account_for(before, deaths, since_ns)
                if deaths:
                    self._tell(one, deaths, since_ns)
            self._last |= {one.name: one for one in found}
            self._deliberate.know(found)

    def _tell(self, one: Standing, deaths: int, since_ns: int) -> None:
        times = f"{deaths} times" if deaths > 1 else ""
        words = "; ".join(part for part in (times, one.words) if part)
        within = format_seconds((self._looked_ns - since_ns) / NANOSECONDS_PER_SECOND)
        self._note(f"{one.name} ended in the last {within}, which nobody asked for" + (f": {words}" if words else ""))
        outcome, resolution_ns = Outcome.WRONG_STATE.value, self._looked_ns - since_ns
        self._record(
            Op(OpKind.DEATH.value, "", one.name, self._told, since_ns, since_ns, self._looked_ns, outcome, trim(words),
               resolution_ns)
        )  # fmt: skip
        self._told += 1


def _deaths(before: Standing, now: Standing) -> int:
    """How often a process ended between two looks without another one being put in its place in good order."""
    if now.restarts > before.restarts:
        return now.restarts - before.restarts
    gone = before.identity is not None and now.identity != before.identity
    return 1 if gone and now.replacements == before.replacements else 0
