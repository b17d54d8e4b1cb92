"""Runs with disruptions, in real processes: done, healed at Ctrl-C once and twice, and after `kill -9` by others."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.base.processes import ProcessIdentity, identify, is_stopped
from kilonode.history.archive import query
from tests.cli.laboratory import Laboratory, until

pytestmark = pytest.mark.processes

NAME = f"kn-sleep-{os.getpid()}"
KILLS = """
name: two kills
seed: 5
cloud: {emulated: {nodes: 5, stages: instant}}
costs: unmeasured
workloads:
  boots:
    scenario: compute.boot_and_delete
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-arrival-rate, rate: 4/s, duration: 14s}
  api: {probe: {endpoint: compute, rate: 20/s, connections: new}}
disruptions:
  - {at: 3s, fault: kill scheduler}
  - {name: door, at: 6s, fault: kill api, expect: {found: 1}}
criteria: [lost == 0, api unavailable < 10s after kill api]
"""
FROZEN = """
name: frozen
seed: 5
cloud: {emulated: {nodes: 2, stages: instant, roles: together}}
costs: unmeasured
workloads:
  a: {scenario: noop, load: {model: constant-arrival-rate, rate: 500/s, duration: 300s}}
disruptions:
  - {at: 1s, fault: freeze all SLEEPER processes for 200s}
"""


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path)
    yield laboratory
    laboratory.discard()


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[ProcessIdentity]:
    """A process of its own name, which no cloud ends, and no other test."""
    program = tmp_path / NAME
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    process = subprocess.Popen([str(program), "600"])
    identity = identify(process.pid)
    assert identity is not None
    yield identity
    process.kill()
    process.wait()


def frozen() -> str:
    return FROZEN.replace("SLEEPER", NAME)


def test_what_was_killed_is_measured_and_comes_back(laboratory: Laboratory) -> None:
    code, run = laboratory.run("run", laboratory.write(KILLS))
    assert code in (0, 3), run.said  # a busy machine may leave it unknown
    disruptions = {one["target"]: one for one in laboratory.verdict()["disruptions"]}
    assert set(disruptions) == {"kill scheduler", "kill api"}
    for one in disruptions.values():
        assert one["outcome"] == "ok"
        assert one["start_s"] >= one["due_s"], "no effect before its time"
    (group,) = [
        one
        for one in laboratory.verdict()["recovery"]["groups"]
        if (one["workload"], one["disruption"]) == ("api", "kill api")
    ]
    (episode,) = group["episodes"]
    assert episode["lost"]["refused"] > 0
    assert episode["unavailable_s"]["value"] > 0
    assert "kill api" in run.said
    code, listing = laboratory.run("fault", "list", "--open")
    assert "no journals" in listing.said or not listing.said.strip()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_heals_what_is_broken(times: int, laboratory: Laboratory, sleeper: ProcessIdentity) -> None:
    run = laboratory.start("run", laboratory.write(frozen()))
    run.until(lambda: is_stopped(sleeper), "the freeze")
    for _ in range(times):
        run.press_ctrl_c()
        run.until(lambda: "Ctrl-C" in run.said, "the answer to Ctrl-C")
    assert run.wait() == 4, run.said
    assert not is_stopped(sleeper)
    (folder,) = laboratory.runs.iterdir()
    ((outcome, lasted_ns),) = query(
        folder, "select outcome, finished_ns - started_ns from ops where kind = 'disruption'"
    )
    assert outcome == "cancelled"
    assert 0 < int(str(lasted_ns)) < 200e9


@pytest.mark.parametrize("how", ["heal", "cleanup"])
def test_what_a_killed_run_left_broken_is_said_and_healed(
    how: str, laboratory: Laboratory, sleeper: ProcessIdentity
) -> None:
    run = laboratory.start("run", laboratory.write(frozen()))
    run.until(lambda: is_stopped(sleeper), "the freeze")
    run.until(lambda: "is stopped" in run.said, "the word of it")
    run.kill()
    assert is_stopped(sleeper), "nobody was there to heal it"
    run_id = laboratory.record()["run_id"]
    noop = "name: noop\nworkloads:\n  a: {scenario: noop, load: {model: constant-vus, vus: 1, duration: 1s}}\n"
    _, other = laboratory.run("run", laboratory.write(noop, "noop.yaml"), "--runs", "others")
    assert f"run {run_id} was killed and left something broken" in other.said
    assert "kilonode fault heal" in other.said
    assert is_stopped(sleeper), "another run heals nothing by itself"
    due_s, effect_s, _, outcome, error = told(laboratory)
    assert due_s == pytest.approx(1.0, abs=0.001)
    assert effect_s >= due_s
    assert (outcome, "nobody has healed it" in error) == ("wrong_state", True)
    arguments = ("fault", "heal") if how == "heal" else ("cleanup", run_id)
    code, healing = laboratory.run(*arguments)
    assert code == 0, healing.said
    assert "1 healed" in healing.said
    until(lambda: not is_stopped(sleeper), "the thaw")
    assert "nothing is left to heal" in laboratory.run("fault", "heal")[1].said
    same_due_s, same_effect_s, healed_s, outcome, error = told(laboratory)
    assert (same_due_s, same_effect_s, outcome) == (due_s, effect_s, "cancelled")
    assert healed_s > effect_s
    assert "still in effect when the run was killed; healed" in error
    code, report = laboratory.run("report", "latest")
    assert code == 3, report.said
    (one,) = laboratory.verdict()["disruptions"]
    assert (one["outcome"], one["finish_s"]) == ("cancelled", healed_s)


def told(laboratory: Laboratory) -> tuple[float, float, float, str, str]:
    """What the history of the killed run says of its fault: due, took effect, healed, outcome, error."""
    sql = "select due_ns / 1e9, started_ns / 1e9, finished_ns / 1e9, outcome, error from ops where kind = 'disruption'"
    code, rows = laboratory.run("report", "latest", "--sql", sql, "--json")
    assert code == 0, rows.said
    ((due_s, effect_s, finished_s, outcome, error),) = rows.data
    return due_s, effect_s, finished_s, outcome, error


def test_a_dry_run_says_what_would_be_done_and_touches_nothing(laboratory: Laboratory) -> None:
    code, run = laboratory.run("run", "--dry-run", laboratory.write(KILLS))
    assert code == 0, run.said
    assert "3.00 s: kill scheduler" in run.said
    assert "6.00 s: door: kill api" in run.said
    assert not laboratory.runs.exists()
    assert laboratory.clouds() == []


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("kill one schedular", "there is no service 'schedular'"),
        ("kill one of 4 api", "not as many as the sentence says"),
    ],
)
def test_check_refuses_what_would_find_nothing(fault: str, what: str, laboratory: Laboratory) -> None:
    file = laboratory.write(KILLS.replace("fault: kill scheduler", f"fault: {fault}"))
    for command in ("check", "run"):
        code, done = laboratory.run(command, file)
        assert code == 2, done.said
        assert what in done.said
