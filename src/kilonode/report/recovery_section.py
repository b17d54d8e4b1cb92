"""The section of the report about recovery: each disruption, how every workload came through it, by both methods."""

from collections.abc import Sequence
from typing import Final

from kilonode.check.metrics import METRICS, Unit
from kilonode.check.recovery.records import Episode, RecoveryGroup, RecoveryResults, Spread
from kilonode.check.recovery.repeats import FIGURES
from kilonode.check.results import Results
from kilonode.report.charts import clock_words
from kilonode.report.gauge import BOX_PERCENTS, box_of
from kilonode.report.markup import Markup, element, join
from kilonode.report.recovery_course import course
from kilonode.report.recovery_words import (
    FIGURE_WORDS,
    by_disruption,
    control_words,
    is_worth_saying,
    lost_in,
    meanwhile_words,
    measure_words,
    outcome_words,
    published_alone,
    published_measures,
    span_words,
    workload_words,
)
from kilonode.report.sections import section
from kilonode.report.tables import number, table
from kilonode.report.words import count_words, seconds_words, several

_MOST_OPEN: Final = 6
"""So many workloads show their tables without being asked."""
_SUMMARY: Final = ("unavailable", "time_to_detect", "time_to_first_success", "recovery_time", "longest_gap", "slow")


def recovery_section(results: Results) -> Markup | None:
    """All disruptions; None when there were none."""
    recovery = results.recovery
    if recovery is None or not recovery.groups:
        return None
    opened = 0
    parts = []
    for sentence, groups in by_disruption(recovery.groups).items():
        parts.append(_disruption(sentence, groups, open_=opened < _MOST_OPEN))
        opened += len(groups)
    return section("recovery", "Recovery", element("p", _lead(recovery), class_="lead"), _overview(recovery), *parts)


def _lead(recovery: RecoveryResults) -> str:
    return (
        "Everything counts from the instant at which a disruption took effect, or was begun where it takes its time, "
        "such as a restart. Recovered is what stays as good as "
        f"before for {recovery.clean_windows} windows; a figure with ≥ was not over when the observation ended."
    )


def _overview(recovery: RecoveryResults) -> Markup:
    """One line for each disruption and workload."""
    bodies = [
        element(
            "tbody",
            element(
                "tr",
                element("th", group.disruption, scope="row"),
                element("td", group.workload, title=workload_words(group)),
                number(count_words(len(group.episodes)), len(group.episodes)),
                number(count_words(lost := lost_in(group.episodes)), lost, class_="number alert" if lost else "number"),
                [_measured(group, figure) for figure in _SUMMARY],
            ),
        )
        for groups in by_disruption(recovery.groups).values()
        for group in groups
    ]
    heads = [("disruption", False), ("workload", False), ("times", True), ("lost", True)]
    return table([*heads, *((FIGURE_WORDS[figure], True) for figure in _SUMMARY)], bodies, "Recovery", "criteria")


def _measured(group: RecoveryGroup, figure: str) -> Markup:
    found = next(one.measure for one in group.repeated if one.figure == figure)
    return number(measure_words(found), found.value, title=found.note)


def _disruption(sentence: str, groups: Sequence[RecoveryGroup], *, open_: bool) -> Markup:
    return element(
        "div",
        element("h3", f"After {sentence}"),
        course(groups),
        [_workload(group, open_=open_) for group in groups],
        class_="after",
    )


def _workload(group: RecoveryGroup, *, open_: bool) -> Markup:
    words = outcome_words(group.episodes[0]) if len(group.episodes) == 1 else ""
    notes = [
        f"{FIGURE_WORDS[one.figure]}: {one.measure.note}." for one in group.repeated if is_worth_saying(one.measure)
    ]
    if others := meanwhile_words(group.episodes):
        notes.insert(0, f"{others[:1].upper()}{others[1:]}.")
    relapses = sum(episode.relapses for episode in group.episodes)
    if relapses:
        notes.append(f"It was impaired again after it had recovered, {several(relapses, 'time')}.")
    return element(
        "details",
        element("summary", workload_words(group), element("small", f" {words}") if words else None),
        element(
            "div",
            element("div", _figures_table(group), _notes(f"The figures are {control_words(group)}.", notes)),
            element("div", _spreads_table(group), _differences(group)),
            class_="beside top",
        ),
        _repeats_table(group) if len(group.episodes) > 1 else None,
        open=open_,
    )


def _notes(first: str, notes: Sequence[str]) -> Markup:
    return join(
        element("p", first, class_="note"), [element("p", note, class_="note") for note in dict.fromkeys(notes)]
    )


def _differences(group: RecoveryGroup) -> Markup | None:
    if not group.differences:
        return None
    items = [element("li", sentence) for sentence in group.differences]
    return join(element("h4", "Why the two methods differ"), element("ul", *items, class_="differences"))


def _figures_table(group: RecoveryGroup) -> Markup:
    """Both methods side by side."""
    theirs = published_measures(group.published)
    bodies = []
    for one in group.repeated:
        unit = METRICS[one.figure][0]
        published = theirs.get(one.figure)
        bodies.append(
            element(
                "tbody",
                element(
                    "tr",
                    element("th", FIGURE_WORDS[one.figure], scope="row"),
                    number(measure_words(one.measure, unit), one.measure.value, small=span_words(one.measure, unit)),
                    number(measure_words(*published), published[0].value, small=span_words(*published))
                    if published is not None
                    else element("td"),
                ),
            )
        )
    for words, (measure, unit) in published_alone(group.published).items():
        value = number(measure_words(measure, unit), measure.value, small=span_words(measure, unit))
        bodies.append(element("tbody", element("tr", element("th", words, scope="row"), element("td"), value)))
    heads = [("figure", False), ("measured", True), ("published method", True)]
    return table(heads, bodies, f"{group.workload} after {group.disruption}, by both methods", "recovered")


def _spreads_table(group: RecoveryGroup) -> Markup | None:
    """The latency of what went well, before, during and after; of the first repeat where there are several."""
    spreads = group.episodes[0].spreads
    if not spreads:
        return None
    longest_s = max((value for one in spreads for value in one.values_s if value is not None), default=0.0)
    bodies = [
        element(
            "tbody",
            element(
                "tr",
                element("th", one.part, scope="row"),
                number(count_words(one.samples), one.samples),
                number(count_words(one.lost), one.lost, class_="number alert" if one.lost else "number"),
                [
                    number(seconds_words(_percentile(one, percent)), _percentile(one, percent))
                    for percent in (50.0, 95.0)
                ],
                number(seconds_words(one.max_s), one.max_s),
                element(
                    "td", box_of([_percentile(one, percent) for percent in BOX_PERCENTS], longest_s), class_="gauge"
                ),
            ),
        )
        for one in spreads
    ]
    heads = [("latency", False), ("well", True), ("lost", True), ("p50", True), ("p95", True), ("max", True)]
    return table([*heads, ("spread", False)], bodies, f"Latency of {group.workload} around it", "phases")


def _percentile(spread: Spread, percent: float) -> float | None:
    return dict(zip(spread.percents, spread.values_s, strict=True)).get(percent)


def _repeats_table(group: RecoveryGroup) -> Markup:
    """Each repeat, and the mean over all of them with its interval."""
    rows = [
        element(
            "tr",
            element("th", f"{number_}", scope="row"),
            number(clock_words(episode.effect_s), episode.effect_s),
            number(count_words(lost_in([episode])), lost_in([episode])),
            [_figure(episode, figure) for figure in FIGURE_WORDS],
        )
        for number_, episode in enumerate(group.episodes, 1)
    ]
    found = {one.figure: one.measure for one in group.repeated}
    means = [
        number(
            measure_words(found[figure], METRICS[figure][0]),
            found[figure].value,
            small=span_words(found[figure], METRICS[figure][0]),
        )
        for figure in FIGURE_WORDS
    ]
    total = lost_in(group.episodes)
    mean = element("tr", element("th", "mean", scope="row"), element("td"), number(count_words(total), total), means)
    heads = [("repeat", False), ("took effect", True), ("lost", True)]
    heads.extend((words, True) for words in FIGURE_WORDS.values())
    bodies = [*(element("tbody", row) for row in rows), element("tbody", mean, class_="mean")]
    return table(heads, bodies, f"Repeats of {group.disruption}, {group.workload}", "repeats")


def _figure(episode: Episode, figure: str) -> Markup:
    unit: Unit = METRICS[figure][0]
    measure = FIGURES[figure](episode)
    return number(measure_words(measure, unit), measure.value, small=span_words(measure, unit), title=measure.note)
