"""When each packet of a degraded link goes on, and which are lost: pure.

A packet waits for those before it as on a wire of so many bits a second, then for the delay; the delay varies evenly by
the jitter, and packets keep their order, so a late one holds up those behind it. What would have to wait for the wire
longer than `BACKLOG_S` is lost, as in a router that is full. Times are seconds on any one axis.
"""

from typing import Final

import msgspec

from kilonode.base.randomness import Randomness

BACKLOG_S: Final = 1.0


class Shape(msgspec.Struct, frozen=True, omit_defaults=True):
    """What becomes of packets."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss_percent: float = 0.0
    bandwidth_bits_per_s: int | None = None
    seed: int = 0


class Shaping:
    """One link."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._stream = Randomness(shape.seed, "link").stream()
        self._free_s = 0.0
        """When the wire is free."""
        self._last_s = 0.0
        """When the last packet goes on."""

    def departure_s(self, now_s: float, size_bytes: int) -> float | None:
        """When a packet that came now goes on; None: it is lost."""
        shape = self._shape
        if shape.loss_percent and self._stream.random() * 100 < shape.loss_percent:
            return None
        sent_s = now_s
        if shape.bandwidth_bits_per_s:
            begins_s = max(now_s, self._free_s)
            if begins_s - now_s > BACKLOG_S:
                return None
            self._free_s = sent_s = begins_s + size_bytes * 8 / shape.bandwidth_bits_per_s
        late_s = max(0.0, shape.delay_s + self._stream.uniform(-shape.jitter_s, shape.jitter_s))
        self._last_s = max(self._last_s, sent_s + late_s)
        return self._last_s
