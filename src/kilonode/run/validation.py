"""From nodes to typed values, finding every problem.

The walker follows the type information of msgspec records. It never stops at the first problem: each wrong node is
reported with its place and path, and its neighbours are still read. Unit types (durations, rates, sizes) are read from
their text. What joins several keys is not known here (see `kilonode.run.rules`).
"""

import math
import re
from collections.abc import Iterable
from typing import Any, Final

from msgspec import inspect

from kilonode.base.encoding import UNIT_TYPES
from kilonode.base.errors import InputError, LabError, Problem, nearest
from kilonode.base.units import Duration, Rate, Size
from kilonode.run.document import Mapping, Node, Place, Scalar, Sequence, describe, to_plain
from kilonode.run.experiment import NAME_PATTERN


class _Invalid:
    """The value of a node with a problem."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()

_UNIT_EXAMPLES: Final[dict[type, str]] = {
    Duration: "a duration such as 250ms, 60s or 1m30s",
    Rate: "a rate such as 200/s or 30/min",
    Size: "a size such as 64MiB or 10GB",
}
_PATTERNS: Final[dict[str, str]] = {NAME_PATTERN: "a letter, then letters, digits, - and _"}
_USUAL_UNITS: Final[dict[type, str]] = {Duration: "s", Rate: "/s", Size: "MiB"}


class Validator:
    """Reads nodes as types and gathers the problems of all of them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def read(self, node: Node, kind: Any, path: str = "") -> Any:
        """The node as a value of the type `kind`, or INVALID after at least one more problem."""
        return self.value(node, inspect.type_info(kind), path)

    def value(self, node: Node, kind: inspect.Type, path: str) -> Any:
        """The node as a value of an inspected type, or INVALID."""
        if isinstance(node, Scalar) and node.reported:
            return INVALID
        match kind:
            case inspect.Metadata():
                return self._with_metadata(node, kind, path)
            case inspect.StructType():
                return self.struct(node, kind, path)
            case inspect.UnionType():
                return self._union(node, kind, path)
            case inspect.DictType():
                return self._dict(node, kind, path)
            case inspect.VarTupleType() | inspect.ListType():
                return self._list(node, kind, path)
            case inspect.AnyType():
                return to_plain(node)
            case inspect.CustomType():
                return self._unit(node, kind.cls, path)
            case _:
                return self._scalar(node, kind, path)

    def struct(self, node: Node, kind: inspect.StructType, path: str) -> Any:
        """A mapping as a record: unknown, missing and wrong keys are all reported."""
        if not isinstance(node, Mapping):
            return self._wrong(node, path, kind)
        fields = {field.encode_name: field for field in kind.fields}
        values: dict[str, Any] = {}
        sound = True
        for entry in node.entries:
            if entry.key == kind.tag_field:
                continue
            here = join(path, entry.key)
            field = fields.get(entry.key)
            if field is None:
                self.unknown_key(entry.key, entry.place, here, [*fields, *([kind.tag_field] if kind.tag_field else [])])
                sound = False
                continue
            values[field.name] = self.value(entry.value, field.type, here)
            sound = sound and values[field.name] is not INVALID
        for name, field in fields.items():
            if field.required and name not in node:
                self._report(node.place, "missing", join(path, name), expected=describe_type(field.type))
                sound = False
        return kind.cls(**values) if sound else INVALID

    def unknown_key(self, key: str, place: Place, path: str, known: Iterable[str]) -> None:
        """Report a key that means nothing where it stands."""
        names = list(known)
        expected = f"one of {', '.join(names)}" if names else "no keys at all"
        self._report(place, "unknown key", path, expected=expected, hint=nearest(key, names))

    def _with_metadata(self, node: Node, kind: inspect.Metadata, path: str) -> Any:
        value = self.value(node, kind.type, path)
        if value is not INVALID and (kind.extra or {}).get("more_than_zero") and not value > 0:
            return self._report(node.place, "must not be zero", path, expected="more than zero", got=describe(node))
        return value

    def _union(self, node: Node, kind: inspect.UnionType, path: str) -> Any:
        structs = [option for option in kind.types if isinstance(option, inspect.StructType)]
        if isinstance(node, Mapping) and structs:
            tagged = structs[0].tag_field is not None
            return self._tagged(node, structs, path) if tagged else self.value(node, structs[0], path)
        attempts: list[list[Problem]] = []
        for option in kind.types:
            if isinstance(option, inspect.StructType):
                continue
            attempt = Validator()
            value = attempt.value(node, option, path)
            if value is not INVALID:
                return value
            attempts.append(attempt.problems)
        plain = [option for option in kind.types if not isinstance(option, inspect.NoneType)]
        if len(plain) == 1 and attempts and not structs:
            self.problems += attempts[0]
            return INVALID
        return self._wrong(node, path, kind)

    def _tagged(self, node: Mapping, structs: list[inspect.StructType], path: str) -> Any:
        tag_field = structs[0].tag_field or ""
        by_tag = {str(struct.tag): struct for struct in structs}
        tag = node.get(tag_field)
        expected = f"one of {', '.join(by_tag)}"
        if tag is None:
            return self._report(node.place, "missing", join(path, tag_field), expected=expected)
        chosen = by_tag.get(str(tag.value)) if isinstance(tag, Scalar) else None
        if chosen is None:
            hint = nearest(str(tag.value), by_tag) if isinstance(tag, Scalar) else ""
            here = join(path, tag_field)
            return self._report(
                tag.place, f"no such {tag_field}", here, expected=expected, got=describe(tag), hint=hint
            )
        return self.struct(node, chosen, path)

    def _dict(self, node: Node, kind: inspect.DictType, path: str) -> Any:
        if not isinstance(node, Mapping):
            return self._wrong(node, path, kind)
        values: dict[str, Any] = {}
        sound = True
        for entry in node.entries:
            here = join(path, entry.key)
            key = self._text(Scalar(entry.key, entry.place, entry.key), kind.key_type, here, "name")
            value = self.value(entry.value, kind.value_type, here)
            sound = sound and key is not INVALID and value is not INVALID
            values[entry.key] = value
        if len(values) < (kind.min_length or 0):
            return self._report(node.place, "empty", path, expected=f"at least {kind.min_length}")
        return values if sound else INVALID

    def _list(self, node: Node, kind: inspect.VarTupleType | inspect.ListType, path: str) -> Any:
        if not isinstance(node, Sequence):
            return self._wrong(node, path, kind)
        values = [self.value(item, kind.item_type, f"{path}[{number}]") for number, item in enumerate(node.items)]
        if len(values) < (kind.min_length or 0):
            return self._report(node.place, "empty", path, expected=f"at least {kind.min_length}")
        if any(value is INVALID for value in values):
            return INVALID
        return tuple(values) if isinstance(kind, inspect.VarTupleType) else values

    def _unit(self, node: Node, kind: type, path: str) -> Any:
        if kind not in UNIT_TYPES:
            raise LabError(f"{kind.__name__} cannot stand in a file that people write")
        if not isinstance(node, Scalar) or node.value is None or isinstance(node.value, bool):
            return self._wrong(node, path, inspect.CustomType(kind))
        bare = _number_text(node)
        if bare:
            hint = f"did you mean {bare}{_USUAL_UNITS[kind]}?"
            return self._report(
                node.place,
                "a number without a unit",
                path,
                expected=_UNIT_EXAMPLES[kind],
                got=describe(node),
                hint=hint,
            )
        parse = {unit: unit.parse for unit in UNIT_TYPES}[kind]
        try:
            return parse(str(node.value))
        except InputError as error:
            problem = error.problem
            expected = problem.expected if problem.what.startswith("not a ") else f"a unit: {problem.expected}"
            return self._report(node.place, problem.what, path, expected=expected, got=problem.got, hint=problem.hint)

    def _scalar(self, node: Node, kind: inspect.Type, path: str) -> Any:
        if not isinstance(node, Scalar):
            return self._wrong(node, path, kind)
        value = node.value
        match kind:
            case inspect.NoneType() if value is None:
                return None
            case inspect.BoolType() if isinstance(value, bool):
                return value
            case inspect.IntType() if isinstance(value, int) and not isinstance(value, bool):
                return self._bounded(node, value, kind, path)
            case inspect.FloatType() if isinstance(value, int | float) and not isinstance(value, bool):
                return self._bounded(node, float(value) if abs(value) < 2**1000 else math.inf, kind, path)
            case inspect.StrType() if isinstance(value, str):
                return self._text(node, kind, path, "text")
            case inspect.LiteralType() if any(value == known and type(value) is type(known) for known in kind.values):
                return value
            case inspect.LiteralType():
                hint = nearest(str(value), [str(known) for known in kind.values])
                return self._wrong(node, path, kind, hint=hint)
            case _:
                return self._wrong(node, path, kind, hint=_scalar_hint(node, kind))

    def _bounded(self, node: Scalar, value: float, kind: inspect.IntType | inspect.FloatType, path: str) -> Any:
        too_small = (kind.ge is not None and value < kind.ge) or (kind.gt is not None and value <= kind.gt)
        too_big = (kind.le is not None and value > kind.le) or (kind.lt is not None and value >= kind.lt)
        if not math.isfinite(value) or abs(value) >= 2**63:
            return self._wrong(node, path, kind)
        if too_small or too_big:
            what = "too small" if too_small else "too big"
            return self._report(node.place, what, path, expected=describe_type(kind), got=describe(node))
        return value

    def _text(self, node: Scalar, kind: inspect.Type, path: str, noun: str) -> Any:
        if isinstance(kind, inspect.Metadata):
            kind = kind.type
        if not isinstance(kind, inspect.StrType):
            return node.value
        text = str(node.value)
        if (kind.min_length or 0) > len(text):
            return self._report(
                node.place, f"the {noun} is too short", path, expected=describe_type(kind), got=repr(text)
            )
        if kind.max_length is not None and len(text) > kind.max_length:
            expected = f"at most {kind.max_length} characters"
            return self._report(node.place, f"the {noun} is too long", path, expected=expected, got=f"{len(text)}")
        if kind.pattern is not None and not re.search(kind.pattern, text):
            return self._report(
                node.place, f"not a good {noun}", path, expected=describe_type(kind), got=describe(node)
            )
        return node.value

    def _wrong(self, node: Node, path: str, kind: inspect.Type, hint: str = "") -> Any:
        return self._report(
            node.place,
            "wrong type" if not hint else "wrong value",
            path,
            expected=describe_type(kind),
            got=describe(node),
            hint=hint,
        )

    def _report(self, place: Place, what: str, path: str, *, expected: str = "", got: str = "", hint: str = "") -> Any:
        self.problems.append(place.problem(what, path=path, expected=expected, got=got, hint=hint))
        return INVALID


def join(path: str, key: str) -> str:
    """The path of a key in the mapping at `path`."""
    return f"{path}.{key}" if path else key


def describe_type(kind: inspect.Type) -> str:
    """What a type wants, in words, for the `expected:` line of a problem."""
    match kind:
        case inspect.Metadata():
            return describe_type(kind.type)
        case inspect.StructType():
            keys = [field.encode_name for field in kind.fields]
            return f"a mapping with keys from {', '.join(keys)}" if keys else "an empty mapping"
        case inspect.UnionType():
            options = [option for option in kind.types if not isinstance(option, inspect.NoneType)]
            tagged = [option for option in options if isinstance(option, inspect.StructType) and option.tag_field]
            if len(tagged) > 1:
                return (
                    f"a mapping whose {tagged[0].tag_field} is one of {', '.join(str(option.tag) for option in tagged)}"
                )
            return " or ".join(describe_type(option) for option in options)
        case inspect.DictType():
            return "a mapping of names and values"
        case inspect.VarTupleType() | inspect.ListType():
            return "a list"
        case inspect.CustomType():
            return _UNIT_EXAMPLES.get(kind.cls, kind.cls.__name__)
        case inspect.BoolType():
            return "true or false"
        case inspect.NoneType():
            return "nothing"
        case inspect.IntType():
            return f"a whole number{_bounds(kind)}"
        case inspect.FloatType():
            return f"a number{_bounds(kind)}"
        case inspect.StrType():
            return _PATTERNS.get(kind.pattern, f"text like {kind.pattern}") if kind.pattern else "text"
        case inspect.LiteralType():
            words = [str(value) for value in kind.values]
            return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
        case inspect.AnyType():
            return "anything"
        case _:
            raise LabError(f"{type(kind).__name__} cannot stand in a file that people write")


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    if kind.ge is not None:
        return f", {kind.ge} or more"
    if kind.gt is not None:
        return f", more than {kind.gt}"
    return f", {kind.le} or less" if kind.le is not None else ""


def _number_text(node: Scalar) -> str:
    """The text of a node that is a bare number, quoted or not; else empty."""
    if isinstance(node.value, int | float):
        return node.text or str(node.value)
    text = str(node.value).strip()
    return text if re.fullmatch(r"\d+(\.\d+)?", text) else ""


def _scalar_hint(node: Scalar, kind: inspect.Type) -> str:
    if isinstance(node.value, str) and isinstance(kind, inspect.IntType | inspect.FloatType) and _number_text(node):
        return f"did you mean {node.value.strip()} without quotes?"
    if isinstance(kind, inspect.IntType) and isinstance(node.value, float) and node.value.is_integer():
        return f"did you mean {int(node.value)}?"
    if isinstance(kind, inspect.BoolType) and str(node.value).lower() in ("yes", "on", "no", "off"):
        return f"did you mean {'true' if str(node.value).lower() in ('yes', 'on') else 'false'}?"
    if isinstance(kind, inspect.StrType) and isinstance(node.value, int | float):
        return f'did you mean "{node.text or node.value}" in quotes?'
    return ""
