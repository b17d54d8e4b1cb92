"""A part of an image's data, as the header `Range` asks for it: one range, the rest of the data, or its end. Bytes."""

import re
from collections.abc import AsyncIterator
from typing import Final

from kilonode.cloud.openstack.web.faults import Fault

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def wanted_range(header: str | None, size_bytes: int | None) -> tuple[int, int] | None:
    """The first and the last byte wanted, or None for all of them. Raises Fault 416."""
    if not header or size_bytes is None:
        return None
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        raise Fault(416, f"Invalid Range header: {header}.")
    if match[1] == "":
        return max(0, size_bytes - int(match[2])), size_bytes - 1
    start = int(match[1])
    end = min(int(match[2]), size_bytes - 1) if match[2] else size_bytes - 1
    if start > end:
        raise Fault(
            416,
            "Invalid start position in Range header. Start position MUST be in the inclusive range "
            f"[0, {size_bytes - 1}].",
        )
    return start, end


async def part(stream: AsyncIterator[bytes], start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes from start to end, both included, of a stream."""
    place = 0
    async for piece in stream:
        inner = piece[max(0, start - place) : end + 1 - place]
        place += len(piece)
        if inner:
            yield inner
        if place > end:
            return
