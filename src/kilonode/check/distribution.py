"""The shape of a workload's latency: a histogram, a curve of percentiles, and a map of time against latency.

All bins are logarithmic. Latencies of zero (simulated time) count as one microsecond here, and nowhere else.
"""

import math
from typing import Final

import numpy as np

from kilonode.check.buckets import Buckets, drawn
from kilonode.check.operations import Indices, Operations
from kilonode.check.results import Curve, Heat, Histogram
from kilonode.check.statistics import Floats, Sorted, rank_of

SHORTEST_S: Final = 1e-6
MOST_BINS: Final = 60
MOST_ROWS: Final = 40
MOST_COLUMNS: Final = 150
_FINEST_GROWTH: Final = 1.08
_CURVE: Final = tuple(
    percent
    for percent in (
        *(float(whole) for whole in range(1, 90)),
        *(90 + tenth / 2 for tenth in range(18)),
        *(99 + hundredth / 20 for hundredth in range(18)),
        *(99.9 + thousandth / 200 for thousandth in range(18)),
        *(99.99 + more / 2000 for more in range(18)),
    )
)


def histogram(operations: Operations) -> Histogram | None:
    """Counts of latency and service time in the same bins; None without samples."""
    timed = operations.timed()
    if len(timed) == 0:
        return None
    latency_s, service_s = _floored(timed.latency_s), _floored(timed.service_s)
    lowest_s, growth, bins = _bins(
        min(latency_s.min(), service_s.min()), max(latency_s.max(), service_s.max()), MOST_BINS
    )
    return Histogram(
        lowest_s=lowest_s,
        growth=growth,
        latency=_counts(latency_s, lowest_s, growth, bins),
        service=_counts(service_s, lowest_s, growth, bins),
    )


def curve(latency: Sorted, service: Sorted) -> Curve | None:
    """Latency and service time by percentile, as far up as there are ten samples beyond; None with too few samples."""
    count = len(latency)
    percents = [percent for percent in _CURVE if count * (100 - percent) >= 1000]
    if not percents:
        return None
    return Curve(
        percent=tuple(round(percent, 6) for percent in percents),
        latency_s=drawn(np.array([latency.at_rank(rank_of(count, percent)) for percent in percents])),
        service_s=drawn(np.array([service.at_rank(rank_of(count, percent)) for percent in percents])),
    )


def heat(operations: Operations, buckets: Buckets) -> Heat | None:
    """How many operations lie in each cell of when they were due and how long they took; None without samples."""
    timed = operations.timed()
    if len(timed) == 0:
        return None
    latency_s = _floored(timed.latency_s)
    lowest_s, growth, rows = _bins(float(latency_s.min()), float(latency_s.max()), MOST_ROWS)
    together = -(-buckets.count // MOST_COLUMNS)
    columns = -(-buckets.count // together)
    column = buckets.of(timed.due_s) // together
    row = _bin_of(latency_s, lowest_s, growth, rows)
    counts = np.bincount(column * rows + row, minlength=columns * rows)
    filled = np.flatnonzero(counts)
    return Heat(
        start_s=buckets.start_s,
        width_s=buckets.width_s * together,
        columns=columns,
        lowest_s=lowest_s,
        growth=growth,
        rows=rows,
        cells=tuple(zip((filled // rows).tolist(), (filled % rows).tolist(), counts[filled].tolist(), strict=True)),
    )


def _floored(values_s: Floats) -> Floats:
    return np.maximum(values_s, SHORTEST_S)


def _bins(shortest_s: float, longest_s: float, most: int) -> tuple[float, float, int]:
    """The lower edge of the first bin, the growth from bin to bin, and how many bins reach the longest."""
    growth = max(_FINEST_GROWTH, float(f"{(longest_s / shortest_s) ** (1 / (most - 1)):.6g}"))
    lowest_s = float(f"{shortest_s * (1 - 1e-5):.6g}")
    bins = math.floor(math.log(longest_s / lowest_s) / math.log(growth)) + 1
    return lowest_s, growth, max(1, min(bins, most))


def _bin_of(values_s: Floats, lowest_s: float, growth: float, bins: int) -> Indices:
    place = np.floor(np.log(values_s / lowest_s) / math.log(growth)).astype(np.int64)
    return np.clip(place, 0, bins - 1)


def _counts(values_s: Floats, lowest_s: float, growth: float, bins: int) -> tuple[int, ...]:
    return tuple(np.bincount(_bin_of(values_s, lowest_s, growth, bins), minlength=bins).tolist())
