"""Finding scenarios, in the library, in files and in packages."""

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from kilonode.base.errors import InputError
from kilonode.scenarios import registry
from kilonode.scenarios.declaration import DECLARED
from kilonode.scenarios.registry import all_scenarios, find, load_file
from tests.scenarios.shipped import library

GOOD = '''
from dataclasses import dataclass

from kilonode.scenarios import FlavorName, Iteration, scenario
from tests.scenarios.shipped import library


@dataclass
class Thing:
    name: "str"


@scenario("my.wait")
async def wait(it: Iteration, *, seconds: float = 1.0) -> None:
    """Wait."""
    with it.step("wait"):
        await it.sleep(seconds)


@scenario("my.other")
async def other(it: Iteration, *, flavor: FlavorName) -> None:
    """Do something else."""
'''


@pytest.fixture(autouse=True)
def nothing_stays_declared() -> Iterator[None]:
    names, modules = DECLARED.names(), set(sys.modules)
    yield
    DECLARED.keep_only(names)
    for module in set(sys.modules) - modules:
        del sys.modules[module]


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_library_is_there() -> None:
    names = [scenario.name for scenario in library()]
    assert names == sorted(names)
    assert {"noop", "http.get", "compute.boot_and_delete", "identity.issue_token"} <= set(names)


def test_every_scenario_of_the_library_is_described_and_needs_a_service_or_none() -> None:
    for scenario in library():
        assert scenario.summary.endswith("."), scenario.name
        assert scenario.steps or scenario.name == "noop", scenario.name
        assert (scenario.services == ()) == (scenario.name in ("noop", "http.get", "probe"))


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match="there is no scenario") as raised:
        find("compute.boot_and_delte")
    assert raised.value.problem.hint == "did you mean 'compute.boot_and_delete'?"
    with pytest.raises(InputError) as raised:
        find("zzz")
    assert "kilonode scenarios lists them" in raised.value.problem.hint


def test_a_file_gives_its_scenarios_and_is_run_once(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    scenarios = load_file(path)
    assert [scenario.name for scenario in scenarios] == ["my.wait", "my.other"]
    assert load_file(str(path)) == scenarios
    assert find("my.wait").read_arguments({}) == {"seconds": 1.0}
    assert find("my.other").references == {"flavor": "flavor"}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine.py"]


def refused(path: Path) -> InputError:
    before = DECLARED.names()
    with pytest.raises(InputError) as raised:
        load_file(path)
    assert DECLARED.names() == before
    return raised.value


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path / "none.py")
    assert error.problem.what == "cannot read the file with scenarios"
    assert error.problem.path == str(tmp_path / "none.py")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "a folder" in refused(tmp_path).problem.what


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    assert "too large" in refused(written(tmp_path, "#" * 1_000_001)).problem.what


def test_what_is_not_python_is_refused_with_its_place(tmp_path: Path) -> None:
    (problem,) = refused(written(tmp_path, "x = 1\nasync def broken(:\n    pass\n")).problems
    assert (problem.what, problem.file, problem.line) == ("not Python", str(tmp_path / "mine.py"), 2)
    assert problem.column > 0


def test_a_file_that_fails_when_it_runs_is_refused_with_the_line_in_it(tmp_path: Path) -> None:
    (problem,) = refused(written(tmp_path, GOOD + "\nimport json\njson.loads('{')\n")).problems
    assert (problem.file, problem.line) == (str(tmp_path / "mine.py"), GOOD.count("\n") + 3)
    assert problem.got.startswith("JSONDecodeError: ")


def test_a_file_that_ends_the_program_is_refused(tmp_path: Path) -> None:
    (problem,) = refused(written(tmp_path, "import sys\nsys.exit(3)\n")).problems
    assert (problem.line, problem.got) == (2, "SystemExit: 3")


def test_a_file_without_a_scenario_is_refused_and_told_where_the_decorator_goes(tmp_path: Path) -> None:
    error = refused(written(tmp_path, "async def boot(it):\n    pass\n"))
    assert error.problem.what == "the file declares no scenario"
    assert error.problem.hint == 'put @scenario("my.name") above async def boot'


def test_a_file_that_takes_a_name_of_the_library_is_refused(tmp_path: Path) -> None:
    error = refused(written(tmp_path, GOOD.replace("my.other", "noop")))
    assert error.problem.what == "two scenarios are called 'noop'"
    assert error.problem.path.startswith(str(tmp_path / "mine.py"))
    assert "noop.py" in error.problem.got


def test_two_files_that_take_the_same_name_are_refused(tmp_path: Path) -> None:
    load_file(written(tmp_path, GOOD))
    error = refused(written(tmp_path, GOOD, "again.py"))
    assert error.problem.what == "two scenarios are called 'my.wait'"


def test_a_broken_file_can_be_mended_and_loaded(tmp_path: Path) -> None:
    refused(written(tmp_path, GOOD + "\nraise ValueError\n"))
    assert [scenario.name for scenario in load_file(written(tmp_path, GOOD))] == ["my.wait", "my.other"]


def installed(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written(folder, text, "scenario_package.py")
    monkeypatch.syspath_prepend(str(folder))
    points = [metadata.EntryPoint("example", "scenario_package", registry.ENTRY_POINTS)]
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: points if group == registry.ENTRY_POINTS else [])
    monkeypatch.setattr(registry, "_PACKAGES", {})


def test_a_package_gives_its_scenarios_when_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, GOOD, monkeypatch)
    assert find("my.wait").summary == "Wait."
    assert "my.other" in [scenario.name for scenario in all_scenarios()]


def test_a_package_that_cannot_be_loaded_is_told_by_its_name_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, GOOD + "\nraise ValueError('broken')\n", monkeypatch)
    for _ in range(2):
        with pytest.raises(InputError, match="'example' cannot be loaded") as raised:
            find("my.wait")
        assert raised.value.problem.path == "entry point kilonode.scenarios: scenario_package"
        assert raised.value.problem.got == "ValueError: broken"
