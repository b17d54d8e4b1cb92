"""`kilonode compare`, as a process: exit codes, the page, bad input."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.cloud.profiles import load_profile
from tests.cli.laboratory import Laboratory

pytestmark = pytest.mark.processes

EXPERIMENT = """
name: boots
seed: 5
cloud: {emulated: {nodes: 5, stages: fast}}
workloads:
  boots:
    scenario: compute.boot_and_delete
    args: {flavor: m1.tiny, image: cirros}
    load: {model: constant-vus, vus: 20, duration: 20s}
"""


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path)
    yield laboratory
    laboratory.discard()


def test_two_runs_are_compared_and_judged_by_exit_code(laboratory: Laboratory) -> None:
    file = laboratory.write(EXPERIMENT)
    assert laboratory.run("run", file, "--simulated")[0] == 0
    assert laboratory.run("run", file, "--simulated", "--set", "seed=6")[0] == 0
    slower = ("--set", "cloud.emulated.stages=liberty-1000", "--set", "workloads.boots.load.duration=60s")
    assert laboratory.run("run", file, "--simulated", *slower)[0] == 0
    first, second, slow = sorted(path.name for path in laboratory.runs.iterdir())
    code, command = laboratory.run("compare", first, second, "--within", "15%", "--json")
    assert code == 0, command.said
    assert command.data["verdict"] == "valid"
    assert {one["path"] for one in command.data["differences"]} >= {"seed"}
    assert (laboratory.runs / second / "compare.html").stat().st_size > 100_000
    code, command = laboratory.run("compare", first, slow, "--within", "15%", "-o", "page.html")
    assert code == 1, command.said
    assert (laboratory.folder / "page.html").is_file()
    assert laboratory.run("compare", first, slow)[0] == 0
    code, command = laboratory.run("compare", first, "no-such-run")
    assert code == 2
    assert "no such run" in command.said


def test_a_comparison_of_runs_with_too_few_samples_cannot_be_known(laboratory: Laboratory) -> None:
    file = laboratory.write(EXPERIMENT.replace("duration: 20s", "duration: 1s").replace("vus: 20", "vus: 2"))
    for seed in ("1", "2"):
        assert laboratory.run("run", file, "--simulated", "--set", f"seed={seed}")[0] == 0
    code, command = laboratory.run(
        "compare", *sorted(path.name for path in laboratory.runs.iterdir()), "--within", "15%"
    )
    assert code == 3, command.said
    assert "needs 20 samples" in command.said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("latest",), "a comparison needs some runs"),
        (("latest", "latest", "--within", "much"), "not a bound"),
        (("latest", "latest", "--within", "150%"), "not a bound"),
    ],
)
def test_bad_input_is_refused(laboratory: Laboratory, arguments: tuple[str, ...], words: str) -> None:
    code, command = laboratory.run("compare", *arguments)
    assert code == 2
    assert words in command.said


def test_a_run_without_anything_to_fit_is_refused_and_one_with_boots_gives_a_profile(laboratory: Laboratory) -> None:
    file = laboratory.write("name: nothing\nworkloads: {a: {scenario: noop, load: {model: shared-iterations, "
                            "vus: 1, iterations: 30}}}\n", "nothing.yaml")  # fmt: skip
    assert laboratory.run("run", file, "--simulated")[0] == 0
    code, command = laboratory.run("calibrate")
    assert code == 2
    assert "nothing that a profile could be fitted to" in command.said
    assert laboratory.run("run", laboratory.write(EXPERIMENT), "--simulated")[0] == 0
    code, command = laboratory.run("calibrate", "latest", "-o", "stages.yaml")
    assert code == 0, command.said
    assert load_profile(str(laboratory.folder / "stages.yaml")).stages
