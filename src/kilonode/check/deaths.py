"""Processes of the cloud that ended although nothing in the run was meant to end them, and what was disturbed then.

It says what met, not what caused what: a process that died while another was cut off may have died of that.
"""

from collections.abc import Iterable, Sequence

import msgspec

from kilonode.base.units import format_seconds
from kilonode.check.circumstances import NEARBY_S, Disturbance
from kilonode.check.operations import OperationTable
from kilonode.history.records import OpKind


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """One process that ended. Instants are seconds since the run's zero."""

    process: str
    seen_s: float
    """The first look at which it was gone."""
    resolution_s: float
    """How long before that the last look was: it ended in between."""
    words: str = ""
    """How it ended and what became of it, where that is known."""
    disruption: str = ""
    """The one in effect then, or the last that was over shortly before; empty: there was none."""
    over_s: float | None = None
    """How long that had been over; None: it was in effect, or there was none."""

    def __str__(self) -> str:
        """Which, when, how, and beside what, for people."""
        side = "before" if self.seen_s < 0 else "after"
        text = f"{self.process} ended {format_seconds(abs(self.seen_s))} {side} the load began, or up to "
        text += f"{format_seconds(self.resolution_s)} earlier" + (f" ({self.words})" if self.words else "")
        if not self.disruption:
            return text
        if self.over_s is None:
            return f"{text}, while “{self.disruption}” was in effect"
        return f"{text}, {format_seconds(self.over_s)} after “{self.disruption}” was over"


def list_deaths(table: OperationTable, disturbances: Sequence[Disturbance]) -> tuple[Death, ...]:
    """All of them, in the order in which they were seen."""
    found = [death for key in table.keys_of_kind(OpKind.DEATH) for death in _deaths_of(table, key.step, disturbances)]
    return tuple(sorted(found, key=lambda death: (death.seen_s, death.process)))


def _deaths_of(table: OperationTable, process: str, disturbances: Sequence[Disturbance]) -> Iterable[Death]:
    some = table.of(OpKind.DEATH, "", process)
    for began_s, seen_s, error in zip(
        some.started_s.tolist(), some.finished_s.tolist(), some.error.tolist(), strict=True
    ):
        near = [one for one in disturbances if one.start_s <= seen_s and began_s - one.finish_s <= NEARBY_S]
        nearest = max(near, key=lambda one: (min(one.finish_s, began_s), one.start_s), default=None)
        over = nearest is not None and nearest.finish_s < began_s
        yield Death(
            process=process,
            seen_s=seen_s,
            resolution_s=seen_s - began_s,
            words=some.error_names[error],
            disruption=nearest.sentence if nearest is not None else "",
            over_s=began_s - nearest.finish_s if nearest is not None and over else None,
        )
