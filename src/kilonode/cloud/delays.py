"""Delays as distributions, as they stand in a stage profile: each is known by its quantile function.

A draw is the quantile of a fraction that somebody else drew: nothing here is random. Durations are seconds.
"""

import itertools
import math
from statistics import NormalDist
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from kilonode.base.units import Duration

STANDARD_NORMAL: Final = NormalDist()
_P95_SIGMAS: Final = STANDARD_NORMAL.inv_cdf(0.95)
_SHARES_MAY_MISS: Final = 0.005
"""Shares are written with few digits."""
_FINEST_S: Final = 1e-6


class _Distribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="distribution"):
    pass


class Fixed(_Distribution, frozen=True, tag="fixed"):
    """Always the same."""

    value: Duration

    def quantile_s(self, fraction: float) -> float:
        """The delay that a `fraction` (0 to 1) of all draws do not exceed, in seconds."""
        return float(self.value)


class Uniform(_Distribution, frozen=True, tag="uniform"):
    """Evenly between `min` and `max`."""

    min: Duration
    max: Duration

    def __post_init__(self) -> None:
        if not self.min <= self.max:
            raise ValueError("Expected min ≤ max")

    def quantile_s(self, fraction: float) -> float:
        """The delay that a `fraction` (0 to 1) of all draws do not exceed, in seconds."""
        return self.min + fraction * (self.max - self.min)


class Triangular(_Distribution, frozen=True, tag="triangular"):
    """Between `min` and `max`, most often near `mode`."""

    min: Duration
    mode: Duration
    max: Duration

    def __post_init__(self) -> None:
        if not self.min <= self.mode <= self.max:
            raise ValueError("Expected min ≤ mode ≤ max")

    def quantile_s(self, fraction: float) -> float:
        """The delay that a `fraction` (0 to 1) of all draws do not exceed, in seconds."""
        width = self.max - self.min
        if width == 0:
            return float(self.min)
        if fraction * width <= self.mode - self.min:
            return self.min + math.sqrt(fraction * width * (self.mode - self.min))
        return self.max - math.sqrt((1 - fraction) * width * (self.max - self.mode))


class LogNormal(_Distribution, frozen=True, tag="log-normal"):
    """A log-normal with this median and 95th percentile, cut off at `max`: durations of most real operations.

    With `min`, what lies above `min` is log-normal: an operation that never takes less.
    """

    p50: Duration
    p95: Duration
    max: Duration
    min: Duration = Duration(0)

    def __post_init__(self) -> None:
        if not self.min < self.p50 < self.p95 < self.max:
            raise ValueError("Expected 0 ≤ min < p50 < p95 < max")

    def quantile_s(self, fraction: float) -> float:
        """The delay that a `fraction` (0 to 1) of all draws do not exceed, in seconds.

        The cut keeps the shape below `max`: the probability beyond it is spread over the rest.
        """
        mean, deviation = _log_mean_and_deviation(self)
        below_max = STANDARD_NORMAL.cdf((math.log(self.max - self.min) - mean) / deviation)
        inside = min(max(fraction * below_max, 1e-12), 1 - 1e-12)
        return self.min + math.exp(mean + deviation * STANDARD_NORMAL.inv_cdf(inside))

    def share_up_to(self, delay_s: float) -> float:
        """The fraction of all draws that do not exceed this delay."""
        if delay_s <= self.min:
            return 0.0
        if delay_s >= self.max:
            return 1.0
        mean, deviation = _log_mean_and_deviation(self)
        below_max = STANDARD_NORMAL.cdf((math.log(self.max - self.min) - mean) / deviation)
        return STANDARD_NORMAL.cdf((math.log(delay_s - self.min) - mean) / deviation) / below_max


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the two ways in which an operation can go: a log-normal, and how often it is the one."""

    share: Annotated[float, Meta(gt=0, lt=1)]
    p50: Duration
    p95: Duration
    max: Duration
    min: Duration = Duration(0)

    def __post_init__(self) -> None:
        self.delay()

    def delay(self) -> LogNormal:
        """The log-normal by itself."""
        return LogNormal(self.p50, self.p95, self.max, self.min)


class Mixture(_Distribution, frozen=True, tag="mixture"):
    """Some log-normals, each with its share: an operation that has a fast way and a slow one."""

    parts: Annotated[tuple[Part, ...], Meta(min_length=2, max_length=4)]

    def __post_init__(self) -> None:
        if abs(sum(part.share for part in self.parts) - 1) > _SHARES_MAY_MISS:
            raise ValueError("Expected shares that add up to 1")

    def quantile_s(self, fraction: float) -> float:
        """The delay that a `fraction` (0 to 1) of all draws do not exceed, by halving, in seconds."""
        delays = [part.delay() for part in self.parts]
        within = min(max(fraction, 1e-12), 1 - 1e-12)
        low = min(delay.quantile_s(within) for delay in delays)
        high = max(delay.quantile_s(within) for delay in delays)
        while high - low > max(_FINEST_S, 1e-9 * high):
            middle = (low + high) / 2
            if self._share_up_to(delays, middle) < within:
                low = middle
            else:
                high = middle
        return high

    def _share_up_to(self, delays: list[LogNormal], delay_s: float) -> float:
        shares = [part.share * delay.share_up_to(delay_s) for part, delay in zip(self.parts, delays, strict=True)]
        return sum(shares) / sum(part.share for part in self.parts)


class Empirical(_Distribution, frozen=True, tag="empirical"):
    """As it was measured: the delays at evenly spaced fractions, from the shortest to the longest, linear between."""

    quantiles: Annotated[tuple[Duration, ...], Meta(min_length=2, max_length=1001)]

    def __post_init__(self) -> None:
        if any(after < before for before, after in itertools.pairwise(self.quantiles)):
            raise ValueError("Expected quantiles that do not fall")

    def quantile_s(self, fraction: float) -> float:
        """The delay that a `fraction` (0 to 1) of all draws do not exceed, in seconds."""
        place = min(max(fraction, 0.0), 1.0) * (len(self.quantiles) - 1)
        before = min(int(place), len(self.quantiles) - 2)
        low, high = self.quantiles[before], self.quantiles[before + 1]
        return low + (place - before) * (high - low)


Delay = Fixed | Uniform | Triangular | LogNormal | Mixture | Empirical
NO_DELAY: Final = Fixed(Duration(0))


def _log_mean_and_deviation(delay: LogNormal) -> tuple[float, float]:
    middle = delay.p50 - delay.min
    return math.log(middle), math.log((delay.p95 - delay.min) / middle) / _P95_SIGMAS
