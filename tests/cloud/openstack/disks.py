"""Small disks of several formats, as the tools that make them write their first bytes; good ones and bad ones."""

import struct
from typing import Final

SECTOR: Final = 512
GIB: Final = 2**30


def qcow2(*, version: int = 3, backing: int = 0, features: int = 0) -> bytes:
    head = b"QFI\xfb" + struct.pack(">IQIIQIIQQIIQ", version, backing, 0, 16, GIB, 0, 1, 0, 0, 0, 0, 0)
    return (head + struct.pack(">QQQII", features, 0, 0, 4, 104)).ljust(64 * 1024, b"\0")


def vmdk(kind: str = "monolithicSparse", extent: str = 'RW 2097152 SPARSE "disk.vmdk"', *, footer: str = "") -> bytes:
    def header(directory: int) -> bytes:
        fields = struct.pack("<IIQQQQIQQQ", 1, 3, GIB // SECTOR, 128, 1, 2, 512, 0, directory, 128)
        return (b"KDMV" + fields).ljust(SECTOR, b"\0")

    text = f'# Disk DescriptorFile\nversion=1\ncreateType="{kind}"\n{extent}\n'.encode().ljust(2 * SECTOR, b"\0")
    if not footer:
        return (header(26) + text).ljust(64 * 1024, b"\0")
    last = header(26) if footer == "right" else header(26).replace(b"KDMV", b"XXXX")
    return header(2**64 - 1) + text + last + bytes(SECTOR)


def vhd() -> bytes:
    return (b"conectix" + bytes(40) + struct.pack(">Q", GIB)).ljust(64 * 1024, b"\0")


def vdi() -> bytes:
    disk = bytearray(64 * 1024)
    struct.pack_into("<I", disk, 0x40, 0xBEDA107F)
    struct.pack_into("<Q", disk, 0x170, GIB)
    return bytes(disk)


def iso() -> bytes:
    disk = bytearray(64 * 1024)
    disk[0x8001:0x8006] = b"CD001"
    struct.pack_into("<I", disk, 0x8000 + 80, 16)
    struct.pack_into("<H", disk, 0x8000 + 128, 2048)
    return bytes(disk)


def gpt(*, start: int = 1, more: bool = False) -> bytes:
    disk = bytearray(64 * 1024)
    disk[446:462] = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", start, 2**32 - 1)
    if more:
        disk[462:478] = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0x83, b"\xff\xff\xff", 9, 9)
    disk[510:512] = b"\x55\xaa"
    return bytes(disk)
