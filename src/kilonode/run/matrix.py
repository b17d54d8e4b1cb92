"""The matrix of an experiment file: paths and the values each takes in turn, spread out into points.

    matrix:
      cloud.emulated.nodes: [10, 100, 1000]
      parameters.vus: [1, 10]

is six points, the last path changing fastest. A value may be a mapping, for what changes together:
`cloud.emulated: [{nodes: 10, roles: together}, {nodes: 1000}]`. Each point is the file with its values put in, and
remembers them as facts. The number of points is bounded, so that a slip of the pen does not make a campaign of a
million runs.
"""

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kilonode.base.errors import InputError, Problem
from kilonode.base.yaml_nodes import Entry, Mapping, Node, Place, Sequence, describe, to_plain
from kilonode.run.overrides import Path, parse_path, relocated, set_in

MOST_POINTS: Final = 1_000
MATRIX_KEY: Final = "matrix"


@dataclass(frozen=True, slots=True)
class Axis:
    """One path and the values it takes."""

    name: str
    path: Path
    place: Place
    values: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Combination:
    """One point: its value on each axis."""

    facts: dict[str, object]
    """Path to plain value, in the order of the file."""
    choices: tuple[tuple[Axis, Node], ...]


def read_axes(root: Mapping, settings: dict[Path, Place]) -> tuple[tuple[Axis, ...], list[Problem]]:
    """The good axes of the file's matrix (none without a matrix, or with too many points), and what is wrong.

    `settings` are the paths that `--set` has put values at; sweeping over one of them would undo it.
    """
    matrix = root.get(MATRIX_KEY)
    if matrix is None:
        return (), []
    if not isinstance(matrix, Mapping):
        expected = "a mapping of paths and lists of values"
        return (), [matrix.place.problem("wrong type", path=MATRIX_KEY, expected=expected, got=describe(matrix))]
    axes: list[Axis] = []
    problems: list[Problem] = []
    for entry in matrix.entries:
        try:
            axes.append(_axis(entry, settings))
        except InputError as error:
            problems.append(relocated(error.problem, entry.place))
    points = math.prod(len(axis.values) for axis in axes)
    if points > MOST_POINTS:
        got = " × ".join(str(len(axis.values)) for axis in axes) + f" = {points}"
        expected = f"at most {MOST_POINTS} points"
        problems.append(matrix.place.problem("too many points", path=MATRIX_KEY, expected=expected, got=got))
        return (), problems
    return tuple(axes), problems


def combinations(axes: tuple[Axis, ...]) -> Iterator[Combination]:
    """Every combination of the axes' values, the last axis changing fastest; without axes, one empty combination."""
    for values in itertools.product(*(axis.values for axis in axes)):
        choices = tuple(zip(axes, values, strict=True))
        yield Combination({axis.name: to_plain(value) for axis, value in choices}, choices)


def apply_combination(root: Mapping, combination: Combination) -> tuple[Mapping, list[Problem]]:
    """The tree without its matrix and with the combination's values put in, and the values that found no place."""
    problems: list[Problem] = []
    root = Mapping(tuple(entry for entry in root.entries if entry.key != MATRIX_KEY), root.place)
    for axis, value in combination.choices:
        try:
            root = set_in(root, axis.path, value, axis.place)
        except InputError as error:
            problems.append(relocated(error.problem, axis.place))
    return root, problems


def _axis(entry: Entry, settings: dict[Path, Place]) -> Axis:
    here = f"{MATRIX_KEY}.{entry.key}"
    try:
        path = parse_path(entry.key)
    except InputError as error:
        raise InputError(error.problem.what, where=here, expected=error.problem.expected) from None
    if path[0] == MATRIX_KEY:
        raise InputError("a matrix cannot sweep itself", where=here)
    for other, place in settings.items():
        if other[: len(path)] == path:
            hint = "leave out the --set, or leave out the sweep: --set matrix={}"
            raise InputError("swept by the matrix and set from the command line", where=here, got=place.file, hint=hint)
    if not isinstance(entry.value, Sequence) or not entry.value.items:
        raise InputError("nothing to sweep over", where=here, expected="a list of values", got=describe(entry.value))
    seen: set[str] = set()
    for item in entry.value.items:
        mark = json.dumps(to_plain(item), sort_keys=True)
        if mark in seen:
            raise InputError("a value stands twice", where=here, expected="each value once", got=describe(item))
        seen.add(mark)
    return Axis(entry.key, path, entry.place, entry.value.items)
