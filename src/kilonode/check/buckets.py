"""Buckets of time for series, and values cut to what a drawing can show."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from kilonode.check.operations import Indices
from kilonode.check.statistics import Floats

MOST_POINTS: Final = 600
"""A series never has more buckets than this."""
USUAL_POINTS: Final = 60
"""A short run is cut into about this many buckets, unless they would be shorter than anybody can see."""
USUAL_WIDTH_S: Final = 1.0
SHORTEST_WIDTH_S: Final = 0.1
_NICE: Final = (1.0, 2.0, 5.0)
_DRAWN_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Buckets:
    """Buckets of equal width, side by side."""

    start_s: float
    width_s: float
    count: int

    @property
    def edges_s(self) -> Floats:
        """All edges, one more than buckets."""
        return self.start_s + self.width_s * np.arange(self.count + 1, dtype=np.float64)

    @property
    def middles_s(self) -> Floats:
        """The middle of each bucket."""
        return self.start_s + self.width_s * (np.arange(self.count, dtype=np.float64) + 0.5)

    def of(self, at_s: Floats) -> Indices:
        """The bucket of each instant; instants outside belong to the first or the last one."""
        place = np.floor((at_s - self.start_s) / self.width_s).astype(np.int64)
        return np.clip(place, 0, self.count - 1)

    def counts(self, at_s: Floats) -> Floats:
        """How many of the instants lie in each bucket."""
        return np.bincount(self.of(at_s), minlength=self.count).astype(np.float64)


def nice_at_least(width_s: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, 50, … (and 0.1, 0.2, 0.5, …) that is not below `width_s`, in seconds."""
    power = 10.0 ** math.floor(math.log10(width_s))
    return next(round(nice * power, 9) for nice in (*_NICE, 10.0) if nice * power >= width_s * (1 - 1e-9))


def usual_width_s(duration_s: float, most_points: int = MOST_POINTS) -> float:
    """The width of buckets for a load of this length: a second, unless the load is very long or very short."""
    wanted = min(USUAL_WIDTH_S, max(SHORTEST_WIDTH_S, duration_s / USUAL_POINTS))
    return nice_at_least(max(wanted, duration_s / most_points))


def buckets_between(start_s: float, end_s: float, width_s: float) -> Buckets:
    """Buckets whose edges are multiples of the width, from the one that has `start_s` to the one that has `end_s`."""
    first = math.floor(start_s / width_s + 1e-9)
    last = max(first + 1, math.ceil(end_s / width_s - 1e-9))
    return Buckets(first * width_s, width_s, last - first)


def drawn(values: Floats) -> tuple[float, ...]:
    """The values with four significant digits: what a drawing can show."""
    return tuple(float(f"{value:.{_DRAWN_DIGITS}g}") for value in values.tolist())


def drawn_or_none(values: Floats) -> tuple[float | None, ...]:
    """As `drawn`; what is not a number becomes None."""
    return tuple(None if math.isnan(value) else value for value in drawn(values))
