"""Rules that need the scenarios themselves: names, arguments, services, and the names in criteria.

Files with scenarios of the user's own are run here, once, since only they know their names and arguments.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from kilonode.base.errors import InputError, Problem
from kilonode.base.validation import Validator, join
from kilonode.base.yaml_nodes import Mapping, Node, Place, Scalar, Sequence
from kilonode.check.criteria import parse_criterion, unknown_name
from kilonode.run.overrides import relocated
from kilonode.run.rules import find, named_entries
from kilonode.scenarios import registry
from kilonode.scenarios.declaration import Scenario
from kilonode.scenarios.probe import PROBE


def check_scenarios(root: Mapping, folder: Path) -> list[Problem]:
    """Every problem with scenarios, their arguments and the names in criteria. Paths of files are below `folder`."""
    problems = list(_load_files(root, folder))
    # A broken file may be why a scenario is not known: saying so twice would mislead.
    files_are_good = not problems
    known: dict[str, Scenario | None] = {}
    for path, name, workload in named_entries(root, "workloads"):
        node = find(workload, "scenario")
        known[name] = None
        if find(workload, "imported") is not None:
            continue  # another tool ran it: nothing is known of its scenario
        if isinstance(node, Scalar) and isinstance(node.value, str) and not node.reported:
            try:
                known[name] = registry.find(node.value)
            except InputError as error:
                if files_are_good:
                    problems.append(_here(error.problem, node.place, join(path, "scenario")))
        scenario = known[name]
        if scenario is not None:
            problems += _arguments(workload, scenario, path)
            problems += _services(root, node, _needs_a_cloud(workload, scenario), scenario.name, path)
    return problems + list(_criteria(root, known))


def _load_files(root: Mapping, folder: Path) -> Iterator[Problem]:
    files = root.get("scenarios")
    for number, node in enumerate(files.items if isinstance(files, Sequence) else ()):
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or node.reported:
            continue
        file = folder / node.value
        try:
            registry.load_file(file.resolve())
        except InputError as error:
            for problem in error.problems:
                in_file = problem.file == str(file.resolve())
                yield (
                    replace(problem, file=str(file)) if in_file else _here(problem, node.place, f"scenarios[{number}]")
                )


def _arguments(workload: Node, scenario: Scenario, path: str) -> list[Problem]:
    """The arguments that stand there, or that none stand there, against what the scenario takes."""
    node = find(workload, "args")
    place = workload.place
    validator = Validator()
    validator.read(node if node is not None else Mapping((), place), scenario.arguments, join(path, "args"))
    return validator.problems


def _needs_a_cloud(workload: Node, scenario: Scenario) -> bool:
    """Whether it works on a cloud; a probe does unless it asks an address."""
    if scenario.name != PROBE:
        return bool(scenario.services)
    endpoint = find(workload, "args", "endpoint")
    return isinstance(endpoint, Scalar) and "://" not in str(endpoint.value)


def _services(root: Mapping, node: Node | None, needs: bool, name: str, path: str) -> Iterator[Problem]:
    cloud = root.get("cloud")
    if node is not None and needs and (cloud is None or (isinstance(cloud, Scalar) and cloud.value is None)):
        yield node.place.problem(
            f"{name} needs a cloud",
            path=join(path, "scenario"),
            expected="a cloud: in the experiment",
            hint="name one: cloud: {emulated: {nodes: 10}}, or cloud: {openstack: NAME}",
        )


def _criteria(root: Mapping, known: dict[str, Scenario | None]) -> Iterator[Problem]:
    criteria = root.get("criteria")
    for number, item in enumerate(criteria.items if isinstance(criteria, Sequence) else ()):
        node = find(item, "criterion") if isinstance(item, Mapping) else item
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or node.reported:
            continue
        path = f"criteria[{number}]" + (".criterion" if isinstance(item, Mapping) else "")
        problem = _criterion_problem(node.value, known)
        if problem is not None:
            yield _here(problem, node.place, path)


def _criterion_problem(text: str, known: dict[str, Scenario | None]) -> Problem | None:
    try:
        criterion = parse_criterion(text)
    except InputError as error:
        return error.problem
    steps: dict[str, Any] = dict.fromkeys(known)
    scenario = known.get(criterion.workload)
    if criterion.step and scenario is not None and not scenario.may_record(criterion.step):
        steps[criterion.workload] = scenario.steps
    return unknown_name(criterion, steps)


def _here(problem: Problem, place: Place, path: str) -> Problem:
    moved = relocated(problem, place)
    return place.problem(moved.what, path=path, expected=moved.expected, got=moved.got, hint=moved.hint)
