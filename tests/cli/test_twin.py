"""The whole loop of a twin, on virtual time: a hidden profile, a fit, the same experiment again, a comparison."""

from pathlib import Path

import pytest

from kilonode.check.compare import compare
from kilonode.check.results import Verdict
from kilonode.check.step_meanings import OPERATIONS, WAITS, operation_of, wait_of
from kilonode.cli.calibrating import calibrate_run
from kilonode.cli.comparing import read_run
from kilonode.cloud.openstack.application import SERVICES
from kilonode.cloud.profiles import load_profile
from kilonode.report.calibration_text import calibration_yaml
from kilonode.scenarios.registry import all_scenarios
from tests.simulated.runs import do_run

HIDDEN = """
extends: instant
delays:
  schedule: {distribution: log-normal, p50: 300ms, p95: 900ms, max: 20s}
  plug: {distribution: uniform, min: 5ms, max: 30ms}
  attach: {distribution: fixed, value: 20ms}
  spawn:
    distribution: mixture
    parts: [{share: 0.7, p50: 800ms, p95: 1100ms, max: 20s}, {share: 0.3, p50: 4s, p95: 5s, max: 30s}]
  delete: {distribution: log-normal, min: 500ms, p50: 900ms, p95: 1800ms, max: 30s}
couplings:
  schedule: {stage: spawn, correlation: 0.5}
failures:
  spawn: {odds: 0.02, message: "Build of instance aborted: no space."}
services:
  compute.create_server: {before: {distribution: log-normal, p50: 180ms, p95: 420ms, max: 5s}}
  compute.delete_server: {before: {distribution: log-normal, p50: 60ms, p95: 110ms, max: 5s}}
  compute.show_server: {before: {distribution: log-normal, p50: 33ms, p95: 60ms, max: 1s}}
  compute.list_servers: {before: {distribution: log-normal, p50: 160ms, p95: 300ms, max: 3s}}
  identity.issue_token: {before: {distribution: triangular, min: 240ms, mode: 260ms, max: 400ms}}
"""
EXPERIMENT = """
name: twin
cloud: {emulated: {nodes: 20, stages: ./hidden.yaml}}
workloads:
  boots:
    scenario: compute.boot_and_delete
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-vus, vus: 10, duration: 240s}
  lists:
    scenario: compute.list_servers
    load: {model: constant-vus, vus: 1, duration: 120s}
  tokens:
    scenario: identity.issue_token
    load: {model: constant-arrival-rate, rate: 2/s, duration: 120s}
"""


def test_a_twin_of_an_odd_cloud_is_within_15_percent_of_it_in_every_step(tmp_path: Path) -> None:
    (tmp_path / "hidden.yaml").write_text(HIDDEN)
    real = do_run(EXPERIMENT, tmp_path / "runs", file=tmp_path / "experiment.yaml", seed=3)
    calibration, source = calibrate_run(real.folder, "500us")
    profile = tmp_path / "twin.yaml"
    profile.write_text(calibration_yaml(calibration, source))
    load_profile(str(profile))
    twin = do_run(
        EXPERIMENT,
        tmp_path / "runs",
        file=tmp_path / "experiment.yaml",
        sets=("cloud.emulated.stages=./twin.yaml",),
        seed=4,
    )
    comparison = compare([read_run(real.folder), read_run(twin.folder)], 0.15)
    assert comparison.verdict is Verdict.VALID, comparison.reasons
    judged = {step.step for workload in comparison.workloads for step in workload.steps if step.judged}
    assert {"boot", "boot.accepted", "boot.active", "boot.active.scheduling", "boot.active.spawning"} <= judged
    assert {"delete", "delete.accepted", "delete.gone", "list_servers", "issue_token"} <= judged
    # What the fit says of the hidden profile.
    stages = {stage.stage: stage for stage in calibration.stages}
    spawn = stages["spawn"]
    assert spawn.fitted is not None
    assert spawn.fitted.family == "mixture"
    assert spawn.failing is not None
    assert spawn.failing.message == "Build of instance aborted: no space."
    assert spawn.failing.interval.low is not None
    assert spawn.failing.interval.high is not None
    assert spawn.failing.interval.low < 0.02 < spawn.failing.interval.high
    coupled = stages["schedule"].coupled
    assert coupled is not None
    assert coupled.correlation == pytest.approx(0.5, abs=0.15)


def test_steps_are_known_by_names_of_operations_and_stages_that_there_are() -> None:
    known = {name for service in SERVICES for name in service.operations()}
    assert set(OPERATIONS.values()) <= known
    assert {wait.polled for wait in WAITS.values()} <= known
    stages = {stage.name for stage in load_profile("instant").stages}
    assert {stage for wait in WAITS.values() for stage in wait.stages} <= stages


WITHOUT_MEANING = {"get", "answer", "create_image.active"}
"""Any web page; whatever a probe asks; and an image, which has no stage: it is there when its data is."""


def test_every_step_of_the_library_is_fitted_or_a_whole_of_steps_that_are() -> None:
    left = set()
    # Other tests register scenarios of their own.
    library = [one for one in all_scenarios() if one.function.__module__.startswith("kilonode.")]
    for scenario in library:
        for step in scenario.steps:
            whole = any(other.startswith(f"{step}.") for other in scenario.steps)
            if operation_of(step) is None and wait_of(step) is None and not whole:
                left.add(step)
    assert left == WITHOUT_MEANING
