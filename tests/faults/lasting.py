"""A planned fault that is in effect for as long as a test looks at it, on the real clock; healed whatever it finds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kilonode.base.clock import RealClock
from kilonode.faults.injecting import Injection, Injector
from kilonode.faults.journal import new_journal
from kilonode.faults.planning import PlannedFault
from kilonode.faults.registry import Drivers

CLOCK = RealClock()


@asynccontextmanager
async def in_effect(fault: PlannedFault, drivers: Drivers, folder: Path) -> AsyncIterator[Injection]:
    """Within, it is there, as its driver has seen; its journal is in `folder`."""
    with new_journal(folder, "a test's", CLOCK) as journal:
        injector = Injector(drivers, journal, CLOCK)
        injection = await injector.inject(fault)
        try:
            yield injection
        finally:
            await injector.heal(injection)
