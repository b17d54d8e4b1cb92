"""docs/scenarios.md against the code: the table of the library is generated, the example is loaded and run."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonode.base.outcomes import Outcome
from kilonode.scenarios.declaration import DECLARED, Scenario
from kilonode.scenarios.describe import ScenarioDescription, describe
from kilonode.scenarios.registry import load_file
from tests.run.golden import check_golden
from tests.scenarios.emulated import emulated_cloud
from tests.scenarios.shipped import library

PAGE = Path("docs/scenarios.md")
BEGIN = "<!-- generated from the registry by tests/scenarios/test_docs.py; KILONODE_GOLDEN=write makes it anew -->\n"
END = "<!-- end of what is generated -->\n"


@pytest.fixture(autouse=True)
def nothing_stays_declared() -> Iterator[None]:
    names, modules = DECLARED.names(), set(sys.modules)
    yield
    DECLARED.keep_only(names)
    for module in set(sys.modules) - modules:
        del sys.modules[module]


def test_the_table_of_the_library_is_what_the_registry_has() -> None:
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    check_golden(PAGE, f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}")


@pytest.fixture
def example(tmp_path: Path) -> Scenario:
    (text,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(text[text.index("@scenario") :].splitlines()) < 10
    path = tmp_path / "my_scenarios.py"
    path.write_text(text)
    (scenario,) = load_file(path)
    return scenario


async def test_the_example_of_the_page_is_a_scenario_of_under_ten_lines_and_runs(example: Scenario) -> None:
    async with emulated_cloud() as cloud:
        assert await cloud.run(example.name, {"flavor": "m1.tiny", "image": "cirros"}) == (Outcome.OK, "")
        assert cloud.recorder.names.count("add_tag") == 3


def test_every_scenario_of_the_library_is_under_ten_lines() -> None:
    for scenario in library():
        code = scenario.function.__code__
        lines = {line for _, _, line in code.co_lines() if line is not None}
        assert len(lines) < 10, scenario.name


def table() -> str:
    rows = [row(describe(scenario)) for scenario in library()]
    return "\n".join(["| scenario | what one iteration does | arguments | steps |", "|---|---|---|---|", *rows])


def row(scenario: ScenarioDescription) -> str:
    arguments = ", ".join(
        argument.name if argument.required else f"*{argument.name}*" for argument in scenario.arguments
    )
    return f"| `{scenario.name}` | {scenario.summary} | {arguments} | {', '.join(scenario.steps)} |"
