"""A workload's operations as recovery looks at them: when each was due, whether it was lost, how long it took.

Arrays only; ordered by when they were due. Instants are seconds since the run's zero.
"""

from dataclasses import dataclass

import numpy as np

from kilonode.base.outcomes import FAILURES, Outcome
from kilonode.check.operations import Operations
from kilonode.check.statistics import Booleans, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """Operations whose end is known."""

    due_s: Floats
    latency_s: Floats
    """From due to the end; of one that was lost, to the instant at which that was known."""
    lost: Booleans
    censored: Booleans
    """Lost by a timeout: it would have taken at least its latency."""

    def __len__(self) -> int:
        return len(self.due_s)

    @property
    def finished_s(self) -> Floats:
        """When the end of each was known."""
        return self.due_s + self.latency_s

    def where(self, chosen: Booleans) -> "Probes":
        """Those that are marked."""
        return Probes(self.due_s[chosen], self.latency_s[chosen], self.lost[chosen], self.censored[chosen])

    def due_between(self, start_s: float, end_s: float) -> "Probes":
        """Those that were due from the one instant on and before the other."""
        first, last = np.searchsorted(self.due_s, [start_s, end_s])
        piece = slice(int(first), int(last))
        return Probes(self.due_s[piece], self.latency_s[piece], self.lost[piece], self.censored[piece])

    def spacing_s(self) -> float:
        """The usual time between two of them; zero with fewer than two."""
        return float(np.median(np.diff(self.due_s))) if len(self.due_s) > 1 else 0.0


UNSEEN: frozenset[str] = frozenset({Outcome.DROPPED, Outcome.CANCELLED, Outcome.EXHAUSTED})
"""Outcomes that say nothing about the cloud: how the operation would have ended is not known."""


def probes_of(operations: Operations) -> Probes:
    """The operations whose end is known."""
    seen = operations.where(~operations.ended(UNSEEN))
    return Probes(seen.due_s, seen.latency_s, seen.ended(FAILURES), seen.ended([Outcome.TIMEOUT]))
