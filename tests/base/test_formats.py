"""Versions of documents on disk."""

import msgspec
import pytest

from kilonode.base.errors import InputError
from kilonode.base.formats import decode_versioned_json


class Thing(msgspec.Struct, frozen=True):
    name: str
    format_version: int = 2


@pytest.mark.parametrize("version", [0, 1, 2])
def test_older_and_present_versions_are_read(version: int) -> None:
    data = msgspec.json.encode({"format_version": version, "name": "a"})
    assert decode_versioned_json(data, Thing, 2, what="this thing", where="x.json") == Thing("a", version)


def test_a_newer_version_is_refused_whatever_its_shape() -> None:
    with pytest.raises(InputError, match="this thing was written by a newer Kilonode") as caught:
        decode_versioned_json(b'{"format_version": 3, "name": 1}', Thing, 2, what="this thing", where="x.json")
    assert caught.value.problem.expected == "format version 2 or older"
    assert caught.value.problem.got == "version 3"


def test_what_is_no_document_is_left_to_the_caller() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_versioned_json(b"{", Thing, 2, what="this thing", where="x.json")
