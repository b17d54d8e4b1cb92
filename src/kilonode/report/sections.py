"""The sections of the report around the workloads: verdict, generator, stages, environment, experiment, how to read."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kilonode.base.units import format_seconds
from kilonode.check.results import GeneratorResults, Results, SourceState, Verdict
from kilonode.report.charts import Chart, figure, placed, source_charts
from kilonode.report.markup import Child, Markup, element, join
from kilonode.report.metadata import RunMetadata
from kilonode.report.tables import criteria_table, deaths_table, disruptions_table, stages_table, verdict_mark
from kilonode.report.timeline import timeline
from kilonode.report.words import (
    MEANINGS,
    SYMBOLS,
    bytes_words,
    count_words,
    early_end_words,
    rate_words,
    seconds_words,
    share_words,
)

_GENERATOR_CHARTS: Final = (
    ("cpu_fraction", "share", "Processor use", "Of one core, each process; 100 % is all that one process can use."),
    ("loop_lag_s_max", "s", "Lag of the event loop", "The longest in each second: later than this nothing was seen."),
    ("lateness_s_p99", "s", "Lateness of iterations", "The p99 of how late iterations started, each second."),
    ("open_files", "count", "Open files", "File descriptors in use."),
    ("memory_bytes", "bytes", "Memory", "Resident memory of each process."),
    ("active_vus", "count", "Virtual users", "Iterations that run at once in each process."),
)
_YAML_LINE: Final = re.compile(r"^(\s*(?:- )?)([\w.-]+)(:)(.*)$")
_YAML_COMMENT: Final = re.compile(r"(^|\s)(#.*)$")


def section(name: str, title: str, *children: Child) -> Markup:
    """One section with its heading."""
    return element("section", element("h2", title), *children, id=name, aria_label=title)


def tile(title: str, value: str, small: str = "", *, kind: str = "") -> Markup:
    """One number that matters, with its name."""
    return element(
        "div",
        element("dt", title),
        element("dd", element("span", value), element("small", small) if small else None),
        class_=f"tile {kind}".strip(),
    )


def verdict_section(results: Results, metadata: RunMetadata) -> Markup:
    """The verdict, why, and every criterion."""
    held = sum(one.verdict is Verdict.VALID for one in results.criteria)
    words = MEANINGS[results.verdict]
    if results.criteria:
        words = f"{held} of {len(results.criteria)} criteria held."
    elif results.verdict is Verdict.VALID:
        words = "There were no criteria; nothing speaks against the numbers."
    others = [reason for reason in results.reasons if reason.about != "criterion"]
    early_end = early_end_words(results)
    word = f"{results.verdict}, ended early" if early_end else results.verdict
    return element(
        "section",
        element(
            "div",
            element("span", SYMBOLS[results.verdict], class_="symbol", aria_hidden="true"),
            element("div", element("p", word, class_="word"), element("p", words)),
            class_=f"banner {results.verdict}",
            role="status",
        ),
        element("p", element("span", "note", class_="tag"), f"The load was {early_end}.", class_="reason invalid")
        if early_end
        else None,
        [
            element("p", verdict_mark(reason.verdict), " ", reason.text, class_=f"reason {reason.verdict}")
            for reason in others
        ],
        [
            element("p", element("span", "note", class_="tag"), note, class_="reason note")
            for note in results.generator.notes
        ],
        element("p", "Cleanup did not finish: kilonode cleanup ", metadata.run_id, class_="reason unknown")
        if metadata.left_behind
        else None,
        criteria_table(results.criteria) if results.criteria else None,
        id="verdict",
        aria_label="Verdict",
    )


def overview_section(results: Results) -> Markup:
    """The run in a few numbers, and as bars over time."""
    whole = [workload.steps[0] for workload in results.workloads]
    finished = sum(step.finished for step in whole)
    failed = sum(step.failed for step in whole)
    dropped = sum(workload.dropped for workload in results.workloads)
    generator = results.generator
    count = len(results.workloads)
    workloads = "one workload" if count == 1 else f"{count} workloads at once"
    state = "not watched" if not generator.watched else "trusted" if generator.trusted else "the bottleneck"
    tiles = [
        tile("Load", format_seconds(results.load_end_s), workloads),
        tile("Iterations", count_words(finished), f"{count_words(results.operations)} recorded operations"),
        tile("Done well", rate_words((finished - failed) / results.load_end_s if results.load_end_s > 0 else None)),
        tile(
            "Errors",
            share_words(failed / finished if finished else None),
            f"{count_words(failed)} of {count_words(finished)}",
            kind="alert" if failed else "",
        ),
        tile("Dropped", count_words(dropped), "due but never started", kind="alert" if dropped else ""),
        tile("Generator", state, _generator_words(generator), kind="" if generator.trusted else "alert"),
    ]
    return section("overview", "Overview", element("dl", *tiles, class_="tiles"), timeline(results))


def generator_section(results: Results) -> tuple[Markup, list[Chart]]:
    """The generator's own health."""
    generator = results.generator
    tiles = [
        tile("Processor, sustained", share_words(generator.cpu_fraction_max_sustained), "of a core, busiest process"),
        tile("Loop lag, longest", seconds_words(generator.loop_lag_s_max)),
        tile("Lateness p99", seconds_words(generator.lateness_s_p99), "open models"),
        tile("Open files", share_words(generator.open_files_share_max), "of what is allowed"),
        tile("Memory", bytes_words(generator.memory_bytes_max), "all processes"),
    ]
    charts, figures = [], []
    for metric, unit, title, caption in _GENERATOR_CHARTS:
        chart = source_charts(f"generator-{metric}", metric, unit, _those_with(generator.sources, metric))
        if chart.series:
            charts.append(chart)
            figures.append(figure(chart, title, caption))
    words = (
        "Was the generator able to do what it was asked to? A run whose generator was the bottleneck says nothing "
        "about the cloud."
        if generator.watched
        else "The generator's health was not recorded."
    )
    body = join(element("p", words, class_="lead"), element("dl", *tiles, class_="tiles"), placed(figures))
    return section("generator", "Generator", body), charts


def stages_section(results: Results) -> Markup | None:
    """Setup and cleanup; None when there was neither."""
    if not results.stages:
        return None
    return section("stages", "Setup and cleanup", stages_table(results.stages))


def disruptions_section(results: Results) -> Markup | None:
    """Faults and upgrades; None when there were none."""
    if not results.disruptions:
        return None
    return section("disruptions", "Disruptions", disruptions_table(results.disruptions))


def deaths_section(results: Results) -> Markup | None:
    """Processes of the cloud that ended though nothing was meant to end them; None when there were none."""
    if not results.deaths:
        return None
    words = (
        "Nothing in this run was meant to end these. What was disturbed meanwhile stands beside them; it need not be "
        "the reason."
    )
    return section("deaths", "Processes that died", element("p", words, class_="lead"), deaths_table(results.deaths))


def environment_section(metadata: RunMetadata) -> Markup:
    """What ran on what, as far as it is known."""
    run: dict[str, Any] = {
        "run id": metadata.run_id,
        "seed": metadata.seed,
        "state": metadata.state,
        "created": _instant(metadata.created_utc),
        "load began": _instant(metadata.zero_utc),
        "finished": _instant(metadata.finished_utc),
        "time": "simulated" if metadata.simulated else "real",
        "cloud": metadata.cloud + (" (emulated)" if metadata.emulated else ""),
        "campaign": metadata.campaign,
        "kilonode": metadata.kilonode_version,
    }
    groups: dict[str, dict[str, Any]] = {"run": run}
    if metadata.point:
        groups["point of the matrix"] = dict(metadata.point)
    loose: dict[str, Any] = {}
    for key, value in metadata.environment.items():
        if isinstance(value, Mapping):
            groups[_label(key)] = dict(value)
        else:
            loose[key] = value
    if loose:
        groups["environment"] = loose
    return section(
        "environment", "Environment", element("div", [_facts(*group) for group in groups.items()], class_="facts")
    )


def experiment_section(metadata: RunMetadata) -> Markup | None:
    """The experiment file; None when it is not known."""
    if not metadata.experiment:
        return None
    lines = [element("span", _yaml_line(line), "\n", class_="line") for line in metadata.experiment.splitlines()]
    return section("experiment", "Experiment", element("pre", element("code", *lines), class_="yaml", tabindex="0"))


def _generator_words(generator: GeneratorResults) -> str:
    if generator.cpu_fraction_max_sustained is None:
        return ""
    return f"at most {share_words(generator.cpu_fraction_max_sustained)} of a core"


def _those_with(sources: tuple[SourceState, ...], metric: str) -> list[SourceState]:
    return [source for source in sources if any(line.metric == metric for line in source.lines)]


def _facts(title: str, values: Mapping[str, Any]) -> Markup:
    rows = [
        element("tr", element("th", label, scope="row"), element("td", words))
        for label, words in _flat(values, "")
        if words
    ]
    return element("table", element("caption", title), element("tbody", *rows))


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        label = f"{prefix}{_label(key)}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{label}: ")
        elif key.endswith("_bytes") and isinstance(value, int | float):
            yield label.removesuffix(" bytes"), bytes_words(value)
        elif isinstance(value, bool):
            yield label, "yes" if value else "no"
        elif isinstance(value, list | tuple):
            yield label, ", ".join(str(item) for item in value)
        else:
            yield label, "" if value is None else str(value)


def _label(key: str) -> str:
    return key.replace("_", " ")


def _instant(value: Any) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def _yaml_line(line: str) -> Markup:
    comment = ""
    found = _YAML_COMMENT.search(line)
    if found is not None and line[: found.start()].count('"') % 2 == 0:
        line, comment = line[: found.start(2)], found[2]
    key = _YAML_LINE.match(line)
    head = join(key[1], element("b", key[2]), key[3], key[4]) if key else join(line)
    return join(head, element("i", comment) if comment else None)
