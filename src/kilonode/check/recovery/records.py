"""What recovery is said in: measured values that know what they do not know, episodes, both views side by side.

Part of `kilonode.check.results.Results`; JSON as it stands. Instants are seconds since the run's zero, durations
seconds. None: not known, or nothing of the kind happened; the note says which.
"""

from typing import Literal

import msgspec


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Measure(_Record, frozen=True, kw_only=True):
    """One measured value."""

    value: float | None
    low: float | None = None
    """The lower end of its 95 % interval; None: not known."""
    high: float | None = None
    """The upper end; None: not known, as always when the value is only a lower limit."""
    at_least: bool = False
    """The truth is this value or more: it was not over when the observation ended."""
    note: str = ""
    """Why there is no value, or what else to know."""


class Stretch(_Record, frozen=True, kw_only=True):
    """A stretch of time in which operations were impaired: lost, or clearly slower than before."""

    start_s: float
    end_s: float
    open_ended: bool = False
    """It had not ended when the observation did."""


class Spread(_Record, frozen=True, kw_only=True):
    """How latency was distributed in one part of an episode."""

    part: Literal["before", "during", "after"]
    samples: int
    """Operations that went well."""
    lost: int
    percents: tuple[float, ...]
    values_s: tuple[float | None, ...]
    """The percentile of each percent. None: too few samples."""
    max_s: float | None


class Control(_Record, frozen=True, kw_only=True):
    """The same without the disruption: what of it is there anyway."""

    source: Literal["before", "control run", "none"]
    """Where it is from: the same workload before the disruption, or another run without one."""
    seconds: float
    """How long it was looked at."""
    samples: int
    lost: int
    unavailable_share: float | None
    """The share of time in which operations were lost anyway."""
    slow_share: float | None
    mean_s: float | None
    """The mean latency that degradation is measured against."""


class Episode(_Record, frozen=True, kw_only=True):
    """What one disruption did to one workload, by Kilonode's own method."""

    workload: str
    disruption: str
    """The disruption's own sentence."""
    number: int
    """Which disruption of the run it was, from zero, in the order in which they took effect."""
    planned_s: float
    effect_s: float
    """When it took effect: every duration below counts from here."""
    healed_s: float
    observed_s: float
    """Until when what followed can be told to be its doing: to the next disruption, or the load's end."""
    samples: int
    """Operations that were due from the effect on and whose end is known."""
    unseen: int
    """Operations that were due and of which it is not known how they would have ended: dropped, or cut off."""
    control: Control
    objective_s: float | None
    """What took longer was slow."""
    lost: dict[str, int]
    """How many operations were lost, by how."""
    unavailable_s: Measure
    """How long operations that were due were lost, all such time together."""
    time_to_detect_s: Measure
    """Until the first answer that told a client; the interval reaches back to the last good one before."""
    time_to_first_success_s: Measure
    """Until the first good answer after the first loss."""
    recovery_time_s: Measure
    """Until what was due was as good as before again, and stayed so."""
    longest_gap_s: Measure
    """The longest time in which no good answer came."""
    slow_s: Measure
    """How long operations went well, but slower than the objective."""
    degradation: Measure
    """How many times as long as before operations took, over all samples from the effect to the recovery."""
    impaired: tuple[Stretch, ...]
    relapses: int
    """How often it was impaired again after it had recovered."""
    spreads: tuple[Spread, ...] = ()
    """The latency of what went well before, during and after."""
    meanwhile: tuple[str, ...] = ()
    """Other disruptions that were in effect in that time: what each of them did cannot be told apart."""


class Repeated(_Record, frozen=True, kw_only=True):
    """The mean of a figure over all repeats, those without any trace of the disruption too."""

    figure: str
    measure: Measure
    repeats: int
    """How many repeats have the figure."""


class PublishedView(_Record, frozen=True, kw_only=True):
    """What the method says that OpenStack published (version 2), for comparison with results that others published."""

    downtime_s: Measure
    time_to_recover_s: Measure
    degradation_s: Measure
    degradation_ratio: Measure
    repeats: int
    without_baseline: int
    """Repeats without a sample before the disruption, beyond the warm-up: the method cannot look at them."""


class RecoveryGroup(_Record, frozen=True, kw_only=True):
    """One disruption on one workload, with all its repeats, by both methods."""

    workload: str
    endpoint: str = ""
    """Of a probe: what it asks."""
    connections: str = ""
    """Of a probe: `new` or `reused`."""
    disruption: str
    open_model: bool
    """Operations were due by a schedule. False: a stall hid its own samples."""
    episodes: tuple[Episode, ...]
    repeated: tuple[Repeated, ...]
    published: PublishedView
    differences: tuple[str, ...]
    """Why the two views differ, for people."""


class RecoveryResults(_Record, frozen=True, kw_only=True):
    """What every disruption of the run did to every workload."""

    groups: tuple[RecoveryGroup, ...]
    clean_windows: int
    """How many windows in a row have to be clean for a workload to count as recovered."""
    tolerance: float
    """How many times slower than before still counts as well."""
