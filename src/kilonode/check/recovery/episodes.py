"""One disruption and one workload: from operations to the figures of recovery, each with what is not known of it.

Everything counts from the instant at which the disruption took effect, and looks until the next one was begun or the
load ended. Operations count by when they were due, so nothing hides behind a stall; one that was under way when the
disruption took effect and was lost counts too. Recovered is what stays as good as before for `CLEAN_WINDOWS` windows.

Units: seconds.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from kilonode.check.recovery.durations import Lasted, lasted, share_of_time
from kilonode.check.recovery.records import Control, Episode, Measure, Stretch
from kilonode.check.recovery.resampling import ratio_interval
from kilonode.check.recovery.samples import Probes
from kilonode.check.recovery.stretches import FEWEST_BASELINE, Impaired, find_impaired
from kilonode.check.statistics import Booleans, rank_of

CLEAN_WINDOWS: Final = 5
SHORTEST_WINDOW_S: Final = 1.0
SAMPLES_IN_WINDOW: Final = 3
"""A window is at least as long as it takes for so many operations to be due."""
OBJECTIVE_FACTOR: Final = 2.0
"""Without an objective: what takes so many times as long as the slowest hundredth did before is slow."""


@dataclass(frozen=True, slots=True)
class Disruption:
    """A disruption, and until when what follows is its doing."""

    sentence: str
    number: int
    planned_s: float
    effect_s: float
    healed_s: float
    observed_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What of a workload there is to look at."""

    workload: str
    baseline: Probes
    """Undisturbed: before the disruption, or of another run without one."""
    baseline_source: str
    """A `Control.source`."""
    probes: Probes
    """All of the run."""
    start_s: float
    """When the workload started."""
    objective_s: float | None
    lost: dict[str, int]
    unseen: int


def measure_episode(disruption: Disruption, seen: Seen) -> Episode:
    """All figures of one disruption on one workload."""
    effect_s, observed_s = disruption.effect_s, disruption.observed_s
    probes = _affected(seen.probes, disruption)
    baseline = seen.baseline
    objective_s = seen.objective_s if seen.objective_s is not None else _objective_s(baseline)
    slow = ~probes.lost & (probes.latency_s > objective_s) if objective_s is not None else None
    begin_s = min([effect_s, *probes.due_s[:1].tolist()])
    unavailable = lasted(probes.due_s, probes.lost, _seen_since(seen, probes, begin_s), observed_s)
    impaired = None
    if objective_s is not None and len(baseline) >= FEWEST_BASELINE:
        impaired = find_impaired(baseline, probes, objective_s)
    clean_s = CLEAN_WINDOWS * window_s(seen.probes)
    course = None if impaired is None else _course(impaired, probes, clean_s)
    return Episode(
        workload=seen.workload,
        disruption=disruption.sentence,
        number=disruption.number,
        planned_s=disruption.planned_s,
        effect_s=effect_s,
        healed_s=disruption.healed_s,
        observed_s=observed_s,
        samples=len(probes),
        unseen=seen.unseen,
        control=_control(seen, objective_s),
        objective_s=objective_s,
        lost=seen.lost,
        unavailable_s=_total(unavailable, probes, "lost"),
        time_to_detect_s=_detected(probes, slow, objective_s, effect_s),
        time_to_first_success_s=_first_success(probes, effect_s, observed_s),
        recovery_time_s=_recovery(course, probes, slow, disruption, clean_s),
        longest_gap_s=_longest_gap(probes, baseline, effect_s, observed_s),
        slow_s=_slow(slow, probes, seen, begin_s, observed_s),
        degradation=_degradation(course, probes, baseline, disruption, clean_s),
        impaired=() if course is None else course.stretches,
        relapses=0 if course is None else course.relapses,
    )


def window_s(probes: Probes) -> float:
    """How long a window is in which a workload is clean or not."""
    return max(SHORTEST_WINDOW_S, SAMPLES_IN_WINDOW * probes.spacing_s())


def _affected(probes: Probes, disruption: Disruption) -> Probes:
    """What was due from the effect on, and what was lost before, but not before the disruption was under way.

    An effect is seen somewhat later than it is there: that a client met it first is not for want of it.
    """
    effect_s = disruption.effect_s
    met = probes.lost & (probes.due_s < effect_s) & (probes.finished_s >= disruption.planned_s)
    return probes.where((met | (probes.due_s >= effect_s)) & (probes.due_s < disruption.observed_s))


def _seen_since(seen: Seen, probes: Probes, begin_s: float) -> float:
    """When somebody looked last before the first operation that counts."""
    before = int(np.searchsorted(seen.probes.due_s, probes.due_s[0] if len(probes) else begin_s)) - 1
    last_s = float(seen.probes.due_s[before]) if before >= 0 else min(seen.start_s, begin_s)
    return min(begin_s, last_s)


def _objective_s(baseline: Probes) -> float | None:
    well = np.sort(baseline.latency_s[~baseline.lost])
    if len(well) < FEWEST_BASELINE:
        return None
    return OBJECTIVE_FACTOR * float(well[rank_of(len(well), 99.0) - 1])


def _control(seen: Seen, objective_s: float | None) -> Control:
    baseline = seen.baseline
    well = baseline.latency_s[~baseline.lost]
    slow = None if objective_s is None else ~baseline.lost & (baseline.latency_s > objective_s)
    return Control(
        source=seen.baseline_source if len(baseline) else "none",  # type: ignore[arg-type]
        seconds=float(baseline.due_s[-1] - baseline.due_s[0]) if len(baseline) else 0.0,
        samples=len(baseline),
        lost=int(baseline.lost.sum()),
        unavailable_share=share_of_time(baseline.due_s, baseline.lost),
        slow_share=None if slow is None else share_of_time(baseline.due_s, slow),
        mean_s=float(well.mean()) if len(well) else None,
    )


@dataclass(frozen=True, slots=True)
class _Course:
    """How impairment went on: until when, for the first time, clean windows followed."""

    stretches: tuple[Stretch, ...]
    end: Impaired | None
    """The last stretch before the clean windows; None: nothing was impaired."""
    recovered: bool
    relapses: int


def _course(impaired: list[Impaired], probes: Probes, clean_s: float) -> _Course:
    due_s = probes.due_s
    if not impaired:
        return _Course((), None, recovered=True, relapses=0)
    stretches = tuple(
        Stretch(start_s=float(due_s[one.first]), end_s=float(due_s[one.last]), open_ended=one.last == len(probes) - 1)
        for one in impaired
    )
    # Time in which nobody asked is not clean: the last operation ends it, not the end of the load.
    following_s = [float(due_s[one.first]) for one in impaired[1:]] + [float(due_s[-1])]
    clean = [next_s - float(due_s[one.last]) >= clean_s for one, next_s in zip(impaired, following_s, strict=True)]
    if True not in clean:
        return _Course(stretches, impaired[-1], recovered=False, relapses=0)
    first = clean.index(True)
    # What is impaired again after clean windows is another matter; flapping within them is one relapse.
    return _Course(stretches, impaired[first], recovered=True, relapses=sum(clean[first:-1]))


def _total(state: Lasted, probes: Probes, word: str) -> Measure:
    if len(probes) == 0:
        return Measure(value=None, note="no operation was due")
    if state.open_ended:
        note = f"the last operation was {word} too: it was not over"
        return Measure(value=state.total_low_s, low=state.total_low_s, at_least=True, note=note)
    return Measure(value=state.total_s, low=state.total_low_s, high=state.total_high_s)


def _slow(slow: Booleans | None, probes: Probes, seen: Seen, begin_s: float, observed_s: float) -> Measure:
    if slow is None:
        return Measure(value=None, note=f"takes an objective, or {FEWEST_BASELINE} good operations before")
    measure = _total(lasted(probes.due_s, slow, _seen_since(seen, probes, begin_s), observed_s), probes, "slow")
    usual_s = seen.baseline.latency_s[~seen.baseline.lost]
    if measure.value is None or not slow.any() or len(usual_s) == 0:
        return measure
    # Latencies scatter, so which operation is the first beyond the objective is chance: by about so much time.
    scatter_s = float(np.percentile(usual_s, 95) - np.percentile(usual_s, 5))
    low_s = max(0.0, (measure.low or 0.0) - scatter_s)
    high_s = None if measure.high is None else measure.high + scatter_s
    return Measure(value=measure.value, low=low_s, high=high_s, at_least=measure.at_least, note=measure.note)


def _detected(probes: Probes, slow: Booleans | None, objective_s: float | None, effect_s: float) -> Measure:
    told_s = np.where(probes.lost, probes.finished_s, np.inf)
    if slow is not None and objective_s is not None:
        told_s = np.minimum(told_s, np.where(slow, probes.due_s + objective_s, np.inf))
    if len(probes) == 0 or not np.isfinite(told_s).any():
        return Measure(value=None, note="nothing was lost or slow")
    bad = int(np.flatnonzero(np.isfinite(told_s))[0])
    value_s = max(0.0, float(told_s.min()) - effect_s)
    began_s = float(probes.due_s[bad - 1]) - effect_s if bad else 0.0
    return Measure(value=value_s, low=max(0.0, min(began_s, value_s)), high=value_s)


def _first_success(probes: Probes, effect_s: float, observed_s: float) -> Measure:
    lost = np.flatnonzero(probes.lost)
    if len(lost) == 0:
        return Measure(value=0.0, low=0.0, high=0.0, note="nothing was lost")
    after = np.flatnonzero(~probes.lost[lost[0] :])
    if len(after) == 0:
        value_s = max(0.0, float(probes.due_s[-1]) - effect_s)
        return Measure(value=value_s, low=value_s, at_least=True, note=f"none in {observed_s - effect_s:.3g} s")
    first = int(lost[0] + after[0])
    value_s = float(probes.finished_s[first]) - effect_s
    return Measure(value=value_s, low=max(0.0, float(probes.due_s[first - 1]) - effect_s), high=value_s)


def _recovery(
    course: _Course | None, probes: Probes, slow: Booleans | None, disruption: Disruption, clean_s: float
) -> Measure:
    effect_s, observed_s = disruption.effect_s, disruption.observed_s
    if course is None:
        return Measure(value=None, note=f"takes {FEWEST_BASELINE} operations before the disruption, or a control run")
    if len(probes) == 0:
        return Measure(value=None, note="no operation was due")
    seen_s = observed_s - max(effect_s, min(disruption.healed_s, observed_s))
    if course.end is None:
        if seen_s < clean_s:
            note = f"nothing was impaired, but it takes {clean_s:.3g} s after the healing to be sure"
            return Measure(value=0.0, low=0.0, at_least=True, note=note)
        high_s = max(probes.spacing_s(), float(probes.due_s[0]) - effect_s)
        single_s = _single_s(probes, slow, disruption, clean_s)
        if single_s is None:
            return Measure(value=0.0, low=0.0, high=high_s, note="nothing was impaired")
        return Measure(value=0.0, low=0.0, high=max(high_s, single_s), note="only single operations were lost or slow")
    end = course.end
    low_s = max(0.0, float(probes.due_s[end.ended_after]) - effect_s)
    if not course.recovered:
        value_s = max(0.0, float(probes.due_s[end.last]) - effect_s)
        note = f"no {clean_s:.3g} s in a row were clean"
        return Measure(value=value_s, low=low_s, at_least=True, note=note)
    high_s = float(probes.due_s[end.ended_by]) if end.ended_by < len(probes) else observed_s
    behind = min(end.last + 1, len(probes) - 1)
    value_s = (float(probes.due_s[end.last]) + float(probes.due_s[behind])) / 2 - effect_s
    return Measure(value=max(0.0, value_s), low=low_s, high=max(high_s - effect_s, value_s))


def _single_s(probes: Probes, slow: Booleans | None, disruption: Disruption, clean_s: float) -> float | None:
    """Until when single operations were lost or slow, soon after the effect; too few to call it impaired, or None."""
    bad = np.flatnonzero(probes.lost if slow is None else probes.lost | slow)
    behind_s = np.concatenate((probes.due_s, [disruption.observed_s]))[bad + 1] - disruption.effect_s
    at_s = probes.due_s[bad] - disruption.effect_s
    until_s: float | None = None
    for began_s, ended_s in zip(at_s.tolist(), behind_s.tolist(), strict=True):
        if began_s - (until_s or 0.0) >= clean_s:
            break
        until_s = ended_s
    return until_s


def _longest_gap(probes: Probes, baseline: Probes, effect_s: float, observed_s: float) -> Measure:
    """Between good answers, by when they came: what somebody who waits sees."""
    came_s = np.sort(probes.finished_s[~probes.lost])
    came_s = came_s[came_s >= effect_s]
    usual_s = np.sort(baseline.finished_s[~baseline.lost])
    quiet_s = None
    if len(usual_s) > 1 and len(probes) > 1:
        quiet_s = float(max(np.diff(usual_s).max(), np.diff(probes.due_s).max()))
    took_s = float(baseline.latency_s[~baseline.lost].max()) if len(usual_s) else 0.0
    if len(probes) == 0:
        return Measure(value=None, note="no operation was due")
    instants = np.concatenate(([effect_s], came_s))
    gap_s = float(np.diff(instants).max()) if len(came_s) else 0.0
    # What was due until then is over: later operations may be missing because nobody asked any more.
    last_s = float(probes.finished_s.max())
    silent_s = last_s - float(instants[-1])
    if silent_s > gap_s:
        return Measure(value=silent_s, low=max(0.0, silent_s - (quiet_s or 0.0)), at_least=True,
                       note="the last answers were no good ones")  # fmt: skip
    if quiet_s is None:
        return Measure(value=gap_s, note="nothing is known of the usual gaps")
    return Measure(value=gap_s, low=max(0.0, gap_s - 2 * quiet_s), high=gap_s + took_s)


def _degradation(
    course: _Course | None, probes: Probes, baseline: Probes, disruption: Disruption, clean_s: float
) -> Measure:
    """The mean latency from the effect to the recovery as a ratio to that before; one interval over all its samples."""
    if course is None:
        return Measure(value=None, note=f"takes {FEWEST_BASELINE} operations before the disruption, or a control run")
    until_s = max(disruption.healed_s, disruption.effect_s + clean_s)
    if course.end is not None:
        until_s = float(probes.due_s[course.end.last]) + 1e-9
    timed = _timed(probes, min(until_s, disruption.observed_s))
    note = ""
    if len(timed) == 0 and course.recovered:
        # All was lost until it had recovered: what the clean windows show is all that can be held against before.
        timed = _timed(probes, min(until_s + clean_s, disruption.observed_s))
        note = "nothing went well before the recovery: this is of the clean windows after it"
    before_s = baseline.latency_s[~baseline.lost]
    if len(timed) == 0:
        return Measure(value=None, note="no operation went well" if len(probes) else "no operation was due")
    if len(before_s) == 0 or before_s.mean() <= 0:
        return Measure(value=None, note="no operation before it took any time")
    value = float(timed.latency_s.mean() / before_s.mean())
    low, high = ratio_interval(timed.latency_s, before_s)
    if timed.censored.any():
        return Measure(value=value, low=low, at_least=True, note="some timed out: they would have taken longer")
    return Measure(value=value, low=min(low, value), high=max(high, value), note=note)


def _timed(probes: Probes, until_s: float) -> Probes:
    """Those due until then of which it is known how long they took, or would have taken at least."""
    return probes.where((probes.due_s < until_s) & (~probes.lost | probes.censored))
