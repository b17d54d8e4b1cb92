"""How an upgrade stands in a history: one Op for the whole of it, and one for each step, told apart by their words.

All are of the kind *disruption* and have the upgrade's name and number. The whole is called by its sentence, such as
`upgrade api to B`, a step by that and its own dotted path: `upgrade api to B: api-1.replace`. Who served when stands
there too, as steps `old` and `new` of each process: from when to when it was seen to serve; and as `begin` that a step
began, so that of an upgrade that nobody saw the end of it is known how far it came.
"""

from enum import StrEnum
from typing import Final

import msgspec

UPGRADE: Final = "upgrade "
"""What the sentences of upgrades begin with, and those of faults never."""
_BETWEEN: Final = ": "


class UpgradeAction(StrEnum):
    """What a step of an upgrade does."""

    STOP = "stop"
    REPLACE = "replace"
    MIGRATE = "migrate"
    START = "start"
    VERIFY = "verify"
    UNDO = "undo"
    """It takes back what steps before it did."""
    OLD = "old"
    """The version before the upgrade served."""
    NEW = "new"
    """The version that it brings served."""
    BEGIN = "begin"
    """A step began: an Op is recorded when it ends, and of whoever is killed meanwhile that is never."""


SERVING: Final = frozenset({UpgradeAction.OLD, UpgradeAction.NEW})
STEPS: Final = frozenset(UpgradeAction) - SERVING - {UpgradeAction.BEGIN}
"""What is done."""


class UpgradePart(msgspec.Struct, frozen=True):
    """One step of an upgrade, as an Op names it."""

    upgrade: str
    """The sentence of the whole."""
    what: str
    """What is upgraded: `api-1`."""
    action: UpgradeAction

    def __str__(self) -> str:
        return f"{self.upgrade}{_BETWEEN}{self.what}.{self.action.value}"


def part_of_upgrade(step: str) -> UpgradePart | None:
    """The part of an upgrade that an Op of a disruption is; None: it is a whole one, or a fault."""
    upgrade, between, path = step.partition(_BETWEEN)
    what, dot, action = path.rpartition(".")
    if not upgrade.startswith(UPGRADE) or not between or not dot or action not in list(UpgradeAction):
        return None
    return UpgradePart(upgrade, what, UpgradeAction(action))


def is_upgrade(step: str) -> bool:
    """Whether an Op of a disruption is a whole upgrade."""
    return step.startswith(UPGRADE) and part_of_upgrade(step) is None
