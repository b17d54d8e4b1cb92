"""The file by which a program that is not ours is told that its wall clock is off, and says which offset it went by.

A small library, loaded before the program, maps it (`stack/placed/wall_clock.c`): 8 bytes with the offset in
nanoseconds, 8 that are unused, then a place of 16 bytes for each process, its pid and the offset that it used last, all
of them little-endian and signed. Which file is a program's is in its environment.
"""

import os
import struct
from pathlib import Path
from typing import Final

from kilonode.base.files import PRIVATE

CLOCK_VARIABLE: Final = "KILONODE_CLOCK"
LIBRARY: Final = "wall_clock.so"
_PLACES: Final = 255
_NUMBER: Final = struct.Struct("<q")
_PLACE: Final = struct.Struct("<qq")
SIZE_BYTES: Final = _PLACE.size * (_PLACES + 1)


def make_clock_file(path: Path) -> None:
    """A file that says that the clock is right, unless there is one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        if os.fstat(descriptor).st_size < SIZE_BYTES:
            os.ftruncate(descriptor, SIZE_BYTES)
    finally:
        os.close(descriptor)


def put_off(path: Path, offset_ns: int) -> None:
    """Tell whoever goes by it. Raises OSError when there is no such file."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, _NUMBER.pack(offset_ns), 0)
    finally:
        os.close(descriptor)


def offset_ns_of(path: Path) -> int:
    """What it says. Raises OSError."""
    number: int = _NUMBER.unpack_from(path.read_bytes())[0]
    return number


def said_ns(path: Path) -> dict[int, int]:
    """Which offset each process went by last, by its pid; some may have ended. Raises OSError."""
    data = path.read_bytes()
    places = (_PLACE.unpack_from(data, _PLACE.size * (number + 1)) for number in range(_PLACES))
    return {pid: offset_ns for pid, offset_ns in places if pid}


def clock_file_of(pid: int) -> Path | None:
    """The file that a running process goes by; None: it goes by none, or may not be looked at.

    Seen by what it has mapped: programs that give themselves another title write over their environment.
    """
    try:
        mapped = [line.split(maxsplit=5) for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()]
    except OSError:
        return None
    paths = {Path(fields[5]): fields[1] for fields in mapped if len(fields) == 6 and fields[5].startswith("/")}
    if not any(path.name == LIBRARY for path in paths):
        return None
    return next((path for path, how in paths.items() if how == "rw-s" and _is_clock_file(path)), None)


def _is_clock_file(path: Path) -> bool:
    try:
        return path.stat().st_size == SIZE_BYTES
    except OSError:
        return False
