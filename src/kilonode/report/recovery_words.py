"""Recovery in words, for the page and the terminal: the names of figures, measured values, their intervals."""

from collections.abc import Mapping, Sequence
from typing import Final

from kilonode.base.units import format_seconds
from kilonode.check.metrics import Unit
from kilonode.check.recovery.records import Episode, Measure, PublishedView, RecoveryGroup
from kilonode.report.words import UNKNOWN, value_words

FIGURE_WORDS: Final = {
    "unavailable": "unavailable",
    "time_to_detect": "time to detect",
    "time_to_first_success": "time to first success",
    "recovery_time": "time to recover",
    "longest_gap": "longest gap",
    "slow": "slow",
    "degradation": "degradation",
}
"""The figures for people, in the order in which they are shown."""


_MOST_NAMED: Final = 3


def measure_words(measure: Measure, unit: Unit = Unit.SECONDS) -> str:
    """A value: `3.07 s`, `≥ 12.1 s`, or a dash."""
    return value_words(measure.value, unit, at_least=measure.at_least)


def span_words(measure: Measure, unit: Unit = Unit.SECONDS) -> str:
    """Its interval: `2.9 s to 3.2 s`; an end that is not known is `…`; empty where nothing is known."""
    if measure.value is None or (measure.low is None and measure.high is None):
        return ""
    low, high = ("…" if end is None else value_words(end, unit) for end in (measure.low, measure.high))
    return f"{low} to {high}"


def published_measures(published: PublishedView) -> Mapping[str, tuple[Measure, Unit]]:
    """The figures of the published method, each beside the one of ours that is about the same."""
    return {
        "unavailable": (published.downtime_s, Unit.SECONDS),
        "recovery_time": (published.time_to_recover_s, Unit.SECONDS),
        "degradation": (published.degradation_ratio, Unit.RATIO),
    }


def published_alone(published: PublishedView) -> Mapping[str, tuple[Measure, Unit]]:
    """The figures of the published method that ours has nothing beside, where there are any, by their words."""
    slower_by = published.degradation_s
    return {} if slower_by.value is None else {"slower by": (slower_by, Unit.SECONDS)}


def workload_words(group: RecoveryGroup) -> str:
    """Which workload, and what it asks: `api, compute, new connections`."""
    what = f"{group.endpoint}, {group.connections} connections" if group.endpoint else ""
    repeats = f"{len(group.episodes)} repeats" if len(group.episodes) > 1 else ""
    return ", ".join(part for part in (group.workload, what, repeats) if part)


def control_words(group: RecoveryGroup) -> str:
    """What the figures are held against: how long, how many operations, from where."""
    control = group.episodes[0].control
    if not control.samples:
        return "nothing undisturbed was seen"
    source = "another run" if control.source == "control run" else "before"
    mean = UNKNOWN if control.mean_s is None else format_seconds(control.mean_s)
    return f"held against {control.samples:,} operations {source}, {mean} on average"


def outcome_words(episode: Episode) -> str:
    """How it ended."""
    recovery = episode.recovery_time_s
    if recovery.value is None:
        return "recovery is not known"
    if recovery.at_least and not episode.impaired:
        return "not impaired, as far as seen"
    if recovery.at_least:
        return f"not recovered after {format_seconds(recovery.value)}"
    return f"recovered after {measure_words(recovery)}" if episode.impaired else "not impaired"


def meanwhile_words(episodes: Sequence[Episode]) -> str:
    """Which other disruptions were in effect at the same time; empty: none."""
    others = tuple(dict.fromkeys(sentence for episode in episodes for sentence in episode.meanwhile))
    if not others:
        return ""
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    return f"at the same time, so not to be told apart: {'; '.join(others[:_MOST_NAMED])}{more}"


def by_disruption(groups: Sequence[RecoveryGroup]) -> dict[str, list[RecoveryGroup]]:
    """The workloads of each disruption, in the order in which disruptions first took effect."""
    found: dict[str, list[RecoveryGroup]] = {}
    for group in sorted(groups, key=lambda one: min(episode.effect_s for episode in one.episodes)):
        found.setdefault(group.disruption, []).append(group)
    return found


def lost_in(episodes: Sequence[Episode]) -> int:
    """How many operations were lost in some episodes."""
    return sum(count for episode in episodes for count in episode.lost.values())


def is_worth_saying(measure: Measure) -> bool:
    """Whether the note of a measure says something that its value does not."""
    return bool(measure.note) and (measure.value is None or measure.at_least)
