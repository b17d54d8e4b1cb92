"""`report.html`: one self-contained file that opens offline, in light and dark, on screen and on paper.

Style, scripts and data are inside; a content security policy forbids every request, and every script but ours (by its
hash), so that a message from outside that slipped through the escaping still could not run.
"""

import base64
import hashlib
from importlib.resources import files
from typing import Final

from kilonode.check.results import Results
from kilonode.report.charts import Chart, page_data
from kilonode.report.markup import Child, Markup, element, join, trusted
from kilonode.report.metadata import RunMetadata
from kilonode.report.reading import reading_section
from kilonode.report.sections import (
    disruptions_section,
    environment_section,
    experiment_section,
    generator_section,
    overview_section,
    stages_section,
    verdict_section,
)
from kilonode.report.words import SYMBOLS
from kilonode.report.workload_section import workload_section

_STYLES: Final = ("uplot.min.css", "report.css", "tables.css")
_SCRIPTS: Final = ("uplot.min.js", "charts.js", "report.js")
_LICENCE: Final = "uplot.LICENSE"


def report_html(results: Results, metadata: RunMetadata) -> str:
    """The page."""
    sections: list[Markup | None] = [verdict_section(results, metadata), overview_section(results)]
    charts: list[Chart] = []
    for place, workload in enumerate(results.workloads):
        body, drawn = workload_section(workload, place)
        sections.append(body)
        charts.extend(drawn)
    sections.append(disruptions_section(results))
    generator, drawn = generator_section(results)
    charts.extend(drawn)
    sections.extend([generator, stages_section(results), environment_section(metadata)])
    sections.extend([experiment_section(metadata), reading_section()])
    scripts = [_asset(name) for name in _SCRIPTS]
    body = element(
        "body",
        element("a", "Skip to the verdict", href="#verdict", class_="skip"),
        _header(results, metadata),
        element(
            "noscript",
            element("p", "The pictures need JavaScript. Every number stands in the tables.", class_="reason note"),
        ),
        element("main", *[one for one in sections if one is not None]),
        _footer(metadata),
        element(
            "script", page_data(charts, results.disruptions, results.load_end_s), type="application/json", id="data"
        ),
        [element("script", script) for script in scripts],
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(scripts)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{SYMBOLS[results.verdict]} {results.verdict} · {metadata.name} · Kilonode"),
        trusted(f"<!-- Charts are drawn with uPlot.\n{_asset(_LICENCE)}-->"),
        [element("style", _asset(name)) for name in _STYLES],
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _header(results: Results, metadata: RunMetadata) -> Markup:
    links: list[tuple[str, str]] = [("overview", "Overview")]
    links.extend((f"w{place}", workload.facts.name) for place, workload in enumerate(results.workloads))
    links.append(("generator", "Generator"))
    if results.stages:
        links.append(("stages", "Setup"))
    links.append(("environment", "Environment"))
    if metadata.experiment:
        links.append(("experiment", "Experiment"))
    facts = [f"run {metadata.run_id}", f"seed {metadata.seed}", f"{metadata.created_utc:%Y-%m-%d %H:%M} UTC"]
    if metadata.cloud:
        facts.insert(0, f"{'emulated cloud' if metadata.emulated else 'cloud'} {metadata.cloud}")
    if metadata.simulated:
        facts.append("simulated time")
    facts.extend(f"{path} = {value}" for path, value in metadata.point.items())
    return join(
        element(
            "header",
            element("div", element("h1", metadata.name), _separated(facts), class_="title"),
            element("button", "Theme", type="button", id="theme", aria_label="Switch between light and dark"),
        ),
        element(
            "nav",
            element("a", f"{SYMBOLS[results.verdict]} {results.verdict}", href="#verdict", class_=f"{results.verdict}"),
            [element("a", words, href=f"#{place}") for place, words in links],
            aria_label="Sections",
        ),
    )


def _separated(facts: list[str]) -> Markup:
    parts: list[Child] = [element("span", fact) for fact in facts]
    return element("p", *parts, class_="facts-line")


def _footer(metadata: RunMetadata) -> Markup:
    version = f" {metadata.kilonode_version}" if metadata.kilonode_version else ""
    return element(
        "footer",
        element("p", f"Kilonode{version}. The raw history lies beside this file; kilonode report makes it anew."),
    )


def _policy(scripts: list[Markup]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; form-action 'none'"


def _asset(name: str) -> Markup:
    return trusted(files("kilonode.report").joinpath("assets", name).read_text(encoding="utf-8"))
