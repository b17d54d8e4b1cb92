"""A gate in front of a service: a process that takes its requests, holds them back or refuses them by a rule, and hands
the others on as they are.

Started detached as `python -m kilonode.faults.gate_process TOKEN HOST PORT RULE`, RULE as JSON. It listens on a free
port of the loopback address and says `listening PORT`. Its own connections to the service carry `OWN_MARK`, so that
what leads traffic to it lets them pass. Bytes are handed on unchanged; of HTTP it reads only where a message ends. A
request that asks who is there (`WHO`) is answered by itself: that is how it is seen that traffic arrives. On SIGTERM it
answers what has begun, closes what is idle and ends. HTTP/1.1 without TLS.
"""

import asyncio
import contextlib
import signal
import socket
import struct
import sys
from typing import Final

import msgspec

from kilonode.base.encoding import decode_json
from kilonode.base.request_rules import RequestRule, RequestRules, refusal_body, refusal_phrase

OWN_MARK: Final = 0x6B6C
WHO: Final = "/.kilonode-gate"
HEAD_LIMIT_BYTES: Final = 262_144
LAST_S: Final = 10.0
"""How long what has begun may go on after SIGTERM."""
_PIECE_BYTES: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)


class _Head(msgspec.Struct, frozen=True):
    """What is known of a message."""

    raw: bytes
    first: str
    """Its first line."""
    length: int | None
    """Of its body; None: until the end of the connection."""
    chunked: bool
    closes: bool


class Gate:
    """Stands in front of one service."""

    def __init__(self, token: str, host: str, port: int, rule: RequestRule, mark: int | None = OWN_MARK) -> None:
        self._token = token
        self._to = (host, port)
        self._rules = RequestRules([rule])
        self._mark = mark
        self._closing = False
        self._idle = set[asyncio.StreamWriter]()
        self._connections = set[asyncio.Task[None]]()

    async def listen(self) -> asyncio.Server:
        """Begin to listen on a free port."""
        return await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=HEAD_LIMIT_BYTES)

    async def leave(self) -> None:
        """Answer what has begun, for a while, and close the rest."""
        self._closing = True
        for writer in tuple(self._idle):
            writer.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=LAST_S)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        with contextlib.suppress(OSError, EOFError, ValueError, IndexError, asyncio.LimitOverrunError):
            await self._serve(reader, writer)
        await _closed(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while not self._closing:
                self._idle.add(writer)
                try:
                    head = await _read_head(reader)
                finally:
                    self._idle.discard(writer)
                method, target, *_ = [*head.first.split(" "), "", ""]
                if target == f"{WHO}/{self._token}":
                    writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
                    return
                treatment = self._rules.treat(method, target)
                if treatment is not None:
                    if treatment.delay_s:
                        await asyncio.sleep(treatment.delay_s)
                    if treatment.abort:
                        await self._refuse(treatment.status, head, reader, writer)
                        if treatment.status is None:
                            return
                        continue
                if onward is None:
                    try:
                        onward = await self._connect()
                    except OSError:
                        _reset(writer)  # as the service itself would have it: nothing is there
                        return
                if not await _exchange(head, method, reader, writer, *onward):
                    return
        finally:
            if onward is not None:
                await _closed(onward[1])

    async def _refuse(
        self, status: int | None, head: _Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if status is None:
            _reset(writer)
            return
        await _pass_body(head, reader, None)
        body = refusal_body(status)
        answer = f"HTTP/1.1 {status} {refusal_phrase(status)}\r\ncontent-type: application/json\r\n"
        answer += f"content-length: {len(body)}\r\n\r\n"
        writer.write(answer.encode() + (b"" if head.first.startswith("HEAD ") else body))
        await writer.drain()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        family = socket.AF_INET6 if ":" in self._to[0] else socket.AF_INET
        ours = socket.socket(family, socket.SOCK_STREAM)
        ours.setblocking(False)
        try:
            if self._mark is not None:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self._mark)
            await asyncio.get_running_loop().sock_connect(ours, self._to)
        except BaseException:
            ours.close()
            raise
        return await asyncio.open_connection(sock=ours, limit=HEAD_LIMIT_BYTES)


async def _exchange(
    head: _Head,
    method: str,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    answers: asyncio.StreamReader,
    onward: asyncio.StreamWriter,
) -> bool:
    """One request and its answer; whether the connections may be used again."""
    onward.write(head.raw)
    sending = asyncio.ensure_future(_pass_body(head, reader, onward))
    try:
        while True:
            answer = await _read_head(answers)
            status = int(answer.first.split(" ", 2)[1])
            writer.write(answer.raw)
            if status == 101:
                await asyncio.wait(
                    [asyncio.ensure_future(_pour(reader, onward)), asyncio.ensure_future(_pour(answers, writer))]
                )
                return False
            if status >= 200:
                break
            await writer.drain()
        bodiless = method == "HEAD" or status in (204, 304)
        if not bodiless:
            await _pass_body(answer, answers, writer)
        await writer.drain()
        endless = not bodiless and answer.length is None and not answer.chunked
        if endless or answer.closes or head.closes or not sending.done():
            return False
        await sending
        return True
    finally:
        if not sending.done():
            sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _read_head(reader: asyncio.StreamReader) -> _Head:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    last = dict(fields)
    chunked = "chunked" in last.get("transfer-encoding", "").lower()
    answer = first.startswith("HTTP/")
    length = last.get("content-length")
    closes = "close" in last.get("connection", "").lower() or "HTTP/1.0" in first
    return _Head(raw, first, int(length) if length is not None else None if answer else 0, chunked, closes)


async def _pass_body(head: _Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
    """Hand the body on as it comes; None: nowhere."""
    if head.chunked:
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            _write(writer, line)
            if size == 0:
                break
            await _pass_bytes(size + 2, reader, writer)
        while True:  # trailers, and the empty line
            line = await reader.readuntil(b"\r\n")
            _write(writer, line)
            if line == b"\r\n":
                return
    elif head.length is None:
        while piece := await reader.read(_PIECE_BYTES):
            _write(writer, piece)
            if writer is not None:
                await writer.drain()
    else:
        await _pass_bytes(head.length, reader, writer)


async def _pass_bytes(left: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
    while left:
        piece = await reader.read(min(left, _PIECE_BYTES))
        if not piece:
            raise EOFError
        left -= len(piece)
        _write(writer, piece)
        if writer is not None:
            await writer.drain()


def _write(writer: asyncio.StreamWriter | None, data: bytes) -> None:
    if writer is not None:
        writer.write(data)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    writer.close()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def main(token: str, host: str, port: int, rule: RequestRule) -> None:
    """Stand in front of the service until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    gate = Gate(token, host, port, rule)
    server = await gate.listen()
    print(f"listening {server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()
    await gate.leave()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), decode_json(sys.argv[4], RequestRule)))
