"""One disruption as a picture: for each workload how it went on, from the instant at which the disruption took effect.

A row has the disruption itself as a band, the stretches in which operations were impaired, and marks: D when a client
could tell, S the first good answer after the first loss, R recovered. In HTML alone.
"""

from collections.abc import Sequence
from typing import Final

from kilonode.check.recovery.records import Episode, Measure, RecoveryGroup
from kilonode.report.markup import Markup, element, join
from kilonode.report.recovery_words import measure_words, outcome_words

MOST_ROWS: Final = 24
_TICKS: Final = 6
_BEFORE_SHARE: Final = 0.04
_SHORTEST_S: Final = 1.0
_STEPS: Final = (1.0, 2.0, 5.0)
LEGEND: Final = (
    ("swatch disruption", "the disruption, until it was healed"),
    ("swatch impaired", "lost, or clearly slower than before"),
    ("mark detect", "D a client can tell"),
    ("mark success", "S first good answer after a loss"),
    ("mark recovered", "R recovered"),
)


def course(groups: Sequence[RecoveryGroup]) -> Markup:
    """A row for each workload and each repeat of one disruption."""
    rows = [
        (group.workload if len(group.episodes) == 1 else f"{group.workload} {number}", episode)
        for group in groups
        for number, episode in enumerate(group.episodes, 1)
    ]
    left_out = len(rows) - MOST_ROWS
    until_s = max(_until_s(episode) for _, episode in rows) * 1.12
    from_s = -_BEFORE_SHARE * until_s
    return join(
        element(
            "div",
            _axis(from_s, until_s),
            [_row(name, episode, from_s, until_s) for name, episode in rows[:MOST_ROWS]],
            class_="timeline course",
            role="table",
            aria_label="From the disruption to the recovery",
        ),
        element("p", f"{left_out} more are in the tables.", class_="lead") if left_out > 0 else None,
        element("p", [_key(kind, words) for kind, words in LEGEND], class_="facts-line legend"),
    )


def _until_s(episode: Episode) -> float:
    """What has to be seen, after the effect."""
    ends = [_SHORTEST_S, min(episode.healed_s, episode.observed_s) - episode.effect_s]
    ends += [stretch.end_s - episode.effect_s for stretch in episode.impaired]
    ends += [measure.value for _, _, measure in _marks(episode) if measure.value is not None]
    return max(ends)


def _marks(episode: Episode) -> tuple[tuple[str, str, Measure], ...]:
    found = [("detect", "D", episode.time_to_detect_s)]
    if any(episode.lost.values()):
        found.append(("success", "S", episode.time_to_first_success_s))
    if episode.impaired and not episode.recovery_time_s.at_least:
        found.append(("recovered", "R", episode.recovery_time_s))
    return tuple(found)


def _row(name: str, episode: Episode, from_s: float, until_s: float) -> Markup:
    def at(seconds: float) -> float:
        return max(0.0, min(100.0, 100 * (seconds - from_s) / (until_s - from_s)))

    def bar(kind: str, start_s: float, end_s: float) -> Markup:
        left = at(start_s)
        return element("b", class_=f"bar {kind}", style=f"left:{left:.2f}%;width:{at(end_s) - left:.2f}%")

    effect_s = episode.effect_s
    words = outcome_words(episode)
    marks = [
        element(
            "u",
            letter,
            class_=f"mark {kind}",
            style=f"left:{at(measure.value):.2f}%",
            title=f"{_MEANINGS[kind]} after {measure_words(measure)}",
        )
        for kind, letter, measure in _marks(episode)
        if measure.value is not None and not measure.at_least
    ]
    return element(
        "div",
        element("span", name, class_="name", role="rowheader"),
        element(
            "span",
            element("i", class_="zero", style=f"left:{at(0.0):.2f}%"),
            bar("disruption", 0.0, min(episode.healed_s, episode.observed_s) - effect_s),
            [bar("impaired", one.start_s - effect_s, one.end_s - effect_s) for one in episode.impaired],
            marks,
            class_="track",
            role="cell",
        ),
        element("span", words, class_="outcome", role="cell"),
        role="row",
    )


_MEANINGS: Final = {"detect": "a client can tell", "success": "first good answer", "recovered": "recovered"}


def _axis(from_s: float, until_s: float) -> Markup:
    step_s = next(
        step * 10.0**power for power in range(-3, 9) for step in _STEPS if until_s / (step * 10.0**power) <= _TICKS
    )
    ticks = [
        element(
            "span",
            f"{place * step_s:g} s",
            style=f"left:{100 * (place * step_s - from_s) / (until_s - from_s):.2f}%",
        )
        for place in range(int(until_s / step_s) + 1)
    ]
    return element(
        "div",
        element("span", class_="name"),
        element("span", *ticks, class_="track"),
        element("span", class_="outcome"),
        class_="axis",
    )


def _key(kind: str, words: str) -> Markup:
    letter = words[0] if kind.startswith("mark") else None
    text = words[2:] if letter else words
    return element("span", element("u" if letter else "i", letter, class_=kind), f" {text}")
