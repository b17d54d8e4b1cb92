import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kilonode.base.errors import InputError, Problem
from kilonode.base.units import Duration
from kilonode.run.experiment import Experiment
from kilonode.run.printing import print_experiment, print_plain
from kilonode.run.reading import read_experiment, read_text
from tests.run.strategies import experiments

FILE = Path("experiment.yaml")
SMALL = """
name: small
workloads:
  idle: {scenario: noop, load: {model: constant-vus, vus: 1, duration: 1s}}
"""


@given(experiments())
def test_an_experiment_printed_and_read_is_the_same(experiment: Experiment) -> None:
    text = print_experiment(experiment)
    (point,) = read_text(text, FILE).points
    assert point.experiment == experiment
    assert point.text == text


KEYS = "name workloads load scenario noop model constant-vus cloud emulated matrix criteria parameters setup"
SCALARS = "${x} $${x} ${ << 60 60s 5/s 1MiB null true .inf a.b[0]"
words = st.sampled_from(f"{KEYS} {SCALARS}".split())
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=10)
junk = st.recursive(
    scalars,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(words, children, max_size=6),
    max_leaves=30,
)


@given(st.dictionaries(words, junk, max_size=8))
def test_any_mapping_is_read_or_refused_with_reasons(value: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        read_text(print_plain(value | {"no such key": 1}), FILE)
    assert all(problem.what and problem.file for problem in caught.value.problems)


@given(st.one_of(st.text(st.characters(codec=None), max_size=200), st.binary(max_size=200)))
@example('a: "\\ud800"')
@example('a: "\\UFFFFFFFF"')
@example("a: 1" + "0" * 5000)
@example("? [a, b]\n: c")
@example("%YAML 1.2\n---\na: b")
@example("!!python/object/apply:os.system [ls]")
@example("a: &a [*a]")
@example("<<: 3")
@example("\x00")
@example("a: [\u2028\u0085}")
@example(b"\xff\xfe")
def test_any_text_is_read_or_refused_with_reasons(text: str | bytes) -> None:
    with pytest.raises(InputError) as caught:  # noqa: PT012
        read_text(text, FILE)
        raise AssertionError("random text is hardly an experiment")
    assert all(problem.what and problem.file for problem in caught.value.problems)


@settings(max_examples=300)
@given(st.text(alphabet="[]{}&*!|>'\"%@`#,:?- \n\tab1", max_size=60))
def test_any_yaml_punctuation_is_read_or_refused_with_reasons(text: str) -> None:
    with pytest.raises(InputError):
        read_text(text, FILE)


SOURCES = [file.read_text(encoding="utf-8") for file in sorted(Path("experiments").glob("*.yaml"))]
SLIPS = "[]{}&*!|>'\"%@`#,:?- \n\tab1$.~<=\\\u0085\u2028\x00é"


@settings(max_examples=200)
@given(st.sampled_from(SOURCES), st.data())
def test_a_slip_in_a_good_file_gives_a_good_file_or_reasons(source: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(source)))
        end = min(len(source), start + data.draw(st.integers(0, 10)))
        source = source[:start] + data.draw(st.text(SLIPS, max_size=3)) + source[end:]
    said = ""
    try:
        points = read_text(source, Path("experiments/slip.yaml")).points
    except InputError as error:
        points, said = (), str(error)
    assert points or said
    for point in points:
        assert read_text(point.text, FILE).points[0].experiment == point.experiment


def test_every_experiment_of_the_project_is_good() -> None:
    files = sorted(Path("experiments").glob("*.yaml"))
    assert len(files) >= 5
    for file in files:
        assert read_experiment(file).points


def test_billions_of_laughs_are_refused() -> None:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(InputError, match="the document is too big"):
        read_text("\n".join(lines), FILE)


def test_deep_nesting_is_refused() -> None:
    for text in ("[" * 100_000, "a: " + "[" * 50 + "]" * 50, "\n".join("  " * n + "a:" for n in range(60))):
        with pytest.raises(InputError, match="nested too deeply"):
            read_text(text, FILE)


def test_nesting_hidden_in_aliases_is_refused() -> None:
    lines = ["a0: &a0 [[[[[[[[[[1]]]]]]]]]]"] + [f"a{n}: &a{n} [[[[[[[[[[*a{n - 1}]]]]]]]]]]" for n in range(1, 6)]
    with pytest.raises(InputError, match="nested too deeply"):
        read_text("\n".join(lines), FILE)


def test_a_huge_file_is_refused_unread() -> None:
    with pytest.raises(InputError, match="the file is too big"):
        read_text("#" * 600_000, FILE)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the file"):
        read_experiment(tmp_path / "no.yaml")


def test_anchors_and_merges_share_what_is_common() -> None:
    text = """
name: merged
parameters: {}
workloads:
  a: &common {scenario: noop, load: {model: constant-vus, vus: 1, duration: 1s}}
  b: {<<: *common, start: 5s}
"""
    (point,) = read_text(text, FILE).points
    assert point.experiment.workloads["b"].start == Duration(5)
    assert point.experiment.workloads["b"].load == point.experiment.workloads["a"].load


def test_a_seed_is_filled_in_only_where_the_file_has_none() -> None:
    (point,) = read_text(SMALL, FILE).points
    seeded = point.with_seed(11)
    assert point.experiment.seed is None
    assert seeded.experiment.seed == 11
    assert read_text(seeded.text, FILE).points[0].experiment == seeded.experiment
    assert seeded.with_seed(12) == seeded


def test_words_of_older_yaml_are_text() -> None:
    with pytest.raises(InputError) as caught:
        read_text(SMALL + "criteria: [{criterion: idle count > 1, abort: yes}]\n", FILE)
    (problem,) = caught.value.problems
    assert (problem.path, problem.got, problem.hint) == ("criteria[0].abort", "'yes'", "did you mean true?")


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_text_survives_as_a_name(name: str) -> None:
    (point,) = read_text(SMALL, FILE).points
    experiment = msgspec.structs.replace(point.experiment, name=f"x{name}")
    assert read_text(print_experiment(experiment), FILE).points[0].experiment == experiment


def test_numbers_that_are_none_are_refused() -> None:
    for number in (math.inf, math.nan):
        with pytest.raises(InputError, match=r"parameters\.x"):
            read_text(SMALL + print_plain({"parameters": {"x": number}}), FILE)


OTHERS = "disruptions=[{at: 0.1s, fault: kill x}, {at: 0.2s, fault: kill y}]"


@pytest.mark.parametrize(("sets", "place"), [((), f"{FILE}:7:5: "), ((OTHERS,), "--set disruptions")])
def test_what_shows_when_a_disruption_is_planned_is_said_where_it_stands(sets: tuple[str, ...], place: str) -> None:
    text = f"{SMALL}disruptions:\n  - {{at: 0.1s, fault: kill api}}\n  - {{at: 0.2s, fault: kill schedular}}\n"
    [point] = read_text(text, FILE, sets).points
    with pytest.raises(InputError) as caught, point.placing():
        raise InputError("no", problems=[Problem("there is no 'schedular'", path="disruptions[1]: schedular")])
    assert str(caught.value).startswith(place)
    assert str(caught.value).endswith("disruptions[1]: schedular: there is no 'schedular'")


def test_what_is_about_no_disruption_of_the_file_stays_as_it_was_said() -> None:
    [point] = read_text(SMALL, FILE).points
    for path in ("disruptions[0]", "cloud"):
        said = InputError("no", where=path)
        with pytest.raises(InputError) as caught, point.placing():
            raise said
        assert caught.value is said
