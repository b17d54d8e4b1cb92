"""Stage: how nodes and instances behave, as data: what state follows, after what delay, with what odds of failure.

A stage says: a document of this kind, in this state, moves on after this delay to that state. Delays and failures are
drawn from (seed, key, stage, turn) alone, so they are the same in every process and after every restart; together with
the instant at which the state began, which is in the document, they give the instant at which it ends.
It knows nothing about stores, loops or OpenStack; what a move *does* besides changing the state is named by `does` and
known to the controller that makes the move. Instants are `_us`: microseconds of wall-clock time since 1970.
"""

import math
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from kilonode.base.errors import InputError, nearest
from kilonode.base.randomness import Randomness
from kilonode.cloud.delays import NO_DELAY, STANDARD_NORMAL, Delay, Fixed

_MICROSECONDS_PER_SECOND: Final = 1_000_000
ANY: Final = "*"
"""In a selector: whatever the state is. In `next`: leave the state as it is."""

EFFECTS: Final[dict[str, frozenset[str]]] = {
    "server": frozenset(
        {
            "place", "place-move", "plug", "attach", "launch", "delete", "switch", "confirm", "revert", "arrive",
            "evacuate", "save-image", "finish-image", "offload", "unshelve",
        }
    ),
    "node": frozenset({"resume-guests", "stop-guests"}),
    **{kind: frozenset() for kind in ("volume", "snapshot", "backup", "volume_group", "volume_group_snapshot")},
    **{kind: frozenset() for kind in ("port", "image")},
}  # fmt: skip
"""The kinds of documents that have stages, and what their controllers can do at the end of one."""


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
    elsewhere: bool = False
    """Only this node refuses: a server that is being built goes to another, and fails after the third."""


class Coupling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The delay goes with that of another stage of the same document: slow there, slow here.

    The two are drawn together from a normal distribution with this correlation (a Gaussian copula), so the delay of
    each by itself stays as it is.
    """

    stage: str
    """The other stage, which must not be coupled itself."""
    correlation: Annotated[float, Meta(gt=-1, lt=1)]


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One move of a life cycle."""

    name: str
    when: Selector
    next: Next
    does: str = ""
    """What the controller does when it makes the move; empty: it only changes the state."""
    delay: Delay = NO_DELAY
    failure: Failure | None = None
    coupled: Coupling | None = None


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
            float(delay.value) if type(delay) is Fixed else delay.quantile_s(self._delay_fraction(stage, key, turn))
        )
        return round(seconds * _MICROSECONDS_PER_SECOND)

    def failure(self, stage: Stage, key: str, turn: int) -> str:
        """The message with which the document fails in `stage`, or an empty string when it does not."""
        failure = stage.failure
        if failure is None or self.fraction(key, stage.name, turn, "failure") >= failure.odds:
            return ""
        return failure.message

    def fraction(self, key: str, stage: str, turn: int, purpose: str) -> float:
        """A number in [0, 1) that depends on the seed and these names alone."""
        return (self._randomness.child(key, stage, turn, purpose).integer() >> 11) / 2**53

    def _delay_fraction(self, stage: Stage, key: str, turn: int) -> float:
        own = self.fraction(key, stage.name, turn, "delay")
        coupled = stage.coupled
        if coupled is None:
            return own
        other = self.fraction(key, coupled.stage, turn, "delay")
        together = coupled.correlation * _deviation(other) + math.sqrt(1 - coupled.correlation**2) * _deviation(own)
        return STANDARD_NORMAL.cdf(together)


def _deviation(fraction: float) -> float:
    """How many standard deviations from the middle this fraction of a normal distribution lies."""
    return STANDARD_NORMAL.inv_cdf(min(max(fraction, 2.0**-53), 1 - 2.0**-53))


def find_by_name(name: str, stages: dict[str, Stage]) -> Stage:
    """The stage of this name. Raises InputError with the nearest one."""
    if name not in stages:
        raise InputError(f"no stage is named {name!r}", expected=", ".join(stages), hint=nearest(name, stages))
    return stages[name]
