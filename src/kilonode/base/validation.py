"""From nodes to typed values, finding every problem.

The walker follows the type information of msgspec records. It never stops at the first problem: each wrong node is
reported with its place and path, and its neighbours are still read. Unit types (durations, rates, sizes) are read from
their text. What joins several keys is known here only as far as the record itself checks it when it is made.
"""

import difflib
import functools
import math
import re
from collections.abc import Sequence as ReadableSequence
from typing import Any, Final

from msgspec import inspect

from kilonode.base.encoding import UNIT_TYPES
from kilonode.base.errors import InputError, LabError, Problem, nearest
from kilonode.base.expectations import UNIT_EXAMPLES, UNIT_WORDS, USUAL_UNITS, describe_type, number_text, scalar_hint
from kilonode.base.yaml_nodes import Mapping, Node, Place, Scalar, Sequence, describe, to_plain


class _Invalid:
    """The value of a node with a problem."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()


@functools.cache
def type_information(kind: Any) -> inspect.Type:
    """What msgspec knows about a type. Kept: it is costly for big records, and asked for at every reading."""
    return inspect.type_info(kind)


class Validator:
    """Reads nodes as types and gathers the problems of all of them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def read(self, node: Node, kind: Any, path: str = "") -> Any:
        """The node as a value of the type `kind`, or INVALID after at least one more problem."""
        return self.value(node, type_information(kind), path)

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
                return self._any(node, path)
            case inspect.CustomType():
                return self._unit(node, kind.cls, path)
            case _:
                return self._scalar(node, kind, path)

    def struct(self, node: Node, kind: inspect.StructType, path: str) -> Any:
        """A mapping as a record: unknown, missing and wrong keys are all reported."""
        if not isinstance(node, Mapping):
            return self._wrong(node, path, kind)
        fields = {field.encode_name: field for field in kind.fields}
        known = [*fields, *([kind.tag_field] if kind.tag_field else [])]
        values: dict[str, Any] = {}
        misspelt: set[str] = set()
        sound = True
        for entry in node.entries:
            if entry.key == kind.tag_field:
                continue
            here = join(path, entry.key)
            field = fields.get(entry.key)
            if field is None:
                misspelt.add(self.unknown_key(entry.key, entry.place, here, known))
                sound = False
                continue
            values[field.name] = self.value(entry.value, field.type, here)
            sound = sound and values[field.name] is not INVALID
        for name, field in fields.items():
            if field.required and name not in node:
                sound = False
                if name not in misspelt:
                    self._report(node.place, "missing", join(path, name), expected=describe_type(field.type))
        if not sound:
            return INVALID
        try:
            return kind.cls(**values)
        except ValueError as error:  # what the record itself refuses
            expected = str(error).removeprefix("Expected ")
            return self._report(node.place, "these values do not go together", path, expected=expected)

    def unknown_key(self, key: str, place: Place, path: str, known: ReadableSequence[str]) -> str:
        """Report a key that means nothing where it stands. The known key that was probably meant, or empty."""
        expected = f"one of {', '.join(known)}" if known else "no keys at all"
        self._report(place, "unknown key", path, expected=expected, hint=nearest(key, known))
        return next(iter(difflib.get_close_matches(key, known, n=1)), "")

    def _with_metadata(self, node: Node, kind: inspect.Metadata, path: str) -> Any:
        value = self.value(node, kind.type, path)
        extra = kind.extra or {}
        if value is INVALID:
            return INVALID
        if extra.get("more_than_zero") and not value > 0:
            return self._report(node.place, "must not be zero", path, expected="more than zero", got=describe(node))
        known, endings = extra.get("known"), tuple(extra.get("or_ending", ()))
        if known and value not in known and not str(value).endswith(endings):
            expected = f"one of {', '.join(known)}" + (f", or a file that ends in {endings[0]}" if endings else "")
            hint = nearest(str(value), known)
            return self._report(node.place, "unknown name", path, expected=expected, got=describe(node), hint=hint)
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
        lists = [option for option in kind.types if isinstance(option, inspect.VarTupleType | inspect.ListType)]
        if isinstance(node, Sequence) and len(lists) == 1:
            return self.value(node, lists[0], path)  # what is wrong is in the list
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
            what, got = ("too few", describe(node)) if values else ("empty", "")
            return self._report(node.place, what, path, expected=f"at least {kind.min_length}", got=got)
        if kind.max_length is not None and len(values) > kind.max_length:
            return self._report(node.place, "too many", path, expected=f"at most {kind.max_length}", got=describe(node))
        if any(value is INVALID for value in values):
            return INVALID
        return tuple(values) if isinstance(kind, inspect.VarTupleType) else values

    def _any(self, node: Node, path: str) -> Any:
        if isinstance(node, Mapping):
            values = [self._any(entry.value, join(path, entry.key)) for entry in node.entries]
        elif isinstance(node, Sequence):
            values = [self._any(item, f"{path}[{number}]") for number, item in enumerate(node.items)]
        elif node.reported:
            values = [INVALID]
        elif isinstance(node.value, int | float) and not isinstance(node.value, bool):
            values = [self._bounded(node, node.value, inspect.FloatType(), path)]
        else:
            values = []
        return INVALID if any(value is INVALID for value in values) else to_plain(node)

    def _unit(self, node: Node, kind: type, path: str) -> Any:
        if kind not in UNIT_TYPES:
            raise LabError(f"{kind.__name__} cannot stand in a file that people write")
        if not isinstance(node, Scalar) or node.value is None or isinstance(node.value, bool):
            return self._wrong(node, path, inspect.CustomType(kind))
        bare = number_text(node)
        if bare:
            hint = f"did you mean {bare}{USUAL_UNITS[kind]}?"
            return self._report(
                node.place,
                "a number without a unit",
                path,
                expected=UNIT_EXAMPLES[kind],
                got=describe(node),
                hint=hint,
            )
        parse = {unit: unit.parse for unit in UNIT_TYPES}[kind]
        try:
            return parse(str(node.value))
        except InputError as error:
            problem = error.problem
            expected = problem.expected if problem.what.startswith("not a ") else UNIT_WORDS[kind]
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
            case inspect.EnumType() if any(value == known.value for known in kind.cls):
                return kind.cls(value)
            case inspect.EnumType():
                return self._wrong(node, path, kind, hint=nearest(str(value), [str(known.value) for known in kind.cls]))
            case inspect.LiteralType():
                hint = nearest(str(value), [str(known) for known in kind.values])
                return self._wrong(node, path, kind, hint=hint)
            case _:
                return self._wrong(node, path, kind, hint=scalar_hint(node, kind))

    def _bounded(self, node: Scalar, value: float, kind: inspect.IntType | inspect.FloatType, path: str) -> Any:
        too_small = (kind.ge is not None and value < kind.ge) or (kind.gt is not None and value <= kind.gt)
        too_big = (kind.le is not None and value > kind.le) or (kind.lt is not None and value >= kind.lt)
        if not math.isfinite(value):
            return self._wrong(node, path, kind)
        too_big = too_big or value >= 2**63
        too_small = too_small or value < -(2**63)
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
            return self._report(
                node.place, f"the {noun} is too long", path, expected=expected, got=f"{len(text)} characters"
            )
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
