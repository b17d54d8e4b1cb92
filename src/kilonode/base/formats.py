"""Versions of what Kilonode writes to disk: what a newer Kilonode wrote is refused by name, not misread.

A version is a whole number that grows when older readers would misunderstand; documents from before there were versions
have version 0. What a version covers is said where the format is defined.
"""

from typing import Final, TypeVar

import msgspec

from kilonode.base.encoding import decode_json
from kilonode.base.errors import InputError

USE_NEWER: Final = "use the version of Kilonode that wrote it, or a newer one"

Document = TypeVar("Document")


class _Versioned(msgspec.Struct):
    format_version: int = 0


def refuse_newer(version: int, newest: int, *, what: str, where: str, hint: str = USE_NEWER) -> None:
    """Raises InputError when `version` is above `newest`, the last that this Kilonode reads. `what`: `this run`."""
    if version > newest:
        raise InputError(
            f"{what} was written by a newer Kilonode",
            where=where,
            expected=f"format version {newest} or older",
            got=f"version {version}",
            hint=hint,
        )


def decode_versioned_json(
    data: bytes, kind: type[Document], newest: int, *, what: str, where: str, hint: str = USE_NEWER
) -> Document:
    """A JSON document with a field `format_version`. Raises InputError when it is newer, msgspec.DecodeError.

    The version is looked at first: the rest of a newer document may be of any shape.
    """
    version = decode_json(data, _Versioned).format_version
    refuse_newer(version, newest, what=what, where=where, hint=hint)
    return decode_json(data, kind)
