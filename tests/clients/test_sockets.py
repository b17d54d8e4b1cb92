"""An answer means the same however the network cuts it up."""

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import OperationError
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.clients.deadlines import Deadlines
from kilonode.clients.sockets import DeadlineError, HttpConnection, StaleConnectionError
from kilonode.clients.transport import Response

NAMES = st.sampled_from(["Content-Type", "X-One", "x-two", "ETAG", "Link"])
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)
BODIES = st.binary(max_size=200)
FRAMINGS = st.sampled_from(["length", "chunked", "interim", "head"])
ANSWERS = st.lists(
    st.tuples(st.integers(200, 599).filter(lambda status: status not in (204, 304)), NAMES, VALUES, BODIES, FRAMINGS),
    min_size=1,
    max_size=4,
)


class Wire(asyncio.Transport):
    """Where a connection writes to when there is no network."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Keeper:
    """An owner that remembers what it was told."""

    def __init__(self) -> None:
        self.released_times = 0
        self.lost_times = 0

    def released(self, connection: HttpConnection) -> None:
        self.released_times += 1

    def lost(self, connection: HttpConnection) -> None:
        self.lost_times += 1


def connected() -> tuple[HttpConnection, Wire, Keeper]:
    keeper, wire = Keeper(), Wire()
    connection = HttpConnection(asyncio.get_running_loop(), keeper, 4.0)
    connection.connection_made(wire)
    return connection, wire, keeper


def encode(status: int, name: str, value: str, body: bytes, framing: str) -> bytes:
    head = b"HTTP/1.1 %d Reason of it\r\n%b: %b\r\n" % (status, name.encode(), value.encode())
    if framing == "chunked":
        pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
        chunks = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n" % len(body)
    if framing == "head":
        return whole
    return (b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" if framing == "interim" else b"") + whole + body


@given(ANSWERS, st.data())
def test_an_answer_means_the_same_however_it_is_cut(
    answers: list[tuple[int, str, str, bytes, str]], data: st.DataObject
) -> None:
    async def exchange() -> None:
        connection, wire, keeper = connected()
        for number, (status, name, value, body, framing) in enumerate(answers):
            waiter = connection.send(b"request %d" % number, free_of_body=framing == "head")
            encoded = encode(status, name, value, body, framing)
            cuts = sorted(data.draw(st.sets(st.integers(1, len(encoded) - 1), max_size=12)))
            for start, end in zip([0, *cuts], [*cuts, len(encoded)], strict=True):
                assert not waiter.done()
                connection.data_received(encoded[start:end])
            response = await waiter
            assert (response.status, response.body) == (status, b"" if framing == "head" else body)
            assert next(iter(response.headers)) == (name.lower(), value)
            assert len(list(response.headers)) == 2
            assert response.connection_reused == (number > 0)
        assert keeper.released_times == len(answers)
        assert keeper.lost_times == 0
        assert wire.written == [b"request %d" % number for number in range(len(answers))]

    run_coroutine_simulated(exchange())


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_whatever_confuse_a_connection(garbage: bytes, cut: int) -> None:
    async def exchange() -> None:
        connection, wire, keeper = connected()
        waiter = connection.send(b"request")
        for piece in (garbage[:cut], garbage[cut:]):
            if piece and not wire.closed:
                connection.data_received(piece)
        connection.connection_lost(None)
        try:
            response: Response | None = await waiter
        except OperationError:
            response = None
        assert response is None or response.status >= 200
        assert connection.left
        assert keeper.lost_times == 1

    run_coroutine_simulated(exchange())


@given(BODIES, st.integers(0, 400))
def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(body: bytes, cut: int) -> None:
    async def exchange() -> None:
        connection, _, _ = connected()
        encoded = encode(200, "X-One", "1", body, "length")
        waiter = connection.send(b"request")
        connection.data_received(encoded[: min(cut, len(encoded) - 1)])
        connection.connection_lost(None)
        with pytest.raises(OperationError):
            await waiter

    run_coroutine_simulated(exchange())


async def test_a_connection_lost_between_two_requests_is_told_once_and_refuses_the_next() -> None:
    connection, _, keeper = connected()
    waiter = connection.send(b"request")
    connection.data_received(encode(200, "X-One", "1", b"", "length"))
    await waiter
    connection.eof_received()
    connection.connection_lost(None)
    assert (keeper.lost_times, connection.closed_by_server) == (1, True)
    with pytest.raises(StaleConnectionError):
        await connection.send(b"another")


async def test_a_connection_that_expires_is_closed_and_says_so() -> None:
    connection, wire, _ = connected()
    waiter = connection.send(b"request")
    connection.expire()
    with pytest.raises(DeadlineError):
        await waiter
    assert wire.closed
    assert not connection.closed_by_server


async def test_what_comes_too_late_for_one_request_does_not_touch_the_next_on_the_same_connection() -> None:
    connection, wire, _ = connected()
    loop = asyncio.get_running_loop()
    lane = Deadlines(loop).lane(5.0)
    first = connection.send(b"first", lane=lane, deadline_s=5.0)
    connection.data_received(encode(200, "X-One", "1", b"first", "length"))
    assert connection not in lane.waiting
    second = connection.send(b"second", lane=lane, deadline_s=6.0)
    connection.give_up(first)  # its task was cancelled in the same moment
    connection.expire(first)  # its timer was due in the same moment
    assert lane.waiting == {connection: 6.0}
    connection.data_received(encode(200, "X-One", "1", b"second", "length"))
    assert ((await first).body, (await second).body) == (b"first", b"second")
    assert not wire.closed


async def test_giving_up_or_being_late_closes_the_connection_of_the_request_that_it_is_about() -> None:
    for end in ("give up", "expire"):
        connection, wire, keeper = connected()
        waiter = connection.send(b"request")
        if end == "give up":
            connection.give_up(waiter)
            assert waiter.cancelled()
        else:
            connection.expire(waiter)
            with pytest.raises(DeadlineError):
                await waiter
        assert wire.closed
        assert keeper.lost_times == 1


async def test_a_stream_goes_on_when_the_server_takes_more_and_when_it_is_gone() -> None:
    connection, wire, _ = connected()
    connection.begin_stream()
    waiter = connection.send(b"head")
    connection.pause_writing()
    sending = asyncio.ensure_future(connection.send_piece(b"one"))
    await asyncio.sleep(1)
    assert not sending.done()
    connection.resume_writing()
    await sending
    connection.pause_writing()
    sending = asyncio.ensure_future(connection.send_piece(b"two"))
    await asyncio.sleep(1)
    connection.connection_lost(cast("Exception", ConnectionResetError(104, "Connection reset by peer")))
    await sending
    await connection.send_piece(b"three")
    assert wire.written == [b"head", b"one", b"two"]
    with pytest.raises(OperationError, match="reset by peer"):
        await waiter
