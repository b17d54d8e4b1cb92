"""OpenStack's published reliability method, version 2, exactly: for comparison with results that others published.

Its constants and its order of steps are kept as they are, and so are its defects, which docs/check.md names; Kilonode's
own figures (`kilonode.check.recovery.episodes`) have none of them. What it gives for the raw data that was published
with it agrees with the published values to the printed digits; a test holds that.

Instants are seconds since the first sample of a repeat, durations seconds. None: the method gives no value.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kilonode.check.regression import student_quantile
from kilonode.check.statistics import Booleans, Floats

WARM_UP_SAMPLES: Final = 10
WINDOW_SAMPLES: Final = 21
THRESHOLD_SIGMAS: Final = 4
CLUSTER_GAP: Final = 6
CLUSTER_WIDTH: Final = 3

_MOST_FREEDOM: Final = 10_000
"""Of Student's distribution: with more the quantile is the same to three digits, and takes longer."""


class Estimate(NamedTuple):
    """A value and what the method states as its uncertainty."""

    value: float
    uncertainty: float


@dataclass(frozen=True, slots=True)
class Repeat:
    """The samples of one repeat, in the order in which they were recorded."""

    at_s: Floats
    """When each began."""
    duration_s: Floats
    failed: Booleans
    disrupted_s: float | None
    """When the first disruption was begun, on the same axis; None: there was none, and all is baseline."""


@dataclass(frozen=True, slots=True)
class Area:
    """A stretch of time in which samples failed, or were slow."""

    start_s: float
    end_s: float
    duration: Estimate
    degradation_s: Estimate | None = None
    """How much longer operations took than before; None for failures."""
    degradation_ratio: Estimate | None = None


@dataclass(frozen=True, slots=True)
class RepeatFigures:
    """What the method says of one repeat."""

    baseline_mean_s: float
    baseline_median_s: float
    baseline_p95_s: float
    threshold_s: float
    failures: tuple[Area, ...]
    degradations: tuple[Area, ...]


@dataclass(frozen=True, slots=True)
class PublishedFigures:
    """What the method says of all repeats together. Repeats without failures (or degradation) do not count in it."""

    downtime_s: Estimate | None
    time_to_recover_s: Estimate | None
    degradation_s: Estimate | None
    degradation_ratio: Estimate | None
    repeats: int
    without_baseline: int
    """Repeats that had too few samples before the disruption to be looked at."""


def published_figures(repeats: Sequence[Repeat]) -> PublishedFigures:
    """All repeats together."""
    looked_at = [figures for figures in map(repeat_figures, repeats) if figures is not None]
    failures = [figures.failures for figures in looked_at if figures.failures]
    slow = [figures.degradations for figures in looked_at if figures.degradations]
    return PublishedFigures(
        downtime_s=_mean_of_sums([[area.duration for area in areas] for areas in failures]),
        time_to_recover_s=_mean_of_sums([[area.duration for area in areas] for areas in slow]),
        degradation_s=_mean_and_mean([[area.degradation_s for area in areas] for areas in slow]),
        degradation_ratio=_mean_and_mean([[area.degradation_ratio for area in areas] for areas in slow]),
        repeats=len(repeats),
        without_baseline=len(repeats) - len(looked_at),
    )


def repeat_figures(repeat: Repeat) -> RepeatFigures | None:
    """One repeat; None when the baseline has no sample."""
    if len(repeat.at_s) == 0:
        return None
    at_s = repeat.at_s - repeat.at_s[0]
    disrupted_s = at_s[-1] if repeat.disrupted_s is None else repeat.disrupted_s - repeat.at_s[0]
    before = np.flatnonzero(at_s + repeat.duration_s < disrupted_s)
    baseline_s = repeat.duration_s[WARM_UP_SAMPLES : int(before[-1]) if len(before) else 0]
    if len(baseline_s) == 0:
        return None
    mean_s, spread_s = float(baseline_s.mean()), float(baseline_s.std())
    threshold_s = abs(mean_s + THRESHOLD_SIGMAS * spread_s)
    return RepeatFigures(
        baseline_mean_s=mean_s,
        baseline_median_s=float(np.median(baseline_s)),
        baseline_p95_s=float(np.percentile(baseline_s, 95)),
        threshold_s=threshold_s,
        failures=tuple(_failure_area(at_s, first, last) for first, last in clusters(repeat.failed, least_width=0)),
        degradations=_degradations(at_s[~repeat.failed], repeat.duration_s[~repeat.failed], baseline_s, threshold_s),
    )


def clusters(marked: Booleans, *, least_width: int = CLUSTER_WIDTH) -> list[tuple[int, int]]:
    """The first and last index of each cluster of marked samples, with at most `CLUSTER_GAP` others inside.

    As published, a cluster that would begin at index 0 begins at its next sample, or is lost; and the last one of all
    needs `CLUSTER_WIDTH` whatever `least_width` is.
    """
    found: list[tuple[int, int]] = []
    first = last = 0  # as published, zero also means: none
    for index in np.flatnonzero(marked).tolist():
        if last and index - last - 1 > CLUSTER_GAP:
            if last - first >= least_width:
                found.append((first, last))
            first = last = 0
        first = first or index
        last = index
    if last:
        # Only where enough good samples follow was the cluster closed before the end of the data.
        closed = len(marked) - 1 - last > CLUSTER_GAP
        if last - first >= (least_width if closed else CLUSTER_WIDTH):
            found.append((first, last))
    return found


def _failure_area(at_s: Floats, first: int, last: int) -> Area:
    """From half way to the sample before to half way to the sample after; the halves are the uncertainty."""
    before_s = float(at_s[first] - at_s[first - 1]) / 2 if first > 0 else 0.0
    after_s = float(at_s[last + 1] - at_s[last]) / 2 if last < len(at_s) - 1 else 0.0
    start_s, end_s = float(at_s[first]) - before_s, float(at_s[last]) + after_s
    return Area(start_s, end_s, Estimate(end_s - start_s, before_s + after_s))


def _degradations(at_s: Floats, duration_s: Floats, baseline_s: Floats, threshold_s: float) -> tuple[Area, ...]:
    """Where the mean over a window of successes is at or above the threshold."""
    if len(at_s) <= WINDOW_SAMPLES:
        return ()
    # As published, the last window is left out.
    smooth_s = sliding_window_view(duration_s, WINDOW_SAMPLES)[:-1].mean(axis=1)
    windows = sliding_window_view(at_s, WINDOW_SAMPLES)[:-1]
    middle_s = windows.mean(axis=1)
    off_s = np.abs(middle_s - windows[:, 1:-1].mean(axis=1))
    return tuple(
        _degradation_area(at_s, duration_s, baseline_s, middle_s, off_s, first, last)
        for first, last in clusters(np.abs(smooth_s) >= threshold_s)
    )


def _degradation_area(
    at_s: Floats, duration_s: Floats, baseline_s: Floats, middle_s: Floats, off_s: Floats, first: int, last: int
) -> Area:
    start_s, end_s = float(middle_s[first]), float(middle_s[last])
    inside_s = duration_s[(start_s < at_s) & (at_s < end_s)]
    duration = Estimate(end_s - start_s, float(off_s[first:last].mean()))
    if len(inside_s) == 0:
        return Area(start_s, end_s, duration)
    mean_s, baseline_mean_s = float(inside_s.mean()), float(baseline_s.mean())
    error_s = math.sqrt(inside_s.var() / len(inside_s) + baseline_s.var() / len(baseline_s))
    half_s = student_quantile(min(len(baseline_s) + len(inside_s) - 2, _MOST_FREEDOM)) * error_s
    return Area(
        start_s,
        end_s,
        duration,
        Estimate(mean_s - baseline_mean_s, half_s),
        Estimate(mean_s / baseline_mean_s, half_s / baseline_mean_s),
    )


def _mean_of_sums(runs: list[list[Estimate]]) -> Estimate | None:
    if not runs:
        return None
    sums = np.array([sum(estimate.value for estimate in run) for run in runs])
    uncertain = sum(estimate.uncertainty for run in runs for estimate in run)
    return Estimate(float(sums.mean()), math.sqrt((uncertain + float(sums.var())) / len(sums)))


def _mean_and_mean(runs: list[list[Estimate | None]]) -> Estimate | None:
    known = [[estimate for estimate in run if estimate is not None] for run in runs]
    uncertain = [estimate.uncertainty for run in known for estimate in run]
    if not uncertain:
        return None
    sums = [sum(estimate.value for estimate in run) for run in known]
    return Estimate(float(np.mean(sums)), float(np.mean(uncertain)))
