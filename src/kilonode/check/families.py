"""Families of distributions that a delay can be fitted with: probabilities of intervals, quantiles, where to begin.

They are those that a stage profile can express, with the same parameters (seconds), so that a fit can be written down
as it stands; tests hold the two against each other. Parameters are arrays in the order of `names`.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Final

import numpy as np

from kilonode.check.normal import P95, deviations_of, share_below, share_between
from kilonode.check.statistics import Floats

LEAST_SIGMA: Final = 1e-3
"""Of a log-normal: narrower ones stand on single samples and explain nothing."""
LEAST_SHARE: Final = 0.02
_HALVINGS: Final = 60


class Family(ABC):
    """One family. It has no state."""

    name: ClassVar[str]
    """As in a stage profile."""
    names: ClassVar[tuple[str, ...]]
    """Of its parameters."""
    ends: ClassVar[frozenset[str]] = frozenset()
    """The parameters that end the range of possible values: likelihoods are not smooth in them."""

    @abstractmethod
    def allowed(self, parameters: Floats) -> bool:
        """Whether the parameters make sense."""

    @abstractmethod
    def probability(self, parameters: Floats, low: Floats, high: Floats) -> Floats:
        """Of each interval from `low` to `high`, which may be infinite."""

    @abstractmethod
    def quantile(self, parameters: Floats, shares: Floats) -> Floats:
        """The value that each share of all draws does not exceed."""

    @abstractmethod
    def starts(self, middles: Floats, lowest: float, highest: float) -> list[Floats]:
        """Where to begin looking, from sorted middles of intervals and the range that all of them span."""

    def narrowest(self, parameters: Floats) -> float:
        """How wide the narrowest part of the distribution is, from its middle to its 95th percentile."""
        return math.inf

    def steps(self, start: Floats, spread: float) -> Floats:
        """How far to look first in each direction."""
        return np.full(len(start), max(spread * 0.15, 1e-7))

    def below(self, parameters: Floats, values: Floats) -> Floats:
        """The share of draws up to each value."""
        return self.probability(parameters, np.full(len(values), -np.inf), values)


class Uniform(Family):
    """Evenly between two ends."""

    name = "uniform"
    names = ("min", "max")
    ends = frozenset({"min", "max"})

    def allowed(self, parameters: Floats) -> bool:
        """Whether the parameters make sense."""
        return bool(0 <= parameters[0] < parameters[1])

    def probability(self, parameters: Floats, low: Floats, high: Floats) -> Floats:
        """Of each interval."""
        first, last = parameters
        return np.asarray(np.clip(np.minimum(high, last) - np.maximum(low, first), 0, None) / (last - first))

    def quantile(self, parameters: Floats, shares: Floats) -> Floats:
        """The value that each share does not exceed."""
        return np.asarray(parameters[0] + shares * (parameters[1] - parameters[0]))

    def starts(self, middles: Floats, lowest: float, highest: float) -> list[Floats]:
        """Where to begin looking."""
        return [np.array([lowest, highest]), np.array([middles[0], middles[-1]])]


class Triangular(Family):
    """Between two ends, most often near the mode."""

    name = "triangular"
    names = ("min", "mode", "max")
    ends = frozenset({"min", "mode", "max"})

    def allowed(self, parameters: Floats) -> bool:
        """Whether the parameters make sense."""
        return bool(0 <= parameters[0] <= parameters[1] <= parameters[2] and parameters[0] < parameters[2])

    def probability(self, parameters: Floats, low: Floats, high: Floats) -> Floats:
        """Of each interval."""
        return self._below(parameters, high) - self._below(parameters, low)

    def _below(self, parameters: Floats, values: Floats) -> Floats:
        first, mode, last = parameters
        inside = np.clip(values, first, last)
        rising = (inside - first) ** 2 / max((last - first) * (mode - first), 1e-300)
        falling = 1 - (last - inside) ** 2 / max((last - first) * (last - mode), 1e-300)
        return np.asarray(np.where(inside < mode, rising, falling))

    def quantile(self, parameters: Floats, shares: Floats) -> Floats:
        """The value that each share does not exceed."""
        first, mode, last = parameters
        width = last - first
        rising = first + np.sqrt(shares * width * (mode - first))
        falling = last - np.sqrt((1 - shares) * width * (last - mode))
        return np.asarray(np.where(shares * width <= mode - first, rising, falling))

    def starts(self, middles: Floats, lowest: float, highest: float) -> list[Floats]:
        """Where to begin looking."""
        room = 0.05 * (highest - lowest)
        modes = np.quantile(middles, [0.1, 0.5, 0.9])
        return [np.array([max(0.0, lowest - room), mode, highest + room]) for mode in modes]


class LogNormal(Family):
    """The logarithm is normal."""

    name = "log-normal"
    names = ("p50", "p95")

    def allowed(self, parameters: Floats) -> bool:
        """Whether the parameters make sense."""
        return _makes_sense(*parameters.tolist())

    def probability(self, parameters: Floats, low: Floats, high: Floats) -> Floats:
        """Of each interval."""
        return _between(parameters[0], parameters[1], *_logarithms(low, high))

    def quantile(self, parameters: Floats, shares: Floats) -> Floats:
        """The value that each share does not exceed."""
        sigma = math.log(parameters[1] / parameters[0]) / P95
        return np.asarray(parameters[0] * np.exp(sigma * deviations_of(shares)))

    def starts(self, middles: Floats, lowest: float, highest: float) -> list[Floats]:
        """Where to begin looking."""
        return [np.array(_moments(middles))]

    def narrowest(self, parameters: Floats) -> float:
        """From middle to 95th percentile."""
        return float(parameters[1] - parameters[0])

    def steps(self, start: Floats, spread: float) -> Floats:
        """How far to look first."""
        return np.maximum(0.1 * start, 1e-7)


class ShiftedLogNormal(Family):
    """What lies above a least value is log-normal."""

    name = "log-normal"
    names = ("min", "p50", "p95")
    ends = frozenset({"min"})

    def allowed(self, parameters: Floats) -> bool:
        """Whether the parameters make sense."""
        least, middle, high = parameters.tolist()
        return 0 <= least < middle < high and _makes_sense(middle - least, high - least)

    def probability(self, parameters: Floats, low: Floats, high: Floats) -> Floats:
        """Of each interval."""
        least, middle, top = parameters
        return _between(middle - least, top - least, *_logarithms(low - least, high - least))

    def quantile(self, parameters: Floats, shares: Floats) -> Floats:
        """The value that each share does not exceed."""
        least, middle, high = parameters
        sigma = math.log((high - least) / (middle - least)) / P95
        return np.asarray(least + (middle - least) * np.exp(sigma * deviations_of(shares)))

    def starts(self, middles: Floats, lowest: float, highest: float) -> list[Floats]:
        """Where to begin looking."""
        found = []
        for share in (0.5, 0.8, 0.95):
            least = share * max(lowest, 0.5 * middles[0])
            middle, high = _moments(np.maximum(middles - least, 1e-6))
            found.append(np.array([least, least + middle, least + high]))
        return found

    def narrowest(self, parameters: Floats) -> float:
        """From middle to 95th percentile."""
        return float(parameters[2] - parameters[1])

    def steps(self, start: Floats, spread: float) -> Floats:
        """How far to look first."""
        return np.array([0.1 * (start[1] - start[0]), 0.1 * (start[1] - start[0]), 0.1 * (start[2] - start[0])])


class Mixture(Family):
    """A fast way and a slow one, each log-normal; the share is that of the first."""

    name = "mixture"
    names = ("share", "first p50", "first p95", "second p50", "second p95")

    def allowed(self, parameters: Floats) -> bool:
        """Whether the parameters make sense."""
        share, first, first_high, second, second_high = parameters.tolist()
        return (
            LEAST_SHARE <= share <= 1 - LEAST_SHARE
            and first <= second
            and _makes_sense(first, first_high)
            and _makes_sense(second, second_high)
        )

    def probability(self, parameters: Floats, low: Floats, high: Floats) -> Floats:
        """Of each interval."""
        share, first, first_high, second, second_high = parameters
        logarithms = _logarithms(low, high)
        fast, slow = _between(first, first_high, *logarithms), _between(second, second_high, *logarithms)
        return np.asarray(share * fast + (1 - share) * slow)

    def quantile(self, parameters: Floats, shares: Floats) -> Floats:
        """The value that each share does not exceed."""
        one = LogNormal()
        both = [one.quantile(parameters[1:3], shares), one.quantile(parameters[3:5], shares)]
        low, high = np.minimum(*both), np.maximum(*both)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            under = self.below(parameters, middle) < shares
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        return np.asarray((low + high) / 2)

    def starts(self, middles: Floats, lowest: float, highest: float) -> list[Floats]:
        """Cut in two at the widest gap between logarithms, and at some shares."""
        count = len(middles)
        edge = max(2, int(LEAST_SHARE * count) + 1)
        if count < 2 * edge + 2:
            return []
        gaps = np.diff(np.log(middles))[edge : count - edge]
        cuts = {edge + int(np.argmax(gaps)) + 1, *(int(share * count) for share in (0.3, 0.6, 0.85))}
        return [
            np.array([cut / count, *_moments(middles[:cut]), *_moments(middles[cut:])])
            for cut in sorted(cut for cut in cuts if edge <= cut <= count - edge)
        ]

    def narrowest(self, parameters: Floats) -> float:
        """From middle to 95th percentile."""
        return float(min(parameters[2] - parameters[1], parameters[4] - parameters[3]))

    def steps(self, start: Floats, spread: float) -> Floats:
        """How far to look first."""
        return np.array([0.1 if start[0] < 0.5 else -0.1, *np.maximum(0.05 * start[1:], 1e-7)])


FAMILIES: Final[tuple[Family, ...]] = (Uniform(), Triangular(), LogNormal(), ShiftedLogNormal(), Mixture())
"""The simplest first. A fixed value has no family: it is the interval that all samples have in common."""


def _makes_sense(middle: float, high: float) -> bool:
    """Whether there is a log-normal with this median and 95th percentile that is not a spike."""
    return 0 < middle < high and math.log(high / middle) / P95 >= LEAST_SIGMA


def _logarithms(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(low, 0.0)), np.log(np.maximum(high, 0.0))


def _between(middle: float, high_value: float, low: Floats, high: Floats) -> Floats:
    """The probability of a log-normal between each two logarithms."""
    mean, sigma = math.log(middle), math.log(high_value / middle) / P95
    return share_between((low - mean) / sigma, (high - mean) / sigma)


def _moments(values: Floats) -> tuple[float, float]:
    """Median and 95th percentile of the log-normal with the mean and deviation of these logarithms."""
    logarithms = np.log(np.maximum(values, 1e-9))
    sigma = max(float(logarithms.std()), 5 * LEAST_SIGMA)
    middle = math.exp(float(logarithms.mean()))
    return middle, middle * math.exp(P95 * sigma)


def normal_scores(values: Floats) -> Floats:
    """Each value by its rank among them, as standard deviations of a normal distribution; equal ones get their mean."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return deviations_of((last - (count - 1) / 2 - 0.5)[place] / len(values))


def shares_of(scores: Floats) -> Floats:
    """The share below each number of standard deviations."""
    return share_below(scores)
