"""A fault from its sentence: planned, and in effect for as long as a test looks at it, on the real clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kilonode.base.clock import RealClock
from kilonode.base.randomness import Randomness
from kilonode.faults.injecting import Injection, Injector
from kilonode.faults.journal import new_journal
from kilonode.faults.language import parse
from kilonode.faults.planning import PlannedFault, plan_sentence
from kilonode.faults.registry import Drivers

CLOCK = RealClock()


async def plan(text: str, drivers: Drivers) -> PlannedFault:
    """What a sentence of one fault would do."""
    (part,) = await plan_sentence(parse(text), drivers, Randomness(1))
    return part.fault


@asynccontextmanager
async def in_effect(fault: PlannedFault, drivers: Drivers, folder: Path) -> AsyncIterator[Injection]:
    """Within, it is there, as its driver has seen; its journal is in `folder`. Healed whatever the test finds."""
    with new_journal(folder, "a test's", CLOCK) as journal:
        injector = Injector(drivers, journal, CLOCK)
        injection = await injector.inject(fault)
        try:
            yield injection
        finally:
            await injector.heal(injection)
