"""The data of images: a file for each in the cloud's state folder, or bytes in memory when the cloud has none.

Data is written beside its place and moved there when it is whole, so an image never has half of it, nor parts of two
that were stored at once. Files and digests are worked on in threads, a piece at a time. No document is read or written
here.
"""

import asyncio
import contextlib
import hashlib
import itertools
import os
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from kilonode.base.processes import identify
from kilonode.cloud.context import Cloud

PIECE_BYTES: Final = 1024 * 1024
FOLDER: Final = "images"
MEMORY_LIMIT_BYTES: Final = 256 * 1024 * 1024
"""How much data a cloud without a state folder keeps for all its images together."""
_PATTERN: Final = bytes(range(256)) * 256
_QCOW2_HEADER: Final = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, 2**30, 0, 0, 0, 0, 0, 0, 0)
"""Version 2, clusters of 64 KiB, a disk of 1 GiB, no tables."""
_UNFINISHED: Final = ".unfinished"
_numbers = itertools.count()

Result = TypeVar("Result")


class StoredData(msgspec.Struct, frozen=True):
    """What is known of data once it is stored."""

    size_bytes: int
    checksum: str
    hash_value: str


class TooMuchDataError(Exception):
    """There is no room for the data."""


class _Place(Protocol):
    """Where the data of one image is being written."""

    def write(self, piece: bytes) -> None: ...
    def finish(self) -> None: ...
    def abandon(self) -> None: ...


class ImageData:
    """The data of all images of a cloud. One per view: `cloud.part(ImageData)`."""

    def __init__(self, cloud: Cloud) -> None:
        folder = cloud.settings.state_folder
        self._folder = Path(folder) / FOLDER if folder else None
        self._memory: dict[str, bytes] = {}

    async def store(self, image_id: str, parts: AsyncIterator[bytes]) -> StoredData:
        """Store data as it comes. Raises TooMuchDataError; whatever is raised, nothing is left behind."""
        place = await _in_thread(partial(self._open, image_id))
        checksum, digest = hashlib.md5(usedforsecurity=False), hashlib.sha512()
        size = 0

        def take(piece: bytes) -> None:
            checksum.update(piece)
            digest.update(piece)
            place.write(piece)

        try:
            async for piece in _pieces(parts):
                size += len(piece)
                await _in_thread(partial(take, piece))
            await _in_thread(place.finish)
        except BaseException:
            place.abandon()
            raise
        return StoredData(size, checksum.hexdigest(), digest.hexdigest())

    def read(self, image_id: str) -> AsyncIterator[bytes] | None:
        """The data piece by piece, or None when it is gone."""
        if self._folder is None:
            data = self._memory.get(image_id)
            return None if data is None else _read_memory(data)
        path = self._folder / image_id
        return _read_file(path) if path.exists() else None

    def remove(self, image_id: str) -> None:
        """Forget the data of an image, staged or not, if there is any."""
        for name in (image_id, staged_name(image_id)):
            self._memory.pop(name, None)
            if self._folder is not None:
                with contextlib.suppress(FileNotFoundError):
                    (self._folder / name).unlink()

    def adopt(self, image_id: str) -> bool:
        """Make the staged data of an image its data. False: there is none, staged or not."""
        staged = staged_name(image_id)
        if self._folder is None:
            if staged in self._memory:
                self._memory[image_id] = self._memory.pop(staged)
            return image_id in self._memory
        with contextlib.suppress(FileNotFoundError):
            (self._folder / staged).replace(self._folder / image_id)
        return (self._folder / image_id).exists()

    def found(self) -> list[Path]:
        """All files there are."""
        return sorted(self._folder.iterdir()) if self._folder is not None and self._folder.exists() else []

    def sweep(self, found: Iterable[Path], is_known: Callable[[str], bool]) -> None:
        """Remove those of the files that a crash between two steps left behind: of images that no longer exist, and
        unfinished ones of processes that are gone. `is_known` must know all images that there were when they were
        found, or another process would lose the data of one that it has just made.
        """
        for path in found:
            if not is_known(path.name.split(".")[0]) or _is_left_unfinished(path.name):
                path.unlink(missing_ok=True)

    def _open(self, image_id: str) -> _Place:
        if self._folder is None:
            return _MemoryPlace(self._memory, image_id)
        self._folder.mkdir(parents=True, exist_ok=True)
        return FilePlace(self._folder / image_id)


class FilePlace:
    """A file that is being written. Its name says by which process, and no two ever have the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.unfinished = path.with_name(f"{path.name}.{_own_mark()}-{next(_numbers)}{_UNFINISHED}")
        self._file = self.unfinished.open("xb")

    def write(self, piece: bytes) -> None:
        """Add a piece. Raises TooMuchDataError."""
        try:
            self._file.write(piece)
        except OSError as error:
            raise TooMuchDataError(error.strerror) from error

    def finish(self) -> None:
        """Put it in its place. Raises TooMuchDataError."""
        try:
            self._file.close()
        except OSError as error:
            raise TooMuchDataError(error.strerror) from error
        self.unfinished.replace(self._path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):
            self._file.close()
        self.unfinished.unlink(missing_ok=True)


class _MemoryPlace:
    def __init__(self, memory: dict[str, bytes], image_id: str) -> None:
        self._memory = memory
        self._image_id = image_id
        self._pieces: list[bytes] = []
        self._room = MEMORY_LIMIT_BYTES - sum(len(data) for data in memory.values())

    def write(self, piece: bytes) -> None:
        self._room -= len(piece)
        if self._room < 0:
            raise TooMuchDataError("a cloud without a state folder keeps images in memory, which is full")
        self._pieces.append(piece)

    def finish(self) -> None:
        self._memory[self._image_id] = b"".join(self._pieces)

    def abandon(self) -> None:
        self._pieces.clear()


def _own_mark() -> str:
    own = identify(os.getpid())
    return f"{os.getpid()}-{own.started_ticks if own is not None else 0}"


def _is_left_unfinished(name: str) -> bool:
    """Whether it is an unfinished file of a process that is gone."""
    if not name.endswith(_UNFINISHED):
        return False
    pid, ticks, *_ = (*name.removesuffix(_UNFINISHED).rpartition(".")[2].split("-"), "", "")
    if not pid.isdecimal():
        return False
    writer = identify(int(pid))
    return writer is None or str(writer.started_ticks) != ticks


def staged_name(image_id: str) -> str:
    """Where data waits for its import."""
    return f"{image_id}.staged"


def made_up_data(size_bytes: int, disk_format: str | None = None) -> Iterator[bytes]:
    """Data that is always the same for a size and format, piece by piece. A qcow2 disk has its header."""
    head = _QCOW2_HEADER[:size_bytes] if disk_format == "qcow2" else b""
    if head:
        yield head
    left = size_bytes - len(head)
    for _ in range(left // len(_PATTERN)):
        yield _PATTERN
    if left % len(_PATTERN):
        yield _PATTERN[: left % len(_PATTERN)]


def describe_made_up_data(size_bytes: int, disk_format: str | None = None) -> StoredData:
    """What is known of made-up data."""
    checksum, digest = hashlib.md5(usedforsecurity=False), hashlib.sha512()
    for piece in made_up_data(size_bytes, disk_format):
        checksum.update(piece)
        digest.update(piece)
    return StoredData(size_bytes, checksum.hexdigest(), digest.hexdigest())


async def read_made_up(size_bytes: int, disk_format: str | None = None) -> AsyncIterator[bytes]:
    """The same as a stream."""
    for piece in made_up_data(size_bytes, disk_format):
        yield piece


async def _pieces(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The parts put together to pieces that are worth a thread."""
    waiting: list[bytes] = []
    length = 0
    async for part in parts:
        waiting.append(part)
        length += len(part)
        if length >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield b"".join(waiting)


async def _read_memory(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]


async def _read_file(path: Path) -> AsyncIterator[bytes]:
    file = await _in_thread(lambda: path.open("rb"))
    try:
        while piece := await _in_thread(partial(file.read, PIECE_BYTES)):
            yield piece
    finally:
        file.close()


async def _in_thread(work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(None, work)
