from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kilonode.base.outcomes import Outcome
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.check.evaluation import evaluate
from kilonode.check.results import Verdict
from kilonode.cli.campaigning import campaign_document, campaign_results, figures_of, report_campaign
from kilonode.history.records import Sample
from kilonode.report.documents import write_report
from kilonode.run.campaign import Campaign, PointResult, find_campaign, open_campaign, run_campaign
from kilonode.run.printing import print_plain
from kilonode.run.reading import Point, read_text
from tests.check.histories import closed_workload, history, ns, op, run
from tests.report.runs import metadata, results

THEN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
BASE: dict[str, Any] = {
    "name": "Swept",
    "cloud": {"emulated": {"nodes": 1}},
    "workloads": {"idle": {"scenario": "noop", "load": {"model": "constant-vus", "vus": 1, "duration": "1s"}}},
    "matrix": {"cloud.emulated": [{"nodes": 1}, {"nodes": 2}, {"nodes": 3}, {"nodes": 4, "roles": "together"}]},
}


def cut_campaign(runs: Path) -> Campaign:
    """A campaign whose fourth point was cut short."""

    async def run_point(point: Point, campaign: Campaign) -> PointResult | None:
        campaign.started(point, f"run-{point.number}")
        (campaign.path / f"run-{point.number}").mkdir()
        if point.number == 3:
            return None
        return PointResult("valid", 0, {"idle throughput_per_s": 10.0 - point.number})

    campaign = open_campaign(runs, read_text(print_plain(BASE), runs / "experiment.yaml"), THEN)
    run_coroutine_simulated(run_campaign(campaign, run_point))
    return campaign


def test_a_campaign_that_was_cut_reports_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = cut_campaign(tmp_path)
    found = report_campaign(campaign)
    assert [point.verdict for point in found.points] == [Verdict.VALID] * 3 + [None]
    assert found.fits[0].points == 3
    assert found.fits[0].slope == pytest.approx(-1.0)
    said = capsys.readouterr().err
    assert "not done" in said
    assert "3 of 4 points are done" in (campaign.path / "report.html").read_text()


def test_a_campaign_is_found_by_its_path_and_its_name_and_a_run_is_none(tmp_path: Path) -> None:
    campaign = cut_campaign(tmp_path)
    for runs, which in ((tmp_path, campaign.name), (Path("elsewhere"), str(campaign.path))):
        found = find_campaign(runs, which)
        assert found is not None
        assert found.index == campaign.index
    assert find_campaign(tmp_path, "latest") is None


def test_figures_come_from_the_runs_own_verdicts_where_those_are(tmp_path: Path) -> None:
    campaign = cut_campaign(tmp_path)
    measured = results()
    write_report(campaign.path / "run-1", measured, metadata())
    points = campaign_results(campaign).points
    assert points[0].figures == {"idle throughput_per_s": 10.0}
    assert points[1].figures == figures_of(measured)
    assert points[1].figures["boots.boot latency_s_p50"] == pytest.approx(1.5)


def test_the_document_is_the_index_with_the_numbers(tmp_path: Path) -> None:
    campaign = cut_campaign(tmp_path)
    document = campaign_document(campaign, campaign_results(campaign))
    assert document["points"][0]["facts"] == {"cloud.emulated": {"nodes": 1}}
    assert document["results"]["axes"][0]["path"] == "cloud.emulated.nodes"


def test_what_services_cost_is_a_figure_of_a_run() -> None:
    ops = [op("boots", number=number, due=float(number), took=1.0) for number in range(5)]
    samples = [Sample("api", "cpu_s_total", ns(at_s), 0.2 * at_s) for at_s in range(11)]
    samples += [Sample("api", "memory_bytes", ns(at_s), 2.0**20 * at_s) for at_s in range(11)]
    samples += [Sample("rabbitmq", "queues", ns(at_s), 3.0) for at_s in range(11)]
    figures = figures_of(evaluate(history(ops, samples), run(closed_workload())))
    assert figures["service.api cpu_s_per_iteration"] == pytest.approx(2.0 / 5)
    assert figures["service.api memory_bytes_max"] == 10 * 2**20
    assert figures["service.rabbitmq cpu_s_per_iteration"] is None


def test_a_percentile_of_which_only_a_lower_limit_is_known_is_no_figure() -> None:
    ops = [op("boots", number=number, due=float(number), took=1.0) for number in range(3)]
    ops += [op("boots", number=3 + n, due=3.0 + n, took=5.0, outcome=Outcome.TIMEOUT, error="slow") for n in range(5)]
    figures = figures_of(evaluate(history(ops, []), run(closed_workload())))
    assert figures["boots latency_s_p50"] is None
    assert figures["boots latency_s_mean"] is None
    assert figures["boots error_rate"] == pytest.approx(5 / 8)
