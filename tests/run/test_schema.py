import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.yaml_document import read_document
from kilonode.base.yaml_nodes import to_plain
from kilonode.run.experiment import Experiment
from kilonode.run.printing import print_experiment
from kilonode.run.reading import read_text
from kilonode.run.schema import experiment_schema
from tests.run.strategies import experiments
from tests.scenarios.shipped import library

LIBRARY = library()
SCHEMA = experiment_schema(LIBRARY)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SEEN_BY_THE_READER_ONLY = {
    "criteria",  # texts of criteria
    "duplicate-keys", "everything", "empty", "yaml-features", "tabs", "unquoted-colon", "unquoted-parameter",
    "parameters",  # whether a parameter has a good value
    "matrix-values", "scenario-files", "too-many-networks",  # what joins several keys
    "cloudless",
}  # fmt: skip

BAD = [file for file in (Path(__file__).parent / "bad").glob("*.yaml") if file.stem not in SEEN_BY_THE_READER_ONLY]


def errors(document: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def plain(text: str | bytes) -> Any:
    node, problems = read_document(text, "file")
    assert node is not None
    assert not problems
    return to_plain(node)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("file", sorted(Path("experiments").glob("*.yaml")), ids=lambda file: str(file.stem))
def test_every_experiment_of_the_project_fits_the_schema(file: Path) -> None:
    assert errors(plain(file.read_bytes())) == []


def test_every_example_of_the_pages_fits_the_schema() -> None:
    for page in (Path("docs/experiment-file.md"), Path("docs/run.md")):
        for block in re.findall(r"```yaml\n(name:.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            assert errors(plain(block)) == []


@settings(max_examples=50)
@given(experiments())
def test_what_the_reader_accepts_the_schema_accepts(experiment: Experiment) -> None:
    text = print_experiment(experiment)
    read_text(text, Path("file.yaml"))
    assert errors(plain(text)) == []


@pytest.mark.parametrize("file", sorted(BAD), ids=lambda file: str(file.stem))
def test_what_is_wrong_by_its_shape_the_schema_refuses_too(file: Path) -> None:
    assert errors(plain(file.read_bytes()))


@given(st.data())
def test_a_parameter_may_stand_for_any_single_value(data: st.DataObject) -> None:
    document = plain(Path("experiments/thousand-nodes.yaml").read_bytes())
    places = [place for place in scalar_places(document) if place[-1] not in ("model", "criterion")]
    place = data.draw(st.sampled_from(places))
    inner: Any = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = "${anything}"
    assert errors(document) == []


def scalar_places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        return [path]
    return [place for step, child in children for place in scalar_places(child, (*path, step))]


@pytest.mark.parametrize("scenario", LIBRARY, ids=lambda scenario: str(scenario.name))
def test_reader_and_schema_agree_on_the_arguments_of_every_scenario(scenario: Any) -> None:
    base = "name: x\ncloud: {emulated: {nodes: 1}}\nworkloads:\n  w:\n"
    load = "    load: {model: constant-vus, vus: 1, duration: 1s}\n"
    for arguments in (
        "{}",
        "{flavor: a, image: b}",
        "{flavor: a, image: b, to_flavor: c}",
        "{url: http://x/}",
        "{x: 1}",
    ):
        text = f"{base}    scenario: {scenario.name}\n    args: {arguments}\n{load}"
        try:
            read_text(text, Path("file.yaml"))
            good = True
        except InputError:
            good = False
        assert (errors(plain(text)) == []) == good, arguments


def test_every_key_of_the_schema_has_a_description() -> None:
    for name, definition in {"": SCHEMA, **SCHEMA["$defs"]}.items():
        for key, schema in definition.get("properties", {}).items():
            assert schema.get("description"), f"{name}.{key}"


def test_every_scenario_of_the_library_is_offered_with_its_summary() -> None:
    offered = {
        option["const"]: option["description"]
        for option in SCHEMA["$defs"]["Workload"]["properties"]["scenario"]["anyOf"]
        if "const" in option
    }
    assert set(offered) == {scenario.name for scenario in LIBRARY}
    assert all(offered.values())
