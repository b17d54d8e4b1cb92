"""The tree of a YAML document: nodes that know their places.

This module knows neither YAML's syntax nor experiments. Nodes are frozen; what changes a tree builds a new one. Lines
and columns count from 1.
"""

from dataclasses import dataclass
from typing import TypeAlias

from kilonode.base.errors import Problem

PlainScalar: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file, or `--set …` for what came from the command line (then without a line)."""

    file: str
    line: int = 0
    column: int = 0

    def problem(self, what: str, *, path: str = "", expected: str = "", got: str = "", hint: str = "") -> Problem:
        """A problem at this place."""
        return Problem(what, self.file, self.line, self.column, path, expected, got, hint)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. `text` is what was written, before it was understood as a value."""

    value: PlainScalar
    place: Place
    text: str = ""
    quoted: bool = False
    reported: bool = False
    """Something is wrong with it and has been said; nothing more needs to be said about its value."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: "tuple[Node, ...]"
    place: Place


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping and its value."""

    key: str
    place: Place
    """Where the key stands."""
    value: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file; no key twice."""

    entries: tuple[Entry, ...]
    place: Place

    def get(self, key: str) -> "Node | None":
        """The value of `key`, or None."""
        return next((entry.value for entry in self.entries if entry.key == key), None)

    def __contains__(self, key: object) -> bool:
        return any(entry.key == key for entry in self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """All keys in order."""
        return tuple(entry.key for entry in self.entries)


Node: TypeAlias = Scalar | Sequence | Mapping


def from_plain(value: object, place: Place) -> Node:
    """The tree of a plain value, all of it standing at one place."""
    if isinstance(value, dict):
        return Mapping(tuple(Entry(str(key), place, from_plain(item, place)) for key, item in value.items()), place)
    if isinstance(value, list | tuple):
        return Sequence(tuple(from_plain(item, place) for item in value), place)
    if value is None or isinstance(value, bool | int | float | str):
        return Scalar(value, place, "" if value is None else str(value), isinstance(value, str))
    raise TypeError(f"{type(value).__name__} is not a plain value")


def to_plain(node: Node) -> object:
    """Dicts, lists and scalars, without places."""
    if isinstance(node, Mapping):
        return {entry.key: to_plain(entry.value) for entry in node.entries}
    if isinstance(node, Sequence):
        return [to_plain(item) for item in node.items]
    return node.value


def describe(node: Node) -> str:
    """What stands there, for the `got:` line of a problem."""
    if isinstance(node, Mapping):
        return f"a mapping with the keys {', '.join(node.names[:8])}" if node.entries else "an empty mapping"
    if isinstance(node, Sequence):
        return f"a list of {len(node.items)}" if node.items else "an empty list"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, str):
        text = repr(node.value)
        return text if len(text) <= 80 else text[:79] + "…"
    return str(node.value).lower() if isinstance(node.value, bool) else node.text or str(node.value)


def moved(node: Node, place: Place) -> Node:
    """The same tree, all of it standing at `place`."""
    if isinstance(node, Mapping):
        return Mapping(tuple(Entry(entry.key, place, moved(entry.value, place)) for entry in node.entries), place)
    if isinstance(node, Sequence):
        return Sequence(tuple(moved(item, place) for item in node.items), place)
    return Scalar(node.value, place, node.text, node.quoted, node.reported)
