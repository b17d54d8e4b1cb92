"""The kinds of documents the emulated cloud keeps, and the record type of each: the one registry of them.

A service's `model.py` declares its records with `@document("server")`; importing the model registers them. A role asks
for the kinds it needs by name. It knows nothing about what a record means.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from kilonode.base.errors import LabError

Record = TypeVar("Record", bound=type[msgspec.Struct])

_RECORDS: dict[str, type[msgspec.Struct]] = {}


def document(kind: str) -> Callable[[Record], Record]:
    """Class decorator: documents of `kind` are values of this record type."""

    def register(record: Record) -> Record:
        if kind in _RECORDS:
            raise LabError("two record types claim one kind of document", where=kind)
        _RECORDS[kind] = record
        return record

    return register


def records(*kinds: str) -> dict[str, type[msgspec.Struct]]:
    """Record type by kind: of the kinds named, or of all that are registered when none is. Ordered by name."""
    unknown = sorted(set(kinds) - set(_RECORDS))
    if unknown:
        raise LabError("no record type is registered for a kind", got=", ".join(unknown), expected=", ".join(_RECORDS))
    return {kind: _RECORDS[kind] for kind in sorted(kinds or _RECORDS)}
