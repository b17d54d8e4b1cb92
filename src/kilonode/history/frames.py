"""How a journal is cut into frames that survive a crash: marker, length, CRC-32, payload.

A frame is four marker bytes, the length of the payload and its CRC-32 (both unsigned, 32 bits, little-endian), then the
payload. A frame is good when all of it is there and the checksum is right. The good frames from the beginning of a file
up to the first bad byte are its *prefix*: what a reader may trust, in the order in which it was written. The marker
begins with a byte that MessagePack never uses; with it a reader finds the frames behind a damage, which tell how much
was lost. This module knows nothing of what payloads mean.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from kilonode.base.errors import LabError

MARKER: Final = b"\xc1KNF"
LARGEST_PAYLOAD_BYTES: Final = 64 * 2**20
"""No frame is longer, so a damaged length never makes a reader ask for more memory than this."""

_HEAD: Final = struct.Struct("<4sII")


def frame(payload: bytes) -> bytes:
    """The bytes of one frame. Raises LabError when the payload is too long."""
    if len(payload) > LARGEST_PAYLOAD_BYTES:
        raise LabError(f"a journal frame of {len(payload)} bytes", expected=f"at most {LARGEST_PAYLOAD_BYTES} bytes")
    return _HEAD.pack(MARKER, len(payload), zlib.crc32(payload)) + payload


def good_frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The prefix: (offset behind the frame, payload) of each good frame from the start, until the first that is not."""
    offset = 0
    while (payload := _good_frame_at(data, offset)) is not None:
        offset += _HEAD.size + len(payload)
        yield offset, payload


def frames_behind_damage(data: bytes, offset: int) -> Iterator[bytes]:
    """The payloads of the good frames that lie anywhere behind `offset`: evidence of how much a damage hides."""
    position = data.find(MARKER, offset)
    while position >= 0:
        payload = _good_frame_at(data, position)
        if payload is not None:
            yield payload
            position += _HEAD.size + len(payload)
        else:
            position += 1
        position = data.find(MARKER, position)


def _good_frame_at(data: bytes, offset: int) -> bytes | None:
    begin = offset + _HEAD.size
    if begin > len(data):
        return None
    marker, length, checksum = _HEAD.unpack_from(data, offset)
    if marker != MARKER or length > LARGEST_PAYLOAD_BYTES or begin + length > len(data):
        return None
    payload = data[begin : begin + length]
    return payload if zlib.crc32(payload) == checksum else None
