"""Stage files that people write: every mistake at once with its place, the schema, and what is kept of old files."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.yaml_document import read_document
from kilonode.cloud.openstack.application import operations
from kilonode.cloud.openstack.compute.lifecycle import OTHERS_WORK
from kilonode.cloud.openstack.compute.node_life import RESUME_GUESTS, STOP_GUESTS
from kilonode.cloud.profiles import known_profiles, load_profile, read_profile
from kilonode.cloud.rules import Condition, Facts, Rule
from kilonode.cloud.stage_files import looks_like_stages
from kilonode.cloud.stage_schema import stage_schema
from kilonode.cloud.stages import EFFECTS
from tests.cloud.compute.harness import running
from tests.run.golden import check_golden

CASES = Path(__file__).parent / "stage_files"
PACKAGED = Path("src/kilonode/cloud/stage_profiles")


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.yaml")))
def test_every_mistake_is_said_at_once_with_its_place(case: str) -> None:
    path = CASES / f"{case}.yaml"
    with pytest.raises(InputError) as raised:
        read_profile(path.read_bytes(), f"{case}.yaml", operations())
    check_golden(CASES / f"{case}.txt", f"{raised.value}\n")


def test_a_file_is_known_by_its_content() -> None:
    for path in PACKAGED.glob("*.yaml"):
        assert looks_like_stages(read_document(path.read_bytes(), "x")[0]), path
    for path in Path("experiments").glob("*.yaml"):
        assert not looks_like_stages(read_document(path.read_bytes(), "x")[0]), path
    assert looks_like_stages(read_document("extnds: fast\ndelais: {}\n", "x")[0])
    assert not looks_like_stages(read_document("name: x\nworkloads: {}\nstages: []\n", "x")[0])
    assert not looks_like_stages(read_document("- 1\n", "x")[0])


def test_what_comes_along_fits_the_schema_and_mistakes_do_not() -> None:
    schema = stage_schema(operations())
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in PACKAGED.glob("*.yaml"):
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    jsonschema.validate({"rules": [{"name": "a", "stage": ["spawn"], "every": 3, "factor": 2.0}]}, schema)
    mistakes: list[dict[str, Any]] = [
        {"delay": {}},
        {"services": {"compute.nothing": {}}},
        {"rules": [{"name": "a", "stage": "spawn", "x": 1}]},
    ]
    for wrong in mistakes:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_a_file_extends_another_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "extends: lifecycle\nrules:\n  - {name: a, stage: spawn, factor: 2}\n  - {name: b, stage: plug, factor: 2}\n"
    )
    (tmp_path / "mine.yaml").write_text("extends: ./base.yaml\nrules:\n  - {name: c, stage: spaw*, factor: 2}\n")
    profile = load_profile(str(tmp_path / "mine.yaml"))
    assert [rule.name for rule in profile.rules_by_stage()["spawn"]] == ["a", "c"]
    assert set(profile.rules_by_stage()) == {"spawn", "plug"}


def test_mistakes_of_an_extended_file_are_said_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: lifecycle\ndelays: {spwan: {distribution: fixed, value: 1s}}\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\npage_limit: 0\n")
    with pytest.raises(InputError) as raised:
        load_profile(str(tmp_path / "mine.yaml"))
    places = [(Path(one.file).name, one.line, one.path) for one in raised.value.problems]
    assert places == [("mine.yaml", 2, "page_limit"), ("base.yaml", 2, "delays.spwan")]


async def test_what_stages_may_do_is_what_controllers_can() -> None:
    from kilonode.cloud.openstack.compute.lifecycle import Lifecycle

    async with running(nodes=1) as compute:
        known = set(Lifecycle(compute.cloud, "fleet")._effects) - {""}
    assert EFFECTS["server"] == known | OTHERS_WORK
    assert EFFECTS["node"] == {RESUME_GUESTS, STOP_GUESTS}
    for name in known_profiles():
        assert {stage.when.kind for stage in load_profile(name).stages} == set(EFFECTS)


NAMES = st.text("abc-1", min_size=1, max_size=6)


@given(NAMES, NAMES)
def test_a_negated_pattern_means_all_the_others(pattern: str, name: str) -> None:
    facts = Facts(name=(name,))
    assert Condition(name=pattern).holds(facts) != Condition(name=f"!{pattern}").holds(facts)
    assert Condition(name=("*", pattern)).holds(facts)


@given(st.integers(2, 50), st.integers(1, 500))
def test_every_so_manyth_means_just_as_many(every: int, seen: int) -> None:
    rule = Rule("r", "spawn", every=every, factor=2.0)
    assert sum(rule.strikes(number) for number in range(1, seen + 1)) == seen // every


@given(st.integers(1, 50), st.integers(1, 500))
def test_the_first_so_many_means_no_more(first: int, seen: int) -> None:
    rule = Rule("r", "spawn", first=first, factor=2.0)
    assert sum(rule.strikes(number) for number in range(1, seen + 1)) == min(first, seen)


@given(st.dictionaries(NAMES, NAMES, max_size=3), st.dictionaries(NAMES, NAMES, max_size=3))
def test_metadata_holds_when_each_key_that_is_asked_for_has_its_value(
    metadata: dict[str, str], asked: dict[str, str]
) -> None:
    holds = Condition(metadata=dict(asked)).holds(Facts(metadata=metadata))
    assert holds == (asked.items() <= metadata.items())
