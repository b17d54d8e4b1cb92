"""Episodes of the same disruption together: means over all repeats, those in which nothing happened too."""

from collections.abc import Callable, Sequence
from typing import Final

from kilonode.check.recovery.records import Episode, Measure, Repeated
from kilonode.check.recovery.resampling import mean_interval

FIGURES: Final[dict[str, Callable[[Episode], Measure]]] = {
    "unavailable": lambda episode: episode.unavailable_s,
    "time_to_detect": lambda episode: episode.time_to_detect_s,
    "time_to_first_success": lambda episode: episode.time_to_first_success_s,
    "recovery_time": lambda episode: episode.recovery_time_s,
    "longest_gap": lambda episode: episode.longest_gap_s,
    "slow": lambda episode: episode.slow_s,
    "degradation": lambda episode: episode.degradation,
}
"""The figures of an episode by the names that criteria use."""


def over_repeats(episodes: Sequence[Episode]) -> tuple[Repeated, ...]:
    """Each figure over some episodes."""
    return tuple(
        Repeated(figure=figure, measure=mean_of([measure(one) for one in episodes]), repeats=_known(measure, episodes))
        for figure, measure in FIGURES.items()
    )


def mean_of(measures: Sequence[Measure]) -> Measure:
    """The mean of one figure over its repeats. A lower limit among them makes the mean one."""
    known = [measure for measure in measures if measure.value is not None]
    values = [measure.value for measure in known if measure.value is not None]
    if not values:
        return Measure(value=None, note=measures[0].note if measures else "no repeat")
    missing = len(measures) - len(known)
    note = f"not known of {missing} of {len(measures)} repeats: {_first_note(measures)}" if missing else ""
    spans = [
        (value if measure.low is None else measure.low, value if measure.high is None else measure.high)
        for measure, value in zip(known, values, strict=True)
    ]
    mean = sum(values) / len(values)
    low, high = mean_interval(values, spans)
    limits = [measure for measure in known if measure.at_least]
    if limits:
        why = next((measure.note for measure in limits if measure.note), "not over at the end")
        why = f"a lower limit in {len(limits)} of {len(measures)} repeats: {why}" if len(measures) > 1 else why
        note = "; ".join(part for part in (why, note) if part)
        return Measure(value=mean, low=max(0.0, low), at_least=True, note=note)
    return Measure(value=mean, low=max(0.0, low), high=high, note=note or (known[0].note if len(known) == 1 else ""))


def _known(measure: Callable[[Episode], Measure], episodes: Sequence[Episode]) -> int:
    return sum(measure(episode).value is not None for episode in episodes)


def _first_note(measures: Sequence[Measure]) -> str:
    return next((measure.note for measure in measures if measure.value is None), "")
