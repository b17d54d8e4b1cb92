"""Stage: how nodes and instances behave, as data: what state follows, after what delay, with what odds of failure.

A stage says: a document of this kind, in this state, moves on after this delay to that state. Delays and failures are
drawn from (seed, key, stage, turn) alone, so they are the same in every process and after every restart; together with
the instant at which the state began, which is in the document, they give the instant at which it ends.
It knows nothing about stores, loops or OpenStack; what a move *does* besides changing the state is named by `does` and
known to the controller that makes the move. Instants are `_us`: microseconds of wall-clock time since 1970.
"""

import math
from statistics import NormalDist
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from kilonode.base.errors import InputError, nearest
from kilonode.base.randomness import Randomness
from kilonode.base.units import Duration

_STANDARD_NORMAL: Final = NormalDist()
_P95_SIGMAS: Final = _STANDARD_NORMAL.inv_cdf(0.95)
_MICROSECONDS_PER_SECOND: Final = 1_000_000
ANY: Final = "*"
"""In a selector: whatever the state is. In `next`: leave the state as it is."""


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
    """A log-normal with this median and 95th percentile, cut off at `max`: durations of most real operations."""

    p50: Duration
    p95: Duration
    max: Duration

    def __post_init__(self) -> None:
        if not 0 < self.p50 < self.p95 < self.max:
            raise ValueError("Expected 0 < p50 < p95 < max")

    def quantile_s(self, fraction: float) -> float:
        """The delay that a `fraction` (0 to 1) of all draws do not exceed, in seconds.

        The cut keeps the shape below `max`: the probability beyond it is spread over the rest.
        """
        mean, deviation = math.log(self.p50), math.log(self.p95 / self.p50) / _P95_SIGMAS
        below_max = _STANDARD_NORMAL.cdf((math.log(self.max) - mean) / deviation)
        inside = min(max(fraction * below_max, 1e-12), 1 - 1e-12)
        return math.exp(mean + deviation * _STANDARD_NORMAL.inv_cdf(inside))


Delay = Fixed | Uniform | Triangular | LogNormal
NO_DELAY: Final = Fixed(Duration(0))


class Selector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which documents a stage is about: their kind, state and task."""

    kind: str
    task: str
    state: str = ANY


class Next(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What follows: the state, or `*` for the one it was in; and the task, or none at rest."""

    state: str = ANY
    task: str | None = None


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """With these odds the stage ends in the state `error` with this message."""

    odds: Annotated[float, Meta(ge=0, le=1)]
    message: str


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One move of a life cycle."""

    name: str
    when: Selector
    next: Next
    does: str = ""
    """What the controller does when it makes the move; empty: it only changes the state."""
    delay: Delay = NO_DELAY
    failure: Failure | None = None


class Stages:
    """All stages of a profile, and what they draw under one seed."""

    def __init__(self, stages: tuple[Stage, ...], seed: int) -> None:
        self._randomness = Randomness(seed, "stage")
        self._by_selector: dict[tuple[str, str, str], Stage] = {}
        for stage in stages:
            place = (stage.when.kind, stage.when.state, stage.when.task)
            if place in self._by_selector:
                raise InputError(
                    "two stages are about the same documents",
                    where=stage.name,
                    got=f"the selector of {self._by_selector[place].name}",
                )
            self._by_selector[place] = stage

    def find(self, kind: str, state: str, task: str | None) -> Stage | None:
        """The stage a document is in, or None when it rests. A stage for just this state goes before one for any."""
        if task is None:
            return None
        return self._by_selector.get((kind, state, task)) or self._by_selector.get((kind, ANY, task))

    def delay_us(self, stage: Stage, key: str, turn: int) -> int:
        """How long the document `key` stays in `stage`, in microseconds. `turn` tells repeated visits apart."""
        delay = stage.delay
        seconds = (
            float(delay.value)
            if type(delay) is Fixed
            else delay.quantile_s(self._fraction(key, stage.name, turn, "delay"))
        )
        return round(seconds * _MICROSECONDS_PER_SECOND)

    def failure(self, stage: Stage, key: str, turn: int) -> str:
        """The message with which the document fails in `stage`, or an empty string when it does not."""
        failure = stage.failure
        if failure is None or self._fraction(key, stage.name, turn, "failure") >= failure.odds:
            return ""
        return failure.message

    def _fraction(self, key: str, stage: str, turn: int, purpose: str) -> float:
        """A number in [0, 1) that depends on the seed and these names alone."""
        return (self._randomness.child(key, stage, turn, purpose).integer() >> 11) / 2**53


def find_by_name(name: str, stages: dict[str, Stage]) -> Stage:
    """The stage of this name. Raises InputError with the nearest one."""
    if name not in stages:
        raise InputError(f"no stage is named {name!r}", expected=", ".join(stages), hint=nearest(name, stages))
    return stages[name]
