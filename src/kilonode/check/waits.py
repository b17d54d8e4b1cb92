"""Waits and their phases, as durations of stages that are known up to an interval.

Each wait is one life: its phases as polls showed them, in order. A phase lasted from where the one before it ended to
where another word was seen; both instants are known only up to the resolution of the poll that showed the change. A
phase that no poll showed began somewhere between two polls, anywhere with the same probability, and was over before the
second of them.

A resolution reaches from the sending of one poll to the answer of the next, because nobody knows when in between the
cloud looked. Here it is taken to look when it answers, as the emulated cloud does: then one answer's time less remains,
and the gaps between polls lie side by side instead of overlapping.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from kilonode.base.outcomes import Outcome
from kilonode.check.fitting import LEAST_SAMPLES, Intervals
from kilonode.check.operations import Operations
from kilonode.check.step_meanings import Wait

SEEN_OFTEN_ENOUGH: Final = 0.05
"""A phase that polls showed in fewer lives than this has no distribution of its own."""

_ONE_ANSWER: Final = 1.5

Phase = tuple[int, float, float, float]
"""Place among the stages, start, finish, resolution of the finish."""


class Waiting:
    """One step that waited, in one workload, with the phases that were seen in it."""

    def __init__(self, path: str, operations: Operations, phases: Mapping[str, Operations]) -> None:
        self.path = path
        self.operations = operations
        self.phases = phases

    def lives(self, words: Sequence[str]) -> list[tuple[float, float, float, list[Phase]]]:
        """Every wait that ended well: start, finish, resolution, and the phases seen, in order of time."""
        found: dict[int, list[Phase]] = {}
        for place, word in enumerate(words):
            seen = self.phases.get(word)
            if seen is None:
                continue
            columns = (seen.iteration, seen.started_s, seen.finished_s, seen.resolution_s)
            for iteration, start, finish, resolution in zip(*(one.tolist() for one in columns), strict=True):
                found.setdefault(iteration, []).append((place, start, finish, resolution))
        good = self.operations.with_outcome(Outcome.OK)
        columns = (good.iteration, good.started_s, good.finished_s, good.resolution_s)
        lives = []
        for iteration, start, finish, resolution in zip(*(one.tolist() for one in columns), strict=True):
            inside = [one for one in found.get(iteration, ()) if one[1] >= start and one[2] <= finish]
            lives.append((start, finish, resolution, sorted(inside, key=lambda one: one[1])))
        return lives


def kept_stages(wait: Wait, waitings: Sequence[Waiting]) -> tuple[tuple[str, ...], dict[str, int]]:
    """The stages that can be told apart, and how often each was seen. When none can, the last stands for all."""
    lives = [life for waiting in waitings for life in waiting.lives(wait.phases)]
    seen = dict.fromkeys(wait.stages, 0)
    for *_, phases in lives:
        for place in {phase[0] for phase in phases}:
            seen[wait.stages[place]] += 1
    kept = tuple(stage for stage in wait.stages if seen[stage] >= max(LEAST_SAMPLES, SEEN_OFTEN_ENOUGH * len(lives)))
    if not kept:
        kept = wait.stages[-1:]
        seen[kept[0]] = len(lives)
    return kept, seen


def durations_by_stage(
    wait: Wait, waitings: Sequence[Waiting], kept: Sequence[str], answer_s: float
) -> dict[str, Intervals]:
    """How long each stage that is kept took in each life; `answer_s` is how long a poll is answered, typically."""
    bounds: dict[str, list[tuple[float, float, float]]] = {stage: [] for stage in kept}
    places = [wait.stages.index(stage) for stage in kept]
    for waiting in waitings:
        for life in waiting.lives(wait.phases):
            for stage, found in zip(kept, _life_bounds(life, places, answer_s), strict=True):
                bounds[stage].append(found)
    columns = {stage: np.array(found).reshape(-1, 3).T for stage, found in bounds.items()}
    return {stage: Intervals(low, high, blur) for stage, (low, high, blur) in columns.items()}


def _life_bounds(
    life: tuple[float, float, float, list[Phase]], places: Sequence[int], answer_s: float
) -> list[tuple[float, float, float]]:
    """Of each kept stage in one life: low, high, and how much longer it was if it began earlier than it was seen to."""
    start, finish, resolution, phases = life
    resolution = _gap(resolution, answer_s)
    kept = [phase for phase in phases if phase[0] in places]
    if not kept:
        # Nothing was seen of the parts: one stage that is kept took all of it, any other none that could be seen.
        whole = (max(0.0, finish - start - resolution), finish - start)
        return [_unseen(resolution) if place != places[-1] else (*whole, 0.0) for place in places]
    # What is not kept lies between two that are: it is counted to the one after it, at the end to the last.
    ends = [(place, finished, _gap(sharp, answer_s)) for place, _, finished, sharp in kept]
    ends[-1] = (ends[-1][0], finish, resolution)
    by_place: dict[int, tuple[float, float, float]] = {}
    begun, blurred = start, 0.0
    for place, ended, sharp in ends:
        low, high = ended - begun - sharp, ended - begun
        if place in by_place:
            low, high = low + by_place[place][0], high + by_place[place][1]
        by_place[place] = (low, high, blurred)
        begun, blurred = ended, sharp
    found = []
    for place in places:
        if place in by_place:
            found.append(by_place[place])
            continue
        before = [sharp for other, _, sharp in ends if other < place]
        found.append(_unseen(before[-1] if before else answer_s))
    return found


def _gap(resolution_s: float, answer_s: float) -> float:
    """From answer to answer; a wait whose first poll saw the end has but one."""
    return resolution_s - answer_s if resolution_s > _ONE_ANSWER * answer_s else resolution_s


def _unseen(gap_s: float) -> tuple[float, float, float]:
    """Between 0 and what was left of the gap when it began."""
    return -gap_s, 0.0, gap_s
