"""What a type wants, in the words of problems: for the `expected:` and `hint:` lines."""

import re
from typing import Final

from msgspec import inspect

from kilonode.base.errors import LabError
from kilonode.base.units import Duration, Rate, Size
from kilonode.base.yaml_nodes import Scalar

NAME_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_-]*$"
"""What names inside a file look like that people write; they become parts of the names of other things."""
UNIT_EXAMPLES: Final[dict[type, str]] = {
    Duration: "a duration such as 250ms, 60s or 1m30s",
    Rate: "a rate such as 200/s or 30/min",
    Size: "a size such as 64MiB or 10GB",
}
UNIT_WORDS: Final[dict[type, str]] = {
    Duration: "one of ns, us, ms, s, m, h, d",
    Rate: "a unit of time, such as s, min or h",
    Size: "one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB",
}
_ANY_SINGLE_VALUE: Final = {inspect.BoolType, inspect.IntType, inspect.FloatType, inspect.StrType}
_PATTERNS: Final[dict[str, str]] = {NAME_PATTERN: "a letter, then letters, digits, - and _"}
USUAL_UNITS: Final[dict[type, str]] = {Duration: "s", Rate: "/s", Size: "MiB"}


def describe_type(kind: inspect.Type) -> str:
    """What a type wants, in words, for the `expected:` line of a problem."""
    match kind:
        case inspect.Metadata():
            if reference := (kind.extra or {}).get("reference"):
                article = "an" if reference[0] in "aeiou" else "a"
                return f"the name or id of {article} {reference.replace('_', ' ')}"
            return describe_type(kind.type)
        case inspect.StructType():
            keys = [field.encode_name for field in kind.fields]
            return f"a mapping with keys from {', '.join(keys)}" if keys else "an empty mapping"
        case inspect.UnionType():
            options = [option for option in kind.types if not isinstance(option, inspect.NoneType)]
            tagged = [option for option in options if isinstance(option, inspect.StructType) and option.tag_field]
            if len(tagged) > 1:
                return f"a mapping with the key {tagged[0].tag_field}"
            if {type(option) for option in options} >= _ANY_SINGLE_VALUE:
                return "text, a number, true or false"
            return " or ".join(describe_type(option) for option in options)
        case inspect.DictType():
            return "a mapping of names and values"
        case inspect.VarTupleType() | inspect.ListType():
            return "a list"
        case inspect.CustomType():
            return UNIT_EXAMPLES.get(kind.cls, kind.cls.__name__)
        case inspect.BoolType():
            return "true or false"
        case inspect.NoneType():
            return "nothing"
        case inspect.IntType():
            return f"a whole number{_bounds(kind)}"
        case inspect.FloatType():
            return f"a number{_bounds(kind)}"
        case inspect.StrType():
            if kind.pattern:
                return _PATTERNS.get(kind.pattern, f"text like {kind.pattern}")
            return "text" if not kind.min_length else "text that is not empty"
        case inspect.LiteralType() | inspect.EnumType():
            values = kind.values if isinstance(kind, inspect.LiteralType) else [member.value for member in kind.cls]
            words = [str(value) for value in values]
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


def number_text(node: Scalar) -> str:
    """The text of a node that is a bare number, quoted or not; else empty."""
    if isinstance(node.value, int | float):
        return node.text or str(node.value)
    text = str(node.value).strip()
    return text if re.fullmatch(r"\d+(\.\d+)?", text) else ""


def scalar_hint(node: Scalar, kind: inspect.Type) -> str:
    """What was probably meant by a scalar of the wrong type, or empty."""
    if isinstance(node.value, str) and isinstance(kind, inspect.IntType | inspect.FloatType) and number_text(node):
        return f"did you mean {node.value.strip()} without quotes?"
    if isinstance(kind, inspect.IntType) and isinstance(node.value, float) and node.value.is_integer():
        return f"did you mean {int(node.value)}?"
    if isinstance(kind, inspect.BoolType) and str(node.value).lower() in ("yes", "on", "no", "off"):
        return f"did you mean {'true' if str(node.value).lower() in ('yes', 'on') else 'false'}?"
    if isinstance(kind, inspect.StrType) and isinstance(node.value, int | float):
        return f'did you mean "{node.text or node.value}" in quotes?'
    return ""
