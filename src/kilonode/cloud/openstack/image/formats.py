"""What the data of an image really is, by its first and last bytes; and whether it could lead a host to other files.

Nothing is converted, and the data itself is not judged: a format is recognised by its header as the tools that made it
write it. Disks that name further files (backing files, data files, extents elsewhere) are told apart from whole ones,
since whoever boots them would read what the name says.
"""

import re
import struct
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec

RAW: Final = "raw"
GPT: Final = "gpt"
ISO: Final = "iso"
SECTOR_BYTES: Final = 512
HEAD_BYTES: Final = 64 * 1024
TAIL_BYTES: Final = 1024
_VOLUME_DESCRIPTOR: Final = 0x8000
_WHOLE_VMDK: Final = frozenset({"monolithicSparse", "streamOptimized"})
_AT_THE_END: Final = 2**64 - 1
_QCOW2_KNOWN_FEATURES: Final = 0b1111
_QCOW2_DATA_FILE: Final = 0b100
_PROTECTIVE: Final = 0xEE


class Finding(msgspec.Struct, frozen=True):
    """What data was found to be."""

    format: str
    """A disk format of the API, `qed` or `luks`; `raw` for anything else; several formats are joined by commas."""
    virtual_bytes: int | None = None
    """The size of the disk; None: the format does not say, or it was not looked for."""
    unsafe: str = ""
    """Why nothing may boot from it."""


class Inspector:
    """Sees data go by and keeps its first and last bytes."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = b""
        self._size_bytes = 0

    async def watch(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same parts, seen."""
        async for part in parts:
            if len(self._head) < HEAD_BYTES:
                self._head += part[: HEAD_BYTES - len(self._head)]
            self._tail = (self._tail + part[-TAIL_BYTES:])[-TAIL_BYTES:]
            self._size_bytes += len(part)
            yield part

    def finding(self) -> Finding:
        """What all of it was."""
        return inspect(bytes(self._head), self._tail, self._size_bytes)


def inspect(head: bytes, tail: bytes, size_bytes: int) -> Finding:
    """What data is that begins and ends so."""
    found = [finding for look in _LOOKS if (finding := look(head, tail)) is not None]
    if {one.format for one in found} == {ISO, GPT}:  # a disc that also starts from a disk
        found = [one for one in found if one.format == ISO]
    if len(found) > 1:
        return Finding(",".join(one.format for one in found), unsafe="The data is of several formats at once.")
    return found[0] if found else Finding(RAW, size_bytes)


def mismatch(disk_format: str | None, container_format: str | None, finding: Finding) -> str:
    """Why the image service refuses data for an image of this format; empty: it does not."""
    if container_format != "bare":
        return ""
    claimed = disk_format or RAW
    uninspectable = claimed not in INSPECTABLE and finding.format == RAW
    if finding.format != claimed and claimed != RAW and not uninspectable:
        return f"Image disk_format {claimed} does not match stream data {finding.format}"
    return "Image failed safety checks" if finding.unsafe else ""


def boot_refusal(disk_format: str | None, found_format: str, unsafe: str) -> str:
    """Why a node refuses to boot from an image; empty: it does not, or nobody knows what the data is."""
    if not found_format:
        return ""
    same = {disk_format or RAW, found_format}
    if len(same) > 1 and same != {RAW, GPT} and not (disk_format not in INSPECTABLE and found_format == RAW):
        return f"Image content does not match disk_format: {disk_format} is {found_format}"
    return f"Image not in a supported format: {unsafe}" if unsafe else ""


def _qcow2(head: bytes, _: bytes) -> Finding | None:
    if head[:4] != b"QFI\xfb" or len(head) < 32:
        return None
    version, backing = struct.unpack_from(">IQ", head, 4)
    size = struct.unpack_from(">Q", head, 24)[0]
    if backing:
        return Finding("qcow2", size, "The disk has a backing file.")
    if version not in (2, 3):
        return Finding("qcow2", size, "The version of the format is not supported.")
    features = struct.unpack_from(">Q", head, 72)[0] if version == 3 and len(head) >= 80 else 0
    if features & _QCOW2_DATA_FILE:
        return Finding("qcow2", size, "The disk has a data file.")
    if features & ~_QCOW2_KNOWN_FEATURES:
        return Finding("qcow2", size, "The disk has unknown features.")
    return Finding("qcow2", size)


def _qed(head: bytes, _: bytes) -> Finding | None:
    return Finding("qed", unsafe="The format is not allowed.") if head[:4] == b"QED\0" else None


def _vmdk(head: bytes, tail: bytes) -> Finding | None:
    if head[:4] != b"KDMV" or len(head) < SECTOR_BYTES:
        return None
    version, _flags, sectors = struct.unpack_from("<IIQ", head, 4)
    start, length = struct.unpack_from("<QQ", head, 28)
    directory = struct.unpack_from("<Q", head, 56)[0]
    size = sectors * SECTOR_BYTES
    text = head[start * SECTOR_BYTES : (start + min(length, HEAD_BYTES // SECTOR_BYTES)) * SECTOR_BYTES]
    descriptor = text.partition(b"\0")[0].decode("latin-1")
    kind = re.search(r'createType="([^"]*)"', descriptor)
    if version not in (1, 2, 3) or kind is None:
        return Finding("vmdk", size, "There is no descriptor.")
    if kind.group(1) not in _WHOLE_VMDK:
        return Finding("vmdk", size, f"The kind {kind.group(1)} keeps its data elsewhere.")
    extents = re.findall(r'^(?:RW|RDONLY|NOACCESS)\s+\d+\s+(\S+)(?:\s+"([^"]*)")?', descriptor, re.MULTILINE)
    if not extents:
        return Finding("vmdk", size, "There are no extents.")
    if any(kept != "SPARSE" or "/" in name for kept, name in extents):
        return Finding("vmdk", size, "An extent is in another file.")
    if directory == _AT_THE_END:
        footer = tail[-TAIL_BYTES : -TAIL_BYTES + SECTOR_BYTES]
        if footer[:8] != head[:8] or footer[12:56] != head[12:56] or footer[56:64] == head[56:64]:
            return Finding("vmdk", size, "The footer does not fit the header.")
    return Finding("vmdk", size)


def _vhd(head: bytes, _: bytes) -> Finding | None:
    if head[:8] != b"conectix" or len(head) < 56:
        return None
    return Finding("vhd", struct.unpack_from(">Q", head, 48)[0])


def _vhdx(head: bytes, _: bytes) -> Finding | None:
    return Finding("vhdx") if head[:8] == b"vhdxfile" else None


def _vdi(head: bytes, _: bytes) -> Finding | None:
    if len(head) < SECTOR_BYTES or struct.unpack_from("<I", head, 0x40)[0] != 0xBEDA107F:
        return None
    return Finding("vdi", struct.unpack_from("<Q", head, 0x170)[0])


def _iso(head: bytes, _: bytes) -> Finding | None:
    if head[_VOLUME_DESCRIPTOR + 1 : _VOLUME_DESCRIPTOR + 6] != b"CD001" or len(head) < _VOLUME_DESCRIPTOR + 132:
        return None
    blocks = struct.unpack_from("<I", head, _VOLUME_DESCRIPTOR + 80)[0]
    return Finding(ISO, blocks * struct.unpack_from("<H", head, _VOLUME_DESCRIPTOR + 128)[0])


def _gpt(head: bytes, _: bytes) -> Finding | None:
    """A table of partitions in the first sector, of which one may protect a larger table behind it."""
    if head[510:512] != b"\x55\xaa" or (head[0x10] == 2 and head[0x15] == 0xF8):  # the latter: a FAT file system
        return None
    entries = [head[446 + 16 * place : 462 + 16 * place] for place in range(4)]
    used = [place for place, entry in enumerate(entries) if entry[4]]
    protective = [entry for entry in entries if entry[4] == _PROTECTIVE]
    if any(entry[0] not in (0, 0x80) for entry in entries):
        return Finding(GPT, unsafe="A partition has an invalid flag.")
    if any(entry[1:4] != b"\0\2\0" or entry[8:12] != b"\1\0\0\0" for entry in protective):
        return Finding(GPT, unsafe="The protective partition does not begin where it must.")
    if (protective and used != [0]) or not used:
        return Finding(GPT, unsafe="The partitions are not those of such a disk.")
    return Finding(GPT)


def _luks(head: bytes, _: bytes) -> Finding | None:
    return Finding("luks") if head[:6] == b"LUKS\xba\xbe" else None


_LOOKS: Final[tuple[Callable[[bytes, bytes], Finding | None], ...]] = (
    _qcow2, _qed, _vmdk, _vhd, _vhdx, _vdi, _iso, _gpt, _luks,
)  # fmt: skip
INSPECTABLE: Final = frozenset({"qcow2", "qed", "vmdk", "vhd", "vhdx", "vdi", ISO, GPT, "luks", RAW})
"""Formats that data can be recognised as; of others, such as `ami`, nothing is known."""
