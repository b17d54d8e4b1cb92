"""Campaigns of a control plane that gets slower with its nodes, for tests of what is written about them."""

import random
from datetime import UTC, datetime
from typing import Any

from kilonode.check.results import Verdict
from kilonode.check.scaling import CampaignResults, evaluate_campaign
from kilonode.check.sweep import SweepPoint
from kilonode.report.campaign_words import CampaignMetadata

PAIRS = ((10, 1), (100, 1), (1000, 1), (1, 1), (10, 10), (20, 20), (40, 40))
AT_ONCE = (1, 10, 50)
SERVICES = {"nova-api": 0.2, "nova-scheduler": 0.05, "nova-conductor": 0.1, "mariadb": 0.12, "rabbitmq": 0.06}


def campaign(undone: tuple[int, ...] = (), name: str = "boots") -> CampaignResults:
    """Seven clouds by three loads, as an experiment file sweeps over them; points in `undone` have no result."""
    scatter = random.Random(5)
    points = []
    for number, ((nodes, computes), at_once) in enumerate((pair, load) for pair in PAIRS for load in AT_ONCE):
        facts = {"cloud.stack": {"nodes": nodes, "computes": computes}, "parameters.at_once": at_once}
        point = SweepPoint(number=number, facts=facts, run=f"2030-{number}")
        if number not in undone:
            verdict = Verdict.INVALID if nodes == 1000 and at_once == 50 else Verdict.VALID
            point = SweepPoint(
                number=number,
                facts=facts,
                run=f"2030-{number}",
                verdict=verdict,
                figures=_figures(scatter, name, nodes, computes, at_once),
            )
        points.append(point)
    return evaluate_campaign(points)


def _figures(scatter: random.Random, name: str, nodes: int, computes: int, at_once: int) -> dict[str, float | None]:
    def about(value: float) -> float:
        return value * scatter.uniform(0.96, 1.04)

    boot_s = (1.4 + nodes / 600 + computes / 30) * (1 + at_once / 25)
    figures: dict[str, float | None] = {
        f"{name} throughput_per_s": about(at_once / (boot_s * 1.3)),
        f"{name} error_rate": 0.02 if nodes == 1000 and at_once == 50 else 0.0,
        f"{name}.boot latency_s_p50": about(boot_s),
        f"{name}.boot latency_s_p95": None if at_once == 1 else about(boot_s * 1.7),
        f"{name}.delete latency_s_p50": about(0.4),
        f"{name}.delete latency_s_p95": None if at_once == 1 else about(0.9),
    }
    for place, (service, cpu_s) in enumerate(SERVICES.items()):
        figures[f"service.{service} cpu_s_per_iteration"] = about(cpu_s * (1 + place * nodes / 1500))
        figures[f"service.{service} memory_bytes_max"] = about(2e8 * (1 + computes / 20))
    return figures


def metadata(**more: Any) -> CampaignMetadata:
    facts = {"name": "A sweep", "folder": "20300101-000000-a-sweep", "created_utc": datetime(2030, 1, 1, tzinfo=UTC)}
    return CampaignMetadata(**{**facts, "kilonode_version": "0.1.0", **more})
