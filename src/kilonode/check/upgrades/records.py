"""What an upgrade came to, as records that are JSON as they stand: its steps, and four assertions with their evidence.

Instants are seconds since the run's zero. `None` is unknown, never zero.
"""

from enum import StrEnum
from typing import Final

import msgspec

ASSERTIONS: Final[dict[str, str]] = {
    "accessible": "it was answered all the time",
    "rolling": "old and new served side by side, and never none of them",
    "zero_downtime": "no request failed that would not have failed without it, and every accepted one was done",
    "zero_impact": "no operation became slower in a way that chance does not explain",
}
"""What can be asserted of an upgrade, from the weakest to the strongest."""


class Held(StrEnum):
    """Whether an assertion holds."""

    HELD = "held"
    UNKNOWN = "unknown"
    FAILED = "failed"


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Assertion(_Record, frozen=True, kw_only=True):
    """One assertion about one upgrade."""

    name: str
    """A key of `ASSERTIONS`."""
    held: Held
    text: str
    """Why, for people, with the numbers."""
    evidence: dict[str, float | None] = {}
    """The numbers by name; units stand at the end of names."""


class StepDone(_Record, frozen=True, kw_only=True):
    """One step of an upgrade."""

    what: str
    """What it was done to: `api-1`."""
    action: str
    start_s: float
    finish_s: float
    outcome: str
    error: str


class Upgrade(_Record, frozen=True, kw_only=True):
    """One upgrade and what it did."""

    sentence: str
    name: str
    number: int
    planned_s: float
    start_s: float
    """When its first step began."""
    finish_s: float
    """When its last step was over; where it was taken back, when that was."""
    observed_s: float
    """Until when what followed can be told to be its doing."""
    outcome: str
    """A value of `kilonode.base.outcomes.Outcome`: `ok` when it came to its end."""
    error: str
    """Why it did not."""
    steps: tuple[StepDone, ...]
    """In the order in which they began, without those that say who served."""
    assertions: tuple[Assertion, ...]
    """All of `ASSERTIONS`."""


class UpgradeResults(_Record, frozen=True, kw_only=True):
    """Every upgrade of a run."""

    upgrades: tuple[Upgrade, ...]
