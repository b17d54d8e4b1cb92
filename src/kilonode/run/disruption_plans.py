"""Every disruption of a run, resolved before its load: when each time is due, and what it will be done to.

A sentence is resolved anew for each time that is known beforehand, so `one of 3` may be another each time; it is
refused here where it matches nothing, or something else than it says. What waits for a condition happens once.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import msgspec

from kilonode.base.errors import InputError, Problem
from kilonode.base.randomness import Randomness
from kilonode.base.units import format_seconds
from kilonode.check.criteria import Criterion, parse_criterion
from kilonode.faults.driver import Step
from kilonode.faults.ending import ENDS
from kilonode.faults.model import Sentence
from kilonode.faults.planning import PlannedFault, PlannedPart, plan_sentence, unended
from kilonode.faults.printing import print_sentence
from kilonode.faults.registry import Drivers
from kilonode.load.models import OpenModel
from kilonode.load.pacers import open_pacer
from kilonode.run.disruption_rules import sentence_of
from kilonode.run.disruption_times import instants_s, read_at_iteration, when_words
from kilonode.run.disruptions import Disruption
from kilonode.run.experiment import Experiment
from kilonode.run.facts import workload_facts
from kilonode.run.upgrade_plans import plan_upgrade
from kilonode.run.upgrade_serving import Upgradable
from kilonode.run.upgrades import Upgrade


class Occurrence(msgspec.Struct, frozen=True):
    """One time that a disruption happens."""

    name: str
    """The disruption's own, or empty."""
    sentence: str
    """Canonical."""
    number: int
    """Which of the run, from zero."""
    when: str
    """For people."""
    at_s: float | None
    """When it is due, after the start of the load; None: at what follows."""
    iteration: tuple[str, int] | None
    """When so many iterations of a workload of a closed model were begun."""
    condition: Criterion | None
    """When this holds of what is measured live."""
    parts: tuple[PlannedPart, ...]
    upgrade: Upgrade | None = None
    """None: it is a fault."""
    words: tuple[str, ...] = ()
    """Of an upgrade: what will be done, for people."""

    @property
    def faults(self) -> tuple[PlannedFault, ...]:
        """All faults in the order in which they take effect."""
        return tuple(fault for part in self.parts for fault in (*part.during, part.fault))


def load_end_s(experiment: Experiment) -> float:
    """When the load ends, by plan."""
    return max(workload_facts(name, one).end_s for name, one in experiment.workloads.items())


class PlanSentence(Protocol):
    """How a sentence is resolved."""

    def __call__(
        self, sentence: Sentence, drivers: Drivers, randomness: Randomness, *, before: Sequence[Step]
    ) -> Awaitable[tuple[PlannedPart, ...]]:
        """As `plan_sentence` does it."""
        ...


PlanHere = Callable[[Sentence, Drivers, Randomness], Awaitable[tuple[PlannedPart, ...]]]
"""The same, where what may be in effect by then is known."""


async def plan_disruptions(
    experiment: Experiment,
    seed: int,
    drivers: Drivers | None,
    plan: PlanSentence = plan_sentence,
    cloud: Upgradable | None = None,
    left: Sequence[Step] = (),
) -> tuple[Occurrence, ...]:
    """All disruptions, resolved on what is there now. Raises InputError with everything that matches nothing.

    `plan`: how a sentence is resolved; with a fault of which nothing was chosen where that is not known yet. `cloud`:
    what can be upgraded; None: nothing can but by commands. `left`: what earlier runs and commands left in effect.
    """
    drivers = drivers if drivers is not None else Drivers([])
    found: list[Occurrence] = []
    problems: list[Problem] = []
    due: list[tuple[int, int, Trigger]] = []
    """The place in the file, the number in the run, when."""

    def refuse(place: int, error: InputError) -> None:
        problems.extend(
            replace(problem, path=f"disruptions[{place}]: {problem.path}".removesuffix(": "))
            for problem in error.problems
        )

    for place, disruption in enumerate(experiment.disruptions):
        try:
            triggers = _triggers(disruption, experiment, seed, Randomness(seed, "disruptions", place))
            due += [(place, len(due) + ahead, trigger) for ahead, trigger in enumerate(triggers)]
        except InputError as error:
            refuse(place, error)
    # What ends an earlier fault is resolved when that one is.
    for place, number, trigger in sorted(due, key=lambda one: _may_end(experiment.disruptions[one[0]])):
        disruption = experiment.disruptions[place]
        try:
            if disruption.upgrade is not None:
                words = await plan_upgrade(disruption.upgrade, cloud)
                sentence, when = disruption.upgrade.sentence, when_words(disruption)
                found.append(
                    Occurrence(disruption.name, sentence, number, when, *trigger, (), disruption.upgrade, words)
                )
                continue
            child = Randomness(seed, "disruptions", place).child("time", number)
            before = (*left, *_in_effect(found, trigger[0]))
            found.append(await _plan(disruption, number, trigger, partial(plan, before=before), drivers, child))
        except InputError as error:
            refuse(place, error)
    if problems:
        raise InputError("the disruptions cannot be done", problems=problems)
    return tuple(sorted(found, key=lambda one: (one.at_s is None, one.at_s or 0.0, one.number)))


Trigger = tuple[float | None, tuple[str, int] | None, Criterion | None]


def _triggers(disruption: Disruption, experiment: Experiment, seed: int, randomness: Randomness) -> Iterator[Trigger]:
    instants = instants_s(disruption, load_end_s(experiment), randomness)
    if instants is not None:
        yield from ((at_s, None, None) for at_s in instants)
    elif disruption.at_iteration:
        workload, number = read_at_iteration(disruption.at_iteration)
        asked = experiment.workloads[workload]
        if not isinstance(asked.load, OpenModel):
            yield None, (workload, number), None
            return
        due_s = float(asked.start) + float(open_pacer(asked.load, seed, workload).due_s(number))
        if not due_s < load_end_s(experiment):
            raise InputError(f"{workload} has no iteration {number}", where=_words_of(disruption))
        yield due_s, None, None
    else:
        yield None, None, parse_criterion(disruption.when)


def _may_end(disruption: Disruption) -> bool:
    if disruption.upgrade is not None:
        return False
    parts = sentence_of(disruption).parts
    return any(fault.action in ENDS for part in parts for fault in (part.fault, *part.during))


def _in_effect(found: Sequence[Occurrence], at_s: float | None) -> Iterator[Step]:
    """The steps of what may be in effect at an instant; None: whenever."""
    for one in found:
        if at_s is None or one.at_s is None or one.at_s <= at_s:
            yield from (step for fault in one.faults for step in fault.steps)


def _words_of(disruption: Disruption) -> str:
    return disruption.upgrade.sentence if disruption.upgrade is not None else print_sentence(sentence_of(disruption))


async def _plan(
    disruption: Disruption,
    number: int,
    trigger: Trigger,
    plan: PlanHere,
    drivers: Drivers,
    randomness: Randomness,
) -> Occurrence:
    sentence = sentence_of(disruption)
    canonical = print_sentence(sentence)
    parts = await plan(sentence, drivers, randomness)
    when = when_words(disruption)
    planned = Occurrence(disruption.name, canonical, number, when, *trigger, parts)
    touched = sum(len(fault.chosen) for fault in planned.faults)
    known = all(fault.chosen for fault in planned.faults)
    if disruption.expect is not None and known and touched != disruption.expect.found:
        raise InputError(
            "not what was expected to be found",
            where=canonical,
            expected=str(disruption.expect.found),
            got=f"{touched}: {', '.join(each.name for fault in planned.faults for each in fault.chosen)}",
        )
    if disruption.every is not None or disruption.random is not None:
        _refuse_endless(parts, canonical)
    return planned


def _refuse_endless(parts: Sequence[PlannedPart], sentence: str) -> None:
    """A second freeze of what is frozen until the end cannot happen."""
    if unended(parts):
        raise InputError(
            "it lasts until the end of the load, and cannot happen again",
            where=sentence,
            expected="a duration",
            hint="say how long: for: 10s",
        )


def describe(occurrences: Sequence[Occurrence]) -> Iterator[str]:
    """What would be done and when, for people."""
    for one in occurrences:
        when = format_seconds(one.at_s) if one.at_s is not None else one.when
        yield f"{when}: {one.name + ': ' if one.name else ''}{one.sentence}"
        yield from (f"   {line}" for line in one.words)
        for fault in one.faults:
            for step in fault.steps:
                yield f"   {step.words}" + (f"; heal: {step.heals}" if step.heals else "")
