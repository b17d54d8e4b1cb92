"""A small HTTP service that tests put faults in front of, and a client that says how it went."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Service:
    """Answers with the body that it was sent, plain, in pieces, or until the end of the connection."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.connections = set[asyncio.Task[None]]()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.split("\r\n")
                fields = dict(line.lower().split(": ", 1) for line in lines if line)
                self.asked.append(first)
                body = b""
                if fields.get("transfer-encoding") == "chunked":
                    while size := int(await reader.readline(), 16):
                        body += await reader.readexactly(size)
                        await reader.readline()
                    await reader.readline()
                else:
                    body = await reader.readexactly(int(fields.get("content-length", 0)))
                if "/endless" in first:
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)
                    break
                if first.startswith("HEAD"):
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
                elif "/pieces" in first:
                    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                                 % (len(body), body))  # fmt: skip
                else:
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Service]:
    """The service on a free port."""
    service = Service()
    server = await asyncio.start_server(service.connected, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
        for task in service.connections:
            task.cancel()
        await asyncio.gather(*service.connections, return_exceptions=True)


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, method: str, path: str, body: bytes = b"", *, chunked: bool = False) -> tuple[int, bytes]:
        """A request and its answer. Raises OSError or EOFError."""
        async with asyncio.timeout(20):
            return await self._ask(method, path, body, chunked)

    async def _ask(self, method: str, path: str, body: bytes, chunked: bool) -> tuple[int, bytes]:
        if chunked:
            framing, sent = b"transfer-encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            framing, sent = b"content-length: %d" % len(body), body
        self.writer.write(
            b"%s %s HTTP/1.1\r\nhost: x\r\n%s\r\n\r\n%s" % (method.encode(), path.encode(), framing, sent)
        )
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:] if line)
        status = int(head[0].split()[1])
        if method == "HEAD":
            return status, b""
        if fields.get("transfer-encoding") == "chunked":
            answer = b""
            while size := int(await self.reader.readline(), 16):
                answer += await self.reader.readexactly(size)
                await self.reader.readline()
            await self.reader.readline()
            return status, answer
        if "content-length" in fields:
            return status, await self.reader.readexactly(int(fields["content-length"]))
        return status, await self.reader.read()


@contextlib.asynccontextmanager
async def calling(port: int, host: str = "127.0.0.1") -> AsyncIterator[Caller]:
    """A connection to a port."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
