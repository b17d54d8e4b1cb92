"""The phases of a run as Ops: idle, setup, load, drain, cleanup, one after the other without a gap.

They tell the checkers which part of the run a Sample belongs to. `load` begins with the run's zero and ends by plan, or
when it is ended early; `drain` is what finishes afterwards. A phase that never began is not recorded.
"""

from collections.abc import Callable
from enum import StrEnum

from kilonode.base.clock import Clock
from kilonode.base.outcomes import Outcome
from kilonode.history.records import Op, OpKind


class RunPhase(StrEnum):
    """A phase of a whole run."""

    IDLE = "idle"
    """Nobody asks anything of the cloud: what its services use by themselves."""
    SETUP = "setup"
    LOAD = "load"
    DRAIN = "drain"
    SETTLE = "settle"
    """What the load has begun comes to its end, and it is looked what there is."""
    CLEANUP = "cleanup"


class Phases:
    """Records each phase when the next begins."""

    def __init__(self, record: Callable[[Op], None], clock: Clock) -> None:
        self._record, self._clock = record, clock
        self._phase: RunPhase | None = None
        self._began_ns = 0

    def enter(self, phase: RunPhase, at_ns: int | None = None) -> int:
        """The phase begins now, or at an instant that may lie ahead; what was before it ends. That instant."""
        began_ns = max(self._began_ns, self._clock.now_ns() if at_ns is None else at_ns)
        self._end(began_ns)
        self._phase, self._began_ns = phase, began_ns
        return began_ns

    def finish(self) -> None:
        """The last phase ends now."""
        self._end(max(self._began_ns, self._clock.now_ns()))
        self._phase = None

    def _end(self, at_ns: int) -> None:
        if self._phase is not None:
            began_ns = self._began_ns
            self._record(Op(str(OpKind.PHASE), "", str(self._phase), 0, began_ns, began_ns, at_ns, str(Outcome.OK)))
