import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from kilonode.base.errors import InputError
from kilonode.check.scaling import evaluate_campaign
from kilonode.check.sweep import SweepPoint
from kilonode.report.campaign import write_campaign_report
from kilonode.report.campaign_page import campaign_html
from kilonode.report.campaign_terminal import print_campaign
from kilonode.report.campaign_words import at_words, figure_words, measured_words, number_words
from tests.report.campaigns import SERVICES, campaign, metadata
from tests.report.runs import HOSTILE


def data_of(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, object] = json.loads(found[1])
    return data


def terminal(text_of: object = None, **more: object) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=80, highlight=False, markup=False, emoji=False)
    print_campaign(console, campaign(**more), metadata())  # type: ignore[arg-type]
    return stream.getvalue()


def test_every_chart_has_its_place_and_its_data() -> None:
    page = campaign_html(campaign(), metadata())
    charts = data_of(page)["charts"]
    assert isinstance(charts, list)
    places = re.findall(r'<div class="chart" id="([^"]+)"', page)
    assert [chart["id"] for chart in charts] == places
    assert len(set(places)) == len(places)
    assert {chart["kind"] for chart in charts} == {"sweep"}
    over_nodes = next(chart for chart in charts if chart["id"] == "v0-f0")
    assert [one["label"] for one in over_nodes["series"]] == ["at_once 1", "at_once 10", "at_once 50"]
    assert over_nodes["series"][0]["x"] == [1, 10, 100, 1000]
    assert over_nodes["x_log"]
    cpu = next(chart for chart in charts if "cpu_s_per_iteration" in chart["id"])
    assert {one["label"] for one in cpu["series"]} == set(SERVICES)


def test_points_without_data_are_gaps_in_the_charts_and_dashes_in_the_table() -> None:
    page = campaign_html(campaign(undone=(7,)), metadata())
    charts = data_of(page)["charts"]
    assert isinstance(charts, list)
    rates = next(chart for chart in charts if chart["id"] == "v0-f0")
    assert rates["series"][1]["x"] == [1, 10, 100, 1000]
    assert rates["series"][1]["values"][3] is None
    assert "not done: cut short" in page
    assert "20 of 21 points are done" in page


def test_verdicts_lead_to_the_runs_own_reports_by_relative_paths() -> None:
    links = re.findall(r'href="([^"#]+)"', campaign_html(campaign(undone=(7,)), metadata()))
    assert set(links) == {f"2030-{number}/report.html" for number in range(21) if number != 7}


def test_a_campaign_that_has_just_begun_says_so() -> None:
    page = campaign_html(evaluate_campaign([SweepPoint(number=0, facts={"n": 1})]), metadata())
    assert "No point is done yet." in page
    assert "What hurts first" not in page


def test_the_page_is_one_file_and_hostile_words_stay_words() -> None:
    page = campaign_html(campaign(name=f"boots{HOSTILE}"), metadata(name=HOSTILE, folder=HOSTILE))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)


def test_what_moves_together_is_said() -> None:
    note = "nodes and computes changed together here: their effects cannot be told apart."
    assert note in campaign_html(campaign(), metadata())
    assert note in " ".join(terminal().split())


def test_the_terminal_shows_every_point_and_what_hurts_first_and_never_cuts_a_number() -> None:
    text = terminal()
    assert text.count("✓ valid") == 20
    assert text.count("✗ invalid") == 1
    assert "…" not in text
    assert "\x1b" not in text
    assert "what hurts first over nodes, computes 1" in text
    assert re.search(r"▲ boots\.boot p50\s+\d", text)


def test_the_report_is_written_into_the_campaigns_folder(tmp_path: Path) -> None:
    path = write_campaign_report(tmp_path, campaign(), metadata())
    assert path == tmp_path / "report.html"
    assert path.stat().st_size < 1_000_000
    with pytest.raises(InputError, match="cannot write the report"):
        write_campaign_report(tmp_path / "gone", campaign(), metadata())


@pytest.mark.parametrize(
    ("figure", "value", "name", "words"),
    [
        ("boots.boot latency_s_p95", 0.25, "boots.boot p95", "250 ms"),
        ("boots throughput_per_s", -0.5, "boots throughput", "−0.50/s"),
        ("boots error_rate", 0.125, "boots error rate", "12.5 %"),
        ("service.nova-api cpu_s_per_iteration", 0.031, "nova-api CPU per iteration", "31.0 ms"),
        ("service.nova-api memory_bytes_max", 3 * 2**20, "nova-api memory, largest", "3.00 MiB"),
        ("service.mariadb queries_per_iteration", 12.0, "mariadb queries per iteration", "12"),
        ("boots.boot latency_s_p99", None, "boots.boot p99", "–"),
    ],
)
def test_figures_have_names_and_values_for_people(figure: str, value: float | None, name: str, words: str) -> None:
    assert figure_words(figure) == name
    assert measured_words(figure, value) == words


def test_numbers_and_places_for_people() -> None:
    assert [number_words(one) for one in (0.01234, 4.0, 21.456, 532.4, 12345.6)] == [
        "0.0123", "4", "21.5", "532", "12,300",
    ]  # fmt: skip
    assert [at_words(1000, ""), at_words(2.5, "/s"), at_words(30, "s"), at_words(2**30, "B")] == [
        "1,000", "2.5/s", "30.0 s", "1.00 GiB",
    ]  # fmt: skip
