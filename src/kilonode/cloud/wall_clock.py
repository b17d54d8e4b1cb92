"""The wall clock of one process of an emulated cloud, which may be told to be off.

The folder of skews is looked at 20 times a second. A skew of anybody first takes away the trust in timestamps, as each
process may read those of any other; its own offset a process only goes by a few looks later, when all others must have
seen it too. What it goes by is written down: a skew has taken effect when its process says so.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from kilonode.base.clock import Clock, SkewedClock
from kilonode.base.clock_skews import CLOCKS_FOLDER, SKEW_SUFFIX, SKEWS_FOLDER, ClockSeen, ClockSkew
from kilonode.base.processes import identify
from kilonode.cloud.told import Told, write_down

SKEWS: Final = "skews of clocks"
LOOK_EVERY_S: Final = 0.05
FIRST_OTHERS_LOOKS: Final = 4
"""So many looks after it was seen a skew is gone by."""


class WallClock:
    """Follows the skews of a cloud for one process."""

    def __init__(self, clock: Clock, state: Path, process: str) -> None:
        """`state` is the cloud's folder, `process` whose clock this is there."""
        self.clock = SkewedClock(clock)
        self._told = Told(state / SKEWS_FOLDER, SKEW_SUFFIX, ClockSkew, SKEWS)
        self._seen = state / CLOCKS_FOLDER / process
        self._process = process
        self._waits: dict[str, int] = {}
        """Skews that are not gone by yet: for how many looks."""
        self._identity = identify(os.getpid())
        self._said: ClockSeen | None = None
        self.look(at_once=True)

    async def watch(self) -> None:
        """Follow them until cancelled."""
        while True:
            await self.clock.sleep(LOOK_EVERY_S)
            self.look()

    def look(self, *, at_once: bool = False) -> None:
        """Look once; `at_once`: everything that is there was there before this process."""
        known = self._told.records
        if not self._told.look() and not self._waits:
            return
        there = self._told.records
        first = 0 if at_once else FIRST_OTHERS_LOOKS
        left = {name: first if name not in known else self._waits.get(name, 0) for name in there}
        self._waits = {name: looks - 1 for name, looks in left.items() if looks > 0}
        if there:
            self.clock.distrust()
        gone_by = [skew for name, skew in there.items() if name not in self._waits]
        self.clock.skew(sum(skew.offset_s for skew in gone_by if skew.process == self._process))
        self._say(gone_by)

    def _say(self, gone_by: Sequence[ClockSkew]) -> None:
        if self._identity is None:
            return  # whoever waits for the word will say that it did not come
        seen = ClockSeen(self._identity, self.clock.offset_s, tuple(skew.token for skew in gone_by))
        if seen != self._said and write_down(self._seen, seen, SKEWS):
            self._said = seen


@contextlib.asynccontextmanager
async def followed(wall: WallClock) -> AsyncIterator[None]:
    """Follow the skews meanwhile."""
    watching = asyncio.create_task(wall.watch(), name="wall clock")
    try:
        yield
    finally:
        watching.cancel()
