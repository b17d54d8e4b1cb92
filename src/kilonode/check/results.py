"""Results: every number and verdict of a run, as one tree of frozen records that is JSON as it stands.

The report turns these into words and pictures and computes nothing. Units stand at the end of names. `None` means
*unknown*: not measured, or too few samples to say; never zero. Instants are seconds since the run's zero.
"""

from enum import StrEnum

import msgspec

from kilonode.base.outcomes import Outcome
from kilonode.check.consistency import ConsistencyResults
from kilonode.check.cost_results import ServicesResults
from kilonode.check.deaths import Death
from kilonode.check.facts import Abortion, WorkloadFacts
from kilonode.check.metrics import Unit
from kilonode.check.recovery.records import RecoveryResults
from kilonode.check.upgrades.records import UpgradeResults
from kilonode.history.records import STILL_IN_EFFECT

FORMAT_VERSION = 1
"""Of `Results` as JSON. A field may be added without a new version; changing or removing one makes a new version."""


class Verdict(StrEnum):
    """The worst of several is the verdict over them: valid < unknown < invalid."""

    VALID = "valid"
    UNKNOWN = "unknown"
    INVALID = "invalid"


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Reason(_Record, frozen=True, kw_only=True):
    """Why the verdict is not better than it is."""

    verdict: Verdict
    about: str
    """`criterion`, `generator`, `load`, `history`, `workload`, `consistency`, `disruption`, `upgrade` or `death`."""
    text: str
    """One or two plain sentences."""


class Interval(_Record, frozen=True, kw_only=True):
    """A confidence interval of 95 %. None: with this few samples that end cannot be known."""

    low: float | None
    high: float | None


class Percentile(_Record, frozen=True, kw_only=True):
    """One percentile: the smallest measured value that at least `percent` of the samples do not exceed."""

    percent: float
    value_s: float | None
    """None: too few samples for this percentile; `needed` says how many it takes."""
    interval_s: Interval | None = None
    at_least: bool = False
    """Operations that were cut off or timed out reach below it: the true value is this or more."""
    needed: int = 0
    """How many samples this percentile needs to be given at all."""


class Latency(_Record, frozen=True, kw_only=True):
    """A distribution of durations. Samples are operations that went well, exact, and operations that were cut off or
    timed out, which would have taken at least as long as they did. Other failures are no samples.
    """

    samples: int
    censored: int
    """How many of the samples were cut off or timed out."""
    mean_s: float | None
    standard_deviation_s: float | None
    min_s: float | None
    max_s: float | None
    open_ended: bool
    """There are censored samples: mean and max are at least what stands here."""
    min_at_least: bool
    """The shortest sample is a censored one."""
    percentiles: tuple[Percentile, ...]
    """p5, p25, p50, p75, p90, p95, p99 and p99.9."""


class Resolution(_Record, frozen=True, kw_only=True):
    """How exactly the ends of operations were seen that were found by polling."""

    polled: int
    """How many operations had an end that was polled for."""
    median_s: float
    max_s: float


class ErrorGroup(_Record, frozen=True, kw_only=True):
    """Failures whose messages differ by ids and numbers at most."""

    outcome: str
    message: str
    """One of the messages, the first."""
    count: int
    first_at_s: float
    last_at_s: float


class StepResults(_Record, frozen=True, kw_only=True):
    """One step of a workload, or its whole iterations."""

    step: str
    """The dotted path; empty: whole iterations."""
    outcomes: dict[str, int]
    """How many operations ended how; only outcomes that occurred."""
    finished: int
    """Operations that came to an end of their own, well or not: without those dropped or cut off."""
    failed: int
    error_rate: float | None
    error_rate_interval: Interval | None
    """By Wilson's method."""
    throughput_per_s: float | None
    """Operations that finished well within the workload's load, per second of it."""
    latency: Latency
    """From the instant the operation was due."""
    service: Latency
    """From the instant the operation started."""
    resolution: Resolution | None = None


class Bucketed(_Record, frozen=True, kw_only=True):
    """Latency over time: each bucket has the operations that were *due* in it."""

    start_s: float
    width_s: float
    count: tuple[int, ...]
    p50_s: tuple[float | None, ...]
    p95_s: tuple[float | None, ...]
    p99_s: tuple[float | None, ...]
    max_s: tuple[float | None, ...]


class Heat(_Record, frozen=True, kw_only=True):
    """How many operations fell into each cell of time (when they were due) and latency (logarithmic)."""

    start_s: float
    width_s: float
    columns: int
    lowest_s: float
    """The lower edge of the first row."""
    growth: float
    """Each row's upper edge is this many times its lower one."""
    rows: int
    cells: tuple[tuple[int, int, int], ...]
    """Column, row, count; only cells that are not empty."""


class Flow(_Record, frozen=True, kw_only=True):
    """What came and went in each bucket of time."""

    start_s: float
    width_s: float
    asked_per_s: tuple[float, ...] | None
    """The rate asked for; None for a closed model."""
    asked_vus: tuple[float, ...] | None
    """The virtual users asked for; None for an open model."""
    started_per_s: tuple[float, ...]
    """Iterations, by when they started."""
    succeeded_per_s: tuple[float, ...]
    """Iterations that went well, by when they finished."""
    unsuccessful_per_s: dict[str, tuple[float, ...]]
    """For each outcome but `ok`, operations by when they finished; of failing iterations, not of steps."""
    active: tuple[float, ...]
    """Iterations that were running, the mean over the bucket."""


class Histogram(_Record, frozen=True, kw_only=True):
    """Counts in logarithmic bins."""

    lowest_s: float
    growth: float
    latency: tuple[int, ...]
    service: tuple[int, ...]
    """Same bins."""


class Curve(_Record, frozen=True, kw_only=True):
    """Latency by percentile: exact percentiles, denser towards the top, as far as the samples reach."""

    percent: tuple[float, ...]
    latency_s: tuple[float, ...]
    service_s: tuple[float, ...]


class Phase(_Record, frozen=True, kw_only=True):
    """One part of a step that has parts, and how long it took."""

    step: str
    latency: Latency
    mean_share: float | None
    """Its mean as a share of the mean of the whole step."""


class Phases(_Record, frozen=True, kw_only=True):
    """A step that has nested steps: where its time goes."""

    step: str
    """The whole."""
    parts: tuple[Phase, ...]
    """Its innermost steps, in the order in which they begin."""
    start_s: float
    width_s: float
    mean_s: dict[str, tuple[float | None, ...]]
    """For each part, its mean over time, by when it began."""


class WorkloadResults(_Record, frozen=True, kw_only=True):
    """Everything about one workload."""

    facts: WorkloadFacts
    measured_s: float
    """The length of the load that rates are taken over: from its start to its end, or until it was cut short."""
    asked: float | None
    """How many iterations the schedule asked for in that time; None for a closed model."""
    due: int
    """Iterations that were due, by the history."""
    dropped: int
    dropped_rate: float | None
    lateness_p99_s: float | None
    """How late iterations of an open model started, from the history itself."""
    steps: tuple[StepResults, ...]
    """Whole iterations first, then every step in the order in which they begin."""
    errors: tuple[ErrorGroup, ...]
    """The most frequent ones."""
    error_groups: int
    """How many there are in all."""
    latency_over_time: Bucketed
    heat: Heat | None
    flow: Flow
    histogram: Histogram | None
    curve: Curve | None
    phases: tuple[Phases, ...]


class CriterionResult(_Record, frozen=True, kw_only=True):
    """A criterion and whether it held."""

    criterion: str
    """Its text."""
    verdict: Verdict
    measured: float | None
    unit: Unit
    bound: float
    at_least: bool = False
    """The measured value is a lower limit, because operations were cut off or timed out."""
    samples: int = 0
    """How many operations the measured value rests on, or of the following."""
    samples_of: str = ""
    """What was counted instead of operations, for people: `resources created`."""
    interval: Interval | None = None
    close: bool = False
    """The bound lies within the interval: a repetition might find otherwise."""
    abort: bool = False
    note: str = ""
    """What else to know: why it is unknown, that it ended the run, what was left out."""


class Line(_Record, frozen=True, kw_only=True):
    """One metric over time."""

    metric: str
    at_s: tuple[float, ...]
    value: tuple[float, ...]


class SourceState(_Record, frozen=True, kw_only=True):
    """The health of one process of the generator."""

    source: str
    lines: tuple[Line, ...]


class GeneratorResults(_Record, frozen=True, kw_only=True):
    """Whether the generator could do what it was asked to; what it could not is in the reasons."""

    trusted: bool
    """Nothing suggests that the generator was the bottleneck."""
    watched: bool
    """Its health was recorded."""
    cpu_fraction_max_sustained: float | None
    """The highest mean over some seconds of the busiest process; one is a whole core."""
    loop_lag_s_max: float | None
    lateness_s_p99: float | None
    """Over all iterations of open models."""
    open_files_share_max: float | None
    memory_bytes_max: float | None
    """All processes of the generator together."""
    notes: tuple[str, ...]
    """What was unusual but did not matter enough to change the verdict."""
    sources: tuple[SourceState, ...]


class ActionResults(_Record, frozen=True, kw_only=True):
    """One kind of action of a stage."""

    action: str
    count: int
    failed: int
    mean_s: float
    max_s: float


class StageResults(_Record, frozen=True, kw_only=True):
    """One stage of setup or cleanup."""

    part: str
    """`setup` or `cleanup`."""
    stage: str
    start_s: float
    finish_s: float
    count: int
    failed: int
    error: str
    """The first failure's message."""
    actions: tuple[ActionResults, ...]


class DisruptionResults(_Record, frozen=True, kw_only=True):
    """A fault or an upgrade, with the instants at which it took effect and was healed."""

    name: str
    """Its own in the experiment file; may be empty."""
    target: str
    """What was done: the sentence of a fault."""
    due_s: float = 0.0
    """When it was to happen."""
    start_s: float
    finish_s: float
    """When it was healed; with the outcome `wrong_state` only when it is known to have been in effect last."""
    outcome: str
    error: str

    @property
    def outlived_the_run(self) -> bool:
        """Whether it was still in effect when the run was killed."""
        return self.error.startswith(STILL_IN_EFFECT)

    @property
    def happened(self) -> bool:
        """Whether it took effect at all."""
        return self.outcome != Outcome.DROPPED


class Results(_Record, frozen=True, kw_only=True):
    """The verdict over a run and everything it rests on."""

    format_version: int = FORMAT_VERSION
    verdict: Verdict
    abortion: Abortion | None
    """When and why the load was ended early: the verdict is about what was measured until then."""
    reasons: tuple[Reason, ...]
    """Why the verdict is not valid, the worst first; empty when it is."""
    criteria: tuple[CriterionResult, ...]
    workloads: tuple[WorkloadResults, ...]
    generator: GeneratorResults
    stages: tuple[StageResults, ...]
    disruptions: tuple[DisruptionResults, ...]
    torn: bool
    """Part of the history is missing."""
    lost_at_most_s: float
    operations: int
    """How many records the history has."""
    start_s: float
    """The first instant of the history: setup begins before zero."""
    load_end_s: float
    finish_s: float
    simulated: bool
    services: ServicesResults | None = None
    """What the cloud's services cost; None: nothing was sampled."""
    consistency: ConsistencyResults | None = None
    """What was asked for against what there is; None: nobody looked."""
    recovery: RecoveryResults | None = None
    """What disruptions did to workloads, and for how long; None: nothing was disrupted."""
    upgrades: UpgradeResults | None = None
    """What upgrades did, and what can be asserted of them; None: nothing was upgraded."""
    deaths: tuple[Death, ...] = ()
    """The processes of the cloud that ended although nothing in the run was meant to end them, as far as was looked."""
