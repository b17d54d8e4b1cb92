"""Criteria about recovery: what each episode that a criterion speaks of came to.

Every repeat has to hold. Without a workload a criterion is about the probes, or about all workloads where the run has
no probe; without a disruption about all of them.
"""

from kilonode.check.criteria import Criterion
from kilonode.check.judgement import Measured
from kilonode.check.metrics import METRICS, Unit
from kilonode.check.recovery.records import Episode, RecoveryGroup, RecoveryResults
from kilonode.check.recovery.repeats import FIGURES
from kilonode.check.results import Interval


def measure_recovery(criterion: Criterion, results: RecoveryResults | None) -> list[Measured]:
    """The metric of every episode that the criterion is about; at least one, if only to say why there is none."""
    if results is None:
        return [Measured(None, 0, note="nothing was disrupted")]
    groups = [group for group in results.groups if _is_about(criterion, group)]
    if not criterion.workload and any(group.endpoint for group in groups):
        groups = [group for group in groups if group.endpoint]
    found = [_measured(criterion, group, episode) for group in groups for episode in group.episodes]
    if found:
        return found
    what = f" {criterion.disruption!r}" if criterion.disruption else ""
    whom = f" {criterion.workload}" if criterion.workload else " any workload"
    return [Measured(None, 0, note=f"no disruption{what} met{whom}")]


def _is_about(criterion: Criterion, group: RecoveryGroup) -> bool:
    names = {group.workload, *(episode.workload for episode in group.episodes)}
    return (not criterion.workload or criterion.workload in names) and (
        not criterion.disruption or _plain(criterion.disruption) == _plain(group.disruption)
    )


def _measured(criterion: Criterion, group: RecoveryGroup, episode: Episode) -> Measured:
    measure = FIGURES[criterion.metric](episode)
    where = f"{episode.workload}, {group.disruption}"
    others = len(episode.meanwhile)
    meanwhile = f"{others} other disruption{'' if others == 1 else 's'} at the same time" if others else ""
    return Measured(
        value=measure.value,
        samples=episode.samples,
        at_least=measure.at_least,
        interval=None if measure.value is None else Interval(low=measure.low, high=measure.high),
        bounded=METRICS[criterion.metric][0] is Unit.SECONDS,
        note="; ".join(part for part in (where, measure.note, meanwhile) if part),
    )


def _plain(sentence: str) -> str:
    return " ".join(sentence.split()).casefold()
