"""Ratios of percentiles and differences of shares between two runs, with intervals made of the intervals of each.

The method is MOVER (method of variance estimates recovery; Zou and Donner 2008): the distance from an estimate to the
end of its interval stands for its standard error in that direction, and such distances add in squares. For shares with
Wilson's intervals this is Newcombe's method; for percentiles it is applied to logarithms, so it gives a ratio. It draws
no random numbers and assumes nothing about the distributions but that samples are independent.
"""

import math
from typing import Final

from kilonode.check.comparison import Direction
from kilonode.check.results import Interval, Percentile

SHORTEST_S: Final = 1e-9
"""Instants are whole nanoseconds: what is shorter counts as this where a logarithm is needed."""


def ratio_of(baseline: Percentile, other: Percentile) -> tuple[float | None, Interval | None, Direction]:
    """Other over baseline, its 95 % interval, and what can be said. Unknown where a percentile is, or a lower limit."""
    if baseline.value_s is None or other.value_s is None or baseline.at_least or other.at_least:
        return None, None, Direction.UNKNOWN
    first, second = _logarithm(baseline.value_s), _logarithm(other.value_s)
    before, after = _log_interval(baseline), _log_interval(other)
    low, high = difference_interval(first, before, second, after)
    interval = Interval(low=None if low is None else math.exp(low), high=None if high is None else math.exp(high))
    return math.exp(second - first), interval, direction_of(low, high)


def difference_interval(
    first: float, before: tuple[float | None, float | None], second: float, after: tuple[float | None, float | None]
) -> tuple[float | None, float | None]:
    """The interval of `second - first` from their own; an end needs one end of each of them."""
    middle = second - first
    low = high = None
    if before[1] is not None and after[0] is not None:
        low = middle - math.hypot(second - after[0], before[1] - first)
    if before[0] is not None and after[1] is not None:
        high = middle + math.hypot(after[1] - second, first - before[0])
    return low, high


def direction_of(low: float | None, high: float | None) -> Direction:
    """What an interval of a difference says: whether it excludes zero."""
    if low is not None and low > 0:
        return Direction.MORE
    if high is not None and high < 0:
        return Direction.LESS
    return Direction.UNKNOWN if low is None or high is None else Direction.SAME


def _logarithm(seconds: float) -> float:
    return math.log(max(seconds, SHORTEST_S))


def _log_interval(percentile: Percentile) -> tuple[float | None, float | None]:
    interval = percentile.interval_s
    if interval is None:
        return None, None
    return (
        None if interval.low is None else _logarithm(interval.low),
        None if interval.high is None else _logarithm(interval.high),
    )
