"""The tables of the report: criteria, steps, errors, stages. Every number of the pictures stands in one of them."""

from collections.abc import Sequence
from typing import Final

from kilonode.base.outcomes import Outcome
from kilonode.base.units import format_seconds
from kilonode.check.deaths import Death
from kilonode.check.metrics import Unit
from kilonode.check.results import (
    CriterionResult,
    DisruptionResults,
    Latency,
    Percentile,
    Phases,
    Resolution,
    StageResults,
    StepResults,
    Verdict,
    WorkloadResults,
)
from kilonode.history.records import STILL_IN_EFFECT
from kilonode.history.upgrades import is_upgrade
from kilonode.report.charts import clock_words, part_names
from kilonode.report.gauge import box, gauge
from kilonode.report.markup import Child, Markup, element, join
from kilonode.report.upgrade_words import end_words
from kilonode.report.words import (
    SYMBOLS,
    count_words,
    criterion_note,
    interval_words,
    outcome_words,
    percentile_at,
    percentile_explained,
    percentile_words,
    range_words,
    rate_words,
    samples_words,
    seconds_words,
    share_words,
    value_words,
)

_PERCENTS = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)

_COMES_BACK: Final = ("restart ", "reboot ", "reset ")
"""How sentences begin that take their time and leave nothing to heal."""
_ENDS: Final = "terminate "
"""How those begin that may leave nothing to heal: who starts it again, or whether anybody does, they do not say."""


def table(heads: Sequence[tuple[str, bool]], bodies: Sequence[Child], caption: str, kind: str) -> Markup:
    """A table that can be sorted by its heads; each head says whether its column holds numbers."""
    cells = [
        element(
            "th",
            element("button", name, type="button") if name else None,
            scope="col",
            class_="number" if numeric else None,
            aria_sort="none" if name else None,
        )
        for name, numeric in heads
    ]
    return element(
        "div",
        element(
            "table",
            element("caption", caption, class_="hidden"),
            element("thead", element("tr", *cells)),
            *bodies,
            class_=kind,
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def number(text: str, value: float | None, *, small: str = "", title: str = "", class_: str = "number") -> Markup:
    """A cell with a number; sorting uses `value`."""
    return element(
        "td",
        element("span", text, class_="main"),
        element("small", small) if small else None,
        class_=class_,
        data_value="" if value is None else repr(float(value)),
        title=title or None,
    )


def verdict_mark(verdict: Verdict) -> Markup:
    """A verdict as symbol and word."""
    return element(
        "span", element("span", SYMBOLS[verdict], aria_hidden="true"), f" {verdict}", class_=f"verdict {verdict}"
    )


def criteria_table(criteria: Sequence[CriterionResult]) -> Markup:
    """Every criterion: verdict, text, measured value, picture, what stands behind it."""
    bodies = [
        element(
            "tbody",
            element(
                "tr",
                element("td", verdict_mark(one.verdict), data_value=list(Verdict).index(one.verdict)),
                element("th", element("code", one.criterion), scope="row"),
                number(value_words(one.measured, one.unit, at_least=one.at_least), one.measured),
                element("td", gauge(one), class_="gauge"),
                number(
                    count_words(one.samples) if one.unit is not Unit.HELD else "", one.samples, small=one.samples_of
                ),
                element("td", _criterion_words(one), class_="words"),
            ),
        )
        for one in criteria
    ]
    heads = [("verdict", False), ("criterion", False), ("measured", True), ("", False), ("samples", True), ("", False)]
    return table(heads, bodies, "Criteria", "criteria")


def steps_table(workload: WorkloadResults) -> Markup:
    """Every step: outcomes, rate, latency from due and from start with intervals."""
    heads = [("step", False), ("finished", True), ("errors", True), ("rate", True), ("", False), ("mean", True)]
    heads.extend((f"p{percent:g}", True) for percent in _PERCENTS)
    heads.append(("max", True))
    bodies = [_step_body(step) for step in workload.steps]
    return table(heads, bodies, f"Steps of {workload.facts.name}", "steps")


def _step_body(step: StepResults) -> Markup:
    same = step.latency == step.service
    rows = 1 if same else 2
    depth = step.step.count(".") + 1 if step.step else 0
    name = element(
        "th",
        element("span", step.step.rpartition(".")[2] if step.step else "iteration", class_="main"),
        _resolution_words(step.resolution) if step.resolution else None,
        scope="row",
        rowspan=rows,
        class_=f"depth-{min(depth, 5)}",
        data_value=step.step,
        title=step.step or None,
    )
    others = {outcome: count for outcome, count in step.outcomes.items() if outcome != "ok"}
    small = ", ".join(f"{count_words(count)} {outcome_words(outcome)}" for outcome, count in others.items())
    interval = interval_words(step.error_rate_interval, Unit.FRACTION) if step.failed else ""
    first = element(
        "tr",
        name,
        _span(number(count_words(step.finished), step.finished, small=small), rows),
        _span(number(share_words(step.error_rate), step.error_rate, small=interval, class_=_alert(step)), rows),
        _span(number(rate_words(step.throughput_per_s), step.throughput_per_s), rows),
        element("td", "both" if same else "latency", class_="what"),
        _latency_cells(step.latency),
    )
    second = None if same else element("tr", element("td", "service", class_="what"), _latency_cells(step.service))
    return element("tbody", first, second)


def _latency_cells(latency: Latency) -> Markup:
    return join(
        number(seconds_words(latency.mean_s, at_least=latency.open_ended), latency.mean_s),
        [_percentile_cell(percentile_at(latency, percent), latency.samples) for percent in _PERCENTS],
        number(seconds_words(latency.max_s, at_least=latency.open_ended), latency.max_s),
    )


def _percentile_cell(percentile: Percentile, samples: int, *, with_interval: bool = True) -> Markup:
    if percentile.value_s is None:
        return number("–", None, small=f"needs {count_words(percentile.needed)}", class_="number absent")
    interval = percentile.interval_s
    small = ""
    if interval is not None and with_interval:
        small = range_words(interval.low, interval.high)
    title = percentile_explained(percentile, samples)
    return number(percentile_words(percentile), percentile.value_s, small=small, title=title)


def _span(cell: Markup, rows: int) -> Markup:
    return Markup(cell.replace("<td", f'<td rowspan="{rows}"', 1)) if rows > 1 else cell


def _alert(step: StepResults) -> str:
    return "number alert" if step.failed else "number"


def _resolution_words(resolution: Resolution) -> Markup:
    median, longest = format_seconds(resolution.median_s), format_seconds(resolution.max_s)
    title = f"seen by polling: the true end was up to {median} (median) or {longest} (at most) earlier"
    return element("small", f"resolution {median}", title=title)


def _criterion_words(one: CriterionResult) -> Markup:
    words = criterion_note(one).removeprefix(samples_words(one)).removeprefix("; ")
    return join(
        words,
        element("span", "ends the load", class_="tag") if one.abort else None,
    )


def errors_table(workload: WorkloadResults) -> Markup:
    """Failures by outcome and message."""
    bodies = [
        element(
            "tbody",
            element(
                "tr",
                number(count_words(group.count), group.count),
                element("td", outcome_words(group.outcome)),
                element("td", group.message or "no message", class_="message"),
                number(clock_words(group.first_at_s), group.first_at_s),
                number(clock_words(group.last_at_s), group.last_at_s),
            ),
        )
        for group in workload.errors
    ]
    heads = [("count", True), ("outcome", False), ("message", False), ("first", True), ("last", True)]
    return table(heads, bodies, f"Errors of {workload.facts.name}", "errors")


def phases_table(phases: Phases) -> Markup:
    """Where the time of a step goes: a bar for each part's share, and its distribution."""
    longest_s = max((_reach_s(part.latency) for part in phases.parts), default=0.0)
    bodies = [
        element(
            "tbody",
            element(
                "tr",
                element(
                    "th",
                    element("i", class_=f"swatch part-{place % 8}"),
                    name,
                    scope="row",
                    title=part.step,
                ),
                number(count_words(part.latency.samples), part.latency.samples),
                number(share_words(part.mean_share), part.mean_share),
                number(seconds_words(part.latency.mean_s, at_least=part.latency.open_ended), part.latency.mean_s),
                [
                    _percentile_cell(percentile_at(part.latency, percent), part.latency.samples, with_interval=False)
                    for percent in (50.0, 95.0)
                ],
                element("td", box(part.latency, longest_s), class_="gauge"),
            ),
        )
        for place, (name, part) in enumerate(zip(part_names(phases), phases.parts, strict=True))
    ]
    heads = [("part", False), ("count", True), ("share", True), ("mean", True), ("p50", True), ("p95", True)]
    return table([*heads, ("spread", False)], bodies, f"Parts of {phases.step}", "phases")


def _reach_s(latency: Latency) -> float:
    return percentile_at(latency, 95.0).value_s or latency.max_s or 0.0


def stages_table(stages: Sequence[StageResults]) -> Markup:
    """Setup and cleanup, action by action."""
    bodies = []
    for stage in stages:
        for action in stage.actions:
            row = element(
                "tr",
                element("td", stage.part),
                element("th", stage.stage, scope="row"),
                element("td", action.action),
                number(clock_words(stage.start_s), stage.start_s),
                number(seconds_words(stage.finish_s - stage.start_s), stage.finish_s - stage.start_s),
                number(count_words(action.count), action.count),
                number(count_words(action.failed), action.failed, class_="number alert" if action.failed else "number"),
                number(seconds_words(action.mean_s), action.mean_s),
                number(seconds_words(action.max_s), action.max_s),
                element("td", stage.error if action.failed else "", class_="message"),
            )
            bodies.append(element("tbody", row))
    heads = [("part", False), ("stage", False), ("action", False), ("began", True), ("stage took", True)]
    heads.extend([("count", True), ("failed", True), ("mean", True), ("longest", True), ("error", False)])
    return table(heads, bodies, "Setup and cleanup", "stages")


def disruption_outcome_words(one: DisruptionResults) -> str:
    """How a disruption went."""
    if not one.happened:
        return "did not happen"
    if is_upgrade(one.target):
        return end_words(one.outcome)
    if one.outlived_the_run:
        return STILL_IN_EFFECT
    words = {"ok": _well_ended_words(one), "cancelled": "healed early, with the load", "wrong_state": "NOT healed"}
    return words.get(one.outcome, outcome_words(one.outcome))


def _well_ended_words(one: DisruptionResults) -> str:
    if one.finish_s == one.start_s:
        return "took effect; nothing to heal"
    if one.target.startswith(_COMES_BACK):
        return "done; nothing to heal"
    return "done" if one.target.startswith(_ENDS) and " for " not in one.target else "healed"


def _effect_cells(one: DisruptionResults) -> Markup:
    if not one.happened:
        return join(number("–", None, class_="number absent"), number("–", None, class_="number absent"))
    late_s, lasted_s = one.start_s - one.due_s, one.finish_s - one.start_s
    at_least = "≥ " if one.outcome == Outcome.WRONG_STATE and not is_upgrade(one.target) else ""
    return join(
        number(clock_words(one.start_s), one.start_s, small=f"{seconds_words(late_s)} later"),
        number(f"{at_least}{seconds_words(lasted_s)}" if lasted_s or at_least else "–", lasted_s),
    )


def deaths_table(deaths: Sequence[Death]) -> Markup:
    """Processes that ended although nothing in the run was meant to end them."""
    bodies = [
        element(
            "tbody",
            element(
                "tr",
                element("th", one.process, scope="row"),
                number(format_seconds(one.seen_s), one.seen_s),
                number(seconds_words(one.resolution_s), one.resolution_s),
                element("td", one.words, class_="message"),
                element("td", one.disruption),
                number("" if one.over_s is None else seconds_words(one.over_s), one.over_s),
            ),
        )
        for one in deaths
    ]
    heads = [("process", False), ("gone at", True), ("or earlier, by up to", True), ("how", False), ("beside", False)]
    return table([*heads, ("which was over for", True)], bodies, "Processes that died", "deaths")


def disruptions_table(disruptions: Sequence[DisruptionResults]) -> Markup:
    """Faults and upgrades."""
    bodies = [
        element(
            "tbody",
            element(
                "tr",
                element("th", one.target or one.name, scope="row"),
                element("td", one.name if one.target else ""),
                number(clock_words(one.due_s), one.due_s),
                _effect_cells(one),
                element("td", disruption_outcome_words(one)),
                element("td", one.error, class_="message"),
            ),
        )
        for one in disruptions
    ]
    heads = [("disruption", False), ("name", False), ("due", True), ("took effect", True), ("lasted", True)]
    return table([*heads, ("outcome", False), ("error", False)], bodies, "Disruptions", "disruptions")
