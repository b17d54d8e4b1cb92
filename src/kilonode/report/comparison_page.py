"""The page of a comparison: runs side by side, step by step, their distributions drawn over each other."""

from collections.abc import Sequence
from typing import Any, Final

from kilonode.base.encoding import to_plain
from kilonode.check.comparison import (
    Comparison,
    PercentileChange,
    StepChange,
    StepComparison,
    StepSide,
    WorkloadComparison,
)
from kilonode.check.results import Percentile, Verdict
from kilonode.report.charts import Chart, Series, figure, page_data, placed
from kilonode.report.comparison_words import (
    bound_words,
    chance_words,
    change_words,
    error_difference_words,
    errors_words,
    ratio_interval_words,
    ratio_words,
)
from kilonode.report.markup import Markup, element, join
from kilonode.report.page import page, theme_button
from kilonode.report.sections import section
from kilonode.report.tables import number, table, verdict_mark
from kilonode.report.words import (
    SYMBOLS,
    UNKNOWN,
    bytes_words,
    count_words,
    percentile_explained,
    percentile_words,
    range_words,
    rate_words,
    seconds_words,
    share_words,
)

SHORTEST_DRAWN_S: Final = 1e-6
_HOW: Final = (
    "A ratio is another run's percentile over that of A; below it stands its 95 % interval, from the intervals of both "
    "percentiles by order statistics. “No difference seen” means that these samples show none: a smaller one may be "
    "there. Means are not compared. Throughput has no interval: one run is one sample of it."
)


def comparison_html(comparison: Comparison) -> str:
    """The page."""
    charts: list[Chart] = []
    sections = [_summary(comparison)]
    for place, workload in enumerate(comparison.workloads):
        body, drawn = _workload(workload, place, comparison)
        sections.append(body)
        charts.extend(drawn)
    if comparison.services:
        sections.append(_services(comparison))
    sections.append(_differences(comparison))
    sections.append(section("reading", "How to read this", element("p", _HOW, class_="lead")))
    names = " and ".join(dict.fromkeys(run.experiment for run in comparison.runs))
    mark = "" if comparison.verdict is None else f"{SYMBOLS[comparison.verdict]} {comparison.verdict} · "
    return page(
        f"{mark}{names} compared · Kilonode",
        [element("a", "Skip to the summary", href="#summary", class_="skip"), _header(comparison, names)],
        sections,
        element("footer", element("p", "Kilonode. kilonode compare makes this page anew from the runs' histories.")),
        page_data(charts, (), 0.0),
    )


def _header(comparison: Comparison, names: str) -> Markup:
    links = [("summary", "Summary")]
    links.extend((f"w{place}", workload.name) for place, workload in enumerate(comparison.workloads))
    links.append(("differences", "What differs"))
    facts = [element("span", f"{run.label}: {run.name}") for run in comparison.runs]
    return join(
        element(
            "header",
            element("div", element("h1", f"{names}, compared"), element("p", *facts, class_="facts-line")),
            theme_button(),
        ),
        element(
            "nav",
            [element("a", words, href=f"#{place}") for place, words in links],
            aria_label="Sections",
        ),
    )


def _summary(comparison: Comparison) -> Markup:
    rows = [
        element(
            "tbody",
            element(
                "tr",
                element("th", run.label + (" (baseline)" if not place else ""), scope="row"),
                element("td", run.experiment),
                element("td", element("code", run.name)),
                element("td", verdict_mark(run.verdict)),
                element("td", "simulated" if run.simulated else "real"),
            ),
        )
        for place, run in enumerate(comparison.runs)
    ]
    heads = [("run", False), ("experiment", False), ("folder", False), ("its own verdict", False), ("time", False)]
    return section(
        "summary",
        "Summary",
        _banner(comparison),
        [element("p", reason, class_=f"reason {comparison.verdict or 'note'}") for reason in comparison.reasons],
        element("p", chance_words(comparison.compared, comparison.changed), class_="lead"),
        table(heads, rows, "Runs", "runs"),
    )


def _banner(comparison: Comparison) -> Markup | None:
    verdict, within = comparison.verdict, comparison.within
    if verdict is None or within is None:
        return None
    bound = bound_words(within)
    words = {
        Verdict.VALID: f"Median and p95 of every step are within {bound} of the baseline.",
        Verdict.INVALID: f"Not every median and p95 is within {bound} of the baseline.",
        Verdict.UNKNOWN: f"Whether every median and p95 is within {bound} of the baseline cannot be known.",
    }[verdict]
    return element(
        "div",
        element("span", SYMBOLS[verdict], class_="symbol", aria_hidden="true"),
        element("div", element("p", str(verdict), class_="word"), element("p", words)),
        class_=f"banner {verdict}",
    )


def _workload(workload: WorkloadComparison, place: int, comparison: Comparison) -> tuple[Markup, list[Chart]]:
    labels = [run.label for run in comparison.runs]
    loads = [f"{label}: {load or 'not there'}" for label, load in zip(labels, workload.load, strict=True)]
    lead = workload.load[0] if len(set(workload.load)) == 1 else "; ".join(loads)
    heads = [("step", False), ("run", False), ("samples", True), ("p50", True), ("of A", True), ("p95", True)]
    heads += [("of A", True), ("done well", True), ("of A", True), ("errors", True), ("", False)]
    rows = [_step_rows(step, labels, judged=comparison.within is not None) for step in workload.steps]
    charts = [
        chart
        for number_, step in enumerate(workload.steps)
        if (chart := _chart(f"w{place}-s{number_}", step, labels)) is not None
    ]
    titles = {f"w{place}-s{number_}": step.step or "Iterations" for number_, step in enumerate(workload.steps)}
    caption = "The share of samples that took at most so long, in each run."
    return (
        section(
            f"w{place}",
            workload.name,
            element("p", lead, class_="lead"),
            table(heads, rows, f"Steps of {workload.name}", "steps"),
            placed([figure(chart, titles[chart.id], caption) for chart in charts]),
        ),
        charts,
    )


def _step_rows(step: StepComparison, labels: Sequence[str], *, judged: bool) -> Markup:
    depth = step.step.count(".") + 1 if step.step else 0
    name = element(
        "th",
        element("span", step.step.rpartition(".")[2] if step.step else "iteration", class_="main"),
        element("small", step.note) if step.note else None,
        scope="row",
        rowspan=len(labels),
        class_=f"depth-{min(depth, 5)}",
        data_value=step.step,
        title=step.step or None,
    )
    changes = (None, *step.changes)
    rows = [
        element(
            "tr",
            name if place == 0 else None,
            element("td", label, class_="what"),
            _side_cells(side, change, judged=judged and step.judged),
        )
        for place, (label, side, change) in enumerate(zip(labels, step.sides, changes, strict=True))
    ]
    return element("tbody", *rows)


def _side_cells(side: StepSide | None, change: StepChange | None, *, judged: bool) -> Markup:
    if side is None:
        return join([element("td", UNKNOWN, class_="number absent") for _ in range(8)], element("td", "not there"))
    cut = f"{count_words(side.censored)} cut off" if side.censored else ""
    median, p95 = (None, None) if change is None else change.percentiles
    return join(
        number(count_words(side.samples), side.samples, small=cut),
        _percentile(side.median, side.samples),
        _ratio(median, judged=judged),
        _percentile(side.p95, side.samples),
        _ratio(p95, judged=judged),
        number(rate_words(side.throughput_per_s), side.throughput_per_s),
        number(ratio_words(change.throughput_ratio), change.throughput_ratio) if change else element("td", ""),
        number(share_words(side.error_rate) if side.failed else "0", side.error_rate),
        element(
            "td",
            f"{errors_words(change.errors)}: {error_difference_words(change.errors)}"
            if change is not None and change.errors.difference
            else "",
            class_="what",
        ),
    )


def _percentile(percentile: Percentile, samples: int) -> Markup:
    if percentile.value_s is None:
        return number(UNKNOWN, None, small=f"needs {count_words(percentile.needed)}", class_="number absent")
    interval = percentile.interval_s
    small = range_words(interval.low, interval.high) if interval is not None else ""
    title = percentile_explained(percentile, samples)
    return number(percentile_words(percentile), percentile.value_s, small=small, title=title)


def _ratio(change: PercentileChange | None, *, judged: bool) -> Markup:
    if change is None:
        return element("td", "")
    words = join(
        element("span", ratio_words(change.ratio), class_="main"),
        element("small", ratio_interval_words(change.interval)),
        element("small", change_words(change)),
        element("small", change.note) if change.note else None,
        element("small", verdict_mark(change.verdict)) if judged and change.verdict is not None else None,
        element("small", "close") if change.close else None,
    )
    alert = change.verdict is Verdict.INVALID
    value = "" if change.ratio is None else repr(change.ratio)
    return element("td", words, class_="number alert" if alert else "number", data_value=value)


def _chart(name: str, step: StepComparison, labels: Sequence[str]) -> Chart | None:
    """The distribution functions of a step over each other; None where there is nothing to draw."""
    series = tuple(
        Series(
            label=label,
            role=f"part-{place % 8}",
            x=tuple(max(seconds, SHORTEST_DRAWN_S) for seconds, _ in side.cumulative),
            values=tuple(share for _, share in side.cumulative),
        )
        for place, (label, side) in enumerate(zip(labels, step.sides, strict=True))
        if side is not None and len(side.cumulative) > 1
    )
    return Chart(id=name, kind="cumulative", unit="share", series=series) if series else None


def _services(comparison: Comparison) -> Markup:
    labels = [run.label for run in comparison.runs]
    rows = [
        element(
            "tbody",
            element(
                "tr",
                element("th", one.service, scope="row"),
                element("td", one.figure.replace("_", " ")),
                [number(_figure_words(one.figure, value), value) for value in one.values],
            ),
        )
        for one in comparison.services
    ]
    heads = [("service", False), ("figure", False), *((label, True) for label in labels)]
    return section("services", "What the services cost", table(heads, rows, "Services", "services"))


def _figure_words(figure_name: str, value: float | None) -> str:
    if value is None:
        return UNKNOWN
    if "bytes" in figure_name:
        return bytes_words(value)
    return seconds_words(value) if figure_name.startswith("cpu_s") else count_words(value)


def _differences(comparison: Comparison) -> Markup:
    if not comparison.differences:
        words = "Nothing: the same experiment in the same environment, as far as it is known."
        return section("differences", "What differs", element("p", words, class_="lead"))
    labels = [run.label for run in comparison.runs]
    rows = [
        element(
            "tbody",
            element(
                "tr",
                element("td", one.part),
                element("th", element("code", one.path), scope="row"),
                [element("td", UNKNOWN if value is None else value, class_="message") for value in one.values],
            ),
        )
        for one in comparison.differences
    ]
    heads = [("part", False), ("path", False), *((label, False) for label in labels)]
    lead = "Settings, versions and facts about the machines that are not the same in all runs."
    return section(
        "differences", "What differs", element("p", lead, class_="lead"), table(heads, rows, "Differences", "errors")
    )


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain values without what is only there to be drawn."""
    plain: dict[str, Any] = to_plain(comparison)
    for workload in plain["workloads"]:
        for step in workload["steps"]:
            for side in step["sides"]:
                if side is not None:
                    del side["cumulative"]
    return plain
