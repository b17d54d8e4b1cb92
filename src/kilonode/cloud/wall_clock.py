"""The wall clock of one process of an emulated cloud, which may be told to be off.

The folder of skews is looked at 20 times a second. A skew of anybody first takes away the trust in timestamps, as each
process may read those of any other; its own offset a process only goes by a few looks later, when all others must have
seen it too. What it goes by is written down: a skew has taken effect when its process says so.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import Clock, SkewedClock
from kilonode.base.clock_skews import CLOCKS_FOLDER, SKEW_SUFFIX, SKEWS_FOLDER, ClockSeen, ClockSkew
from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.files import PRIVATE, write_atomically
from kilonode.base.processes import identify

LOOK_EVERY_S: Final = 0.05
FIRST_OTHERS_LOOKS: Final = 4
"""So many looks after it was seen a skew is gone by."""

_log = logging.getLogger(__name__)


class WallClock:
    """Follows the skews of a cloud for one process."""

    def __init__(self, clock: Clock, state: Path, process: str) -> None:
        """`state` is the cloud's folder, `process` whose clock this is there."""
        self.clock = SkewedClock(clock)
        self._folder = state / SKEWS_FOLDER
        self._seen = state / CLOCKS_FOLDER / process
        self._process = process
        self._names: list[str] = []
        """Those that were there at the last look, readable or not."""
        self._known: dict[str, ClockSkew] = {}
        self._waits: dict[str, int] = {}
        """Skews that are not gone by yet: for how many looks."""
        self._identity = identify(os.getpid())
        self._said: ClockSeen | None = None
        self._blind = False
        self.look(at_once=True)

    async def watch(self) -> None:
        """Follow them until cancelled."""
        while True:
            await self.clock.sleep(LOOK_EVERY_S)
            self.look()

    def look(self, *, at_once: bool = False) -> None:
        """Look once; `at_once`: everything that is there was there before this process."""
        try:
            names = self._there()
            if names == self._names and not self._waits:
                self._blind = False
                return
            read = {name: skew for name in names if (skew := self._known.get(name) or self._read(name)) is not None}
        except OSError as error:  # too many open files, say: the next look may see more
            if not self._blind:
                _log.warning("the skews of clocks cannot be looked at, and stay as they are: %s", error)
            self._blind = True
            return
        self._blind = False
        first = 0 if at_once else FIRST_OTHERS_LOOKS
        left = {name: first if name not in self._known else self._waits.get(name, 0) for name in read}
        self._names, self._known = names, read
        self._waits = {name: looks - 1 for name, looks in left.items() if looks > 0}
        if self._known:
            self.clock.distrust()
        gone_by = [skew for name, skew in self._known.items() if name not in self._waits]
        self.clock.skew(sum(skew.offset_s for skew in gone_by if skew.process == self._process))
        self._say(gone_by)

    def _there(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._folder) if name.endswith(SKEW_SUFFIX))  # noqa: PTH208
        except FileNotFoundError:
            return []

    def _say(self, gone_by: Sequence[ClockSkew]) -> None:
        if self._identity is None:
            return  # whoever waits for the word will say that it did not come
        seen = ClockSeen(self._identity, self.clock.offset_s, tuple(skew.token for skew in gone_by))
        if seen == self._said:
            return
        try:
            self._seen.parent.mkdir(mode=0o700, exist_ok=True)
            write_atomically(self._seen, encode_json(seen), PRIVATE)
            self._said = seen
        except OSError as error:  # whoever waits for the word will say that it did not come
            _log.warning("the clock is off as it was told, but that cannot be written down: %s", error)

    def _read(self, name: str) -> ClockSkew | None:
        try:
            return decode_json((self._folder / name).read_bytes(), ClockSkew)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            _log.warning("a skew of a clock cannot be read: %s: %s", name, error)
            return None


@contextlib.asynccontextmanager
async def followed(wall: WallClock) -> AsyncIterator[None]:
    """Follow the skews meanwhile."""
    watching = asyncio.create_task(wall.watch(), name="wall clock")
    try:
        yield
    finally:
        watching.cancel()
