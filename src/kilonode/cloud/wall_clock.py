"""The wall clock of one process of an emulated cloud, which may be told to be off.

The folder of skews is looked at 20 times a second. A skew of anybody first takes away the trust in timestamps, as each
process may read those of any other; its own offset a process only goes by a few looks later, when all others must have
seen it too. What it goes by is written down: a skew has taken effect when its process says so.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import Clock, SkewedClock
from kilonode.base.clock_skews import CLOCKS_FOLDER, SKEW_SUFFIX, SKEWS_FOLDER, ClockSeen, ClockSkew
from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.files import PRIVATE, write_atomically

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
        self._known: dict[str, ClockSkew] = {}
        self._waits: dict[str, int] = {}
        """Skews that are not gone by yet: for how many looks."""
        self._said: ClockSeen | None = None
        self.look(at_once=True)

    async def watch(self) -> None:
        """Follow them until cancelled."""
        while True:
            await self.clock.sleep(LOOK_EVERY_S)
            self.look()

    def look(self, *, at_once: bool = False) -> None:
        """Look once; `at_once`: everything that is there was there before this process."""
        try:
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(SKEW_SUFFIX))  # noqa: PTH208
        except FileNotFoundError:
            names = []
        except OSError as error:  # too many open files, say: the next look may see more
            _log.warning("the skews of clocks cannot be looked at, and stay as they are: %s", error)
            return
        if names == list(self._known) and not self._waits:
            return
        for name in [name for name in self._known if name not in names]:
            del self._known[name]
            self._waits.pop(name, None)
        for name in names:
            if name not in self._known and (skew := self._read(name)) is not None:
                self._known[name] = skew
                self._waits[name] = 0 if at_once else FIRST_OTHERS_LOOKS
        self._known = dict(sorted(self._known.items()))
        self._waits = {name: looks - 1 for name, looks in self._waits.items() if looks > 0}
        if self._known:
            self.clock.distrust()
        ours = [skew for skew in self._known.values() if skew.process == self._process]
        self.clock.skew(sum(skew.offset_s for name, skew in self._known.items() if skew in ours
                            and name not in self._waits))  # fmt: skip
        self._say()

    def _say(self) -> None:
        gone_by = tuple(skew.token for name, skew in self._known.items() if name not in self._waits)
        seen = ClockSeen(os.getpid(), self.clock.offset_s, gone_by)
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
