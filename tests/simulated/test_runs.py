from pathlib import Path

import pytest

from kilonode.check.results import Verdict
from kilonode.history.archive import query
from kilonode.run.folder import RunState
from tests.simulated.runs import RUN_ID, Run, do_run

NOOP = """
name: noop
workloads:
  open: {scenario: noop, load: {model: constant-arrival-rate, rate: 100/s, duration: 20s}}
  random: {scenario: noop, load: {model: poisson-arrival-rate, rate: 30/s, duration: 20s}, start: 2s}
criteria: [open throughput >= 100/s, open error_rate == 0%]
"""
CLOUD = """
name: a small cloud
cloud: {emulated: {nodes: 20}}
setup: {projects: 2, users_per_project: 2, networks_per_project: 1}
workloads:
  boots:
    scenario: compute.boot_and_delete
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-vus, vus: 5, duration: 60s}
  lists:
    scenario: compute.list_servers
    load: {model: constant-arrival-rate, rate: 10/s, duration: 60s}
criteria: [boots.boot p(90) < 5s, lists error_rate == 0%]
"""
EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def test_a_run_applies_the_asked_load_and_judges_it(tmp_path: Path) -> None:
    run = do_run(NOOP, tmp_path)
    assert run.record.state is RunState.DONE
    assert run.results.verdict is Verdict.VALID
    assert run.step("open").outcomes == {"ok": 2000}
    assert run.step("random").outcomes["ok"] == pytest.approx(600, abs=75)
    assert run.watcher.stages == ["workers", "load"]


def test_the_schedule_is_the_same_whatever_the_number_of_workers(tmp_path: Path) -> None:
    schedules = []
    for workers in (1, 2, 3):
        run = do_run(NOOP, tmp_path / str(workers), workers=workers)
        rows = _rows(run.folder.path, "select workload, iteration, due_ns from ops where kind = 'iteration'")
        schedules.append(sorted(rows))
    assert schedules[0] == schedules[1] == schedules[2]


def test_the_same_seed_gives_the_same_history_to_the_byte(tmp_path: Path) -> None:
    one, same, other = (
        _journals(do_run(CLOUD, tmp_path / str(place), seed=seed)) for place, seed in enumerate((7, 7, 8))
    )
    assert one == same
    assert one["worker-0.journal"] != other["worker-0.journal"]


def test_a_run_on_the_emulated_cloud_boots_for_real_and_leaves_nothing(tmp_path: Path) -> None:
    run = do_run(CLOUD, tmp_path)
    results = run.results
    assert results.verdict is Verdict.VALID, results.reasons
    boot = run.step("boots", "boot")
    assert boot.outcomes["ok"] > 60
    assert {"boot.accepted", "boot.active"} <= {step.step for step in run.workload("boots").steps}
    assert run.step("boots", "boot.active").resolution is not None
    assert run.watcher.stages == ["connect", "setup", "workers", "load", "cleanup"]
    assert {stage.part for stage in results.stages} == {"setup", "cleanup"}
    assert run.left == 0
    assert not run.record.left_behind


def test_one_interruption_drains_cleans_up_and_reports(tmp_path: Path) -> None:
    run = do_run(CLOUD, tmp_path, interrupt_at_s=20)
    assert run.record.state is RunState.ABORTED
    assert run.record.aborted_because == "the test"
    assert run.record.aborted_s == pytest.approx(20, abs=1)
    assert run.step("boots").outcomes["ok"] > 10
    assert run.left == 0
    ((last_due_ns,),) = _rows(run.folder.path, "select max(due_ns) from ops where kind = 'iteration'")
    assert isinstance(last_due_ns, int)
    assert last_due_ns < 22e9


def test_two_interruptions_stop_at_once_and_say_how_to_finish(tmp_path: Path) -> None:
    run = do_run(CLOUD, tmp_path, interrupt_at_s=20, times=2)
    assert run.record.state is RunState.ABORTED
    assert run.record.left_behind
    assert run.left > 0
    assert any(f"kilonode cleanup {RUN_ID}" in note for note in run.watcher.notes)


def test_an_interruption_during_setup_gives_up_and_cleans_up(tmp_path: Path) -> None:
    run = do_run(CLOUD, tmp_path, interrupt_at_stage="setup")
    assert run.record.state is RunState.ABORTED
    assert run.record.zero_utc is None
    assert run.left == 0


def test_an_abort_criterion_ends_the_load_early(tmp_path: Path) -> None:
    criterion = "{criterion: boots.boot p(50) < 1ms, abort: true, window: 10s}"
    run = do_run(CLOUD, tmp_path, sets=(f"criteria=[{criterion}]",))
    assert run.record.state is RunState.ABORTED
    assert "boots.boot p(50) < 1ms" in run.record.aborted_by
    assert run.record.aborted_s < 40
    assert run.results.verdict is Verdict.INVALID


def test_a_timeout_ends_the_load_early(tmp_path: Path) -> None:
    run = do_run(CLOUD, tmp_path, sets=("timeout=15s",))
    assert run.record.state is RunState.ABORTED
    assert "timeout" in run.record.aborted_because
    assert run.left == 0


def test_a_full_cloud_is_reported_in_its_own_words(tmp_path: Path) -> None:
    text = """
name: too small
cloud: {emulated: {nodes: 1}}
workloads:
  boots:
    scenario: compute.boot
    args: {flavor: m1.xlarge, image: cirros}
    load: {model: constant-vus, vus: 10, duration: 15s}
criteria: [boots error_rate < 1%]
"""
    run = do_run(text, tmp_path)
    assert run.results.verdict is Verdict.INVALID
    messages = " ".join(error.message for error in run.workload("boots").errors)
    assert "No valid host was found" in messages
    assert run.step("boots").outcomes["wrong_state"] > 0
    assert run.left == 0


SMALLER = {
    "api-mix": ("cloud.emulated.nodes=20", "parameters.duration=10s"),
    "blue-green": ("cloud.emulated.nodes=10",),
    "boot-matrix": (),
    "freeze-one-api": (),
    "host-loss": (),
    "kill-each-role": ("cloud.emulated.nodes=10",),
    "nodes-sweep": (
        "cloud={emulated: {nodes: 5}}",
        "matrix={}",
        "parameters.at_once=3",
        "workloads.boots.load.duration=15s",
    ),
    "own-scenario": (),
    # On virtual time there is nothing to cut: the fault itself is done for real in tests/faults and tests/cli.
    "partition-site": ("cloud.emulated.nodes=5", "disruptions=[]", "criteria=[there-new error_rate == 0%]"),
    "reliability-stack": (
        "cloud={emulated: {nodes: 10}}",
        "disruptions=[{name: kill-api, at: 40s, fault: kill api}, {name: restart-api, at: 85s, fault: restart api}]",
    ),
    "rolling-upgrade": ("cloud.emulated.nodes=10",),
    "rolling-upgrade-bad": ("cloud.emulated.nodes=10",),
    "thousand-nodes": (
        "cloud.emulated.nodes=50",
        "workloads.boot-storm.load={model: constant-vus, vus: 10, duration: 30s}",
        "workloads.api-mix.load.duration=5s",
        "workloads.tokens.load.stages=[{to: 50/s, over: 5s}]",
    ),
    "thousand-nodes-stack": (
        "cloud={emulated: {nodes: 50}}",
        "workloads.boot-storm.load.duration=20s",
        "workloads.api-mix.load.duration=20s",
        "workloads.tokens.load.stages=[{to: 3/s, over: 20s}]",
    ),
    "token-storm": ("parameters.steps=1", "workloads.validate.load.duration=10s"),
    "twin": ("cloud={emulated: {nodes: 10}}", "parameters.duration=20s"),
    # Of a stack there is nothing to simulate but what users do: its services are replaced for real in tests/stack.
    "upgrade-stack": (
        "cloud={emulated: {nodes: 10, roles: {api: 2}}}",
        "disruptions=[{at: 30s, upgrade: {steps: [{replace: [api]}, {replace: [scheduler]}]}}]",
    ),
    "upgrade-stack-release": (
        "cloud={emulated: {nodes: 10, roles: {api: 2}}}",
        "disruptions=[{at: 30s, upgrade: {to: {label: '2026.1'}, steps: [{replace: [api]}, {replace: [fleet]}]}}]",
        "parameters.duration=80s",
    ),
}
"""How each experiment is made small; one that is missing here fails its test."""

CAUGHT = frozenset({"rolling-upgrade-bad"})
"""Experiments that show how something bad is found: their verdict is invalid."""


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_of_the_project_says_what_it_should_small_and_simulated(file: Path, tmp_path: Path) -> None:
    run = do_run(file.read_text(), tmp_path, file=file, sets=SMALLER[file.stem])
    assert run.record.state is RunState.DONE
    assert run.results.verdict is (Verdict.INVALID if file.stem in CAUGHT else Verdict.VALID), run.results.reasons
    assert run.left == 0


def _journals(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.folder.journal_folder.iterdir()}


def _rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    return query(folder, sql)
