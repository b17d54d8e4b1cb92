"""Since when documents are in their stages, where their timestamps cannot be trusted because somebody's clock is off.

How long a stage takes is nobody's wall clock: real services wait by the monotonic one. While all clocks agree, a
document's own timestamp says since when it is in its stage, for a process that was started anew too. Once one does not,
what counts is when this process saw the document begin; for those that were in their stage before, the timestamp.
"""

from collections.abc import Mapping
from typing import Final

from kilonode.base.clock import SkewedClock

MOST: Final = 200_000
"""Sightings that are remembered; beyond them the oldest are forgotten."""
_MICROSECONDS_PER_SECOND: Final = 1_000_000
_NANOSECONDS_PER_MICROSECOND: Final = 1_000


class Sightings:
    """Since when documents of one kind are in their stages, by the wall clock of this process."""

    def __init__(self, clock: SkewedClock, stamps_us: Mapping[str, int]) -> None:
        """`stamps_us`: the timestamps of the documents that there are when timestamps are no longer trusted."""
        self._clock = clock
        self._before = stamps_us
        self._seen: dict[str, tuple[object, int, int]] = {}
        """Of a key: its visit, when that was first seen, and with which timestamp."""

    def since_us(self, key: str, visit: object, stamp_us: int, now_us: int) -> int:
        """Since when a document is there, where the clock says `now_us`. `visit` tells stays in a stage apart."""
        if self._before.get(key) == stamp_us:
            return min(now_us, stamp_us + round(self._clock.offset_s * _MICROSECONDS_PER_SECOND))
        known = self._seen.get(key)
        now_ns = self._clock.now_ns()
        if known is None or known[0] != visit:
            self._seen.pop(key, None)
            if len(self._seen) >= MOST:
                del self._seen[next(iter(self._seen))]
            known = self._seen[key] = (visit, now_ns, stamp_us)
        # A timestamp that is changed during the stay moves its end: that is how one is hurried.
        return now_us - (now_ns - known[1]) // _NANOSECONDS_PER_MICROSECOND + stamp_us - known[2]
