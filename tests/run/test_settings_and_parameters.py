from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.yaml_document import read_document, read_value
from kilonode.base.yaml_nodes import Mapping, Place, from_plain, to_plain
from kilonode.run.overrides import apply_settings, parse_path, print_path, set_at
from kilonode.run.parameters import escape, fill_in
from kilonode.run.printing import print_plain
from kilonode.run.reading import read_text
from tests.run.strategies import names

HERE = Place("here")
FILE = Path("experiment.yaml")
SMALL = """
name: small
parameters: {vus: 3, time: 1s, word: noop}
workloads:
  idle: {scenario: "${word}", load: {model: constant-vus, vus: "${vus}", duration: "${time}"}}
"""


def root_of(value: dict[str, Any]) -> Mapping:
    node = from_plain(value, HERE)
    assert isinstance(node, Mapping)
    return node


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9, allow_nan=False), st.text(max_size=8)
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)
paths = st.tuples(names, st.lists(names | st.integers(0, 99), max_size=4)).map(lambda pair: (pair[0], *pair[1]))


@given(paths)
def test_a_printed_path_reads_back(path: tuple[str | int, ...]) -> None:
    assert parse_path(print_path(path)) == path


@given(st.text(max_size=20))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        path = parse_path(text)
    except InputError:
        return
    assert print_path(path) == text


def existing_paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every path in a plain value but the root's."""
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [deeper for step, child in children for deeper in ((*path, step), *existing_paths(child, (*path, step)))]


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@given(st.dictionaries(names, trees, min_size=1, max_size=3), trees, st.data())
def test_setting_a_path_changes_it_and_nothing_else(tree: dict[str, Any], value: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(existing_paths(tree)))
    before = from_plain(tree, HERE)
    after = to_plain(set_at(before, path, from_plain(value, HERE), HERE))
    assert at(after, path) == value
    assert to_plain(set_at(from_plain(after, HERE), path, from_plain(at(tree, path), HERE), HERE)) == tree
    assert to_plain(before) == tree


@given(st.dictionaries(names, trees, min_size=1, max_size=3), scalars, st.data())
def test_a_setting_on_the_command_line_does_the_same(tree: dict[str, Any], value: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(existing_paths(tree)))
    written = print_plain({"value": value}).removeprefix("value:").strip()
    root, done, problems = apply_settings(root_of(tree), [f"{print_path(path)}={written}"])
    assert problems == []
    assert list(done) == [path]
    assert at(to_plain(root), path) == value


@given(st.text(max_size=15).map(lambda text: text.replace("{", "${")))
@example("${a${b}")
@example("$${")
def test_escaped_text_stands_for_itself(text: str) -> None:
    root = root_of({"a": escape(text), "parameters": {"x": 1}})
    filled, problems = fill_in(root)
    assert problems == []
    assert to_plain(filled) == {"a": text, "parameters": {"x": 1}}


@given(names, st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)))
def test_a_whole_parameter_keeps_its_type(name: str, value: Any) -> None:
    root = root_of({"a": f"${{{name}}}", "b": [f"${{{name}}}"], "parameters": {name: value}})
    filled, problems = fill_in(root)
    assert problems == []
    plain: Any = to_plain(filled)
    assert plain["a"] == value
    assert type(plain["a"]) is type(value)
    assert plain["b"] == [value]


def test_a_parameter_inside_text_is_put_in_as_it_was_written() -> None:
    root, problems = read_document("a: x-${n}-${on}-$${n}\nparameters: {n: 1.50, on: true}", "f")
    assert isinstance(root, Mapping)
    assert not problems
    filled, problems = fill_in(root)
    assert not problems
    assert isinstance(filled, Mapping)
    assert to_plain(filled)["a"] == "x-1.50-true-${n}"  # type: ignore[index]


def test_a_parameters_value_is_not_searched_for_parameters() -> None:
    root = root_of({"a": "${x}", "parameters": {"x": "${y}", "y": 1}})
    filled, problems = fill_in(root)
    assert problems == []
    assert to_plain(filled)["a"] == "${y}"  # type: ignore[index]


def test_a_setting_changes_a_parameter_wherever_it_is_used() -> None:
    (point,) = read_text(SMALL, FILE, ["parameters.vus=7", "parameters.time=1m30s"]).points
    load: Any = point.experiment.workloads["idle"].load
    assert (load.vus, float(load.duration)) == (7, 90.0)
    assert point.experiment.parameters == {"vus": 7, "time": "1m30s", "word": "noop"}


def test_later_settings_win() -> None:
    (point,) = read_text(SMALL, FILE, ["seed=1", "seed=2"]).points
    assert point.experiment.seed == 2


def test_a_setting_may_be_a_whole_mapping() -> None:
    (point,) = read_text(SMALL, FILE, ["cloud={emulated: {nodes: 5}}", "cloud.emulated.stages=instant"]).points
    assert point.experiment.cloud is not None
    assert point.experiment.cloud.emulated is not None
    assert (point.experiment.cloud.emulated.nodes, point.experiment.cloud.emulated.stages) == (5, "instant")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("seed", "--set seed: not a setting"),
        ("=3", "--set =3: not a path"),
        ("a..b=3", "--set a..b=3: not a path"),
        ("seed=[1", "--set seed=[1: not YAML"),
        ("seed=-1", "--set seed=-1: seed: too small"),
        ("drain=60", "--set drain=60: drain: a number without a unit"),
        ("vus=5", "--set vus=5: 'vus' is a parameter"),
        ("parameters.vus=many", "--set parameters.vus=many: workloads.idle.load.vus: wrong type"),
        ("workloads.idl.load.vus=3", "--set workloads.idl.load.vus=3: workloads: there is no 'idl'"),
        ("name.first=3", "--set name.first=3: name: cannot set 'first' here"),
        ("criteria[3]=idle p(99) < 1s", "criteria[3]: there is no such place in the list"),
        ("workloads[0]=3", "--set workloads[0]=3: workloads: there is no list here"),
        ("wrokers=3", "--set wrokers=3: wrokers: unknown key"),
    ],
)
def test_a_wrong_setting_is_pointed_out_itself(setting: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_text(SMALL, FILE, [setting])
    assert said in str(caught.value)
    assert all(problem.file.startswith("--set ") for problem in caught.value.problems)


def test_a_value_from_outside_stands_where_it_came_from() -> None:
    node = read_value("{a: [1, {b: 2}]}", HERE)
    assert to_plain(node) == {"a": [1, {"b": 2}]}
    assert isinstance(node, Mapping)
    assert node.entries[0].value.place == HERE


def test_an_empty_setting_is_empty_text() -> None:
    assert to_plain(read_value("", HERE)) == ""
