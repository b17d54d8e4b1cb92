"""From a history to what upgrades did: each with its steps and its four assertions. Pure.

What is undisturbed is what came before the first disruption of the run, or a run without any where one is given. An
upgrade is observed until the next disruption that begins after it, or the end of the load: a bad version that stays
goes on doing harm.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kilonode.base.outcomes import Outcome
from kilonode.check.consistency import ConsistencyResults
from kilonode.check.facts import RunFacts
from kilonode.check.operations import OperationTable
from kilonode.check.upgrades.harm import zero_downtime, zero_impact
from kilonode.check.upgrades.records import ASSERTIONS, Assertion, Held, StepDone, Upgrade, UpgradeResults
from kilonode.check.upgrades.seen import Seen, Served, Stretch
from kilonode.check.upgrades.serving import accessible, rolling
from kilonode.history.records import OpKind
from kilonode.history.upgrades import SERVING, STEPS, UpgradeAction, UpgradePart, is_upgrade, part_of_upgrade

CUT_OFF: Final = "the run was killed before its end, and what became of it is not known"


@dataclass(frozen=True, slots=True)
class _Done:
    """One Op of a disruption."""

    name: str
    step: str
    number: int
    due_s: float
    start_s: float
    finish_s: float
    outcome: str
    error: str


def evaluate_upgrades(
    table: OperationTable,
    facts: RunFacts,
    windows: dict[str, tuple[float, float]],
    consistency: ConsistencyResults | None,
    control: OperationTable | None = None,
) -> UpgradeResults | None:
    """What upgrades did; None: there were none. `windows`: from when to when each workload was under load."""
    done = _disruptions(table)
    parts = [(part, one) for one in done if (part := part_of_upgrade(one.step)) is not None]
    load_end_s = max((end for _, end in windows.values()), default=0.0)
    done += _without_end(parts, done, load_end_s)
    whole = [one for one in done if is_upgrade(one.step)]
    if not whole:
        return None
    others = [one for one in done if part_of_upgrade(one.step) is None and one.outcome != Outcome.DROPPED]
    undisturbed_s = min((one.due_s for one in others), default=np.inf)
    return UpgradeResults(
        upgrades=tuple(
            _evaluate(
                one,
                [(part, step) for part, step in parts if part.upgrade == one.step and step.number == one.number],
                _stretch(one, others, load_end_s),
                _seen(table, facts, windows, one, undisturbed_s, control),
                consistency,
            )
            for one in whole
        )
    )


def _disruptions(table: OperationTable) -> list[_Done]:
    found = []
    for key in table.keys_of_kind(OpKind.DISRUPTION):
        some = table.of(OpKind.DISRUPTION, key.workload, key.step)
        for number, due_s, start_s, finish_s, outcome, error in zip(
            some.iteration.tolist(),
            some.due_s.tolist(),
            some.started_s.tolist(),
            some.finished_s.tolist(),
            some.outcome.tolist(),
            some.error.tolist(),
            strict=True,
        ):
            end = (some.outcome_names[outcome], some.error_names[error])
            found.append(_Done(key.workload, key.step, number, due_s, start_s, finish_s, *end))
    return sorted(found, key=lambda one: (one.start_s, one.finish_s))


def _without_end(parts: Sequence[tuple[UpgradePart, _Done]], done: Sequence[_Done], load_end_s: float) -> list[_Done]:
    """Upgrades of which only steps are recorded: the run was killed while they were under way."""
    ended = {(one.step, one.number) for one in done if is_upgrade(one.step)}
    found: dict[tuple[str, int], list[tuple[UpgradePart, _Done]]] = {}
    for part, one in parts:
        if (part.upgrade, one.number) not in ended:
            found.setdefault((part.upgrade, one.number), []).append((part, one))
    upgrades = []
    for (sentence, number), own in found.items():
        begun = Counter(part.what for part, _ in own if part.action is UpgradeAction.BEGIN)
        begun.subtract(part.what for part, _ in own if part.action in STEPS)
        left = [what for what, count in begun.items() if count > 0]
        error = f"{CUT_OFF}; under way: {', '.join(left)}" if left else CUT_OFF
        start_s, name = min(one.start_s for _, one in own), own[0][1].name
        finish_s = max(load_end_s, *(one.finish_s for _, one in own))
        upgrades.append(_Done(name, sentence, number, start_s, start_s, finish_s, Outcome.WRONG_STATE, error))
    return upgrades


def _stretch(upgrade: _Done, others: Sequence[_Done], load_end_s: float) -> Stretch:
    later = [one.start_s for one in others if one is not upgrade and one.start_s >= upgrade.finish_s]
    observed_s = min([*later, load_end_s])
    return Stretch(upgrade.start_s, upgrade.finish_s, max(observed_s, upgrade.start_s))


def _seen(
    table: OperationTable,
    facts: RunFacts,
    windows: dict[str, tuple[float, float]],
    upgrade: _Done,
    undisturbed_s: float,
    control: OperationTable | None,
) -> list[Seen]:
    found = []
    for workload in facts.workloads:
        start_s, end_s = windows[workload.name]
        if not start_s <= upgrade.start_s < end_s:
            continue
        iterations = table.of(OpKind.ITERATION, workload.name)
        baseline = iterations.where(iterations.finished_s < undisturbed_s)
        if control is not None and len(other := control.of(OpKind.ITERATION, workload.name)):
            baseline = other
        found.append(Seen(workload, baseline, iterations))
    return found


def _evaluate(
    upgrade: _Done,
    parts: Sequence[tuple[UpgradePart, _Done]],
    stretch: Stretch,
    seen: Sequence[Seen],
    consistency: ConsistencyResults | None,
) -> Upgrade:
    served = [
        Served(part.what, part.action is UpgradeAction.NEW, step.start_s, step.finish_s)
        for part, step in parts
        if part.action in SERVING
    ]
    if upgrade.outcome == Outcome.DROPPED:
        assertions = tuple(Assertion(name=name, held=Held.UNKNOWN, text="it did not begin") for name in ASSERTIONS)
    else:
        assertions = (
            accessible(seen, stretch),
            rolling(served, stretch),
            zero_downtime(seen, stretch, consistency),
            zero_impact(seen, stretch),
        )
    return Upgrade(
        sentence=upgrade.step,
        name=upgrade.name,
        number=upgrade.number,
        planned_s=upgrade.due_s,
        start_s=upgrade.start_s,
        finish_s=upgrade.finish_s,
        observed_s=stretch.observed_s,
        outcome=upgrade.outcome,
        error=upgrade.error,
        steps=tuple(
            StepDone(
                what=part.what,
                action=part.action.value,
                start_s=step.start_s,
                finish_s=step.finish_s,
                outcome=step.outcome,
                error=step.error,
            )
            for part, step in parts
            if part.action in STEPS
        ),
        assertions=assertions,
    )
