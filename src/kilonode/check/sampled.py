"""Sampled lines between any two instants: counters that grow, with resets, and gauges that go up and down.

Between two samples a counter is taken to grow evenly and a gauge to go straight, so growth and means are exact where
samples stand and close to it elsewhere. A counter that falls began anew, with its server: what it shows then is all
new. Nothing is said outside the first and the last sample. Instants are seconds since the run's zero.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kilonode.check.buckets import Buckets
from kilonode.check.statistics import Floats
from kilonode.history.columns import Samples

GAP_READINGS = 3.5
"""Samples further apart than this many usual times have a gap between them, of which a gauge says nothing."""


class Range(NamedTuple):
    """The least, the mean over time, and the most."""

    min: float
    mean: float
    max: float


class Lines:
    """All lines of a history by source and metric."""

    def __init__(self, samples: Samples) -> None:
        metrics = len(samples.metric_names)
        key = samples.source.astype(np.int64) * metrics + samples.metric
        order = np.argsort(key, kind="stable")
        borders = np.flatnonzero(np.diff(key[order], prepend=-1, append=-1))
        self._lines: dict[str, dict[str, tuple[Floats, Floats]]] = {}
        for start, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            source, metric = divmod(int(key[order[start]]), metrics)
            chosen = order[start:end]
            lines = self._lines.setdefault(samples.source_names[source], {})
            lines[samples.metric_names[metric]] = samples.at_ns[chosen] / 1e9, samples.value[chosen]

    @property
    def sources(self) -> list[str]:
        """Who was sampled, by name."""
        return sorted(self._lines)

    def of(self, source: str) -> dict[str, tuple[Floats, Floats]]:
        """Instants and values of each metric of a source."""
        return self._lines.get(source, {})


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter since its first sample; it only grows."""

    at_s: Floats
    total: Floats

    @classmethod
    def over_resets(cls, at_s: Floats, value: Floats) -> "Counter":
        """From values of which each belongs to the server's latest start."""
        steps = np.diff(value)
        return cls(at_s, np.concatenate(([0.0], np.cumsum(np.where(steps < 0, value[1:], steps)))))

    def measured_s(self, start_s: float, finish_s: float) -> float:
        """How much of this time lies between the first sample and the last."""
        return max(0.0, min(finish_s, float(self.at_s[-1])) - max(start_s, float(self.at_s[0])))

    def growth(self, start_s: float, finish_s: float) -> float | None:
        """By how much it grew in the measured part of this time; None when that is nothing."""
        if self.measured_s(start_s, finish_s) <= 0:
            return None
        return float(np.diff(np.interp([start_s, finish_s], self.at_s, self.total))[0])

    def rate(self, start_s: float, finish_s: float, every_s: float) -> Range | None:
        """Its growth per second, in windows of at least `every_s`; None when less than half of one was measured."""
        start_s, finish_s = max(start_s, float(self.at_s[0])), min(finish_s, float(self.at_s[-1]))
        length_s = finish_s - start_s
        if length_s <= 0 or length_s < every_s / 2:
            return None
        windows = max(1, int(length_s / every_s + 1e-9))
        edges_s = np.linspace(start_s, finish_s, windows + 1)
        rates = np.diff(np.interp(edges_s, self.at_s, self.total)) / (length_s / windows)
        return _range(rates, float(rates.mean()))

    def drawn(self, buckets: Buckets) -> Floats:
        """Its growth per second in each bucket; not a number in those that were not measured whole."""
        edges_s = buckets.edges_s
        rates = np.diff(np.interp(edges_s, self.at_s, self.total)) / buckets.width_s
        inside = (edges_s[:-1] >= self.at_s[0] - buckets.width_s / 2) & (
            edges_s[1:] <= self.at_s[-1] + buckets.width_s / 2
        )
        return np.where(inside, rates, np.nan)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value that goes up and down."""

    at_s: Floats
    value: Floats
    gap_s: float
    """Samples further apart than this have a gap between them."""

    def range(self, start_s: float, finish_s: float) -> Range | None:
        """How it went in the measured part of this time; None when that is nothing."""
        start_s, finish_s = max(start_s, float(self.at_s[0])), min(finish_s, float(self.at_s[-1]))
        if finish_s < start_s:
            return None
        inside = (self.at_s > start_s) & (self.at_s < finish_s)
        at_s = np.concatenate(([start_s], self.at_s[inside], [finish_s]))
        value = np.interp(at_s, self.at_s, self.value)
        known = self._known((at_s[1:] + at_s[:-1]) / 2)
        sampled = np.isin(at_s, self.at_s)
        usable = sampled | np.append(known, False) | np.insert(known, 0, False)
        if not usable.any():
            return None
        width = np.where(known, np.diff(at_s), 0.0)
        weight = float(width.sum())
        mean = float(width @ (value[1:] + value[:-1])) / 2 / weight if weight > 0 else float(value[usable].mean())
        return _range(value[usable], mean)

    def drawn(self, buckets: Buckets) -> Floats:
        """The highest of each bucket; in one without a sample what lies between its neighbours, but not in a gap."""
        highest = np.full(buckets.count, -np.inf)
        np.maximum.at(highest, buckets.of(self.at_s), self.value)
        middles_s = buckets.middles_s
        inside = (middles_s >= self.at_s[0]) & (middles_s <= self.at_s[-1]) & self._known(middles_s)
        between = np.where(inside, np.interp(middles_s, self.at_s, self.value), np.nan)
        return np.where(np.isfinite(highest), highest, between)

    def _known(self, at_s: Floats) -> "np.typing.NDArray[np.bool_]":
        """Whether the samples around each instant are near enough to each other."""
        if len(self.at_s) < 2:
            return np.zeros(len(at_s), dtype=np.bool_)
        after = np.clip(np.searchsorted(self.at_s, at_s), 1, len(self.at_s) - 1)
        near: np.typing.NDArray[np.bool_] = (self.at_s[after] - self.at_s[after - 1]) <= self.gap_s
        return near


def _range(values: Floats, mean: float) -> Range:
    low, high = float(values.min()), float(values.max())
    return Range(low, min(max(mean, low), high), high)  # rounding must not put a mean outside
