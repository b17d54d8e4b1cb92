"""From a history to recovery: every disruption on every workload, repeats together, both views side by side.

A workload belongs with the one that it repeats; the same sentence is the same disruption. What is undisturbed is the
same workload before the first disruption of the run that met it, or, where one is given, a run without disruptions.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from kilonode.base.outcomes import FAILURES, Outcome
from kilonode.check.facts import RunFacts, WorkloadFacts
from kilonode.check.operations import Operations, OperationTable
from kilonode.check.recovery.episodes import CLEAN_WINDOWS, Disruption, Seen, measure_episode
from kilonode.check.recovery.published import Estimate, Repeat, published_figures
from kilonode.check.recovery.records import (
    Episode,
    Measure,
    PublishedView,
    RecoveryGroup,
    RecoveryResults,
)
from kilonode.check.recovery.repeats import over_repeats
from kilonode.check.recovery.samples import UNSEEN, Probes, probes_of
from kilonode.check.recovery.spreads import spreads_of
from kilonode.check.recovery.stretches import TOLERANCE
from kilonode.check.recovery.words import why_they_differ
from kilonode.history.records import OpKind
from kilonode.history.upgrades import part_of_upgrade

_NEVER_INJECTED: Final = frozenset({Outcome.DROPPED})


def evaluate_recovery(
    table: OperationTable,
    facts: RunFacts,
    windows: dict[str, tuple[float, float]],
    control: OperationTable | None = None,
) -> RecoveryResults | None:
    """What disruptions did; None: there were none. `windows`: from when to when each workload was under load."""
    disruptions = _disruptions(table)
    if not disruptions:
        return None
    groups: dict[tuple[str, str], list[tuple[WorkloadFacts, Episode]]] = {}
    for workload in facts.workloads:
        iterations = table.of(OpKind.ITERATION, workload.name)
        for episode in _episodes(workload, iterations, disruptions, windows[workload.name], control):
            key = (workload.repeats or workload.name, episode.disruption)
            groups.setdefault(key, []).append((workload, episode))
    return RecoveryResults(
        groups=tuple(_group(name, sentence, members, table) for (name, sentence), members in groups.items()),
        clean_windows=CLEAN_WINDOWS,
        tolerance=TOLERANCE,
    )


def _disruptions(table: OperationTable) -> list[Disruption]:
    """Those that were injected, by when they took effect; each observed until the next that did not overlap it."""
    found: list[tuple[float, float, float, str]] = []
    for key in table.keys_of_kind(OpKind.DISRUPTION):
        if part_of_upgrade(key.step) is not None:
            continue
        operations = table.of(OpKind.DISRUPTION, key.workload, key.step)
        operations = operations.where(~operations.ended(_NEVER_INJECTED))
        due_s, started_s, finished_s = operations.due_s, operations.started_s, operations.finished_s
        found += [
            (effect_s, planned_s, healed_s, key.step)
            for effect_s, planned_s, healed_s in zip(
                started_s.tolist(), due_s.tolist(), finished_s.tolist(), strict=True
            )
        ]
    found.sort()
    return [
        Disruption(
            sentence=sentence,
            number=number,
            planned_s=planned_s,
            effect_s=effect_s,
            healed_s=healed_s,
            observed_s=min((begun for _, begun, _, _ in found[number + 1 :] if begun >= healed_s), default=np.inf),
        )
        for number, (effect_s, planned_s, healed_s, sentence) in enumerate(found)
    ]


def _episodes(
    workload: WorkloadFacts,
    iterations: Operations,
    disruptions: Sequence[Disruption],
    window: tuple[float, float],
    control: OperationTable | None,
) -> list[Episode]:
    start_s, end_s = window
    met = [one for one in disruptions if start_s <= one.effect_s < end_s]
    if not met:
        return []
    probes = probes_of(iterations)
    # What was still under way belongs neither here nor there: it was due before, and may have been held up by it.
    baseline, source = probes.where(probes.finished_s < min(one.planned_s for one in met)), "before"
    if control is not None:
        undisturbed = probes_of(control.of(OpKind.ITERATION, workload.name))
        if len(undisturbed):
            baseline, source = undisturbed, "control run"
    met = [replace(one, observed_s=min(one.observed_s, end_s)) for one in met]
    episodes = [
        measure_episode(one, _seen(workload, iterations, probes, baseline, source, one, start_s)) for one in met
    ]
    return [
        msgspec.structs.replace(one, spreads=spreads_of(one, baseline, probes), meanwhile=_meanwhile(one, disruptions))
        for one in episodes
    ]


def _meanwhile(episode: Episode, disruptions: Sequence[Disruption]) -> tuple[str, ...]:
    """The sentences of the others that were in effect while this one was observed."""
    found = (
        other.sentence
        for other in disruptions
        if other.number != episode.number
        and other.effect_s < episode.observed_s
        and (other.healed_s > episode.effect_s or other.effect_s >= episode.effect_s)
    )
    return tuple(dict.fromkeys(found))


def _seen(
    workload: WorkloadFacts,
    iterations: Operations,
    probes: Probes,
    baseline: Probes,
    source: str,
    disruption: Disruption,
    start_s: float,
) -> Seen:
    due_s, effect_s, observed_s = iterations.due_s, disruption.effect_s, disruption.observed_s
    touched = ((due_s >= effect_s) | (iterations.finished_s >= disruption.planned_s)) & (due_s < observed_s)
    lost = iterations.where(touched & iterations.ended(FAILURES)).counts()
    unseen = int((iterations.ended(UNSEEN) & (due_s >= effect_s) & (due_s < observed_s)).sum())
    return Seen(workload.name, baseline, source, probes, start_s, workload.objective_s, lost, unseen)


def _group(
    name: str, sentence: str, members: Sequence[tuple[WorkloadFacts, Episode]], table: OperationTable
) -> RecoveryGroup:
    facts = members[0][0]
    episodes = tuple(episode for _, episode in members)
    repeated = over_repeats(episodes)
    workloads = {workload.name: workload for workload, _ in members}
    first = {workload.name: episode for workload, episode in reversed(members)}
    figures = published_figures(
        [_repeat(table, workload, first[name].planned_s) for name, workload in workloads.items()]
    )
    published = PublishedView(
        downtime_s=_measure(figures.downtime_s, "no repeat had a failure"),
        time_to_recover_s=_measure(figures.time_to_recover_s, "no repeat was slow"),
        degradation_s=_measure(figures.degradation_s, "no repeat was slow"),
        degradation_ratio=_measure(figures.degradation_ratio, "no repeat was slow"),
        repeats=figures.repeats,
        without_baseline=figures.without_baseline,
    )
    return RecoveryGroup(
        workload=name,
        endpoint=facts.endpoint,
        connections=facts.connections,
        disruption=sentence,
        open_model=facts.open_model,
        episodes=episodes,
        repeated=repeated,
        published=published,
        differences=why_they_differ(episodes, repeated, figures, open_model=facts.open_model),
    )


def _repeat(table: OperationTable, workload: WorkloadFacts, disrupted_s: float) -> Repeat:
    """The samples as the published method takes them: by when they began, without what the tool slept."""
    iterations = table.of(OpKind.ITERATION, workload.name)
    iterations = iterations.where(~iterations.ended(UNSEEN))
    order = np.lexsort((iterations.iteration, iterations.started_s))
    number = iterations.iteration[order]
    duration_s = iterations.service_s[order]
    if workload.idle_step:
        idle = table.of(OpKind.STEP, workload.name, workload.idle_step)
        slept_s = np.zeros(int(number.max(initial=-1)) + 1)
        known = idle.iteration <= number.max(initial=-1)
        np.add.at(slept_s, idle.iteration[known], idle.service_s[known])
        duration_s = duration_s - slept_s[number]
    return Repeat(iterations.started_s[order], duration_s, iterations.ended(FAILURES)[order], disrupted_s)


def _measure(estimate: Estimate | None, without: str) -> Measure:
    if estimate is None:
        return Measure(value=None, note=without)
    value, uncertainty = estimate
    return Measure(value=value, low=value - uncertainty, high=value + uncertainty)
