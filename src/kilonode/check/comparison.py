"""Comparison: two or more runs side by side, as one tree of frozen records that is JSON as it stands.

The first run is the baseline; every change is one of another run against it. `None` means unknown. Ratios are the other
run's value over the baseline's: above one is slower, or more. `compare` makes these; the report only shows them.
"""

from enum import StrEnum

import msgspec

from kilonode.check.results import Interval, Percentile, Resolution, Verdict

FORMAT_VERSION = 1
"""Of `Comparison` as JSON. A field may be added without a new version; changing or removing one makes a new version."""


class Direction(StrEnum):
    """What can be said of a change at a confidence of 95 %."""

    SAME = "same"
    """No difference that these samples show: there may be one that is smaller than they can tell."""
    LESS = "less"
    MORE = "more"
    UNKNOWN = "unknown"
    """Too few samples on one side, or operations that were cut off."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class PercentileChange(_Record, frozen=True, kw_only=True):
    """How one percentile of a step's latency changed."""

    percent: float
    ratio: float | None
    interval: Interval | None
    """Of the ratio, 95 %, from both percentiles' intervals by order statistics."""
    direction: Direction
    verdict: Verdict | None = None
    """Whether it is within the asked bound; None: no bound was asked for, or the step is not judged."""
    close: bool = False
    """An end of the bound lies within the interval: a repetition might find otherwise."""
    note: str = ""
    """What else to know: why it is unknown, or that the difference is below the polling resolution."""


class ErrorChange(_Record, frozen=True, kw_only=True):
    """How the share of failures changed: the other run's less the baseline's."""

    difference: float | None
    interval: Interval | None
    """By Newcombe's method, 95 %."""
    direction: Direction


class StepSide(_Record, frozen=True, kw_only=True):
    """One step in one run."""

    samples: int
    censored: int
    median: Percentile
    p95: Percentile
    throughput_per_s: float | None
    finished: int
    failed: int
    error_rate: float | None
    error_rate_interval: Interval | None
    resolution: Resolution | None
    cumulative: tuple[tuple[float, float], ...]
    """The empirical distribution function for drawing: latency in seconds, share of samples up to it; rising."""


class StepChange(_Record, frozen=True, kw_only=True):
    """One step of another run against the baseline."""

    percentiles: tuple[PercentileChange, ...]
    """The median and the 95th percentile."""
    throughput_ratio: float | None
    """Without an interval: operations of a run depend on each other, and one run is one sample of its throughput."""
    errors: ErrorChange


class StepComparison(_Record, frozen=True, kw_only=True):
    """One step, or whole iterations, in every run."""

    step: str
    """The dotted path; empty: whole iterations."""
    sides: tuple[StepSide | None, ...]
    """By run, the baseline first; None: the run has no such step."""
    changes: tuple[StepChange | None, ...]
    """By run, without the baseline; None: one of the two has no such step."""
    judged: bool
    """Whether a bound applies to it."""
    note: str = ""
    """Why it is not judged, or cannot be compared."""


class WorkloadComparison(_Record, frozen=True, kw_only=True):
    """One workload in every run."""

    name: str
    load: tuple[str, ...]
    """The load by run; empty where the run has no such workload."""
    steps: tuple[StepComparison, ...]
    """Whole iterations first."""


class FigureChange(_Record, frozen=True, kw_only=True):
    """One figure of what a service cost, by run."""

    service: str
    figure: str
    """With its unit at the end."""
    values: tuple[float | None, ...]


class Difference(_Record, frozen=True, kw_only=True):
    """Something that is not the same in all runs: an experiment's setting, a version, a fact about a machine."""

    part: str
    """`experiment` or `environment`."""
    path: str
    values: tuple[str | None, ...]
    """By run; None: it is not there."""


class RunSummary(_Record, frozen=True, kw_only=True):
    """One of the runs."""

    label: str
    """A letter: A is the baseline."""
    name: str
    """The run folder's name."""
    experiment: str
    """The experiment's name."""
    verdict: Verdict
    simulated: bool


class Comparison(_Record, frozen=True, kw_only=True):
    """Everything about some runs side by side."""

    format_version: int = FORMAT_VERSION
    runs: tuple[RunSummary, ...]
    within: float | None
    """The bound that was asked for, as a share: 0.15 is 15 %. None: nothing is judged."""
    verdict: Verdict | None
    """The worst over all percentiles of all judged steps; None when nothing was asked for."""
    reasons: tuple[str, ...]
    """Why the verdict is not valid, and what else to know, in plain sentences."""
    compared: int
    """How many percentiles could be compared."""
    changed: int
    """How many of them differ at 95 %. One in twenty does by chance where nothing changed."""
    workloads: tuple[WorkloadComparison, ...]
    services: tuple[FigureChange, ...] = ()
    differences: tuple[Difference, ...] = ()
