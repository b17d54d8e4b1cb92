"""Pacers: which iterations of an open workload are due by when, as pure functions of the time elapsed since its start.

A pacer never sleeps and never reads a clock. The rate is a function of time; the iteration with index i is due at the
first instant after which more than i iterations are asked for, so index 0 is due as soon as the rate is above zero and
the number due in any time differs from the integral of the rate by less than one. The Poisson pacer has independent
exponential gaps instead. The whole schedule follows from the model, the run's seed and the workload's name: every
worker process computes the same one and takes its own part of it (`kilonode.load.segments`).

Times are float seconds since the start of the workload. In floating point: `due_s` never decreases, and `count_by(t)`
is by construction the number of indices whose `due_s` is at most t.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, overload

import numpy as np
import numpy.typing as npt

from kilonode.base.errors import InputError
from kilonode.base.randomness import Randomness
from kilonode.load.models import ConstantArrivalRate, OpenModel, PoissonArrivalRate, RampingArrivalRate, Step

LARGEST_SCHEDULE_ITERATIONS: Final = 1_000_000_000
"""More than a run could ever keep; up to here the arithmetic on floats holds."""

Indices = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.float64]

_BLOCK: Final = 16_384
"""How many gaps of a Poisson process are drawn from one random stream."""


class Pacer(Protocol):
    """The schedule of one open workload, all worker processes together."""

    @property
    def end_s(self) -> float:
        """From here on nothing new is due."""
        ...

    @overload
    def due_s(self, index: int) -> float: ...
    @overload
    def due_s(self, index: Indices) -> Seconds: ...
    def due_s(self, index: int | Indices) -> float | Seconds:
        """When the iteration with this index is due; infinite where the schedule is over before. For arrays too."""
        ...

    def count_by(self, elapsed_s: float) -> int:
        """How many iterations are due by then, that instant included."""
        ...

    def rate_at(self, elapsed_s: float) -> float:
        """The rate asked for at that instant, per second; zero outside the schedule."""
        ...


def open_pacer(model: OpenModel, seed: int, workload: str) -> Pacer:
    """The pacer of a load model. Raises InputError when it asks for more iterations than any run can hold."""
    match model:
        case ConstantArrivalRate():
            return LinearPacer([Stage(model.duration, model.rate, model.rate)])
        case RampingArrivalRate():
            stages, rate = [], float(model.start)
            for stage in model.stages:
                stages.append(Stage(stage.over, rate, stage.to))
                rate = stage.to
            return LinearPacer(stages)
        case Step():
            rates = [model.start + number * model.step for number in range(model.steps + 1)]
            return LinearPacer([Stage(model.every, rate, rate) for rate in rates])
        case PoissonArrivalRate():
            return PoissonPacer(model.rate, model.duration, Randomness(seed, "pacer", workload))


class Stage(NamedTuple):
    """A stretch of time over which the rate goes linearly from one value to another."""

    duration_s: float
    rate_from: float
    rate_to: float


class LinearPacer:
    """A rate that is linear in each of some stages, and may jump between them."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        kept = [stage for stage in stages if stage.duration_s > 0]
        duration_s = np.array([stage.duration_s for stage in kept], dtype=np.float64)
        self._rate_from = np.array([stage.rate_from for stage in kept], dtype=np.float64)
        self._rate_to = np.array([stage.rate_to for stage in kept], dtype=np.float64)
        self._slope = (self._rate_to - self._rate_from) / duration_s
        self._border_s = np.concatenate(([0.0], np.cumsum(duration_s)))
        # Half of each rate first: their sum could overflow where the half cannot.
        area = (self._rate_from / 2 + self._rate_to / 2) * duration_s
        self._asked = np.concatenate(([0.0], np.cumsum(area)))
        """How many iterations (with fractions) are asked for before each border of stages."""
        self._total = _checked_total(float(self._asked[-1]))

    @property
    def end_s(self) -> float:
        """The sum of the stages."""
        return float(self._border_s[-1])

    @overload
    def due_s(self, index: int) -> float: ...
    @overload
    def due_s(self, index: Indices) -> Seconds: ...
    def due_s(self, index: int | Indices) -> float | Seconds:
        """See `Pacer`. The inverse of the integral of the rate, in the form that does not cancel."""
        if isinstance(index, int):
            return float(self.due_s(np.array([index], dtype=np.int64))[0])
        due = np.full(len(index), np.inf)
        inside = index < self._total
        wanted = index[inside].astype(np.float64)
        # The stage in which *more than* index is reached: stages that ask for nothing are stepped over.
        stage = np.searchsorted(self._asked, wanted, side="right") - 1
        rest = wanted - self._asked[stage]
        rate, slope = self._rate_from[stage], self._slope[stage]
        root = np.sqrt(np.maximum(0.0, rate * rate + 2 * slope * rest))
        with np.errstate(divide="ignore", invalid="ignore"):
            into_stage_s = np.where(rest > 0, np.where(slope == 0, rest / rate, 2 * rest / (rate + root)), 0.0)
        due[inside] = np.minimum(self._border_s[stage] + into_stage_s, self._border_s[stage + 1])
        return due

    def count_by(self, elapsed_s: float) -> int:
        """See `Pacer`."""
        if elapsed_s < 0:
            return 0
        if elapsed_s >= self.end_s:
            return self._total
        stage = int(np.searchsorted(self._border_s, elapsed_s, side="right")) - 1
        into_stage_s = elapsed_s - float(self._border_s[stage])
        asked = (
            float(self._asked[stage])
            + float(self._rate_from[stage]) * into_stage_s
            + float(self._slope[stage]) * into_stage_s**2 / 2
        )
        # The integral tells the count but for rounding; `due_s` has the last word.
        count = max(0, min(self._total, math.floor(asked) + 1))
        while count < self._total and self.due_s(count) <= elapsed_s:
            count += 1
        while count > 0 and self.due_s(count - 1) > elapsed_s:
            count -= 1
        return count

    def rate_at(self, elapsed_s: float) -> float:
        """See `Pacer`. At a jump it is the rate after the jump."""
        if not 0 <= elapsed_s < self.end_s:
            return 0.0
        stage = int(np.searchsorted(self._border_s, elapsed_s, side="right")) - 1
        return float(self._rate_from[stage] + self._slope[stage] * (elapsed_s - self._border_s[stage]))


class PoissonPacer:
    """Independent exponential gaps of mean 1/rate, as many independent users make.

    Gaps are drawn in blocks, each from its own random stream named by its number, so any part of the schedule can be
    computed from the instant at which its block begins. These instants are found as far as they are asked for.
    """

    def __init__(self, rate: float, duration_s: float, randomness: Randomness) -> None:
        _checked_total(rate * duration_s)
        self._rate = float(rate)
        self._duration_s = float(duration_s)
        self._randomness = randomness
        self._block_ends_s: list[float] = []
        self._last: tuple[int, Seconds] = (-1, np.empty(0))

    @property
    def end_s(self) -> float:
        """The duration."""
        return self._duration_s

    @overload
    def due_s(self, index: int) -> float: ...
    @overload
    def due_s(self, index: Indices) -> Seconds: ...
    def due_s(self, index: int | Indices) -> float | Seconds:
        """See `Pacer`."""
        if isinstance(index, int):
            return float(self.due_s(np.array([index], dtype=np.int64))[0])
        due = np.full(len(index), np.inf)
        blocks = index // _BLOCK
        for number in np.unique(blocks).tolist():
            if not self._reach(number):
                break
            here = blocks == number
            due[here] = self._block(number)[index[here] % _BLOCK]
        due[due >= self._duration_s] = np.inf
        return due

    def count_by(self, elapsed_s: float) -> int:
        """See `Pacer`."""
        if elapsed_s < 0:
            return 0
        elapsed_s = min(elapsed_s, math.nextafter(self._duration_s, 0))
        while not self._block_ends_s or self._block_ends_s[-1] <= elapsed_s:
            self._block(len(self._block_ends_s))
        number = int(np.searchsorted(self._block_ends_s, elapsed_s, side="right"))
        return number * _BLOCK + int(np.searchsorted(self._block(number), elapsed_s, side="right"))

    def rate_at(self, elapsed_s: float) -> float:
        """See `Pacer`. The mean rate."""
        return self._rate if 0 <= elapsed_s < self._duration_s else 0.0

    def _reach(self, number: int) -> bool:
        """Find where this block begins; False when the schedule is over before it."""
        while len(self._block_ends_s) < number:
            if self._block_ends_s and self._block_ends_s[-1] >= self._duration_s:
                return False
            self._block(len(self._block_ends_s))
        return number == 0 or self._block_ends_s[number - 1] < self._duration_s

    def _block(self, number: int) -> Seconds:
        """The instants of one block; the blocks before it have been reached."""
        if self._last[0] != number:
            # Uniform numbers straight from the bits: their sequence will not change with numpy's distributions.
            bits = np.random.PCG64(self._randomness.child(number).integer()).random_raw(_BLOCK)
            gaps_s = -np.log1p((bits >> np.uint64(11)) * -(2.0**-53)) / self._rate
            begin_s = self._block_ends_s[number - 1] if number else 0.0
            self._last = (number, begin_s + np.cumsum(gaps_s))
            if number == len(self._block_ends_s):
                self._block_ends_s.append(float(self._last[1][-1]))
        return self._last[1]


def _checked_total(asked: float) -> int:
    if not asked <= LARGEST_SCHEDULE_ITERATIONS:
        raise InputError(
            "too many iterations for one workload",
            expected=f"at most {LARGEST_SCHEDULE_ITERATIONS:,}",
            got=f"{asked:,.0f}",
            hint="a lower rate or a shorter duration",
        )
    return math.ceil(asked)
