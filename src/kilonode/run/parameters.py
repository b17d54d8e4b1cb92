"""`${name}` in an experiment file: filled in from its `parameters:`, which `--set parameters.name=value` changes.

A scalar that is nothing but `${name}` takes the parameter's value with its type, quoted or not (inside `{…}` and `[…]`
YAML needs the quotes). Inside longer text the value's text is put in. `$${` is a `${` that stands for itself. A
parameter's own value is never searched for others, so filling in ends after one pass.

A value that came in by a whole `${name}` keeps the place where it was written, so that a wrong one is pointed out in
the `parameters:` or the `--set` it came from; the path tells where it was used.
"""

import re
from typing import Final

from kilonode.base.errors import Problem, nearest
from kilonode.base.yaml_nodes import Entry, Mapping, Node, Place, Scalar, Sequence

_MARK: Final = re.compile(r"(\$+)\{([^{}$]*)(\}?)")

UNTOUCHED_KEYS: Final = frozenset({"parameters", "matrix"})
"""Top-level keys in which nothing is filled in: the parameters themselves, and values that are put elsewhere first."""


def fill_in(root: Mapping) -> tuple[Mapping, list[Problem]]:
    """The tree with every `${name}` replaced, and a problem for each that cannot be."""
    filler = _Filler(_values(root.get("parameters")))
    entries = tuple(
        entry if entry.key in UNTOUCHED_KEYS else Entry(entry.key, entry.place, filler.node(entry.value, entry.key))
        for entry in root.entries
    )
    return Mapping(entries, root.place), filler.problems


def escape(text: str) -> str:
    """The text as it has to be written so that nothing in it is taken for a parameter."""
    return re.sub(r"\$(?=\{)", "$$", text)


def _values(parameters: Node | None) -> dict[str, Scalar]:
    if not isinstance(parameters, Mapping):
        return {}
    return {entry.key: entry.value for entry in parameters.entries if isinstance(entry.value, Scalar)}


class _Filler:
    def __init__(self, values: dict[str, Scalar]) -> None:
        self.values = values
        self.problems: list[Problem] = []

    def node(self, node: Node, path: str) -> Node:
        if isinstance(node, Mapping):
            return Mapping(
                tuple(
                    Entry(entry.key, entry.place, self.node(entry.value, f"{path}.{entry.key}"))
                    for entry in node.entries
                ),
                node.place,
            )
        if isinstance(node, Sequence):
            items = (self.node(item, f"{path}[{number}]") for number, item in enumerate(node.items))
            return Sequence(tuple(items), node.place)
        return self.scalar(node, path)

    def scalar(self, node: Scalar, path: str) -> Scalar:
        if not isinstance(node.value, str) or "${" not in node.value:
            return node
        whole = _MARK.fullmatch(node.value)
        problems_before = len(self.problems)
        if whole and len(whole[1]) == 1 and whole[3]:
            value = self.value(whole[2], node.place, path)
            return value or Scalar(node.value, node.place, node.text, quoted=True, reported=True)
        text = _MARK.sub(lambda match: self.part(match, node.place, path), node.value)
        return Scalar(text, node.place, text, quoted=True, reported=len(self.problems) > problems_before)

    def part(self, match: re.Match[str], place: Place, path: str) -> str:
        dollars, name, closed = match.groups()
        if len(dollars) > 1:
            return match[0][1:]
        if not closed:
            self.problems.append(
                place.problem(
                    "${ without }", path=path, expected="${name}", hint="write $${ for a ${ that stands for itself"
                )
            )
            return match[0]
        value = self.value(name, place, path)
        if value is None:
            return match[0]
        return str(value.value).lower() if isinstance(value.value, bool) else value.text

    def value(self, name: str, place: Place, path: str) -> Scalar | None:
        if name in self.values:
            return self.values[name]
        self.problems.append(
            place.problem(
                f"there is no parameter {name!r}",
                path=path,
                expected=f"one of {', '.join(self.values)}" if self.values else "a name that stands under parameters:",
                hint=nearest(name, self.values) or "give it a default: parameters: {" + (name or "name") + ": …}",
            )
        )
        return None
