"""The whole run on one axis: setup, workloads, disruptions and cleanup as bars, in HTML alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kilonode.base.units import format_seconds
from kilonode.check.results import DisruptionResults, Results, StageResults
from kilonode.history.records import STILL_IN_EFFECT
from kilonode.history.upgrades import is_upgrade
from kilonode.report.charts import clock_words
from kilonode.report.markup import Markup, element, join
from kilonode.report.upgrade_words import end_words
from kilonode.report.words import count_words, several

TICKS: Final = 8
LAST_SHARE: Final = 99.6
"""So far right the shortest bar may begin, so that it is seen."""
ROOM_FOR_WORDS: Final = 38.0
"""Per cent of the axis that the words of a bar may take."""
_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Row:
    """One bar with its words."""

    kind: str
    """`idle`, `setup`, `load`, `drain`, `disruption` or `cleanup`."""
    name: str
    start_s: float
    finish_s: float
    words: str


def timeline(results: Results) -> Markup:
    """All bars, in the order in which they begin."""
    rows = [
        *_idle_rows(results),
        *_stage_rows(results.stages, "setup"),
        *_load_rows(results),
        *_disruption_rows(results),
    ]
    rows.extend(_stage_rows(results.stages, "cleanup"))
    start_s = min([results.start_s, *(row.start_s for row in rows)])
    finish_s = max([results.finish_s, *(row.finish_s for row in rows), start_s + 1e-9])
    return element(
        "div",
        _axis(start_s, finish_s),
        [_bar(row, start_s, finish_s) for row in rows],
        class_="timeline",
        role="table",
        aria_label="The run over time",
    )


def _idle_rows(results: Results) -> list[Row]:
    stretches = results.services.stretches if results.services is not None else ()
    return [
        Row("idle", "idle", one.start_s, one.finish_s, f"nothing asked, {format_seconds(one.finish_s - one.start_s)}")
        for one in stretches
        if one.phase == "idle"
    ]


def _load_rows(results: Results) -> list[Row]:
    rows = []
    for workload in results.workloads:
        start_s = workload.facts.start_s
        words = f"load, {format_seconds(workload.measured_s)}; {count_words(workload.due)} iterations"
        rows.append(Row("load", workload.facts.name, start_s, start_s + workload.measured_s, words))
    return rows


def _disruption_rows(results: Results) -> list[Row]:
    return [
        Row("disruption", one.name or "disruption", one.start_s, _end_s(one, results), _words_of(one))
        for one in results.disruptions
        if one.happened
    ]


def _end_s(one: DisruptionResults, results: Results) -> float:
    """What outlived the run reaches to its end, however much later somebody healed it."""
    return max(one.start_s, results.finish_s) if one.outlived_the_run else one.finish_s


def _words_of(one: DisruptionResults) -> str:
    if is_upgrade(one.target):
        return f"{one.target}, {end_words(one.outcome)}"
    if one.outlived_the_run:
        return f"{one.target or one.name}, {STILL_IN_EFFECT}"
    end = {"ok": "", "cancelled": ", healed early", "wrong_state": ", NOT healed"}.get(one.outcome, f", {one.outcome}")
    return f"{one.target or one.name}{end}"


def _stage_rows(stages: Sequence[StageResults], part: str) -> list[Row]:
    rows = []
    for stage in stages:
        if stage.part == part:
            words = f"{part}, {format_seconds(stage.finish_s - stage.start_s)}; {several(stage.count, 'action')}"
            if stage.failed:
                words += f", {count_words(stage.failed)} failed"
            rows.append(Row(part, stage.stage, stage.start_s, stage.finish_s, words))
    return rows


def _axis(start_s: float, finish_s: float) -> Markup:
    step_s = next((step for step in _STEPS_S if (finish_s - start_s) / step <= TICKS), _STEPS_S[-1])
    first = math.ceil(start_s / step_s)
    ticks = [
        element("span", clock_words(place * step_s), style=f"left:{_share(place * step_s, start_s, finish_s):.2f}%")
        for place in range(first, math.floor(finish_s / step_s) + 1)
    ]
    return element("div", element("span", class_="name"), element("span", *ticks, class_="track"), class_="axis")


def _bar(row: Row, start_s: float, finish_s: float) -> Markup:
    left = min(_share(row.start_s, start_s, finish_s), LAST_SHARE)
    width = max(0.0, _share(row.finish_s, start_s, finish_s) - left)
    zero = _share(0.0, start_s, finish_s)
    return element(
        "div",
        element("span", row.name, class_="name", role="rowheader"),
        element(
            "span",
            join(
                element("i", class_="zero", style=f"left:{zero:.2f}%"),
                element("b", class_=f"bar {row.kind}", style=f"left:{left:.2f}%;width:{width:.2f}%"),
            ),
            element("em", row.words, **_words_place(left, width)),
            class_="track",
            role="cell",
        ),
        role="row",
    )


def _words_place(left: float, width: float) -> dict[str, str]:
    """Words stand in the bar when there is room, else behind it, else before it."""
    if width > ROOM_FOR_WORDS:
        return {"style": f"left:{left:.2f}%", "class_": "inside"}
    if left + width < 100 - ROOM_FOR_WORDS:
        return {"style": f"left:{left + width:.2f}%"}
    return {"style": f"right:{100 - left:.2f}%"}


def _share(at_s: float, start_s: float, finish_s: float) -> float:
    return 100 * (at_s - start_s) / (finish_s - start_s)
