"""What a handler answers with: `Response`, made by `reply`. Bodies are bytes, or a stream for image data."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import msgspec

Header = tuple[str, str]
"""Name in lower case, and value."""

JSON: Final = b"application/json"
_encode: Final = msgspec.json.Encoder().encode


class Response(msgspec.Struct, gc=False):
    """One answer."""

    status: int
    body: bytes = b""
    headers: Iterable[Header] = ()
    content_type: bytes = JSON
    items: int = 0
    """How many items a list answers; the profile's service time may depend on it."""
    stream: AsyncIterator[bytes] | None = None
    """The body in parts, instead of `body`; its length stands in `headers` when it is known."""


def reply(body: Any = None, status: int = 200, headers: Iterable[Header] = (), *, items: int = 0) -> Response:
    """Answer with `body` as JSON (a Struct, or plain values), or with an empty body for None."""
    return Response(status, b"" if body is None else _encode(body), headers, JSON, items)
