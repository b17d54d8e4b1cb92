"""What the processes of an emulated cloud are told by files in a folder: looking at it again and again, at little cost.

Whoever tells puts a file there and takes it away again; nobody changes one. What cannot be read is said once. Where the
folder cannot be looked at (too many open files, say) all stays as it is: the next look may see more. What the files say
is not known here.
"""

import logging
import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.files import PRIVATE, write_atomically

Record = TypeVar("Record", bound=msgspec.Struct)

_log = logging.getLogger(__name__)


class Told(Generic[Record]):
    """The records in one folder, as they were seen last."""

    def __init__(self, folder: Path, suffix: str, kind: type[Record], what: str) -> None:
        """`what` they are called in the log, in the plural."""
        self.records: dict[str, Record] = {}
        """By the names of their files, in the order of the names."""
        self._folder = folder
        self._suffix = suffix
        self._kind = kind
        self._what = what
        self._names: list[str] = []
        self._blind = False

    def look(self) -> bool:
        """Look, and say whether anything is otherwise than at the last look."""
        try:
            names = self._there()
            if names == self._names:
                self._blind = False
                return False
            self.records = {
                name: record for name in names if (record := self.records.get(name) or self._read(name)) is not None
            }
        except OSError as error:
            if not self._blind:
                _log.warning("the %s cannot be looked at, and stay as they are: %s", self._what, error)
            self._blind = True
            return False
        self._blind = False
        self._names = names
        return True

    def _there(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._folder) if name.endswith(self._suffix))  # noqa: PTH208
        except FileNotFoundError:
            return []

    def _read(self, name: str) -> Record | None:
        try:
            return decode_json((self._folder / name).read_bytes(), self._kind)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            _log.warning("one of the %s cannot be read: %s: %s", self._what, name, error)
            return None


def write_down(file: Path, record: msgspec.Struct, what: str) -> bool:
    """Say in a file what this process goes by. False: it could not be written, and whoever waits for it will say so."""
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomically(file, encode_json(record), PRIVATE)
    except OSError as error:
        _log.warning("the %s are gone by, but that cannot be written down: %s", what, error)
        return False
    return True
