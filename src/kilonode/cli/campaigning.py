"""A campaign's results side by side: which figures each run contributes; their judgement and report."""

import sys
from importlib.metadata import version
from typing import Any, Final

import msgspec

from kilonode.base.encoding import to_plain
from kilonode.base.errors import InputError
from kilonode.check.results import Results, Verdict
from kilonode.check.scaling import CampaignResults, evaluate_campaign
from kilonode.check.sweep import SweepPoint
from kilonode.cli.output import say
from kilonode.report.campaign import write_campaign_report
from kilonode.report.campaign_terminal import print_campaign
from kilonode.report.campaign_words import CampaignMetadata
from kilonode.report.documents import read_verdict
from kilonode.report.terminal import open_console
from kilonode.run.campaign import Campaign, PointRecord

SHOWN_RECOVERY: Final = ("unavailable", "recovery_time")
SHOWN_PERCENTILES: Final = (50.0, 95.0, 99.0)


def _figures_of_recovery(results: Results | None) -> dict[str, float | None]:
    """How long each disruption made each workload unavailable, and until it had recovered."""
    figures: dict[str, float | None] = {}
    for group in results.recovery.groups if results is not None and results.recovery is not None else ():
        for one in group.repeated:
            if one.figure in SHOWN_RECOVERY:
                name = f"{group.workload} after {group.disruption} {one.figure}_s_mean"
                figures[name] = None if one.measure.at_least else one.measure.value
    return figures


def figures_of(results: Results | None) -> dict[str, float | None]:
    """The numbers of one run that are worth putting beside those of its neighbours; None: not known.

    A percentile of which only a lower limit is known is not known: a line through it would be made up.
    """
    figures: dict[str, float | None] = {}
    figures |= _figures_of_recovery(results)
    for workload in results.workloads if results is not None else ():
        for step in workload.steps:
            if "." in step.step:
                continue
            name = f"{workload.facts.name}.{step.step}" if step.step else workload.facts.name
            latency = step.latency
            figures[f"{name} throughput_per_s"] = step.throughput_per_s
            figures[f"{name} latency_s_mean"] = None if latency.open_ended else latency.mean_s
            for percentile in latency.percentiles:
                if percentile.percent in SHOWN_PERCENTILES:
                    value_s = None if percentile.at_least else percentile.value_s
                    figures[f"{name} latency_s_p{percentile.percent:g}"] = value_s
            figures[f"{name} error_rate"] = step.error_rate
    for service in results.services.services if results is not None and results.services is not None else ():
        figures[f"service.{service.service} cpu_s_per_iteration"] = service.cpu_s_per_operation
        figures[f"service.{service.service} memory_bytes_max"] = service.memory_bytes_max
    return figures


def report_campaign(campaign: Campaign) -> CampaignResults:
    """Write report.html into the campaign's folder and print the summary for people; the numbers."""
    results = campaign_results(campaign)
    index = campaign.index
    metadata = CampaignMetadata(
        name=index.name,
        folder=campaign.name,
        created_utc=index.created_utc,
        kilonode_version=version("kilonode"),
    )
    path = write_campaign_report(campaign.path, results, metadata)
    say("")
    print_campaign(open_console(sys.stderr), results, metadata)
    say(f"report: {path}")
    return results


def campaign_results(campaign: Campaign) -> CampaignResults:
    """What the points that are done say together, each with every figure that this Kilonode takes from a run."""
    return evaluate_campaign(_sweep_point(campaign, record) for record in campaign.index.points)


def campaign_document(campaign: Campaign, results: CampaignResults) -> dict[str, Any]:
    """A campaign as data: what campaign.json says, and the numbers under `results`."""
    plain: dict[str, Any] = to_plain(campaign.index)
    return plain | {"results": to_plain(results)}


def _sweep_point(campaign: Campaign, record: PointRecord) -> SweepPoint:
    point = SweepPoint(number=record.number, facts=record.facts, run=record.runs[-1] if record.runs else "")
    if record.result is None:
        return point
    figures = record.result.figures
    try:
        figures = figures_of(read_verdict(campaign.path / point.run).results)
    except InputError:
        pass  # the run's folder was thrown away, or is of an older format: what the campaign remembers is left
    return msgspec.structs.replace(point, verdict=Verdict(record.result.verdict), figures=figures)
