"""Under what circumstances something was asked for that is not as it should be: when, how it was answered, and which
disruption was in effect then, came soon after, or was over shortly before. It says what met, not what caused what.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND
from kilonode.history.asked import Asked

NEARBY_S: Final = 60.0
"""A disruption that was over so much earlier, or began so much later, is not named."""


class Disturbance(msgspec.Struct, frozen=True):
    """One disruption that took effect, in seconds since the run's zero."""

    sentence: str
    start_s: float
    finish_s: float


class Circumstance(msgspec.Struct, frozen=True, kw_only=True):
    """The last request about a resource. Instants are seconds since the run's zero."""

    request: str
    """What was asked for: `create`, `delete`, `os-stop`."""
    asked_s: float
    answered_s: float
    answer: str
    """The status of the answer, or the outcome where there was none."""
    disruption: str = ""
    """The one that met it, or the nearest; empty: there was none nearby."""
    effect_s: float | None = None
    """When that took effect."""
    over_s: float | None = None
    """When that was healed, or with its effect where it left nothing to heal."""


def circumstance_of(asked: Asked, disturbances: Sequence[Disturbance]) -> Circumstance:
    """What is known of a request. Of several disruptions that met it, the last that took effect."""
    asked_s, answered_s = asked.sent_ns / NANOSECONDS_PER_SECOND, asked.answered_ns / NANOSECONDS_PER_SECOND
    near = [each for each in disturbances if _apart_s(each, asked_s, answered_s) <= NEARBY_S]
    nearest = min(near, key=lambda each: (_apart_s(each, asked_s, answered_s), -each.start_s), default=None)
    return Circumstance(
        request=_request(asked),
        asked_s=asked_s,
        answered_s=answered_s,
        answer=str(asked.status) if asked.status else asked.outcome,
        disruption=nearest.sentence if nearest is not None else "",
        effect_s=nearest.start_s if nearest is not None else None,
        over_s=nearest.finish_s if nearest is not None else None,
    )


def _apart_s(disturbance: Disturbance, asked_s: float, answered_s: float) -> float:
    """How much time there was between the two; zero when they overlap."""
    return max(0.0, disturbance.start_s - answered_s, asked_s - disturbance.finish_s)


def _request(asked: Asked) -> str:
    if asked.method == "DELETE":
        return "delete"
    return asked.word if asked.path.partition("?")[0].endswith("/action") else "create"
