"""A server on 127.0.0.1 that does exactly what a test tells it to, however wrong."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kilonode.base.clock import RealClock
from kilonode.clients.http import HttpTransport

Handler = Callable[["Client"], Awaitable[None]]


class Request(msgspec.Struct):
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Client:
    """One accepted connection."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[Request] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """A request is here."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    """The handler has done what it does."""

    async def read(self) -> Request | None:
        """The next request, or None when the client has closed."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += await self.reader.readexactly(size)
                await self.reader.readline()
            await self.reader.readline()
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, target, headers, body)
        self.requests.append(request)
        self.came.set()
        return request

    async def write(self, data: bytes) -> None:
        """Send these bytes as they are."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def close(self) -> None:
        """Say goodbye politely."""
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """Break the connection."""
        self.writer.transport.abort()


@dataclass
class Scripted:
    """A running server."""

    port: int
    refuse: Callable[[], None]
    """Let nobody in any more."""
    clients: list[Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """All requests over all connections, connection by connection."""
        return [request for client in self.clients for request in client.requests]


def answer(body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> bytes:
    """A plain answer with a length."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """Serve on a free port while the context lasts; `handler` has one connection at a time, in its own task."""
    tasks: list[asyncio.Task[None]] = []
    failures: list[BaseException] = []

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(len(scripted.clients), reader, writer)
        scripted.clients.append(client)

        async def handle() -> None:
            try:
                await handler(client)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass  # the client went away
            except Exception as error:
                failures.append(error)
            finally:
                client.finished.set()
                await client.close()

        task = asyncio.get_running_loop().create_task(handle())
        tasks.append(task)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
    scripted = Scripted(server.sockets[0].getsockname()[1], server.close)
    try:
        yield scripted
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
    assert not failures, failures


@contextlib.asynccontextmanager
async def transport(**settings: Any) -> AsyncIterator[HttpTransport]:
    """The transport under test."""
    opened = HttpTransport(RealClock(), **settings)
    try:
        yield opened
    finally:
        await opened.close()


async def echo(client: Client) -> None:
    """Answer every request with what it said."""
    while (request := await client.read()) is not None:
        text = f"{request.method} {request.target} {len(request.body)}".encode()
        await client.write(answer(b"" if request.method == "HEAD" else text))
