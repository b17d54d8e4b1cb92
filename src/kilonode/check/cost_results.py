"""What the cloud's services cost, as records: part of `kilonode.check.results.Results`, and JSON as they stand.

A *service* is all processes of one name. Units stand at the end of names; a core is one processor, fully used. `None`
means *unknown*: not sampled, or not for long enough; never zero. Instants are seconds since the run's zero.
"""

import msgspec


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class RunStretch(_Record, frozen=True, kw_only=True):
    """One phase of the run."""

    phase: str
    """`idle`, `setup`, `load`, `drain` or `cleanup`."""
    start_s: float
    finish_s: float


class Spread(_Record, frozen=True, kw_only=True):
    """How one metric of one service went in one phase."""

    metric: str
    """`cpu_cores`; `memory_bytes`, `threads`, … as sampled; a counter `queries_total` is `queries_per_s`."""
    min: float
    mean: float
    """Over time."""
    max: float


class ServicePhase(_Record, frozen=True, kw_only=True):
    """One service in one phase."""

    phase: str
    measured_s: float
    """How much of the phase was sampled; everything here is about that."""
    cpu_s: float | None
    """Processor seconds used."""
    spreads: tuple[Spread, ...]


class Counted(_Record, frozen=True, kw_only=True):
    """What a server counted over load and drain."""

    metric: str
    """`queries`, `published`, …"""
    count: float
    per_operation: float | None
    per_operation_less_idle: float | None
    """Without as many as it counts in that time when idle."""


class CostLine(_Record, frozen=True, kw_only=True):
    """One metric of one service over time, for drawing: a value for each bucket of `ServicesResults`."""

    service: str
    """Empty: several together."""
    metric: str
    value: tuple[float | None, ...]
    """None: not sampled there. Of rates the mean in the bucket, of everything else the highest."""


class ServiceCosts(_Record, frozen=True, kw_only=True):
    """One service."""

    service: str
    cpu_s: float | None
    """Over load and drain."""
    idle_cores: float | None
    """Processors used while nothing was asked of the cloud; None: there was no idle phase."""
    cpu_s_per_operation_raw: float | None
    """Processor seconds over load and drain, by operations that finished."""
    cpu_s_per_operation: float | None
    """The same less what the service uses in that time when idle; without an idle phase the raw value. Below zero: it
    used less than when idle, so that what an operation costs is lost in noise."""
    memory_bytes_max: float | None
    """In any phase."""
    connections_max: float | None
    queue_depth_max: float | None
    """Of a broker: the most messages that waited or were not acknowledged, over load and drain."""
    read_share: float | None
    """Of a database: reads among reads and writes, over load and drain."""
    counted: tuple[Counted, ...]
    phases: tuple[ServicePhase, ...]
    """In their order; those in which the service was sampled."""


class SamplerCosts(_Record, frozen=True, kw_only=True):
    """What sampling itself cost."""

    cpu_s: float
    cpu_fraction: float | None
    """Of one processor, over the time from the first reading to the last."""
    readings: int
    duration_s_max: float | None
    """The longest reading of all processes."""


class ServicesResults(_Record, frozen=True, kw_only=True):
    """What all services cost. Services stand in the order of their processor seconds, the most first."""

    stretches: tuple[RunStretch, ...]
    operations: int
    """Iterations that finished over load and drain, well or not, of all workloads: what costs are divided by."""
    workloads: tuple[str, ...]
    """Whose iterations these are. More than one: a cost is that of the mix, and cannot be attributed to one of them."""
    idle_s: float | None
    """How long the idle phase was; None: there was none, and what services use by themselves counts as the load's."""
    every_s: float | None
    """The usual time between two readings."""
    cpu_s: float | None
    """Of all services over load and drain; None: not known of one whose processes were sampled."""
    cores_mean: float | None
    """The same as processors kept busy."""
    cpu_s_per_operation: float | None
    """As of one service, of all of them."""
    cpu_s_per_operation_raw: float | None
    memory_bytes_max: float | None
    """The most that all services had at once."""
    services: tuple[ServiceCosts, ...]
    lines: tuple[CostLine, ...]
    """For drawing: what processes use, of the first few services; what servers say of themselves, of all."""
    rest: tuple[CostLine, ...]
    """All other services together; empty when there are few."""
    drawn: int
    """How many services are drawn by themselves."""
    start_s: float
    """Of the first bucket of all lines."""
    width_s: float
    sampler: SamplerCosts | None
    problems: tuple[str, ...]
    """What could not be measured, for people."""
