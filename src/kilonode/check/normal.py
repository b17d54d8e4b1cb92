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
_STEP: Final = 5e-4
_PLACES: Final = np.arange(-_FARTHEST, 0.25, _STEP)
_BELOW: Final = np.array([math.erfc(-place / math.sqrt(2)) / 2 for place in _PLACES.tolist()])
P95: Final = _STANDARD.inv_cdf(0.95)


def share_between(low: Floats, high: Floats) -> Floats:
    """The probability between each two numbers of standard deviations; either may be infinite."""
    flip = low > 0
    return _below(np.where(flip, -low, high)) - _below(np.where(flip, -high, low))


def share_below(deviations: Floats) -> Floats:
    """The probability below each number of standard deviations."""
    return np.where(deviations > 0, 1 - _below(-deviations), _below(deviations))


def deviations_of(shares: Floats) -> Floats:
    """How many standard deviations from the middle each share of the probability reaches."""
    inside = np.clip(shares, 1e-12, 1 - 1e-12)
    return np.array([_STANDARD.inv_cdf(share) for share in inside.tolist()], dtype=np.float64)


def _below(deviations: Floats) -> Floats:
    low = np.interp(np.minimum(deviations, 0.0), _PLACES, _BELOW, left=0.0)
    # Above the middle only a difference that straddles it asks; there one minus the tail is as exact as needed.
    high = 1 - np.interp(-np.maximum(deviations, 0.0), _PLACES, _BELOW, left=0.0)
    return np.asarray(np.where(deviations > 0, high, low))
