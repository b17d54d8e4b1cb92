"""Injecting what was planned, keeping the times, and healing it: always, in every order of ends, once at least.

The order that nothing may change: the step is in the journal, then it is done, then it is undone, then the journal says
so. The fault that was injected last is healed first, all that it did at once. Every fault ends as one `Disrupted`: when
it was due, when it took effect (seen, not assumed) and when it was healed. Instants are of the clock, in nanoseconds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError, KilonodeError
from kilonode.base.finishing import finish
from kilonode.faults.driver import Effect, Step
from kilonode.faults.ending import ENDS, ends
from kilonode.faults.journal import Journal, Occasion
from kilonode.faults.planning import PlannedFault, PlannedPart, renew
from kilonode.faults.registry import Drivers

Tell = Callable[[str], None]
"""Words for people about what happens, as it happens."""
Aim = Callable[[Sequence[Step]], None]
"""Takes the steps of a fault that is about to be injected."""


class Left(Protocol):
    """What other processes began, and nobody holds any more."""

    async def end(self, step: Step, drivers: Drivers, tell: Tell) -> list[Effect]:
        """Heal what such a step ends of it. Raises FaultError when that cannot be."""
        ...


class Disrupted(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one fault."""

    sentence: str
    due_ns: int
    told_ns: int | None = None
    """When its drivers were told to do it: nobody felt anything of it before. None: they were not."""
    took_effect_ns: int | None = None
    """When all of its steps had taken effect; None: they did not."""
    resolution_ns: int = 0
    """The true instant lies in so much time before."""
    healed_ns: int | None = None
    """None: it is not healed, or leaves nothing to heal."""
    lasting: bool = False
    """Whether it leaves something to heal."""
    error: str = ""
    ended_by: str = ""
    """The fault that ended it, if one did."""


class Injection:
    """One fault that is in effect."""

    def __init__(
        self, planned: PlannedFault, due_ns: int, told_ns: int, numbers: Sequence[int], effects: Sequence[Effect]
    ) -> None:
        self.planned = planned
        self.due_ns = due_ns
        self.told_ns = told_ns
        self.numbers = tuple(numbers)
        self.took_effect_ns = max(effect.at_ns for effect in effects)
        self.resolution_ns = max(effect.resolution_ns for effect in effects)
        self.healed: dict[int, int] = {}
        """Of its steps, those that another fault ended, and when."""
        self.ended_by = ""
        self.over = asyncio.Event()
        """Set when another fault has ended all of it."""


class InEffect:
    """What several injectors that share a journal have in effect, so that a fault of one can end that of another."""

    def __init__(self) -> None:
        self.injectors: list[Injector] = []
        self.turn = asyncio.Lock()
        """What is ended is ended by one at a time."""


class Injector:
    """Injects and heals, and writes both down."""

    def __init__(
        self,
        drivers: Drivers,
        journal: Journal,
        clock: Clock,
        tell: Tell = lambda words: None,
        name: str = "",
        number: int = 0,
        *,
        among: InEffect | None = None,
        left: Left | None = None,
        aim: Aim = lambda steps: None,
    ) -> None:
        """`name` and `number` are of the disruption of an experiment.

        What its faults can end beside its own: what others have in effect (`among`), what others left (`left`).
        """
        self._among = among or InEffect()
        self._among.injectors.append(self)
        self._left = left
        self._aim = aim
        self._occasion = Occasion(0, "", 0, name, number)
        self._drivers = drivers
        self._journal = journal
        self._clock = clock
        self._tell = tell
        self._open: dict[int, Injection] = {}
        self.results: list[Disrupted] = []
        """Every fault that was begun, in the order in which they ended."""

    async def inject(self, planned: PlannedFault, due_ns: int | None = None) -> Injection:
        """Do all steps of a fault at once and see them done. When one cannot be, all are healed and it is raised."""
        due_ns = self._clock.now_ns() if due_ns is None else due_ns
        try:
            planned = await renew(planned, self._drivers)
        except FaultError as error:
            self._end(planned, due_ns, None, None, str(error))
            raise
        self._occasion = msgspec.structs.replace(
            self._occasion, place=self._occasion.place + 1, sentence=planned.sentence, due_ns=due_ns
        )
        numbers = self._journal.plan(planned.steps, self._occasion)
        self._tell(f"injecting: {planned.sentence}")
        self._aim(planned.steps)
        told_ns = self._clock.now_ns()
        tasks: list[asyncio.Future[Effect]] = [
            asyncio.ensure_future(self._do(number, step, planned))
            for number, step in zip(numbers, planned.steps, strict=True)
        ]
        try:
            await asyncio.gather(*tasks)
        except BaseException as error:
            await finish(self._take_back(planned, due_ns, numbers, tasks, str(error) or type(error).__name__))
            raise
        injection = Injection(planned, due_ns, told_ns, numbers, [task.result() for task in tasks])
        if planned.lasting:
            self._open[numbers[0]] = injection
        else:
            self._end(planned, due_ns, injection, None, "")
        return injection

    async def heal(self, injection: Injection) -> None:
        """Undo a fault and see it undone; nothing when it was healed or leaves nothing. Raises FaultError."""
        if self._open.pop(injection.numbers[0], None) is not None:
            await finish(self._heal(injection))

    async def _heal(self, injection: Injection) -> None:
        planned = injection.planned
        self._tell(f"healing: {planned.sentence}")
        left = [number for number in injection.numbers if number not in injection.healed]
        healed_ns = await self._undo(left)
        error = "" if healed_ns is not None else "it could not be healed"
        self._end(planned, injection.due_ns, injection, healed_ns, error)
        if error:
            raise FaultError(error, where=planned.sentence, hint="try again with: kilonode fault heal")

    async def end(self, injection: Injection, number: int, by: str) -> Effect:
        """Undo one step of a fault before its time, because another fault says so. Raises FaultError."""
        effect = await undo(number, self._drivers, self._journal, self._tell)
        if effect is None:
            raise FaultError("what was begun earlier could not be healed", where=injection.planned.sentence)
        injection.healed[number] = effect.at_ns
        injection.ended_by = by
        left = set(injection.numbers) - set(injection.healed)
        over = not any(self._journal.step(each).heals for each in left)
        if over and self._open.pop(injection.numbers[0], None) is not None:
            healed_ns = max(injection.healed.values())
            self._end(injection.planned, injection.due_ns, injection, healed_ns, "")
            injection.over.set()
        return effect

    def matching(self, step: Step) -> list[tuple[Injection, int]]:
        """What is in effect of what a step ends: the fault, and the number of its step."""
        return [
            (injection, number)
            for injection in self._open.values()
            for number in injection.numbers
            if number not in injection.healed and ends(step, self._journal.step(number))
        ]

    async def heal_all(self) -> None:
        """Undo all that is in effect, the last first; what cannot be is left open, said, and raised in the end."""
        errors: list[FaultError] = []
        for injection in reversed(tuple(self._open.values())):
            try:
                await self.heal(injection)
            except FaultError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    @contextlib.asynccontextmanager
    async def healing(self) -> AsyncIterator[None]:
        """However the context is left, all is healed then."""
        try:
            yield
        finally:
            await finish(self.heal_all())

    async def carry_out(self, parts: Sequence[PlannedPart], stop: asyncio.Event, due_ns: int | None = None) -> bool:
        """Do a whole sentence, with its pauses and durations, and heal everything.

        What has no duration lasts until `stop` is set; set early, it ends everything at once. `due_ns`: when the
        sentence was due, if not now. Returns whether it came to its own end. Raises what an injection or a heal raised.
        """
        async with self.healing():
            for number, part in enumerate(parts):
                if await self._wait(float(part.after), stop):
                    return False
                if due_ns is not None:  # of what follows nobody knows beforehand when it is due
                    due_ns = due_ns + round(float(part.after) * NANOSECONDS_PER_SECOND) if number == 0 else None
                others = []
                for each in (*part.during, part.fault):
                    begun = await self._inject_unless(stop, each, due_ns)
                    if begun is None:
                        return False
                    others.append(begun)
                injection = others.pop()
                if await self._wait_for(injection, stop):
                    return False
                for other in reversed(others):
                    if other.planned.fault.duration is None and injection.planned.open_ended:
                        continue  # both last until the end
                    if await self._wait_for(other, stop):
                        return False
                    await self.heal(other)
            while self._open and not stop.is_set():
                await _first_of(stop, *(injection.over for injection in self._open.values()))
            return True

    async def _inject_unless(self, stop: asyncio.Event, planned: PlannedFault, due_ns: int | None) -> Injection | None:
        """Inject; None when `stop` was set before it took effect, and what was done of it is healed."""
        if stop.is_set():
            return None
        injecting = asyncio.ensure_future(self.inject(planned, due_ns))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([injecting, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if not injecting.done():
                injecting.cancel()
            await asyncio.wait([injecting])
        return None if injecting.cancelled() else injecting.result()

    async def _wait_for(self, injection: Injection, stop: asyncio.Event) -> bool:
        """Wait until the duration of a fault is over, and heal it; True when `stop` came first."""
        duration = injection.planned.fault.duration
        if duration is None:
            return False  # whether anything more was to come shows when it begins
        past_s = (self._clock.now_ns() - injection.took_effect_ns) / NANOSECONDS_PER_SECOND
        if await self._wait(float(duration) - past_s, stop, injection.over):
            return True
        await self.heal(injection)
        return False

    async def _wait(self, seconds: float, stop: asyncio.Event, *over: asyncio.Event) -> bool:
        """Wait, at most until what is waited for is over; True when `stop` came first."""
        if seconds > 0:
            await _first_of(stop, *over, timeout_s=seconds)
        return stop.is_set()

    async def _take_back(
        self, planned: PlannedFault, due_ns: int, numbers: Sequence[int], tasks: list[asyncio.Future[Effect]], why: str
    ) -> None:
        """Heal what could not be done whole."""
        # None is left half way: healing while a step is still being done would race with it.
        await asyncio.gather(*tasks, return_exceptions=True)
        self._end(planned, due_ns, None, await self._undo(numbers), why)

    async def _do(self, number: int, step: Step, planned: PlannedFault) -> Effect:
        effect = await self._end_earlier(step, planned) if step.action in ENDS else None
        if effect is None:
            if planned.only_ends:
                raise FaultError(f"there is nothing to {step.action.value}: none of it is in effect", where=step.words)
            driver = self._drivers.named(step.driver)
            effect = await driver.inject(step, lambda fuller: self._journal.keep(number, fuller))
        self._journal.took_effect(number, effect.words, effect.at_ns)
        self._tell(f"  {effect.words}")
        return effect

    async def _end_earlier(self, step: Step, planned: PlannedFault) -> Effect | None:
        """End all that a step ends, the last first; None when there is nothing."""
        effects: list[Effect] = []
        async with self._among.turn:
            for injector in reversed(self._among.injectors):
                for injection, number in reversed(injector.matching(step)):
                    effects.append(await injector.end(injection, number, planned.sentence))
            if self._left is not None:
                effects += await self._left.end(step, self._drivers, self._tell)
        return max(effects, key=lambda effect: effect.at_ns) if effects else None

    async def _undo(self, numbers: Sequence[int]) -> int | None:
        """Heal steps of one fault, all of them whatever becomes of one.

        When the last of them was; None when one was not, or there was nothing to heal.
        """
        left = [number for number in reversed(numbers) if self._journal.step(number).heals]
        effects = await undo_together(left, self._drivers, self._journal, self._tell)
        done = [effect.at_ns for effect in effects if effect is not None]
        return max(done) if done and len(done) == len(effects) else None

    def _end(
        self, planned: PlannedFault, due_ns: int, injection: Injection | None, healed_ns: int | None, error: str
    ) -> None:
        done = Disrupted(planned.sentence, due_ns, healed_ns=healed_ns, lasting=planned.lasting, error=error)
        if injection is not None:
            done = msgspec.structs.replace(
                done,
                told_ns=injection.told_ns,
                took_effect_ns=injection.took_effect_ns,
                resolution_ns=injection.resolution_ns,
                ended_by=injection.ended_by,
            )
        self.results.append(done)


async def _first_of(*events: asyncio.Event, timeout_s: float | None = None) -> None:
    """Wait until one of these is set, or for so long."""
    if any(event.is_set() for event in events):
        return
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


async def undo_together(numbers: Sequence[int], drivers: Drivers, journal: Journal, tell: Tell) -> list[Effect | None]:
    """Heal steps of one fault at the same time, as they were done."""
    return await asyncio.gather(*(undo(number, drivers, journal, tell) for number in numbers))


async def undo(number: int, drivers: Drivers, journal: Journal, tell: Tell) -> Effect | None:
    """Heal one step of a journal and write that down; None when it could not be healed, which is written down too."""
    step = journal.step(number)
    try:
        effect = await drivers.named(step.driver).heal(step)
    except (KilonodeError, OSError, msgspec.DecodeError) as error:
        journal.not_healed(number, str(error))
        tell(f"  not healed: {step.words}: {error}")
        return None
    journal.healed(number, effect.words, effect.at_ns)
    tell(f"  {effect.words}")
    return effect
