"""A client over connections that stay open, which forgives nothing: for tests of what a cloud does to its clients.

It does what HTTP asks of every client, and no more: it leaves a connection after `Connection: close`, and one that the
server has closed while it was idle. It never asks twice, so whatever is lost is an exception.
"""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from tests.cloud.plain_client import MICROVERSION, PlainClient


class StrictConnection:
    """One connection to a cloud, opened anew whenever the cloud has ended it."""

    def __init__(self, client: PlainClient) -> None:
        parts = urlsplit(client.base)
        self._address = (parts.hostname, parts.port)
        self._headers = f"Host: {parts.netloc}\r\nX-Auth-Token: {client.token}\r\nContent-Type: application/json\r\n"
        self._headers += f"OpenStack-API-Version: compute {MICROVERSION}\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.opened = 0
        self.answered = 0

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and body of the answer. Raises OSError or EOFError when there is none."""
        if self._streams is not None and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
            self.opened += 1
        reader, writer = self._streams
        data = b"" if body is None else json.dumps(body).encode()
        writer.write(f"{method} {path} HTTP/1.1\r\n{self._headers}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        lengths = [int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")]
        length = lengths[0] if lengths else 0  # 204 has none
        answer = await reader.readexactly(length)
        self.answered += 1
        if "\r\nconnection: close\r\n" in head:
            self.close()
        return int(head.split(" ", 2)[1]), json.loads(answer) if answer else None

    def close(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
