"""Keeps in memory what setup and cleanup record."""

from kilonode.base.clock import Clock
from kilonode.base.outcomes import Outcome
from kilonode.history.records import Op, OpKind


class Recorder:
    """Called as `kilonode.run.actions.Record`; the Ops are in `ops`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ops: list[Op] = []

    def __call__(
        self, kind: OpKind, stage: str, action: str, started_ns: int, outcome: Outcome, error: str = "", number: int = 0
    ) -> None:
        """Keep it as an Op."""
        ended_ns = self.clock.now_ns()
        self.ops.append(Op(kind.value, stage, action, number, started_ns, started_ns, ended_ns, outcome.value, error))
