"""Records to JSON, MessagePack and plain values, and back: one set of hooks for the types msgspec does not know.

Durations, rates and sizes travel as people write them (`"60s"`, `"200/s"`, `"64MiB"`), which reads back to the same
number. Decoding is strict: a value of the wrong type raises `msgspec.ValidationError` with its path. This module is for
documents that Kilonode itself wrote, such as plans, results and run folders; a file that a person wrote is read by
`kilonode.run.reading`, which finds every problem and its place.
"""

from typing import Any, Final, TypeVar, overload

import msgspec

from kilonode.base.errors import InputError
from kilonode.base.units import Duration, Rate, Size

UNIT_TYPES: Final = (Duration, Rate, Size)
"""The number types that are written with a unit."""

MORE_THAN_ZERO: Final = msgspec.Meta(extra={"more_than_zero": True})
"""Marks a field of a unit type that must not be zero (msgspec's own bounds are for plain numbers only). It is checked
where people's files are read, and stated in the JSON Schema's description."""

Value = TypeVar("Value")

_NUMBER: Final = r"\d+(\.\d+)?([eE][+-]?\d+)?"
_TIME: Final = (
    r"(ns|us|µs|μs|ms|s|m|h|d|(nano|micro|milli)?seconds?|sec|min|minutes?|hours?|days?)"  # the words of base.units
)
_SCHEMAS: Final[dict[type, dict[str, Any]]] = {
    Duration: {
        "type": "string",
        "pattern": rf"^\s*({_NUMBER}\s*{_TIME}\s*)+$",
        "description": "A duration: a number and a unit.",
        "examples": ["250ms", "60s", "1m30s"],
    },
    Rate: {
        "type": "string",
        "pattern": rf"^\s*{_NUMBER}\s*/\s*{_TIME}\s*$",
        "description": "A rate: a number per unit of time.",
        "examples": ["200/s", "30/min"],
    },
    Size: {
        "type": "string",
        "pattern": rf"^\s*{_NUMBER}\s*([kKMGT]B|[KMGT]iB|B)\s*$",
        "description": "A size: a number and a unit.",
        "examples": ["64MiB", "10GB"],
    },
}


def encode_hook(value: Any) -> Any:
    """For msgspec's `enc_hook`: the text of a duration, rate or size."""
    if isinstance(value, UNIT_TYPES):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no plain form")


def decode_hook(kind: type, value: Any) -> Any:
    """For msgspec's `dec_hook`: a duration, rate or size from its text."""
    for unit_type in UNIT_TYPES:
        if kind is unit_type:
            if isinstance(value, unit_type):
                return value
            if not isinstance(value, str):
                raise ValueError(f"Expected text with a unit, got {value!r}")
            try:
                return unit_type.parse(value)
            except InputError as error:
                raise ValueError(f"{error.problem.what}: {value!r}") from error
    raise NotImplementedError(f"{kind.__name__} has no plain form")


def schema_hook(kind: type) -> dict[str, Any]:
    """For msgspec's `schema_hook`: the JSON Schema of a duration, rate or size."""
    if kind in _SCHEMAS:
        return dict(_SCHEMAS[kind])
    raise NotImplementedError(f"{kind.__name__} has no JSON Schema")


def encode_json(value: Any) -> bytes:
    """Compact JSON; the same value always gives the same bytes."""
    return msgspec.json.encode(value, enc_hook=encode_hook)


def encode_json_for_people(value: Any) -> bytes:
    """Indented JSON that ends with a line feed."""
    return msgspec.json.format(encode_json(value), indent=2) + b"\n"


def encode_msgpack(value: Any) -> bytes:
    """MessagePack: smaller and faster than JSON, for documents no person reads."""
    return msgspec.msgpack.encode(value, enc_hook=encode_hook)


def to_plain(value: Any) -> Any:
    """Dicts, lists, strings, numbers, booleans and None, as JSON has them."""
    # By way of JSON, because msgspec leaves tuples tuples.
    return msgspec.json.decode(encode_json(value))


@overload
def decode_json(data: bytes | str, kind: type[Value]) -> Value: ...
@overload
def decode_json(data: bytes | str, kind: Any) -> Any: ...
def decode_json(data: bytes | str, kind: Any) -> Any:
    """Read JSON as a value of type `kind` (also a union of records). Raises msgspec.DecodeError, ValidationError."""
    return msgspec.json.decode(data, type=kind, dec_hook=decode_hook)


@overload
def decode_msgpack(data: bytes, kind: type[Value]) -> Value: ...
@overload
def decode_msgpack(data: bytes, kind: Any) -> Any: ...
def decode_msgpack(data: bytes, kind: Any) -> Any:
    """Read MessagePack as a value of type `kind`. Raises msgspec.DecodeError, ValidationError."""
    return msgspec.msgpack.decode(data, type=kind, dec_hook=decode_hook)


@overload
def from_plain(value: Any, kind: type[Value]) -> Value: ...
@overload
def from_plain(value: Any, kind: Any) -> Any: ...
def from_plain(value: Any, kind: Any) -> Any:
    """A value of type `kind` from dicts, lists and scalars. Raises msgspec.ValidationError."""
    return msgspec.convert(value, type=kind, dec_hook=decode_hook)
