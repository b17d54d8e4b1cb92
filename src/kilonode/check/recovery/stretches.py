"""Where operations were impaired: change points between two levels, with intervals for where they are.

Each operation gets a score: the logarithm of how much better *impaired* explains it than *as before*. The two levels:

- as before: lost, or slower than the objective, as seldom as in the baseline; the latency of the others, less the
  tolerance, ranks evenly among the baseline's.
- impaired: lost with `LOST_WHEN_IMPAIRED`, slow with as much; else it ranks high, with the density 3 r² at the rank r.

A stretch is impaired where the scores add up to at least the logarithm of (operations / `FALSE_ALARMS`), and it ends
where they fall by as much: by Wald's inequality an undisturbed workload then shows one in about `FALSE_ALARMS` of all
runs, whatever its distribution. Only ranks and rates enter, so no outlier and no shape of the distribution does harm,
and ten samples are a baseline. Change points are where the sum turns; their interval is where it is within `WITHIN` of
that.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from kilonode.check.recovery.samples import Probes
from kilonode.check.statistics import Floats

TOLERANCE: Final = 1.25
"""So many times slower than before still counts as well."""
FALSE_ALARMS: Final = 0.05
LOST_WHEN_IMPAIRED: Final = 0.3
WITHIN: Final = 4.0
"""In logarithms of likelihood: the sum rises by more than this beyond a change point that is elsewhere with a
probability of at most 2 %."""
FEWEST_BASELINE: Final = 10
_MORE: Final = 0.5
"""As if so many more of the baseline had been bad: none of a hundred is not never."""
_SHAPE: Final = 3.0


@dataclass(frozen=True, slots=True)
class Impaired:
    """A stretch of operations, by their numbers, and between which ones it may have begun and ended."""

    first: int
    last: int
    began_after: int
    """The last operation that was certainly before it; minus one: there is none."""
    began_by: int
    """The first one that is certainly within it, or right behind its begin."""
    ended_after: int
    ended_by: int
    """The first operation that is certainly behind it; the number of operations: there is none."""


def find_impaired(baseline: Probes, probes: Probes, objective_s: float) -> list[Impaired]:
    """The impaired stretches among `probes`, in order."""
    if len(probes) == 0:
        return []
    scores = score(baseline, probes, objective_s)
    least = math.log(max(2, len(probes)) / FALSE_ALARMS)
    total = np.cumsum(scores)
    with_none = np.concatenate(([0.0], total))
    turns = _turns(total.tolist(), least)
    found = []
    for place, (first, last) in enumerate(turns):
        after = turns[place - 1][1] if place else -1
        before = turns[place + 1][0] if place + 1 < len(turns) else len(probes)
        low = total[first - 1] if first else 0.0
        # Candidates for the last good operation before the stretch, minus one included; and for the last one within it.
        begin = np.flatnonzero(with_none[after + 1 : last + 1] <= low + WITHIN) + after
        end = np.flatnonzero(total[first:before] >= total[last] - WITHIN) + first
        found.append(Impaired(first, last, int(begin[0]), int(begin[-1]) + 1, int(end[0]), int(end[-1]) + 1))
    return found


def score(baseline: Probes, probes: Probes, objective_s: float) -> Floats:
    """How much better *impaired* explains each operation than *as before*, as a logarithm."""
    well_before = baseline.latency_s[~baseline.lost]
    lost_before = _rate(int(baseline.lost.sum()), len(baseline))
    slow_before = _rate(int((well_before > objective_s).sum()), len(baseline))
    lost = max(0.0, math.log(LOST_WHEN_IMPAIRED / lost_before))
    slow = math.log(LOST_WHEN_IMPAIRED / slow_before)
    known = np.sort(well_before)
    # The middle between strictly below and at or below: ties, as in simulated time, are neither slow nor fast.
    scaled = probes.latency_s / TOLERANCE
    below = (np.searchsorted(known, scaled, side="left") + np.searchsorted(known, scaled, side="right")) / 2
    rank = (below + 0.5) / (len(known) + 1)
    rest = math.log((1 - LOST_WHEN_IMPAIRED) / (1 - lost_before)) + math.log(_SHAPE)
    well = rest + (_SHAPE - 1) * np.log(rank)
    well = np.where(probes.latency_s > objective_s, np.maximum(well, slow), well)
    return np.where(probes.lost, lost, well)


def _rate(count: int, of: int) -> float:
    return min((count + _MORE) / (of + 1), 0.5)


def _turns(total: list[float], least: float) -> list[tuple[int, int]]:
    """First and last index of each rise of a running sum by at least `least`, as far as a fall by as much."""
    found: list[tuple[int, int]] = []
    low, low_at = 0.0, -1
    high, high_at = 0.0, -1
    rising = False
    for index, value in enumerate(total):
        if rising:
            if value >= high:
                high, high_at = value, index
            elif high - value >= least:
                found.append((low_at + 1, high_at))
                rising, low, low_at = False, value, index
        elif value <= low:
            low, low_at = value, index
        elif value - low >= least:
            rising, high, high_at = True, value, index
    if rising:
        found.append((low_at + 1, high_at))
    return found
