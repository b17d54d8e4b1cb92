"""Paths into an experiment file, and values put there from outside: by `--set path=value` or by the matrix.

A path names keys and list positions: `workloads.boots.load.vus`, `criteria[0]`. Setting a key that is not there
adds it; a key on the way that is not there is added too, unless it looks like a slip of the pen for one that is.
Everything here is about nodes; whether a key means anything is for validation to say, which then names the `--set`.
"""

import re
from collections.abc import Sequence as ReadableSequence
from typing import Final, TypeAlias

from kilonode.base.errors import InputError, Problem, nearest
from kilonode.base.yaml_document import read_value
from kilonode.base.yaml_nodes import Entry, Mapping, Node, Place, Sequence, describe

Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]

_STEP: Final = re.compile(r"(?:^|\.)([^.\[\]\s]+)|\[(\d{1,6})\]")


def parse_path(text: str) -> Path:
    """`a.b[0].c` as keys and positions. Raises InputError."""
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or (match[2] is not None and not steps):
            break
        steps.append(match[1] if match[1] is not None else int(match[2]))
        position = match.end()
    if position == 0 or position < len(text):
        raise InputError(
            "not a path",
            got=repr(text),
            expected="keys joined by dots, list positions in brackets: workloads.boots.load.vus",
        )
    return tuple(steps)


def print_path(path: ReadableSequence[Step]) -> str:
    """The text of a path; `parse_path` reads it back."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def set_at(node: Node, path: Path, value: Node, place: Place) -> Node:
    """`node` with `value` at `path`; what is new on the way stands at `place`. Raises InputError."""
    return _set(node, path, 0, value, place)


def set_in(root: Mapping, path: Path, value: Node, place: Place) -> Mapping:
    """`set_at` for a path that is not empty, in a mapping, which stays one. Raises InputError."""
    changed = set_at(root, path, value, place)
    if not isinstance(changed, Mapping):
        raise InputError("cannot set a key here", expected="a mapping", got=describe(changed))
    return changed


def _set(node: Node | None, path: Path, depth: int, value: Node, place: Place) -> Node:
    if depth == len(path):
        return value
    step, here = path[depth], print_path(path[:depth])
    if isinstance(step, int):
        return _set_item(node, step, path, depth, value, place)
    if node is None or (not isinstance(node, Mapping | Sequence) and node.value is None):
        node = Mapping((), place)
    if not isinstance(node, Mapping):
        raise InputError(f"cannot set {step!r} here", where=here, expected="a mapping", got=describe(node))
    old = node.get(step)
    hint = nearest(step, node.names)
    if old is None and hint and depth < len(path) - 1:
        raise InputError(f"there is no {step!r}", where=here, expected=f"one of {', '.join(node.names)}", hint=hint)
    entry = Entry(step, place, _set(old, path, depth + 1, value, place))
    if old is None:
        return Mapping((*node.entries, entry), node.place)
    return Mapping(tuple(_same_key(known, entry) for known in node.entries), node.place)


def _same_key(known: Entry, entry: Entry) -> Entry:
    return Entry(known.key, known.place, entry.value) if known.key == entry.key else known


def _set_item(node: Node | None, step: int, path: Path, depth: int, value: Node, place: Place) -> Node:
    here = print_path(path[:depth])
    items = () if node is None else node.items if isinstance(node, Sequence) else None
    if items is None:
        raise InputError("there is no list here", where=here, expected="a list", got=describe(node) if node else "")
    if step > len(items):
        raise InputError("there is no such place in the list", where=f"{here}[{step}]", got=f"a list of {len(items)}")
    old = items[step] if step < len(items) else None
    new = (*items[:step], _set(old, path, depth + 1, value, place), *items[step + 1 :])
    return Sequence(new, node.place if node is not None else place)


def read_setting(text: str, place: Place) -> tuple[Path, Node]:
    """One `path=value`, whose value then stands at `place`. Raises InputError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError("not a setting", expected="path=value")
    return parse_path(name.strip()), read_value(value, place)


def apply_settings(root: Mapping, settings: ReadableSequence[str]) -> tuple[Mapping, dict[Path, Place], list[Problem]]:
    """The tree with each `path=value` put in, in order; which paths were set; and the settings that made no sense."""
    problems: list[Problem] = []
    done: dict[Path, Place] = {}
    for text in settings:
        place = Place(f"--set {text}")
        try:
            path, value = read_setting(text, place)
            parameter = _meant_parameter(root, path)
            if parameter:
                raise InputError(f"{path[0]!r} is a parameter", hint=f"did you mean --set {parameter}=…?")
            root = set_in(root, path, value, place)
        except InputError as error:
            problems.append(relocated(error.problem, place))
        else:
            done[path] = place
    return root, done, problems


def relocated(problem: Problem, place: Place) -> Problem:
    """The same problem, said of another place."""
    return place.problem(problem.what, path=problem.path, expected=problem.expected, got=problem.got, hint=problem.hint)


def _meant_parameter(root: Mapping, path: Path) -> str:
    """`parameters.x` when the path is just `x`, which is a parameter and not a key of the file."""
    parameters = root.get("parameters")
    if len(path) == 1 and isinstance(parameters, Mapping) and path[0] in parameters:
        return f"parameters.{path[0]}"
    return ""
