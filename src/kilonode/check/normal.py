"""The normal distribution for arrays, without scipy: a fine table of the standard library's, linear in between.

Differences are taken in the lower tail, where floats are dense, so that small probabilities keep their digits.
"""

import math
from statistics import NormalDist
from typing import Final

import numpy as np

from kilonode.check.statistics import Floats

_STANDARD: Final = NormalDist()
_FARTHEST: Final = 12.0
_STEPS: Final = 2000
"""Of the table, for each standard deviation."""
_BELOW: Final = np.array(
    [math.erfc(place / _STEPS / math.sqrt(2)) / 2 for place in range(int(_FARTHEST) * _STEPS + 1)] + [0.0]
)
"""By distance below the middle; beyond the farthest there is nothing."""
_FALL: Final = np.append(np.diff(_BELOW), 0.0)
P95: Final = _STANDARD.inv_cdf(0.95)


def share_between(low: Floats, high: Floats) -> Floats:
    """The probability between each two numbers of standard deviations; either may be infinite."""
    flip = low > 0
    below = _below(np.concatenate((np.where(flip, -low, high), np.where(flip, -high, low))))
    return below[: len(low)] - below[len(low) :]


def share_below(deviations: Floats) -> Floats:
    """The probability below each number of standard deviations."""
    return np.where(deviations > 0, 1 - _below(-deviations), _below(deviations))


def deviations_of(shares: Floats) -> Floats:
    """How many standard deviations from the middle each share of the probability reaches."""
    inside = np.clip(shares, 1e-12, 1 - 1e-12)
    return np.array([_STANDARD.inv_cdf(share) for share in inside.tolist()], dtype=np.float64)


def _below(deviations: Floats) -> Floats:
    steps = np.minimum(np.abs(deviations) * _STEPS, len(_BELOW) - 1.0)
    place = steps.astype(np.intp)
    tail = _BELOW[place] + (steps - place) * _FALL[place]
    # Above the middle only a difference that straddles it asks; there one minus the tail is as exact as needed.
    return np.asarray(np.where(deviations > 0, 1 - tail, tail))
