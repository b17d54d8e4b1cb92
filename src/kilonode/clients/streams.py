"""Sending a request's body piece by piece."""

import asyncio

from kilonode.base.errors import InputError
from kilonode.clients.sockets import HttpConnection
from kilonode.clients.transport import BodyStream, Response


def length_header(body: BodyStream) -> bytes:
    """The header line that says where the body ends."""
    if body.length_bytes is None:
        return b"Transfer-Encoding: chunked\r\n"
    return b"Content-Length: %d\r\n" % body.length_bytes


async def send_stream(connection: HttpConnection, body: BodyStream, answer: asyncio.Future[Response]) -> None:
    """Send the body as fast as the server takes it; stop when the answer, or a failure, comes before its end.

    Raises InputError when the body is not as long as it says; the connection is then of no more use.
    """
    pieces = body.open()
    sent_bytes = 0
    try:
        async for piece in pieces:
            if answer.done():
                return
            if not piece:
                continue
            sent_bytes += len(piece)
            if body.length_bytes is None:
                await connection.send_piece(b"%x\r\n%b\r\n" % (len(piece), piece))
            elif sent_bytes > body.length_bytes:
                break
            else:
                await connection.send_piece(piece)
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()
    if body.length_bytes is None:
        await connection.send_piece(b"0\r\n\r\n")
    elif sent_bytes != body.length_bytes:
        more = "more than that" if sent_bytes > body.length_bytes else f"{sent_bytes} bytes"
        raise InputError("a body is not as long as it says", expected=f"{body.length_bytes} bytes", got=more)
    connection.end_stream()
