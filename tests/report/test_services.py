"""What services cost, on the page and in the terminal."""

import io
import json
import re

import msgspec
import pytest

from kilonode.check.cost_results import ServicesResults
from kilonode.check.results import Results
from kilonode.report.html import report_html
from kilonode.report.services_section import explain, sampler_words, services_section
from kilonode.report.terminal import open_console, print_summary
from tests.report.runs import HOSTILE, metadata, results


@pytest.fixture(scope="module")
def found() -> Results:
    return results()


def costs(found: Results, **changes: object) -> ServicesResults:
    assert found.services is not None
    return msgspec.structs.replace(found.services, **changes)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_section_says_what_each_service_cost_and_what_servers_counted(found: Results) -> None:
    body, charts = services_section(found)
    text = text_of(str(body))
    for wanted in (
        "read about every 1.00 s", "less what each service uses when idle (4.00 s before setup)",
        "of 2 workloads at once: it is that of their mix, and of none of them alone",
        "service-0", "2.24 ms", "2.47 ms with idle", "all services, less idle", "Every phase",
        "queries per operation", "reads among statements", "75.0 %", "25.0 % writes",
        "most messages waiting or not acknowledged 33", "published per operation",
        "The sampling itself took", "of a processor, for 23 readings; the longest took 7.00 ms",
    ):  # fmt: skip
        assert wanted in text, wanted
    names = [chart.id for chart in charts]
    assert names == [
        "services-load", "services-cpu_cores", "services-memory_bytes", "services-connections",
        "services-queries_per_s", "services-messages_ready", "services-published_per_s",
    ]  # fmt: skip
    assert all(chart.marks == ((-9.0, "idle"), (-5.0, "setup"), (0.0, "load"), (10.0, "drain")) for chart in charts)


def test_the_busiest_services_are_drawn_in_one_colour_everywhere_and_the_others_together(found: Results) -> None:
    _, charts = services_section(found)
    cores = next(chart for chart in charts if chart.id == "services-cpu_cores")
    memory = next(chart for chart in charts if chart.id == "services-memory_bytes")
    assert [series.label for series in cores.series] == [*(f"service-{place}" for place in range(7)), "all others"]
    assert [(one.label, one.role) for one in cores.series] == [(one.label, one.role) for one in memory.series]
    assert cores.series[-1].role == "part-7"


def test_the_load_is_drawn_over_the_same_time_as_what_it_cost(found: Results) -> None:
    _, charts = services_section(found)
    load, cores = charts[0], charts[1]
    first, last = cores.start + cores.width / 2, cores.start + cores.width * (len(cores.series[0].values) - 0.5)
    assert {series.label for series in load.series} == {"mix", "boots"}
    assert all((series.x[0], series.x[-1]) == pytest.approx((first, last)) for series in load.series)


def test_one_workload_bears_its_cost_by_name(found: Results) -> None:
    assert explain(costs(found, workloads=("boots",), operations=30)).endswith(
        "by the 30 iterations that finished of boots."
    )
    assert "because there was no idle phase" in explain(costs(found, idle_s=None))


def test_what_could_not_be_measured_is_said(found: Results) -> None:
    problem = "cannot measure rabbitmq: connection refused"
    broken = msgspec.structs.replace(found, services=costs(found, problems=(problem,)))
    assert problem in report_html(broken, metadata())
    assert problem in summary(broken)
    nothing = costs(found, problems=(problem,), services=(), lines=(), rest=(), sampler=None, every_s=None)
    page = report_html(msgspec.structs.replace(found, services=nothing), metadata())
    assert problem in page
    assert "not known" in sampler_words(nothing)


def test_a_run_beside_which_nothing_was_sampled_has_no_section(found: Results) -> None:
    page = report_html(msgspec.structs.replace(found, services=None), metadata())
    assert 'href="#services"' not in page
    assert 'id="services"' not in page
    assert 'href="#services"' in report_html(found, metadata())


def test_names_of_services_are_only_ever_text(found: Results) -> None:
    services = costs(found).services
    hostile = tuple(msgspec.structs.replace(one, service=f"{HOSTILE}\x1b[2J") for one in services)
    lines = tuple(msgspec.structs.replace(one, service=f"{HOSTILE}\x1b[2J") for one in costs(found).lines)
    bad = msgspec.structs.replace(found, services=costs(found, services=hostile, lines=lines))
    page = report_html(bad, metadata())
    assert "<img" not in page
    assert "<script>alert" not in page
    assert "\x1b" not in summary(bad)


def summary(found: Results) -> str:
    stream = io.StringIO()
    print_summary(open_console(stream), found, metadata())
    return stream.getvalue()


def test_the_terminal_shows_the_busiest_services_in_80_columns(found: Results) -> None:
    text = summary(found)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert re.search(r"services  [\d.]+ ms of processor time per iteration, less idle, all workloads", text)
    assert re.search(r"service-0 +2\.24 ms +0\.01 +0\.11 +0\.11 +64\.0 MiB +12", text)
    assert "service-6" not in text
    assert "6 more in the report; sampling took 0.40 % of a processor" in text


def test_the_json_has_every_service_in_every_phase(found: Results) -> None:
    plain = json.loads(msgspec.json.encode(found.services))
    database = next(one for one in plain["services"] if one["service"] == "mariadb")
    assert database["cpu_s"] is None
    assert {phase["phase"] for phase in database["phases"]} == {"idle", "setup", "load", "drain"}
    assert database["counted"][0]["metric"] == "queries"
