"""When the virtual users of a closed workload are active, as pure functions of the time elapsed since its start.

A virtual user (VU) iterates while it is active: it starts no iteration after, but ends the one it is in. VU v is active
whenever the wanted number of VUs, rounded to the nearest whole number, is more than v. Iterations are numbered without
any coordination: the k-th iteration of VU v has the number k * vus + v; the iterations of a shared pool are numbered by
their place in it. Times are float seconds.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from kilonode.load.models import ClosedModel, ConstantVus, PerVuIterations, RampingVus, SharedIterations, ThinkTime

MOST_TURNS: Final = 2**40
"""More iterations than one virtual user could ever do."""


class Interval(NamedTuple):
    """A stretch of time, its end not included."""

    start_s: float
    end_s: float


class VuPlan:
    """What the virtual users of one closed workload do, all worker processes together."""

    def __init__(self, model: ClosedModel) -> None:
        self.think_time: ThinkTime | None = model.think_time
        self.iterations_each: int | None = None
        """How many iterations each VU does; None: as many as it can."""
        self.iterations_shared: int | None = None
        """How many iterations all VUs do together; None: as many as they can."""
        self._levels: tuple[tuple[float, int], ...]
        match model:
            case RampingVus():
                borders_s = accumulate((float(stage.over) for stage in model.stages), initial=0.0)
                self._levels = tuple(zip(borders_s, [model.start, *(stage.to for stage in model.stages)], strict=True))
            case ConstantVus():
                self._levels = ((0.0, model.vus), (float(model.duration), model.vus))
            case SharedIterations():
                self.iterations_shared = model.iterations
                self._levels = ((0.0, model.vus), (float(model.max_duration), model.vus))
            case PerVuIterations():
                self.iterations_each = model.iterations
                self._levels = ((0.0, model.vus), (float(model.max_duration), model.vus))
        self.end_s: float = self._levels[-1][0]
        """When the last VU stops to start iterations."""
        self.vus: int = max(level for _, level in self._levels)
        """The most VUs at any time."""

    def vus_at(self, elapsed_s: float) -> int:
        """How many VUs are active at that instant; zero outside the plan."""
        if not 0 <= elapsed_s < self.end_s:
            return 0
        for (start_s, low), (end_s, high) in self._stages():
            if start_s <= elapsed_s < end_s:
                return int(low + (high - low) * (elapsed_s - start_s) / (end_s - start_s) + 0.5)
        return 0

    def active(self, vu: int) -> tuple[Interval, ...]:
        """When the VU with this number is active, in order; the intervals do not touch."""
        threshold = vu + 0.5  # never equal to a level, which is whole
        found: list[Interval] = []
        on_since_s = 0.0 if self._levels[0][1] > threshold else None
        for (start_s, low), (end_s, high) in self._stages(jumps=True):
            if (low > threshold) == (high > threshold):
                continue
            crossing_s = start_s + (end_s - start_s) * (threshold - low) / (high - low)
            if on_since_s is None:
                # Off and on again by jumps at one instant is not off at all.
                on_since_s = found.pop().start_s if found and found[-1].end_s == crossing_s else crossing_s
            else:
                if crossing_s > on_since_s:
                    found.append(Interval(on_since_s, crossing_s))
                on_since_s = None
        if on_since_s is not None and self.end_s > on_since_s:
            found.append(Interval(on_since_s, self.end_s))
        return tuple(found)

    def numbers(self, vu: int) -> range:
        """The numbers of the iterations of this VU, in order, where there is no shared pool."""
        turns = MOST_TURNS if self.iterations_each is None else self.iterations_each
        return range(vu, vu + turns * self.vus, self.vus)

    def _stages(self, *, jumps: bool = False) -> Sequence[tuple[tuple[float, int], tuple[float, int]]]:
        pairs = zip(self._levels, self._levels[1:], strict=False)
        return [(before, after) for before, after in pairs if jumps or after[0] > before[0]]
