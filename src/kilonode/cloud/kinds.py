"""The kinds of documents the emulated cloud keeps, and the record type of each: the one registry of them.

A service's `model.py` declares its records with `@document("server")`; importing the model registers them. A role asks
for the kinds it needs by name. `shared` kinds are those that all sites of a cloud have in common, in a store of their
own. It knows nothing about what a record means.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from kilonode.base.errors import LabError

Record = TypeVar("Record", bound=type[msgspec.Struct])
Records = dict[str, type[msgspec.Struct]]

_RECORDS: Records = {}
_SHARED: set[str] = set()


def document(kind: str, *, shared: bool = False) -> Callable[[Record], Record]:
    """Class decorator: documents of `kind` are values of this record type."""

    def register(record: Record) -> Record:
        if kind in _RECORDS:
            raise LabError("two record types claim one kind of document", where=kind)
        _RECORDS[kind] = record
        if shared:
            _SHARED.add(kind)
        return record

    return register


def records(*kinds: str) -> Records:
    """Record type by kind: of the kinds named, or of all that are registered when none is. Ordered by name."""
    unknown = sorted(set(kinds) - set(_RECORDS))
    if unknown:
        raise LabError("no record type is registered for a kind", got=", ".join(unknown), expected=", ".join(_RECORDS))
    return {kind: _RECORDS[kind] for kind in sorted(kinds or _RECORDS)}


def split_by_home(kinds: Mapping[str, type[msgspec.Struct]]) -> tuple[Records, Records]:
    """Those that a site has for itself, and those that all sites share."""
    own = {kind: record for kind, record in kinds.items() if kind not in _SHARED}
    shared = {kind: record for kind, record in kinds.items() if kind in _SHARED}
    return own, shared
