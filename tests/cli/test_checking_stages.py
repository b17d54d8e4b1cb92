"""`kilonode check` and `kilonode schema` with stage profiles."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kilonode.base.errors import InputError
from kilonode.cli.main import application

GOOD = "extends: fast\nrules:\n  - {name: slow, stage: spawn, factor: 2}\n"
EXPERIMENT = """
name: one
cloud: {emulated: {nodes: 1, stages: ./stages.yaml}}
workloads:
  a: {scenario: noop, load: {model: constant-vus, vus: 1, duration: 1s}}
"""


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def run(*arguments: str) -> str:
    """What a command that ends well says."""
    result = CliRunner().invoke(application, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.output


def test_a_good_stage_profile_is_told_from_an_experiment_and_described(tmp_path: Path) -> None:
    said = run("check", write(tmp_path, "stages.yaml", GOOD))
    assert "good: a stage profile" in said
    assert "1 rule" in said
    profile = json.loads(run("check", "--json", str(tmp_path / "stages.yaml")))
    assert [rule["name"] for rule in profile["rules"]] == ["slow"]
    assert "good: 'one'" in run("check", write(tmp_path, "experiment.yaml", EXPERIMENT))


def test_mistakes_of_a_stage_profile_are_said_with_their_places(tmp_path: Path) -> None:
    file = write(tmp_path, "stages.yaml", GOOD.replace("spawn", "spwan") + "servces: {}\n")
    with pytest.raises(InputError) as raised:
        run("check", file)
    places = [(problem.line, problem.path) for problem in raised.value.problems]
    assert places == [
        (3, "rules[0].stage"),
        (4, "servces"),
    ]


def test_mistakes_of_the_profile_that_an_experiment_names_are_said_too(tmp_path: Path) -> None:
    write(tmp_path, "stages.yaml", GOOD + "services: {compute.nothing: {base: 1s}}\n")
    with pytest.raises(InputError, match=r"services\.compute\.nothing: no such operation"):
        run("check", write(tmp_path, "experiment.yaml", EXPERIMENT))


@pytest.mark.parametrize("option", [["--cloud"], ["--set", "seed=1"]])
def test_what_is_for_experiments_is_refused_for_a_stage_profile(tmp_path: Path, option: list[str]) -> None:
    with pytest.raises(InputError, match="is for experiments"):
        run("check", write(tmp_path, "stages.yaml", GOOD), *option)


def test_the_schema_of_stage_profiles_is_printed() -> None:
    assert json.loads(run("schema", "stages"))["title"] == "Kilonode stage profile"
    assert json.loads(run("schema"))["title"] == "Kilonode experiment"
