"""What a run asked its cloud to change, request by request, and how each was answered: the file `<worker>.asked`.

A record is noted when its answer has come, or when it is known that none will. The file lies beside the worker's
journal and has the same frames, so a killed worker leaves a readable prefix; the closing frame says that nothing is
missing. It holds words of requests that tell resources apart, never bodies: those may have secrets in them. What the
records mean for the cloud is worked out by `kilonode.check.following`.

Instants are nanoseconds since the run's zero.
"""

import io
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.base.formats import refuse_newer
from kilonode.history.frames import frame, good_frames

SUFFIX: Final = ".asked"
"""What the names of these files end in."""
FORMAT_VERSION: Final = 1
TAKEN: Final = "delete_on_termination"
"""Among what a request refers to: the ids of the volumes that go with the server, with commas between them."""
_BLOCK: Final = 1024


class Asked(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One request that would change something."""

    service: str
    """`compute`, `network`, …"""
    method: str
    path: str
    """Below the service's root: `/servers/<id>/action`."""
    word: str
    """The key of the request's body: `server`, `os-stop`; empty without one."""
    name: str
    """What it names the resource; empty when it names none."""
    refers: dict[str, str]
    """The ids in the request that tie the resource to others: `network_id`, `flavorRef`, …"""
    identity: str
    """The id of what was made, by the answer; empty when there is none."""
    sent_ns: int
    answered_ns: int
    status: int
    """Of the answer; zero: there was none."""
    outcome: str
    """A value of `kilonode.base.outcomes.Outcome`."""
    resent: bool = False
    """Sent twice, the first time over a connection that broke: the first may have been obeyed, too."""


class _Header(msgspec.Struct, frozen=True, tag="header"):
    run_id: str
    format_version: int = FORMAT_VERSION


class _Block(msgspec.Struct, frozen=True, array_like=True, tag="asked"):
    asked: tuple[Asked, ...]


class _End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    count: int


class AskedRecords(msgspec.Struct, frozen=True):
    """Everything that a run asked for, in the order of the answers."""

    asked: tuple[Asked, ...]
    complete: bool
    """Nothing is missing: every file has its end."""


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Block | _End)
_header_decoder = msgspec.msgpack.Decoder(_Header)


class AskedWriter:
    """Writes one file. Belongs to one thread."""

    def __init__(self, path: Path, run_id: str) -> None:
        """Create the file, which must not exist. Raises InputError when that is impossible."""
        self.path = path
        self._waiting: list[Asked] = []
        self._count = 0
        try:
            self._file: io.FileIO = path.open("xb", buffering=0)
        except OSError as error:
            raise InputError("cannot create a file", where=str(path), got=error.strerror or str(error)) from error
        self._write(_encode(_Header(run_id)))

    def add(self, asked: Asked) -> None:
        """Note one."""
        self._waiting.append(asked)
        if len(self._waiting) >= _BLOCK:
            self.flush()

    def flush(self) -> None:
        """Hand what was noted to the operating system: it survives a kill of this process. Raises InputError."""
        if self._waiting:
            self._count += len(self._waiting)
            self._write(_encode(_Block(tuple(self._waiting))))
            self._waiting.clear()

    def close(self, *, complete: bool = True) -> None:
        """Flush and close. `complete` says in the file that nothing is missing."""
        if self._file.closed:
            return
        try:
            self.flush()
            if complete:
                self._write(_encode(_End(self._count)))
        finally:
            self._file.close()

    def _write(self, payload: bytes) -> None:
        try:
            data = memoryview(frame(payload))
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            got = error.strerror or str(error)
            raise InputError("cannot write what was asked for", where=str(self.path), got=got) from error


def read_asked(folder: Path) -> AskedRecords | None:
    """What all files in the folder say together; None when there are none. Raises InputError for a newer format.

    A damaged file is read up to the damage.
    """
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        return None
    asked: list[Asked] = []
    complete = True
    for file in files:
        found, whole = _read(file)
        asked += found
        complete = complete and whole
    asked.sort(key=lambda one: one.answered_ns)
    return AskedRecords(tuple(asked), complete)


def _read(file: Path) -> tuple[list[Asked], bool]:
    asked: list[Asked] = []
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError("cannot read", where=str(file), got=error.strerror or str(error)) from error
    try:
        for number, (_, payload) in enumerate(good_frames(data)):
            if number == 0:
                version = _header_decoder.decode(payload).format_version
                refuse_newer(version, FORMAT_VERSION, what="what was asked for", where=str(file))
                continue
            part = _decoder.decode(payload)
            if isinstance(part, _End):
                return asked, part.count == len(asked)
            asked += part.asked
    except msgspec.DecodeError:
        pass  # a good frame that is not ours: what came before it stands
    return asked, False
