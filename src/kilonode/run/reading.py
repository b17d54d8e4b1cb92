"""From an experiment file to typed experiments: one for each point of its matrix.

The order: YAML to nodes with places; `--set` puts values in; the matrix is spread out; parameters are filled in; nodes
become records; rules that join keys are checked. Each stage reports everything it finds, and the reader raises one
`InputError` that carries all problems, in the order of the file and each only once, however many points share it.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from kilonode.base.errors import InputError, Problem
from kilonode.base.validation import INVALID, Validator
from kilonode.base.yaml_document import MOST_BYTES, read_document
from kilonode.base.yaml_nodes import Mapping, Place, describe
from kilonode.base.yaml_nodes import Sequence as NodeSequence
from kilonode.run.disruption_rules import check_disruptions
from kilonode.run.disruptions import Disruption
from kilonode.run.experiment import STAGE_PROFILES, Experiment
from kilonode.run.matrix import Combination, apply_combination, combinations, read_axes
from kilonode.run.overrides import apply_settings
from kilonode.run.parameters import fill_in
from kilonode.run.printing import print_experiment
from kilonode.run.probing import spread_probes
from kilonode.run.rules import check_rules
from kilonode.run.scenario_rules import check_scenarios

_DISRUPTION: Final = re.compile(r"disruptions\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Point:
    """One run to do: a resolved experiment, and what makes it differ from its neighbours."""

    number: int
    """Position in the matrix, from 0."""
    experiment: Experiment
    facts: dict[str, Any]
    """Matrix path to value; empty without a matrix."""
    text: str
    """The resolved experiment as YAML; reading it gives `experiment` again."""
    disruption_places: tuple[Place, ...] = field(default=(), compare=False)
    """Where each disruption stands."""

    def with_seed(self, seed: int) -> "Point":
        """The same point with `seed` where the file gives none; the resolved text then has it too."""
        if self.experiment.seed is not None:
            return self
        experiment = msgspec.structs.replace(self.experiment, seed=seed)
        return replace(self, experiment=experiment, text=print_experiment(experiment))

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Problems of disruptions that only show when they are planned get their places in the file."""
        try:
            yield
        except InputError as error:
            placed = tuple(self._placed(one) for one in error.problems)
            if placed == error.problems:
                raise
            raise InputError(error.problem.what, problems=placed) from error

    def _placed(self, problem: Problem) -> Problem:
        found = _DISRUPTION.match(problem.path)
        number = int(found[1]) if found is not None else len(self.disruption_places)
        if problem.line or number >= len(self.disruption_places):
            return problem
        place = self.disruption_places[number]
        return replace(problem, file=place.file, line=place.line, column=place.column)


@dataclass(frozen=True, slots=True)
class ReadExperiment:
    """A file that was read and found good."""

    path: Path
    source: str
    """The file's text as it stands."""
    points: tuple[Point, ...]
    """At least one."""
    axes: tuple[str, ...]
    """The paths of the matrix, in order; empty without a matrix."""


def read_experiment(path: Path | str, sets: Sequence[str] = ()) -> ReadExperiment:
    """Read the experiment file at `path` with the settings `path=value`. Raises InputError with every problem."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)  # more is refused, so that no device or mistake is read for ever
    except OSError as error:
        hint = "kilonode run wants an experiment file; see experiments/" if isinstance(error, FileNotFoundError) else ""
        raise InputError(
            "cannot read the file", where=str(path), got=error.strerror or str(error), hint=hint
        ) from error
    except ValueError as error:
        raise InputError("not a file name", where=str(path)) from error
    return read_text(data, path, sets)


def read_text(data: bytes | str, path: Path, sets: Sequence[str] = ()) -> ReadExperiment:
    """Read an experiment from text that is, or could be, the file at `path`. Raises InputError with every problem."""
    file = str(path)
    root, problems = read_document(data, file)
    if root is not None and not isinstance(root, Mapping):
        problems.append(root.place.problem("not an experiment", expected="a mapping of keys", got=describe(root)))
        root = None
    if root is None:
        raise InputError("the experiment file has problems", problems=problems)
    tree, settings, set_problems = apply_settings(root, sets)
    axes, axis_problems = read_axes(tree, settings)
    problems += set_problems + axis_problems
    points: list[Point] = []
    for number, combination in enumerate(combinations(axes)):
        experiment, places, point_problems = _read_point(tree, combination, path.parent)
        problems += point_problems
        if experiment is not None:
            points.append(Point(number, experiment, combination.facts, print_experiment(experiment), places))
    if problems:
        raise InputError("the experiment file has problems", problems=in_order(problems, file))
    source = data if isinstance(data, str) else data.decode("utf-8-sig")
    return ReadExperiment(path, source, tuple(points), tuple(axis.name for axis in axes))


def in_order(problems: Sequence[Problem], file: str) -> list[Problem]:
    """Each problem once: those of the file by line and column, then those of other places."""
    unique = list(dict.fromkeys(problems))
    return sorted(unique, key=lambda problem: (problem.file != file, problem.line, problem.column))


def _read_point(
    tree: Mapping, combination: Combination, folder: Path
) -> tuple[Experiment | None, tuple[Place, ...], list[Problem]]:
    chosen, problems = apply_combination(tree, combination)
    filled, fill_problems = fill_in(chosen)
    filled, probe_problems = spread_probes(filled)
    validator = Validator()
    value = validator.read(filled, Experiment)
    problems += fill_problems + probe_problems + validator.problems
    problems += [*check_rules(filled), *check_disruptions(filled), *check_scenarios(filled, folder)]
    if problems or value is INVALID:
        return None, (), problems
    disruptions = filled.get("disruptions")
    places = tuple(one.place for one in disruptions.items) if isinstance(disruptions, NodeSequence) else ()
    return with_absolute_paths(value, folder), places, problems


def with_absolute_paths(experiment: Experiment, folder: Path) -> Experiment:
    """The same experiment with its files' paths made absolute, since the resolved one lies in another folder."""
    scenarios = tuple(str((folder / file).resolve()) for file in experiment.scenarios)
    cloud = experiment.cloud
    if cloud is not None and cloud.emulated is not None and cloud.emulated.stages not in STAGE_PROFILES:
        stages = str((folder / cloud.emulated.stages).resolve())
        cloud = msgspec.structs.replace(cloud, emulated=msgspec.structs.replace(cloud.emulated, stages=stages))
    if cloud is not None and cloud.stack is not None and cloud.stack.stages not in (None, *STAGE_PROFILES):
        stages = str((folder / cloud.stack.stages).resolve())
        cloud = msgspec.structs.replace(cloud, stack=msgspec.structs.replace(cloud.stack, stages=stages))
    disruptions = tuple(_with_absolute_stages(one, folder) for one in experiment.disruptions)
    hosts = str((folder / experiment.hosts).resolve()) if experiment.hosts else ""
    return msgspec.structs.replace(experiment, scenarios=scenarios, cloud=cloud, disruptions=disruptions, hosts=hosts)


def _with_absolute_stages(disruption: Disruption, folder: Path) -> Disruption:
    upgrade = disruption.upgrade
    if upgrade is None or upgrade.to is None or upgrade.to.stages in (None, *STAGE_PROFILES):
        return disruption
    to = msgspec.structs.replace(upgrade.to, stages=str((folder / upgrade.to.stages).resolve()))
    return msgspec.structs.replace(disruption, upgrade=msgspec.structs.replace(upgrade, to=to))
