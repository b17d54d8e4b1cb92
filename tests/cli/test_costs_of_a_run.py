"""A run on an emulated cloud of real processes: what its roles cost is in the history, the verdict and the report."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.processes

TEXT = """
name: Costs
cloud: {emulated: {nodes: 3, stages: instant}}
seed: 5
drain: 5s
workers: 1
costs: {every: 500ms, idle: 1s}
workloads:
  boots:
    scenario: compute.boot_and_delete
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-vus, vus: 2, duration: 3s}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run that has ended."""
    place = tmp_path_factory.mktemp("costs")
    (place / "experiment.yaml").write_text(TEXT)
    done = subprocess.run(
        [sys.executable, "-m", "kilonode.cli.main", "run", "experiment.yaml"],
        cwd=place,
        env={**os.environ, "KILONODE_STATE": str(place / "state"), "TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "services" in done.stderr, done.stderr
    return next((place / "runs").iterdir())


def test_every_role_was_sampled_in_every_phase(folder: Path) -> None:
    services = json.loads((folder / "verdict.json").read_text())["results"]["services"]
    sampled = {one["service"] for one in services["services"]}
    assert sampled == {"supervisor", "api", "scheduler", "controllers", "fleet"}
    assert [one["phase"] for one in services["stretches"]] == ["idle", "setup", "load", "drain", "cleanup"]
    assert services["idle_s"] == pytest.approx(1.0, abs=0.5)
    assert services["problems"] == []
    api = next(one for one in services["services"] if one["service"] == "api")
    assert api["cpu_s"] > 0
    assert api["cpu_s_per_operation"] == pytest.approx(
        (api["cpu_s"] - api["idle_cores"] * load_and_drain_s(services)) / services["operations"]
    )
    assert api["memory_bytes_max"] > 2**24
    assert api["connections_max"] >= 1
    assert services["sampler"]["cpu_s"] > 0
    assert json.loads((folder / "run.json").read_text())["unmeasured"] == []


def load_and_drain_s(services: dict[str, Any]) -> float:
    chosen = [one for one in services["stretches"] if one["phase"] in ("load", "drain")]
    return sum(float(one["finish_s"]) - float(one["start_s"]) for one in chosen)


def test_the_report_has_a_section_on_services(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert 'id="services"' in page
    assert '"id":"services-cpu_cores"' in page
