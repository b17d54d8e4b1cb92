import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.forking import run_to_its_end

pytestmark = pytest.mark.processes

Kilonode = Callable[..., subprocess.CompletedProcess[str]]

GOOD = """
name: noop
seed: 5
workloads:
  a: {scenario: noop, load: {model: constant-arrival-rate, rate: 50/s, duration: 4s}}
criteria: [a throughput >= 50/s]
"""


@pytest.fixture
def kilonode(tmp_path: Path) -> Kilonode:
    """Runs the command in an empty folder with a state folder of its own."""

    def run(*arguments: str, text: str = GOOD) -> subprocess.CompletedProcess[str]:
        (tmp_path / "experiment.yaml").write_text(text)
        environment = {**os.environ, "KILONODE_STATE": str(tmp_path / "state"), "TERM": "dumb", "COLUMNS": "100"}
        out, err = tmp_path / "out", tmp_path / "err"
        code = run_to_its_end(arguments, tmp_path, environment, out, err)
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())

    return run


def test_a_simulated_run_gives_a_verdict_a_report_and_exit_code_0(kilonode: Kilonode, tmp_path: Path) -> None:
    done = kilonode("run", "experiment.yaml", "--simulated", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["verdict"] == "valid"
    (folder,) = (tmp_path / "runs").iterdir()
    names = {path.name for path in folder.iterdir()}
    assert {"experiment.yaml", "environment.json", "run.json", "history.parquet", "verdict.json", "junit.xml"} <= names
    assert (folder / "report.html").stat().st_size < 3_000_000
    assert "a throughput >= 50/s" in done.stderr
    assert str(folder / "report.html") in done.stderr.replace("\n", "") or "report.html" in done.stderr


def test_a_criterion_that_fails_gives_exit_code_1(kilonode: Kilonode) -> None:
    text = GOOD.replace(">= 50/s", "> 5000/s")
    assert kilonode("run", "experiment.yaml", "--simulated", text=text).returncode == 1


def test_a_criterion_without_samples_gives_exit_code_3(kilonode: Kilonode) -> None:
    text = GOOD.replace("a throughput >= 50/s", "a p(99.9) < 1s")
    done = kilonode("run", "experiment.yaml", "--simulated", text=text)
    assert done.returncode == 3, done.stderr


def test_every_mistake_is_reported_with_its_place_and_exit_code_2(kilonode: Kilonode) -> None:
    text = GOOD.replace("noop,", "nop,").replace("50/s, duration", "fast, duration")
    done = kilonode("check", "experiment.yaml", text=text)
    assert done.returncode == 2
    assert "experiment.yaml:5:" in done.stderr
    assert "did you mean 'noop'?" in done.stderr
    assert "such as 200/s" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_good_file_is_called_good(kilonode: Kilonode) -> None:
    done = kilonode("check", "experiment.yaml")
    assert done.returncode == 0
    assert "good" in done.stderr


def test_a_missing_file_is_bad_input(kilonode: Kilonode) -> None:
    done = kilonode("run", "nothing.yaml")
    assert done.returncode == 2
    assert "nothing.yaml" in done.stderr


def test_the_schema_is_json(kilonode: Kilonode) -> None:
    done = kilonode("schema")
    assert done.returncode == 0
    assert json.loads(done.stdout)["$schema"].endswith("2020-12/schema")


def test_scenarios_are_listed_and_explained(kilonode: Kilonode) -> None:
    assert "compute.boot_and_delete" in kilonode("scenarios").stdout
    explained = kilonode("scenarios", "compute.boot_and_delete").stdout
    assert "flavor" in explained
    assert "scenario: compute.boot_and_delete" in explained
    unknown = kilonode("scenarios", "compute.boott")
    assert unknown.returncode == 2
    assert "did you mean" in unknown.stderr


def test_a_matrix_is_a_campaign_with_its_results_side_by_side(kilonode: Kilonode, tmp_path: Path) -> None:
    text = GOOD.replace("criteria: [a throughput >= 50/s]", "matrix: {workloads.a.load.rate: [10/s, 20/s]}")
    done = kilonode("run", "experiment.yaml", "--simulated", "--json", text=text)
    assert done.returncode == 0, done.stderr
    index = json.loads(done.stdout)
    assert [point["result"]["verdict"] for point in index["points"]] == ["valid", "valid"]
    assert [point["result"]["figures"]["a throughput_per_s"] for point in index["points"]] == [10.0, 20.0]
    assert [axis["path"] for axis in index["results"]["axes"]] == ["workloads.a.load.rate"]
    (folder,) = (tmp_path / "runs").iterdir()
    page = (folder / "report.html").read_text()
    assert all(f'href="{point["runs"][-1]}/report.html"' in page for point in index["points"])
    (folder / "report.html").unlink()
    again = kilonode("report", str(folder), "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == index | {"closed": True}
    assert (folder / "report.html").read_text() == page
    assert kilonode("report", str(folder), "--sql", "select 1").returncode == 2
    assert kilonode("run", "experiment.yaml", "--simulated", text=text).returncode == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2, "a campaign that was reported is done: a new one begins"


def test_the_sweep_of_nodes_also_runs_on_the_emulated_cloud_and_ranks_what_hurts(
    kilonode: Kilonode, tmp_path: Path
) -> None:
    text = (Path(__file__).parents[2] / "experiments" / "nodes-sweep.yaml").read_text()
    matrix = "matrix={cloud.emulated: [{nodes: 2}, {nodes: 4}, {nodes: 6}], parameters.at_once: [1, 2, 3]}"
    sets = [
        option
        for setting in ("cloud={emulated: {}}", matrix, "workloads.boots.load.duration=10s")
        for option in ("--set", setting)
    ]
    done = kilonode("run", "experiment.yaml", "--simulated", "--json", *sets, text=text)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert [(view["axis"]["path"], len(view["tracks"])) for view in results["views"]] == [
        ("cloud.emulated.nodes", 3),
        ("parameters.at_once", 3),
    ]
    by_figure = {(fit["figure"], fit["view"], fit["track"]): fit for fit in results["fits"]}
    assert by_figure[("boots throughput_per_s", 1, 0)]["trend"] == "improves", "three at once boot more than one"
    assert by_figure[("boots throughput_per_s", 0, 0)]["trend"] != "unknown"
    assert "what hurts first over nodes" in done.stderr


def test_a_history_can_be_queried_and_reported_again(kilonode: Kilonode) -> None:
    assert kilonode("run", "experiment.yaml", "--simulated").returncode == 0
    rows = kilonode(
        "report", "latest", "--sql", "select count(*), min(due_ns) from ops where kind = 'iteration'", "--json"
    )
    assert json.loads(rows.stdout) == [[200, 0]]
    assert kilonode("report").returncode == 0
    wrong = kilonode("report", "latest", "--sql", "select nothing from nowhere")
    assert wrong.returncode == 2
    assert "DESCRIBE ops" in wrong.stderr


def test_a_simulated_real_cloud_is_refused_with_a_hint(kilonode: Kilonode) -> None:
    text = GOOD + "cloud: {openstack: somewhere}\n"
    done = kilonode("run", "experiment.yaml", "--simulated", text=text)
    assert done.returncode == 2
    assert "hint:" in done.stderr


def test_cleanup_without_a_run_to_clean_says_so(kilonode: Kilonode) -> None:
    done = kilonode("cleanup")
    assert done.returncode == 0
    assert "nothing" in done.stderr or "no run" in done.stderr
    unknown = kilonode("cleanup", "deadbeef")
    assert unknown.returncode == 2


def test_the_version_is_printed(kilonode: Kilonode) -> None:
    assert kilonode("--version").stdout.startswith("kilonode 0.")


def test_processes_of_a_cloud_are_replaced_by_a_command_that_refuses_what_makes_no_sense(
    kilonode: Kilonode,
) -> None:
    nobody = kilonode("cloud", "restart", "api")
    assert (nobody.returncode, "there is no emulated cloud" in nobody.stderr) == (2, True)
    misspelt = kilonode("cloud", "up", "--roles", "shceduler=2")
    assert (misspelt.returncode, "did you mean 'scheduler'?" in misspelt.stderr) == (2, True)
    try:
        up = kilonode("cloud", "up", "--nodes", "3", "--stages", "instant", "--port", "0", "--roles", "api=2", "--json")
        assert up.returncode == 0, up.stderr
        first = {process["name"]: process["identity"] for process in json.loads(up.stdout)["processes"]}
        assert list(first) == ["api-1", "api-2", "scheduler", "controllers", "fleet"]
        done = kilonode("cloud", "restart", "api-2", "--version", "B", "--environment", "A=b=c", "--json")
        assert done.returncode == 0, done.stderr
        (replaced,) = json.loads(done.stdout)
        assert (replaced["name"], replaced["version"], replaced["replacements"]) == ("api-2", "B", 1)
        assert replaced["identity"] != first["api-2"]
        assert "api-2: pid" in done.stderr
        for arguments, said in ((["apj"], "did you mean"), (["api", "--environment", "=x"], "NAME=VALUE")):
            refused = kilonode("cloud", "restart", *arguments)
            assert (refused.returncode, said in refused.stderr) == (2, True)
        broken = kilonode("cloud", "restart", "api-1", "--interpreter", "/no/such/python")
        assert broken.returncode not in (0, 2)
        assert "the process that was there goes on" in broken.stderr or "cannot be started" in broken.stderr
        now = {one["name"]: one for one in json.loads(kilonode("cloud", "status", "--json").stdout)["processes"]}
        assert now["api-1"]["identity"] == first["api-1"]
        assert now["api-2"]["uptime_s"] < now["api-1"]["uptime_s"]
    finally:
        kilonode("cloud", "down", "--purge")
