"""YAML text to the nodes of `kilonode.base.yaml_nodes`.

This module knows YAML and nothing of experiments. It reads with PyYAML's parser but composes its own nodes, because
every later problem has to name a line and a column. It is safe by construction: no tag makes an object, and the size
of the file, the depth of nesting and the number of nodes after aliases are bounded, so no file can exhaust the machine.

Scalars follow the core schema of YAML 1.2, as JSON people expect: `yes`, `on` and `1:30` are text, not a boolean or a
number.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

from kilonode.base.errors import InputError, Problem
from kilonode.base.yaml_nodes import Entry, Mapping, Node, Place, PlainScalar, Scalar, Sequence, describe, moved

MOST_BYTES: Final = 512 * 1024
MOST_DEPTH: Final = 40
MOST_NODES: Final = 50_000
"""Nodes of the whole document, each alias counted as a copy of what it stands for."""


def read_document(text: bytes | str, file: str) -> tuple[Node | None, list[Problem]]:
    """The document's tree, or None when it cannot be read at all, with every problem found on the way."""
    data = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    if len(data) > MOST_BYTES:
        limit = f"at most {MOST_BYTES // 1024} KiB"
        return None, [Place(file, 1, 1).problem("the file is too big", expected=limit, got=f"{len(data)} bytes")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = Place(file, data.count(b"\n", 0, error.start) + 1)
        return None, [place.problem("the file is not text", expected="UTF-8", got=f"the byte {data[error.start]:#04x}")]
    composer = _Composer(file)
    try:
        node = composer.document(text)
    except _CannotGoOnError as error:
        return None, [*composer.problems, error.problem]
    return node, composer.problems


def read_value(text: str, place: Place) -> Node:
    """One value written as YAML outside a file; all of it stands at `place`. Raises InputError."""
    node, problems = read_document(text, place.file) if text.strip() else (Scalar("", place, "", quoted=True), [])
    if problems or node is None:
        raise InputError(problems[0].what, expected="a value as YAML writes it", got=repr(text), hint=problems[0].hint)
    return moved(node, place)


_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE: Final = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_LONGEST_NUMBER_CHARACTERS: Final = 40
_WORDS: Final[dict[str, PlainScalar]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".nan": math.nan, ".NaN": math.nan, ".NAN": math.nan,
}  # fmt: skip


def resolve_scalar(text: str) -> PlainScalar:
    """What an unquoted scalar means in the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER_CHARACTERS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if match := _INFINITE.fullmatch(text):
        return -math.inf if match[1] == "-" else math.inf
    return text


class _CannotGoOnError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


@dataclass(slots=True)
class _Composer:
    """Builds the tree from PyYAML's events; counts depth and nodes, aliases included."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    _anchors: dict[str, tuple[Node, int, int]] = field(default_factory=dict)
    """Anchor to its node, how many nodes that is, and how deep."""
    _nodes: int = 0

    def document(self, text: str) -> Node | None:
        events = self._events(text)
        next(events)  # the stream starts
        if isinstance(next(events), yaml.StreamEndEvent):
            self._stop(Place(self.file, 1, 1), "the file is empty", expected="a mapping of keys and values")
        node, _, _ = self._node(next(events), events, 1, "")
        next(events)  # the document ends
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._report(self._place(after), "a second document", expected="one document in a file", got="---")
        return node

    def _events(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file)
            line = "".join(text.split("\n")[mark.line : mark.line + 1]) if mark else ""
            self._stop(place, f"not YAML: {error.problem or error.context}", hint=_hint(error.problem or "", line))
        except yaml.reader.ReaderError as error:
            before = text[: error.position] if isinstance(error.position, int) else ""
            place = Place(self.file, before.count("\n") + 1, len(before) - before.rfind("\n"))
            code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
            self._stop(place, "not YAML: a character that may not stand in a file", got=f"U+{code:04X}")
        except (ValueError, OverflowError, IndexError) as error:  # PyYAML lets some broken escapes through as these
            self._stop(Place(self.file), f"not YAML: {error}")

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int, path: str) -> tuple[Node, int, int]:
        """The node that begins with `event`, how many nodes it is, and how deep it goes below."""
        place = self._place(event)
        if depth > MOST_DEPTH:
            self._stop(place, "nested too deeply", expected=f"at most {MOST_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            built = self._alias(event, place, depth, path)
            self._count(place, built[1])
            return built
        self._count(place, 1)
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.ScalarEvent):
            built = (self._scalar(event, place, path), 1, 0)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event.tag, "seq", place, path)
            built = self._sequence(place, events, depth, path)
        else:
            assert isinstance(event, yaml.MappingStartEvent)  # noqa: S101
            self._check_tag(event.tag, "map", place, path)
            built = self._mapping(place, events, depth, path)
        if anchor is not None:
            self._anchors[anchor] = built
        return built

    def _sequence(self, place: Place, events: Iterator[yaml.Event], depth: int, path: str) -> tuple[Node, int, int]:
        items: list[Node] = []
        size, deepest = 1, 0
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            item, item_size, item_depth = self._node(event, events, depth + 1, f"{path}[{len(items)}]")
            items.append(item)
            size, deepest = size + item_size, max(deepest, item_depth + 1)
        return Sequence(tuple(items), place), size, deepest

    def _mapping(self, place: Place, events: Iterator[yaml.Event], depth: int, path: str) -> tuple[Node, int, int]:
        entries: dict[str, Entry] = {}
        merged: list[Entry] = []
        size, deepest = 1, 0
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key_place = self._place(event)
            key_node, key_size, _ = self._node(event, events, depth + 1, path)
            key = self._key(key_node, key_place, path)
            here = f"{path}.{key}" if path else str(key)
            value, value_size, value_depth = self._node(next(events), events, depth + 1, here)
            size, deepest = size + key_size + value_size, max(deepest, value_depth + 1)
            if key is None:
                continue
            if key == "<<" and not (isinstance(key_node, Scalar) and key_node.quoted):
                merged += self._merge(value, key_place, here)
            elif key in entries:
                hint = f"it stands at line {entries[key].place.line} already"
                self._report(key_place, f"the key {key!r} stands twice", path=here, hint=hint)
            else:
                entries[key] = Entry(key, key_place, value)
        for entry in merged:
            entries.setdefault(entry.key, entry)
        return Mapping(tuple(entries.values()), place), size, deepest

    def _key(self, node: Node, place: Place, path: str) -> str | None:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        if isinstance(node, Scalar) and node.value is not None:
            return node.text
        self._report(place, "a key that is not a name", path=path, expected="text", got=describe(node))
        return None

    def _merge(self, value: Node, place: Place, path: str) -> list[Entry]:
        sources = value.items if isinstance(value, Sequence) else (value,)
        entries: list[Entry] = []
        for source in sources:
            if isinstance(source, Mapping):
                entries += source.entries
            else:
                self._report(place, "<< cannot merge this", path=path, expected="a mapping", got=describe(source))
        return entries

    def _alias(self, event: yaml.AliasEvent, place: Place, depth: int, path: str) -> tuple[Node, int, int]:
        known = self._anchors.get(event.anchor or "")
        if known is None:
            what = f"the alias *{event.anchor} has no anchor before it"
            self._report(place, what, path=path, expected=f"&{event.anchor} earlier")
            return Scalar(None, place, reported=True), 1, 0
        if depth + known[2] > MOST_DEPTH:
            self._stop(place, "nested too deeply", expected=f"at most {MOST_DEPTH} levels, aliases included")
        return known

    def _scalar(self, event: yaml.ScalarEvent, place: Place, path: str) -> Scalar:
        text: str = event.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._report(place, "half a character", path=path, expected="whole Unicode characters", got=repr(text)[:60])
            return Scalar("", place, quoted=True, reported=True)
        if not self._check_tag(event.tag, "str", place, path):
            return Scalar(text, place, text, quoted=True, reported=True)
        plain = event.style is None and event.tag is None
        return Scalar(resolve_scalar(text) if plain else text, place, text, quoted=not plain)

    def _check_tag(self, tag: str | None, kind: str, place: Place, path: str) -> bool:
        if tag is None or tag in ("!", f"tag:yaml.org,2002:{kind}"):
            return True
        short = tag.replace("tag:yaml.org,2002:", "!!")
        self._report(place, f"the tag {short} means nothing here", path=path, hint="leave the tag out")
        return False

    def _count(self, place: Place, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            self._stop(place, "the document is too big", expected=f"at most {MOST_NODES} values, aliases spread out")

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file)

    def _report(
        self, place: Place, what: str, *, path: str = "", expected: str = "", got: str = "", hint: str = ""
    ) -> None:
        self.problems.append(place.problem(what, path=path, expected=expected, got=got, hint=hint))

    def _stop(self, place: Place, what: str, *, expected: str = "", got: str = "", hint: str = "") -> None:
        raise _CannotGoOnError(place.problem(what, expected=expected, got=got, hint=hint))


def _hint(problem: str, line: str) -> str:
    if "${" in line and "but got '{'" in problem:
        return 'inside {…} and […] a parameter needs quotes: "${name}"'
    if "'\\t'" in problem:
        return "indent with spaces, not tabs"
    if "mapping values are not allowed" in problem:
        return "text with a colon and a space needs quotes; or the line is indented wrongly"
    if "'%'" in problem or "'@'" in problem or "'`'" in problem:
        return "text that starts with this character needs quotes"
    return ""
