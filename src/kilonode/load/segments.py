"""How a schedule is split among worker processes that do not talk to each other while the load runs.

Every worker computes the whole schedule; worker w of W takes the iterations whose index leaves the remainder w when
divided by W, and the virtual users likewise. So the union of the segments is the schedule, whatever W is, and each
segment has the shape of the whole. A pool of shared iterations is dealt out the same way, among the workers that have a
virtual user: a fast worker does not take over what a slow one has left, which is the price of not talking.
"""

import msgspec
import numpy as np

from kilonode.load.pacers import Indices


class Segment(msgspec.Struct, frozen=True):
    """The part of every schedule that belongs to worker number `worker` of `workers`."""

    worker: int
    workers: int

    def indices(self, first: int, count: int) -> Indices:
        """`count` indices of this segment, from its `first`-th (from zero) on."""
        return np.arange(first, first + count, dtype=np.int64) * self.workers + self.worker

    def virtual_users(self, vus: int) -> range:
        """The virtual users of this segment, of `vus` in all."""
        return range(self.worker, vus, self.workers)

    def count_of(self, total: int) -> int:
        """How many of `total` indices belong to this segment."""
        return len(range(self.worker, total, self.workers))

    def shared(self, iterations: int, vus: int) -> range:
        """The iterations of a pool shared by `vus` virtual users that belong to this segment."""
        sharing = min(self.workers, vus)
        return range(self.worker, iterations, sharing) if self.worker < sharing else range(0)
