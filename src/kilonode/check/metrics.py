"""The metrics that criteria are about: what each is measured in, what it means, and when it can be known.

Names and units only; how a criterion is written is `kilonode.check.criteria`, how one is judged `evaluation`.
"""

from enum import StrEnum
from typing import Final

from kilonode.check.upgrades.records import ASSERTIONS


class Unit(StrEnum):
    """What a metric is measured in."""

    SECONDS = "seconds"
    FRACTION = "fraction"
    PER_SECOND = "per_second"
    COUNT = "count"
    RATIO = "ratio"
    HELD = "held"
    """An assertion: one where it holds, zero where it does not."""


PERCENTILES: Final = frozenset({"p", "service_p"})
"""The metrics that take a percent in parentheses."""

METRICS: Final[dict[str, tuple[Unit, str]]] = {
    "p": (Unit.SECONDS, "a percentile of the latency, as p(99) or p(99.9)"),
    "mean": (Unit.SECONDS, "the mean latency"),
    "min": (Unit.SECONDS, "the shortest latency"),
    "med": (Unit.SECONDS, "the median latency, the same as p(50)"),
    "max": (Unit.SECONDS, "the longest latency"),
    "service_p": (Unit.SECONDS, "a percentile of the service time, as service_p(99)"),
    "service_mean": (Unit.SECONDS, "the mean service time"),
    "service_min": (Unit.SECONDS, "the shortest service time"),
    "service_med": (Unit.SECONDS, "the median service time"),
    "service_max": (Unit.SECONDS, "the longest service time"),
    "error_rate": (Unit.FRACTION, "failures among the operations that finished"),
    "throughput": (Unit.PER_SECOND, "operations that finished well, per second of the workload's load"),
    "dropped": (Unit.COUNT, "iterations that were due but could not be started"),
    "dropped_rate": (Unit.FRACTION, "dropped iterations among those that were due"),
    "count": (Unit.COUNT, "operations that finished, well or not"),
    "lost": (Unit.COUNT, "resources whose creation was acknowledged, that nobody deleted, and that are not there"),
    "resurrected": (Unit.COUNT, "resources whose deletion was acknowledged, and that are there"),
    "duplicated": (Unit.COUNT, "resources that are there twice, addresses given twice, servers on two nodes"),
    "stuck": (Unit.COUNT, "resources in a state that should have ended by itself"),
    "leaked": (Unit.COUNT, "ports, allocations and the like that belong to nothing, and sums that are not right"),
    "overbooked": (Unit.COUNT, "nodes that have given more of a resource than they have"),
    "strayed": (Unit.COUNT, "servers whose state or flavor is not the one that was asked for last"),
    "unavailable": (Unit.SECONDS, "how long what was due was lost, after a disruption"),
    "time_to_detect": (Unit.SECONDS, "from a disruption to the first answer that told a client"),
    "time_to_first_success": (Unit.SECONDS, "from a disruption to the first good answer after the first loss"),
    "recovery_time": (Unit.SECONDS, "from a disruption until all was as good as before, and stayed so"),
    "longest_gap": (Unit.SECONDS, "the longest time without a good answer, after a disruption"),
    "slow": (Unit.SECONDS, "how long what was due took longer than the objective, after a disruption"),
    "degradation": (Unit.RATIO, "how many times as long as before operations took, from a disruption to the recovery"),
    **{name: (Unit.HELD, f"of every upgrade: {meaning}") for name, meaning in ASSERTIONS.items()},
}
"""Every metric: what it is measured in, and what it means."""

ITERATION_METRICS: Final = frozenset({"dropped", "dropped_rate"})
"""Metrics that iterations have and steps have not: what was dropped never came to a step."""

CONSISTENCY_METRICS: Final = frozenset(
    {"lost", "resurrected", "duplicated", "stuck", "leaked", "overbooked", "strayed"}
)
"""Metrics of what there is after the run, held against what was asked for: of the whole run, known at its end only."""

RECOVERY_METRICS: Final = frozenset(
    {"unavailable", "time_to_detect", "time_to_first_success", "recovery_time", "longest_gap", "slow", "degradation"}
)
"""Metrics of what disruptions did: every one of them, or those that `after` names; known after the run only."""

UPGRADE_METRICS: Final = frozenset(ASSERTIONS)
"""Assertions about upgrades, written `upgrade zero_downtime`: of every upgrade of the run, known after it only."""

AFTERWARDS: Final = CONSISTENCY_METRICS | RECOVERY_METRICS | UPGRADE_METRICS
"""Metrics that nobody knows while the load runs."""
