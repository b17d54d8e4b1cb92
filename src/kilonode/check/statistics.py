"""Exact percentiles and their confidence intervals, with samples that were cut off; Wilson's interval for a share.

A percentile here is by *nearest rank* (type 1 of Hyndman and Fan): the smallest sample that at least that percentage of
all samples do not exceed. It is always a value that was measured; nothing is interpolated or assumed about the
distribution. The interval is made of order statistics too: between them the true percentile of the process lies with at
least 95 % probability, whatever its distribution, if samples are independent of each other. (Latencies that follow each
other closely are not quite; then the true interval is wider.)

A censored sample is one whose true value is at least what was recorded. Order statistics of lower limits are lower
limits of the order statistics, so a percentile with a censored sample at or below it is given as *at least*.
"""

import math
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

CONFIDENCE: Final = 0.95
_TAIL: Final = (1 - CONFIDENCE) / 2
_Z: Final = 1.959963984540054  # the normal distribution's quantile at 1 - _TAIL
_STANDARD_DEVIATIONS: Final = 12  # beyond which a binomial distribution has no mass that a float could tell


class Ranks(NamedTuple):
    """The ranks, from one, of the order statistics that bound a percentile; None: no sample is far enough out."""

    low: int | None
    high: int | None


def share_of(percent: float) -> Fraction:
    """A percentage as an exact share: 99.9 is 999/1000, not the nearest float."""
    return Fraction(repr(percent)) / 100


def rank_of(count: int, percent: float) -> int:
    """The rank, from one, of a percentile among `count` samples."""
    return max(1, math.ceil(count * share_of(percent)))


def samples_needed(percent: float) -> int:
    """How many samples a percentile needs to be given at all: one is expected to lie beyond it."""
    share = share_of(percent)
    return math.ceil(1 / min(share, 1 - share))


def interval_ranks(count: int, percent: float) -> Ranks:
    """The ranks of a 95 % interval of a percentile: each end is missed with a probability of at most 2.5 %.

    The number of samples at or below the true percentile is binomial, whatever the distribution of the samples.
    """
    share = float(share_of(percent))
    middle, spread = count * share, math.sqrt(count * share * (1 - share))
    first = max(0, math.floor(middle - _STANDARD_DEVIATIONS * spread - 25))
    last = min(count, math.ceil(middle + _STANDARD_DEVIATIONS * spread + 25))
    numbers = np.arange(first, last, dtype=np.float64)
    growth = np.log((count - numbers) / (numbers + 1) * (share / (1 - share)))
    log_mass = np.concatenate(([0.0], np.cumsum(growth)))
    mass = np.exp(log_mass - log_mass.max())
    below = np.cumsum(mass) / mass.sum()
    low = first + int(np.searchsorted(below, _TAIL, side="right"))
    high = first + int(np.searchsorted(below, 1 - _TAIL, side="left")) + 1
    return Ranks(low if low >= 1 else None, high if high <= count else None)


class Sorted:
    """Samples in ascending order, and where the first censored one stands. Exact samples come first among equals."""

    def __init__(self, values: Floats, censored: Booleans | None = None) -> None:
        """`censored` marks the values that are lower limits; None: there are none."""
        if censored is None or not censored.any():
            self.values = np.sort(values)
            self.censored = 0
            self.exact_until = len(values)
            return
        order = np.lexsort((censored, values))
        self.values = values[order]
        self.censored = int(censored.sum())
        self.exact_until = int(np.argmax(censored[order]))
        """How many samples, from the shortest, come before the first censored one."""

    def __len__(self) -> int:
        return len(self.values)

    def at_rank(self, rank: int) -> float:
        """The sample with this rank, from one."""
        return float(self.values[rank - 1])

    def exact_at(self, rank: int) -> bool:
        """The true order statistic is known: no censored sample lies at or below it."""
        return rank <= self.exact_until


def wilson_interval(successes: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score method; sensible also for no or only successes."""
    share = successes / count
    spread = _Z * math.sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2)
    middle = share + _Z**2 / (2 * count)
    scale = 1 + _Z**2 / count
    low = 0.0 if successes == 0 else max(0.0, (middle - spread) / scale)
    high = 1.0 if successes == count else min(1.0, (middle + spread) / scale)
    return low, high
