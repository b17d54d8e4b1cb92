"""Clients that are slow, large or many are turned away, and the others are answered meanwhile: over real sockets.

No limit is waited for: the guard is told what time it is.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from kilonode.cloud.guard import Guard
from kilonode.cloud.limits import Limits

pytestmark = pytest.mark.real_loop

SMALL = Limits(
    url_bytes=100,
    header_bytes=1_000,
    header_count=10,
    connections=3,
    connections_per_address=2,
    pipelined=4,
    header_timeout_s=60,
    body_timeout_s=60,
    body_bytes_per_s=10,
)


PIECES, PIECE_BYTES = 100, 1_000_000
"""Of an answer that is more than the system keeps for a client that does not read."""


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop go on until something is so."""
    for _ in range(1_000_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))

    async def ended(self) -> bool:
        """Whether the server has closed the connection, once all it said is read."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


class Served:
    """A server over the guard, and what its application was told."""

    def __init__(self, guard: Guard, port: int) -> None:
        self.guard, self.port = guard, port
        self.clients: list[Client] = []
        self.disconnected = 0
        self.told = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def connect(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.clients[-1]

    async def until(self, connections: int) -> None:
        """Wait until the server knows of so many connections."""
        await until(lambda: len(self.guard._open) == connections)

    async def stuck(self) -> list[Any]:
        """The connections, when an answer waits for its client."""
        await until(lambda: any(one.flow.write_paused for one in self.guard._open))
        return list(self.guard._open)

    async def until_waiting_for(self, phase: str) -> None:
        await until(lambda: [one._phase.value for one in self.guard._open] == [phase])

    def pass_time(self, seconds: float) -> None:
        self.guard.sweep(asyncio.get_running_loop().time() + seconds)

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        await self.go_on.wait()
        if scope["path"] == "/much":
            await self.tell_much(send)
            return
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnected += 1
                return
            length += len(message.get("body", b""))
            if not message.get("more_body", False):
                break
        body = str(length).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def tell_much(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(PIECES):
            await send({"type": "http.response.body", "body": b"x" * PIECE_BYTES, "more_body": True})
            self.told += 1
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def serving(limits: Limits = SMALL) -> AsyncIterator[Served]:
    guard = Guard(limits)
    config = uvicorn.Config(
        lambda scope, receive, send: served.application(scope, receive, send),
        loop="none", http=guard.protocol, lifespan="off", log_config=None, ws="none",  # type: ignore[arg-type]
        interface="asgi3",
    )  # fmt: skip
    config.load()
    server = uvicorn.Server(config)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: guard.protocol(config=config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
    served = Served(guard, listening.sockets[0].getsockname()[1])
    try:
        yield served
    finally:
        for client in served.clients:
            client.writer.close()
        listening.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        if server.server_state.tasks:
            await asyncio.wait(server.server_state.tasks)


GOOD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_who_never_ends_its_headers_is_ended_and_who_is_idle_after_an_answer_is_not() -> None:
    async with serving() as served:
        idle = await served.connect()
        await idle.say(GOOD)
        assert (await idle.answer())[0] == 200
        slow = await served.connect()
        await slow.say(b"GET / HTTP/1.1\r\nHost: x\r\nX-One: 1\r\n")
        await served.until(2)
        served.pass_time(59)
        served.pass_time(61)
        status, _, body = await slow.answer()
        assert (status, json.loads(body)["error"]["title"]) == (408, "Request Timeout")
        assert await slow.ended()
        await idle.say(GOOD)
        assert (await idle.answer())[0] == 200


async def test_who_connects_and_says_nothing_is_ended() -> None:
    async with serving() as served:
        silent = await served.connect()
        await served.until(1)
        served.pass_time(61)
        assert (await silent.answer())[0] == 408
        assert await silent.ended()


async def test_a_connection_that_cannot_be_looked_at_is_ended_and_the_others_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as served:
        odd = await served.connect()
        await served.until(1)
        (connection,) = served.guard._open
        silent = await served.connect()
        await served.until(2)

        def look(now_s: float) -> None:
            raise RuntimeError(f"at {now_s}")

        monkeypatch.setattr(connection, "look", look)
        served.pass_time(61)
        assert (await silent.answer())[0] == 408
        assert await odd.ended()


async def test_who_drips_a_body_is_ended_and_its_handler_is_told() -> None:
    async with serving() as served:
        slow = await served.connect()
        await slow.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100)
        await served.until_waiting_for("body")
        served.pass_time(69)  # 60 s, and 100 bytes at 10 bytes a second
        assert served.guard.refused == 0
        served.pass_time(71)
        assert (await slow.answer())[0] == 408
        assert await slow.ended()
        await until(lambda: served.disconnected == 1)


async def test_a_handler_may_take_its_time() -> None:
    async with serving() as served:
        served.go_on.clear()
        client = await served.connect()
        await client.say(GOOD)
        await served.until_waiting_for("nothing")
        served.pass_time(10_000)
        served.go_on.set()
        assert (await client.answer())[0] == 200


async def test_who_takes_none_of_a_long_answer_is_ended_and_who_takes_some_is_not() -> None:
    async with serving() as served:
        client = await served.connect()
        await client.say(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        (connection,) = await served.stuck()
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        for seconds in (0, 59, 61):
            served.pass_time(seconds)
            if seconds < 60:
                assert served.guard.refused == 0
        assert served.guard.refused == 1
        await served.until(0)
        assert connection.transport.is_closing()
        assert served.told < PIECES, "what nobody wants is not kept"
    async with serving() as served:
        client = await served.connect()
        await client.say(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        for hour in range(5):
            (connection,) = await served.stuck()
            served.pass_time(hour * 59)
            unsent = connection.transport.get_write_buffer_size()
            while connection.transport.get_write_buffer_size() == unsent:
                await client.reader.readexactly(1_000)
        assert served.guard.refused == 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 200 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 2_000, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 2_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20 + b"\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
        (GOOD * 20, 429),
    ],
)
async def test_what_is_too_large_is_refused_and_the_connection_ended(request_: bytes, status: int) -> None:
    async with serving() as served:
        client = await served.connect()
        if status == 429:
            served.go_on.clear()
        await client.say(request_)
        found, headers, body = await client.answer()
        assert (found, headers["connection"]) == (status, "close")
        assert json.loads(body)["error"]["code"] == status
        assert ("retry-after" in headers) == (status == 429)
        assert await client.ended()
        served.go_on.set()


async def test_there_are_only_so_many_connections_of_an_address_and_in_all() -> None:
    async with serving() as served:
        first, second = await served.connect(), await served.connect()
        await served.until(2)
        third = await served.connect()
        status, headers, _ = await third.answer()
        assert (status, headers["retry-after"]) == (503, "1")
        assert await third.ended()
        first.writer.close()
        await served.until(1)
        fourth = await served.connect()
        await fourth.say(GOOD)
        assert (await fourth.answer())[0] == 200
        await second.say(GOOD)
        assert (await second.answer())[0] == 200
    async with serving(Limits(connections=1)) as served:
        await served.connect()
        await served.until(1)
        assert (await (await served.connect()).answer())[0] == 503


async def test_requests_that_come_together_are_answered_in_their_order() -> None:
    async with serving() as served:
        client = await served.connect()
        await client.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nxx" + GOOD + GOOD)
        assert [(await client.answer())[2] for _ in range(3)] == [b"2", b"0", b"0"]
