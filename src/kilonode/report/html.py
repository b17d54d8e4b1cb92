"""`report.html`: the page of one run, section by section. `page` has the frame."""

from kilonode.check.results import Results
from kilonode.report.charts import Chart, page_data
from kilonode.report.consistency_section import consistency_section
from kilonode.report.markup import Child, Markup, element, join
from kilonode.report.metadata import RunMetadata
from kilonode.report.page import page, theme_button
from kilonode.report.reading import reading_section
from kilonode.report.recovery_section import recovery_section
from kilonode.report.sections import (
    deaths_section,
    disruptions_section,
    environment_section,
    experiment_section,
    generator_section,
    overview_section,
    stages_section,
    verdict_section,
)
from kilonode.report.services_section import services_section
from kilonode.report.upgrades_section import upgrades_section
from kilonode.report.words import SYMBOLS
from kilonode.report.workload_section import workload_section


def report_html(results: Results, metadata: RunMetadata) -> str:
    """The page."""
    sections: list[Markup | None] = [verdict_section(results, metadata), overview_section(results)]
    sections.append(deaths_section(results))
    sections.extend([disruptions_section(results), upgrades_section(results), recovery_section(results)])
    charts: list[Chart] = []
    for place, workload in enumerate(results.workloads):
        body, drawn = workload_section(workload, place)
        sections.append(body)
        charts.extend(drawn)
    sections.append(consistency_section(results))
    services, drawn = services_section(results)
    charts.extend(drawn)
    sections.append(services)
    generator, drawn = generator_section(results)
    charts.extend(drawn)
    sections.extend([generator, stages_section(results), environment_section(metadata)])
    sections.extend([experiment_section(metadata), reading_section()])
    return page(
        f"{SYMBOLS[results.verdict]} {results.verdict} · {metadata.name} · Kilonode",
        [element("a", "Skip to the verdict", href="#verdict", class_="skip"), _header(results, metadata)],
        [one for one in sections if one is not None],
        _footer(metadata),
        page_data(charts, results.disruptions, results.load_end_s),
    )


def _header(results: Results, metadata: RunMetadata) -> Markup:
    links: list[tuple[str, str]] = [("overview", "Overview")]
    if results.deaths:
        links.append(("deaths", "Deaths"))
    if results.disruptions:
        links.append(("disruptions", "Disruptions"))
    if results.upgrades:
        links.append(("upgrades", "Upgrades"))
    if results.recovery is not None and results.recovery.groups:
        links.append(("recovery", "Recovery"))
    links.extend((f"w{place}", workload.facts.name) for place, workload in enumerate(results.workloads))
    if results.consistency is not None:
        links.append(("consistency", "Consistency"))
    if results.services is not None:
        links.append(("services", "Services"))
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
            theme_button(),
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
