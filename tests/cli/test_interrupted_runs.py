"""Runs that are cut short: by Ctrl-C, once and twice, by SIGTERM, by the death of the run or of a worker."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.laboratory import Cloud, Laboratory, is_gone, until

pytestmark = pytest.mark.processes

NOOP = """
name: noop
seed: 5
drain: 3s
workloads:
  a: {scenario: noop, load: {model: constant-arrival-rate, rate: 500/s, duration: DURATION}}
"""

BOOTS = """
name: boots
seed: 5
drain: 3s
cloud: {openstack: apart}
setup: {projects: 2, users_per_project: 1, networks_per_project: 1}
workloads:
  boots:
    scenario: compute.boot_and_delete
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-vus, vus: 4, duration: 300s}
  noop: {scenario: noop, load: {model: constant-arrival-rate, rate: 500/s, duration: 300s}}
"""

OWN = BOOTS.replace("{openstack: apart}", "{emulated: {nodes: 5, stages: fast, roles: together}}")


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path)
    yield laboratory
    laboratory.discard()


@pytest.fixture(scope="module")
def standing_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One cloud for all tests of this module: each leaves nothing there."""
    laboratory = Laboratory(tmp_path_factory.mktemp("cloud"))
    yield Cloud(laboratory, "apart")
    laboratory.discard()


@pytest.fixture
def cloud(laboratory: Laboratory, standing_cloud: Cloud) -> Cloud:
    laboratory.environment["OS_CLIENT_CONFIG_FILE"] = str(standing_cloud.clouds_file)
    return standing_cloud


def test_ctrl_c_once_drains_cleans_up_and_reports(laboratory: Laboratory, cloud: Cloud) -> None:
    before = cloud.things()
    run = laboratory.start("run", laboratory.write(BOOTS), "--workers", "2")
    laboratory.wait_for_load(run)
    workers = run.workers()
    assert len(workers) == 2
    run.press_ctrl_c()
    assert run.wait() == 4, run.said
    assert "Traceback" not in run.said
    assert all(is_gone(pid) for pid in workers)
    record, verdict = laboratory.record(), laboratory.verdict()
    assert record["state"] == "aborted"
    assert record["problems"] == [], "Ctrl-C is the conductor's to understand: no worker dies of it"
    assert not record["left_behind"]
    assert not verdict["torn"]
    assert cloud.things() == before


def test_ctrl_c_twice_stops_at_once_and_cleanup_finishes(laboratory: Laboratory, cloud: Cloud) -> None:
    cloud.ask("network", "POST", "/v2.0/networks", {"network": {"name": "kn-0badcafe-network-0"}})
    cloud.ask("network", "POST", "/v2.0/networks", {"network": {"name": "kn-net"}})
    before = cloud.things()
    run = laboratory.start("run", laboratory.write(BOOTS), "--workers", "2")
    laboratory.wait_for_load(run)
    workers = run.workers()
    run.press_ctrl_c()
    run.until(lambda: "Ctrl-C" in run.said, "the answer to the first Ctrl-C")
    run.press_ctrl_c()
    assert run.wait(20) == 4, run.said
    assert all(is_gone(pid) for pid in workers)
    record = laboratory.record()
    run_id = record["run_id"]
    assert f"kilonode cleanup {run_id}" in run.said
    assert record["state"] == "aborted"
    assert record["left_behind"]
    assert len(cloud.things() - before) > 4, "stopping at once removes nothing"
    code, listing = laboratory.run("cleanup")
    assert code == 0
    assert run_id in listing.said
    code, cleanup = laboratory.run("cleanup", run_id)
    assert code == 0, cleanup.said
    assert cloud.things() == before, "the run's own things, and nothing that looks like them"
    assert run_id not in laboratory.run("cleanup")[1].said


def test_sigterm_ends_a_run_on_its_own_cloud_gently(laboratory: Laboratory) -> None:
    run = laboratory.start("run", laboratory.write(OWN))
    laboratory.wait_for_load(run)
    run.terminate()
    assert run.wait() == 4, run.said
    assert "SIGTERM" in run.said
    assert laboratory.verdict()["workloads"]
    assert laboratory.clouds() == []
    assert laboratory.cloud_processes() == []


def test_a_closed_terminal_ends_a_run_gently_and_what_was_measured_is_reported(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    before = cloud.things()
    run = laboratory.start_in_terminal("run", laboratory.write(BOOTS), "--workers", "2")
    laboratory.wait_for_load(run)
    workers = run.workers()
    run.close_terminal()
    assert run.wait() == 4
    assert all(is_gone(pid) for pid in workers)
    record = laboratory.record()
    assert record["state"] == "aborted"
    assert "SIGHUP" in record["aborted_because"]
    assert record["problems"] == [], "the workers do not die of it either"
    assert not record["left_behind"]
    assert not laboratory.verdict()["torn"]
    assert cloud.things() == before


def test_a_run_that_outlives_its_terminal_on_purpose_is_left_alone(laboratory: Laboratory) -> None:
    run = laboratory.start_without_hangup("run", laboratory.write(NOOP.replace("DURATION", "2s")))
    laboratory.wait_for_load(run)
    os.killpg(run.pid, signal.SIGHUP)
    assert run.wait() in (0, 3), run.said
    assert laboratory.record()["state"] == "done"


def test_ctrl_c_while_the_report_is_made_costs_no_report(laboratory: Laboratory) -> None:
    run = laboratory.start("run", laboratory.write(NOOP.replace("DURATION", "1s")))
    run.until(lambda: "end …" in run.said, "the end of the load")
    run.press_ctrl_c()
    assert run.wait() in (0, 3), run.said
    assert laboratory.verdict()["abortion"] is None, "the load was over"
    assert list(laboratory.runs.glob("*/report.html"))


def test_ctrl_c_while_its_cloud_comes_up_leaves_no_cloud(laboratory: Laboratory) -> None:
    run = laboratory.start("run", laboratory.write(OWN))
    run.until(laboratory.cloud_processes, "the cloud's first process")
    run.press_ctrl_c()
    assert run.wait() == 4, run.said
    assert "Traceback" not in run.said
    assert laboratory.clouds() == []
    assert laboratory.cloud_processes() == []
    assert laboratory.record()["state"] == "aborted"


def test_a_killed_run_is_reported_and_cleaned_up(laboratory: Laboratory, cloud: Cloud) -> None:
    before = cloud.things()
    run = laboratory.start("run", laboratory.write(BOOTS), "--workers", "2")
    laboratory.wait_for_load(run)
    workers = run.workers()
    run.kill()
    until(lambda: all(is_gone(pid) for pid in workers), "the end of workers that nobody leads", 15)
    run_id = laboratory.record()["run_id"]
    code, report = laboratory.run("report", run_id)
    assert code == 3, report.said
    assert "Traceback" not in report.said
    verdict = laboratory.verdict()
    assert verdict["verdict"] == "unknown"
    assert verdict["torn"]
    assert 0 < verdict["lost_at_most_s"] < 5
    assert run_id in laboratory.run("cleanup")[1].said
    code, cleanup = laboratory.run("cleanup", run_id)
    assert code == 0, cleanup.said
    assert cloud.things() == before
    assert laboratory.run("report", run_id)[0] == 3, "cleanup changes nothing about the verdict"


def test_the_own_cloud_of_a_killed_run_ends_and_cleanup_removes_its_state(laboratory: Laboratory) -> None:
    run = laboratory.start("run", laboratory.write(OWN))
    laboratory.wait_for_load(run)
    assert laboratory.cloud_processes()
    run.kill()
    until(lambda: not laboratory.cloud_processes(), "the end of a cloud that nobody uses", 20)
    run_id = laboratory.record()["run_id"]
    assert run_id in laboratory.run("cleanup")[1].said
    elsewhere = str(laboratory.folder / "elsewhere")
    code, cleanup = laboratory.run("cleanup", run_id, KILONODE_STATE=elsewhere)
    assert code == 0, cleanup.said
    assert laboratory.clouds() == [], "the run says where its cloud's state is"
    assert run_id not in laboratory.run("cleanup")[1].said


def test_a_run_killed_while_its_cloud_comes_up_can_be_cleaned_up(laboratory: Laboratory) -> None:
    run = laboratory.start("run", laboratory.write(OWN))
    run.until(laboratory.cloud_processes, "the cloud's first process")
    run.kill()
    run_id = laboratory.record()["run_id"]
    assert run_id in laboratory.run("cleanup")[1].said
    code, cleanup = laboratory.run("cleanup", run_id)
    assert code == 0, cleanup.said
    assert laboratory.clouds() == []
    assert laboratory.cloud_processes() == []


def test_a_run_that_is_going_on_is_not_cleaned_up_under_its_feet(laboratory: Laboratory) -> None:
    run = laboratory.start("run", laboratory.write(OWN))
    laboratory.wait_for_load(run)
    code, cleanup = laboratory.run("cleanup", laboratory.record()["run_id"])
    assert code == 2
    assert "hint:" in cleanup.said
    assert laboratory.cloud_processes()
    assert not run.ended


def test_a_dead_worker_makes_the_verdict_unknown_and_is_named(laboratory: Laboratory) -> None:
    run = laboratory.start("run", laboratory.write(NOOP.replace("DURATION", "4s")), "--workers", "2")
    laboratory.wait_for_load(run)
    os.kill(run.workers()[0], signal.SIGKILL)
    assert run.wait() == 3, run.said
    assert laboratory.record()["problems"] == ["worker 0 died (signal 9)"]
    assert "worker 0 died (signal 9)" in run.said
    verdict = laboratory.verdict()
    assert verdict["verdict"] == "unknown"
    assert any("orker 0 died (signal 9)" in reason["text"] for reason in verdict["reasons"]), verdict["reasons"]


def test_a_worker_that_hangs_does_not_hold_up_a_stop_at_once(laboratory: Laboratory) -> None:
    run = laboratory.start("run", laboratory.write(NOOP.replace("DURATION", "300s")))
    laboratory.wait_for_load(run)
    worker = run.workers()[0]
    psutil.Process(worker).suspend()
    run.press_ctrl_c()
    run.until(lambda: "Ctrl-C" in run.said, "the answer to the first Ctrl-C")
    run.press_ctrl_c()
    assert run.wait(30) == 4, run.said
    assert is_gone(worker)
    assert "was killed" in laboratory.record()["problems"][0]


MATRIX = NOOP.replace("DURATION", "3s") + "matrix: {workloads.a.load.rate: [100/s, 200/s]}\n"


def test_a_campaign_that_was_killed_inside_a_point_goes_on_there(laboratory: Laboratory) -> None:
    file = laboratory.write(MATRIX)
    run = laboratory.start("run", file)
    laboratory.wait_for_load(run, 2)
    run.kill()
    code, again = laboratory.run("run", file, "--json")
    assert code in (0, 3), again.said  # a busy machine may be too slow to judge
    assert "1 done before" in again.said
    points = again.data["points"]
    assert [len(point["runs"]) for point in points] == [1, 2]
    assert all(point["result"] for point in points)
    assert len(list(laboratory.runs.iterdir())) == 1


CAMPAIGN_OF_BOOTS = BOOTS.replace("duration: 300s", "duration: 2s") + "matrix: {workloads.boots.load.vus: [2, 3]}\n"


def test_ctrl_c_during_the_cleanup_of_a_campaign_finishes_the_run_and_begins_no_other(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    before = cloud.things()
    file = laboratory.write(CAMPAIGN_OF_BOOTS)
    run = laboratory.start("run", file)
    run.until(lambda: "cleanup …" in run.said, "the cleanup of the first run")
    run.press_ctrl_c()
    assert run.wait() == 4, run.said
    assert "run 2 of 2" not in run.said
    assert cloud.things() == before
    record = laboratory.record()
    assert (record["state"], record["left_behind"]) == ("done", False)
    code, again = laboratory.run("run", file)
    assert code in (0, 3), again.said
    assert "1 done before" in again.said
    assert cloud.things() == before


def test_ctrl_c_ends_a_campaign_which_then_goes_on(laboratory: Laboratory) -> None:
    file = laboratory.write(MATRIX)
    run = laboratory.start("run", file)
    laboratory.wait_for_load(run)
    run.press_ctrl_c()
    assert run.wait() == 4, run.said
    assert "run 2 of 2" not in run.said
    code, again = laboratory.run("run", file)
    assert code in (0, 3), again.said
    assert "0 done before" in again.said
    assert "run 2 of 2" in again.said
