"""Fitting a distribution to durations that are known only up to an interval: maximum likelihood, chosen by BIC.

An observation is an interval that holds the true duration: as wide as the polling resolution where the end was found by
polling, as narrow as the clock where it was seen, and without an upper end where the operation was cut off. The
likelihood is the product of the intervals' probabilities, which is right for all three (interval censoring). Where
the begin was found by polling too, it may have been earlier by up to its `blur`: the probability is the mean over that.

Of several families that one is chosen whose Schwarz criterion (BIC, G. Schwarz 1978) is least: -2 log L + k log n. Its
parameters have intervals by profile likelihood: all values that cost less than half the 95 % quantile of chi-square
with one degree of freedom; two for a parameter that is an end of the range, where the likelihood falls like an
exponential.
"""

import math
from typing import Final

import msgspec
import numpy as np

from kilonode.check.families import FAMILIES, Family
from kilonode.check.minimizing import minimize
from kilonode.check.results import Interval
from kilonode.check.statistics import Floats

LEAST_SAMPLES: Final = 20
"""As many as a 95th percentile needs."""
MOST_SAMPLES: Final = 1_000
"""Of more, this many are fitted, evenly taken by rank: the shape stays, the time does not grow."""
CLOCK_S: Final = 1e-6
"""No interval is narrower than what is left of an instant after it went through a clock and an event loop."""
GOOD_ENOUGH: Final = 0.07
"""How far median and p95 of a fit may lie from what was measured before the measured quantiles are taken instead."""
QUANTILES_KEPT: Final = 41
NARROWEST: Final = 0.5
"""No part of a fit is narrower than this share of the typical interval: spikes where intervals overlap are no truth."""
FIXED: Final = "fixed"
EMPIRICAL: Final = "empirical"
_COST: Final = 1.920729
_COST_OF_AN_END: Final = 2.995732
_LOWEST_PROBABILITY: Final = 1e-300
_EM_ROUNDS: Final = 100
_SEARCHES: Final = 7
_SHIFTS: Final = 5
_GOLDEN: Final = 0.6180339887498949
_DOUBLINGS: Final = 12


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution that was fitted. Durations are seconds."""

    family: str
    """As in a stage profile."""
    parameters: dict[str, float]
    """By name; of `empirical`: none."""
    intervals: dict[str, Interval]
    """Of the parameters, 95 %."""
    quantiles: tuple[float, ...] = ()
    """Of `empirical`: at even shares from 0 to 1."""
    samples: int
    fitted: int
    """How many of the samples went into the likelihood."""
    censored: int
    """Samples that were cut off: at least so long."""
    log_likelihoods: dict[str, float]
    """By family, of the best fit of each that was tried."""
    distance: float
    """Kolmogorov's distance to the nearest distribution that the intervals allow: 0 is as good as can be told."""
    longest_s: float
    """The longest measured."""

    def quantile(self, shares: Floats) -> Floats:
        """The duration that each share of all draws does not exceed."""
        if self.family == FIXED:
            return np.full(len(shares), self.parameters["value"])
        if self.family == EMPIRICAL:
            return np.interp(shares, np.linspace(0, 1, len(self.quantiles)), self.quantiles)
        family = next(one for one in FAMILIES if one.name == self.family and set(one.names) == set(self.parameters))
        return family.quantile(np.array([self.parameters[name] for name in family.names]), shares)


class Intervals:
    """Observations: each lies between `low` and `high`."""

    def __init__(self, low: Floats, high: Floats, blur: Floats | None = None) -> None:
        """Seconds; `high` is infinite where an operation was cut off. None stays narrower than a clock can tell.

        `blur`: by how much more than they say both ends may be; all of that is equally probable. `low` may be negative.
        """
        narrow = high - low < CLOCK_S
        middle = np.where(np.isfinite(high), (low + high) / 2, low)
        self.low = np.where(narrow, middle - CLOCK_S / 2, low)
        self.high = np.where(narrow, middle + CLOCK_S / 2, high)
        self.blur = np.zeros(len(low)) if blur is None else blur
        least = np.maximum(self.low, 0.0)
        self.middle = np.where(np.isfinite(high), (least + self.high + self.blur) / 2, least)
        self.width_s = float(np.median((self.high - self.low)[np.isfinite(high)])) if np.isfinite(high).any() else 0.0
        # Each observation has shifts of its own, so that together they lie densely.
        offsets = np.arange(len(low)) * _GOLDEN % 1
        shifts = [(number + offsets) / _SHIFTS for number in range(_SHIFTS)] if self.blur.any() else [offsets * 0]
        self.shifts = len(shifts)
        self.shifted = (
            np.concatenate([np.maximum(self.low + shift * self.blur, 0.0) for shift in shifts]),
            np.concatenate([self.high + shift * self.blur for shift in shifts]),
        )
        """Low and high for some shifts of the begin, one after the other, all of them equally probable."""

    def __len__(self) -> int:
        return len(self.low)

    @property
    def censored(self) -> int:
        """How many have no upper end."""
        return int(np.count_nonzero(~np.isfinite(self.high)))

    def thinned(self, most: int) -> "Intervals":
        """At most so many of them, evenly by rank."""
        if len(self) <= most:
            return self
        order = np.argsort(self.middle, kind="stable")
        chosen = order[np.linspace(0, len(self) - 1, most).round().astype(np.int64)]
        return Intervals(self.low[chosen], self.high[chosen], self.blur[chosen])


def fit(observed: Intervals) -> Fitted | None:
    """The best distribution for these observations; None when there are too few of them."""
    if len(observed) - observed.censored < LEAST_SAMPLES:
        return None
    thinned = observed.thinned(MOST_SAMPLES)
    longest_s = float(np.max(observed.middle))
    common = (float((observed.low + observed.blur).max()), float(observed.high.min()))
    if common[0] <= common[1] and not observed.blur.any():
        return Fitted(
            family=FIXED,
            parameters={"value": sum(common) / 2},
            intervals={"value": Interval(low=common[0], high=common[1])},
            samples=len(observed),
            fitted=len(observed),
            censored=observed.censored,
            log_likelihoods={FIXED: 0.0},
            distance=0.0,
            longest_s=longest_s,
        )
    found = [(family, best) for family in FAMILIES if (best := _best(family, thinned)) is not None]
    likelihoods: dict[str, float] = {}
    for family, best in found:
        name = family.name if family.name not in likelihoods else f"{family.name} with min"
        likelihoods[name] = -_cost(family, best, thinned)
    family, best = min(found, key=lambda one: 2 * _cost(one[0], one[1], thinned) + len(one[1]) * math.log(len(thinned)))
    fitted = Fitted(
        family=family.name,
        parameters={name: _or_zero(value) for name, value in zip(family.names, best.tolist(), strict=True)},
        intervals=_profile(family, best, thinned),
        samples=len(observed),
        fitted=len(thinned),
        censored=observed.censored,
        log_likelihoods=likelihoods,
        distance=_distance(family, best, thinned),
        longest_s=longest_s,
    )
    if _misses(fitted, thinned) <= GOOD_ENOUGH:
        return fitted
    return msgspec.structs.replace(
        fitted, family=EMPIRICAL, parameters={}, intervals={}, quantiles=measured_quantiles(thinned), distance=0.0
    )


def measured_quantiles(observed: Intervals) -> tuple[float, ...]:
    """Of the distribution of largest likelihood without a family, by self-consistency (B. W. Turnbull 1976)."""
    places = np.unique(np.quantile(observed.middle, np.linspace(0, 1, 201)))
    nearest = np.abs(observed.middle[:, None] - places[None, :]).argmin(axis=1)
    low, high = observed.low, observed.high + observed.blur
    inside = (places[None, :] >= low[:, None]) & (places[None, :] <= high[:, None])
    inside[np.arange(len(observed)), nearest] = True
    mass = np.full(len(places), 1 / len(places))
    for _ in range(_EM_ROUNDS):
        weighed = inside * mass
        mass = (weighed / weighed.sum(axis=1, keepdims=True)).mean(axis=0)
    reached = np.cumsum(mass) - mass / 2
    return tuple(np.interp(np.linspace(0, 1, QUANTILES_KEPT), reached, places).tolist())


def _cost(family: Family, parameters: Floats, observed: Intervals) -> float:
    """Minus the log-likelihood; infinite for parameters that make no sense."""
    if not family.allowed(parameters) or family.narrowest(parameters) < NARROWEST * observed.width_s:
        return math.inf
    shifted = family.probability(parameters, *observed.shifted)
    probability = shifted.reshape(observed.shifts, -1).mean(axis=0)
    return -float(np.log(np.maximum(probability, _LOWEST_PROBABILITY)).sum())


def _best(family: Family, observed: Intervals) -> Floats | None:
    finite = np.isfinite(observed.high)
    lowest = max(0.0, float(observed.low.min()))
    highest = float((observed.high + observed.blur)[finite].max())
    middles = np.maximum(np.sort(observed.middle), CLOCK_S)
    spread = float(np.subtract(*np.quantile(middles, [0.95, 0.05])))
    best: Floats | None = None
    for start in family.starts(middles, lowest, highest):
        if not math.isfinite(_cost(family, start, observed)):
            continue
        end = minimize(lambda x: _cost(family, x, observed), start, family.steps(start, spread))
        if best is None or _cost(family, end, observed) < _cost(family, best, observed):
            best = end
    return best


def _or_zero(value: float) -> float:
    """The value, or zero when no clock can tell it from that."""
    return 0.0 if value < CLOCK_S else value


def _profile(family: Family, best: Floats, observed: Intervals) -> dict[str, Interval]:
    floor = _cost(family, best, observed)
    found = {}
    for place, name in enumerate(family.names):
        limit = floor + (_COST_OF_AN_END if name in family.ends else _COST)
        ends = [_profile_end(family, best, place, sign, limit, observed) for sign in (-1, 1)]
        low, high = (None if end is None else _or_zero(end) for end in ends)
        found[name] = Interval(low=low, high=high)
    return found


def _profile_end(
    family: Family, best: Floats, place: int, sign: int, limit: float, observed: Intervals
) -> float | None:
    """How far one parameter can go in one direction, all others following, before it costs more than the limit."""
    others = np.delete(best, place)
    first_steps = family.steps(best, float(np.ptp(observed.middle)))
    first, steps = abs(float(first_steps[place])), np.delete(first_steps, place) / 5
    follow = others

    def cost(value: float) -> float:
        nonlocal follow

        def inner(rest: Floats) -> float:
            return _cost(family, np.insert(rest, place, value), observed)

        if not math.isfinite(inner(follow)):
            return math.inf
        if len(others):
            follow = minimize(inner, follow, steps, exact=0.02, rounds=1)
        return inner(follow)

    inside, step = float(best[place]), max(0.3 * first, CLOCK_S)
    outside: float | None = None
    for _ in range(_DOUBLINGS):
        tried = inside + sign * step
        before = follow
        if tried < 0 or cost(tried) > limit:
            outside, follow = tried, before
            break
        inside, step = tried, 2 * step
    if outside is None:
        return None
    for _ in range(_SEARCHES):
        middle = (inside + outside) / 2
        before = follow
        if middle < 0 or cost(middle) > limit:
            outside, follow = middle, before
        else:
            inside = middle
    return inside


def _distance(family: Family, parameters: Floats, observed: Intervals) -> float:
    """See `Fitted.distance`: how far the fit leaves the band between the intervals' lower and upper ends."""
    count, below = len(observed), family.below
    ends = observed.high + observed.blur
    low, high = np.sort(observed.low), np.sort(ends[np.isfinite(ends)])
    above_band = below(parameters, low) - np.arange(count) / count
    under_band = np.arange(1, len(high) + 1) / count - below(parameters, high)
    return max(0.0, float(above_band.max()), float(under_band.max()))


def _misses(fitted: Fitted, observed: Intervals) -> float:
    """How far median and p95 of the fit lie outside what the intervals allow for them: the worse, relative."""
    low, high = np.sort(observed.low), np.sort(observed.high + observed.blur)
    shares = np.array([0.5, 0.95])
    places = np.ceil(shares * len(observed)).astype(np.int64) - 1
    values = fitted.quantile(shares)
    under = (low[places] - values) / np.maximum(low[places], CLOCK_S)
    highest = np.where(np.isfinite(high[places]), high[places], values)  # without an upper end nothing is too high
    over = (values - highest) / np.maximum(highest, CLOCK_S)
    return max(0.0, float(under.max()), float(over.max()))
