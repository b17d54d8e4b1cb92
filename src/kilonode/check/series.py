"""Series over time for one workload: latency by when operations were due, flow by when they started and finished.

Latency is placed at *due*, because that is when a user would have felt it: the stall of a service shows where it began.
A bucket's percentile obeys the same rule as any other: with too few samples it is None.
"""

from collections.abc import Sequence

import numpy as np

from kilonode.base.outcomes import Outcome
from kilonode.check.buckets import Buckets, buckets_between, drawn, drawn_or_none, nice_at_least
from kilonode.check.facts import Point, WorkloadFacts, asked_between, line_at
from kilonode.check.operations import Indices, Operations
from kilonode.check.results import Bucketed, Flow
from kilonode.check.statistics import Floats, rank_of, samples_needed

_WANTED_SAMPLES = 100
"""So many operations in a bucket make its p99 known."""
_FEWEST_BUCKETS = 30
_PERCENTS = (50.0, 95.0, 99.0)


def latency_over_time(operations: Operations, start_s: float, end_s: float, width_s: float) -> Bucketed:
    """Percentiles of latency in buckets of `width_s`, or wider ones where that makes more percentiles known."""
    timed = operations.timed()
    width_s = _latency_width_s(len(timed), end_s - start_s, width_s)
    buckets = buckets_between(start_s, end_s, width_s)
    latency_s = timed.latency_s
    bucket = buckets.of(timed.due_s)
    ordered_s = latency_s[np.lexsort((latency_s, bucket))]
    count = np.bincount(bucket, minlength=buckets.count)
    first = np.concatenate(([0], np.cumsum(count)[:-1]))
    percentiles = [_percentile_of_each(ordered_s, first, count, percent) for percent in _PERCENTS]
    longest_s = np.full(buckets.count, np.nan)
    some = count > 0
    longest_s[some] = ordered_s[(first + count - 1)[some]]
    p50_s, p95_s, p99_s = (drawn_or_none(values) for values in percentiles)
    return Bucketed(
        start_s=buckets.start_s,
        width_s=buckets.width_s,
        count=tuple(count.tolist()),
        p50_s=p50_s,
        p95_s=p95_s,
        p99_s=p99_s,
        max_s=drawn_or_none(longest_s),
    )


def flow(facts: WorkloadFacts, iterations: Operations, buckets: Buckets) -> Flow:
    """What was asked for, started, finished and failed in each bucket."""
    width_s = buckets.width_s
    run = iterations.where(~iterations.ended([Outcome.DROPPED]))
    unsuccessful = {}
    for outcome in iterations.counts():
        if outcome != Outcome.OK:
            finished_s = iterations.with_outcome(outcome).finished_s
            unsuccessful[outcome] = drawn(buckets.counts(finished_s) / width_s)
    return Flow(
        start_s=buckets.start_s,
        width_s=width_s,
        asked_per_s=_asked_per_s(facts.asked_per_s, buckets) if facts.open_model else None,
        asked_vus=None if facts.open_model else drawn(line_at(facts.asked_vus, buckets.middles_s)),
        started_per_s=drawn(buckets.counts(run.started_s) / width_s),
        succeeded_per_s=drawn(buckets.counts(run.with_outcome(Outcome.OK).finished_s) / width_s),
        unsuccessful_per_s=unsuccessful,
        active=drawn(_mean_active(run, buckets)),
    )


def mean_over_time(operations: Operations, buckets: Buckets) -> tuple[float | None, ...]:
    """The mean service time of what went well in each bucket, by when it began."""
    good = operations.with_outcome(Outcome.OK)
    bucket = buckets.of(good.started_s)
    count = np.bincount(bucket, minlength=buckets.count)
    total_s = np.bincount(bucket, weights=good.service_s, minlength=buckets.count)
    return drawn_or_none(np.divide(total_s, count, out=np.full(buckets.count, np.nan), where=count > 0))


def _latency_width_s(samples: int, duration_s: float, width_s: float) -> float:
    if samples == 0 or duration_s <= 0:
        return width_s
    wanted_s = duration_s * _WANTED_SAMPLES / samples
    return nice_at_least(max(width_s, min(wanted_s, duration_s / _FEWEST_BUCKETS)))


def _percentile_of_each(ordered_s: Floats, first: Indices, count: Indices, percent: float) -> Floats:
    """One percentile of each bucket, whose samples lie ascending one bucket after the other."""
    found = np.full(len(count), np.nan)
    for place in np.flatnonzero(count >= samples_needed(percent)).tolist():
        found[place] = ordered_s[first[place] + rank_of(int(count[place]), percent) - 1]
    return found


def _asked_per_s(points: Sequence[Point], buckets: Buckets) -> tuple[float, ...]:
    return drawn(asked_between(points, buckets.edges_s) / buckets.width_s)


def _mean_active(operations: Operations, buckets: Buckets) -> Floats:
    """How many ran, as a mean over each bucket: exact, from the areas under all starts and all finishes."""
    edges_s = buckets.edges_s
    area = _area_since(operations.started_s, edges_s) - _area_since(operations.finished_s, edges_s)
    return np.maximum(np.diff(area) / buckets.width_s, 0.0)


def _area_since(instants_s: Floats, edges_s: Floats) -> Floats:
    """For each edge, the sum over all earlier instants of the time passed since."""
    ordered_s = np.sort(instants_s)
    before = np.searchsorted(ordered_s, edges_s, side="right")
    total_s = np.concatenate(([0.0], np.cumsum(ordered_s)))
    return edges_s * before - total_s[before]
