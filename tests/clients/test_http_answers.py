"""Every legal way to frame an answer, and the illegal ones, over real sockets."""

import asyncio

import pytest

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.transport import Response
from tests.clients.loops import on_both_loops
from tests.clients.scripted import Client, answer, echo, serving, transport


async def exchange(*writes: bytes, method: str = "GET", close: bool = False) -> Response:
    """What the client makes of these bytes; each piece in its own segment, more or less."""

    async def handler(client: Client) -> None:
        await client.read()
        for piece in writes:
            await client.write(piece)
            await asyncio.sleep(0)
        if not close:
            await client.read()

    async with serving(handler) as server, transport() as http:
        return await http.request(method, server.url, timeout_s=5)


async def failure(*writes: bytes) -> OperationError:
    with pytest.raises(OperationError) as caught:
        await exchange(*writes, close=True)
    return caught.value


@on_both_loops
async def test_a_body_ends_where_its_length_says() -> None:
    response = await exchange(b"HTTP/1.1 201 Created\r\nX-One: 1\r\ncontent-length: 5\r\n\r\nhello")
    assert (response.status, response.body) == (201, b"hello")
    assert list(response.headers) == [("x-one", "1"), ("content-length", "5")]
    assert response.header("X-ONE") == "1"
    assert response.header("absent") is None


@on_both_loops
async def test_a_chunked_body_is_put_together() -> None:
    response = await exchange(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;name=value\r\nhello\r\n",
        b"6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n",
    )
    assert response.body == b"hello world"


@on_both_loops
async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    response = await exchange(b"HTTP/1.0 200 OK\r\n\r\n", b"all of ", b"it", close=True)
    assert response.body == b"all of it"


@on_both_loops
async def test_answers_to_head_and_those_without_content_have_no_body_whatever_their_length_says() -> None:
    async def handler(client: Client) -> None:
        while (request := await client.read()) is not None:
            if request.method == "HEAD":
                await client.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            elif request.target == "/204":
                await client.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            else:
                await client.write(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 1000\r\n\r\n')

    async with serving(handler) as server, transport() as http:
        for _ in range(2):
            response = await http.request("HEAD", server.url)
            assert (response.status, response.body, response.header("content-length")) == (200, b"", "1000")
            assert (await http.request("GET", f"{server.url}/204")).status == 204
            assert (await http.request("GET", f"{server.url}/304")).status == 304
        assert len(server.clients) == 1


@on_both_loops
async def test_interim_answers_are_passed_over() -> None:
    response = await exchange(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Real: yes\r\nContent-Length: 2\r\n\r\nok",
    )
    assert (response.status, response.body, next(iter(response.headers))) == (200, b"ok", ("x-real", "yes"))


@on_both_loops
async def test_an_offer_of_another_protocol_is_ignored() -> None:
    response = await exchange(
        b"HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade, Keep-Alive\r\nContent-Length: 2\r\n\r\nok"
    )
    assert response.body == b"ok"


@on_both_loops
async def test_redirects_are_not_followed() -> None:
    response = await exchange(answer(status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"))
    assert (response.status, response.header("location")) == (302, "http://127.0.0.1:1/")


@on_both_loops
async def test_what_is_not_http_is_a_protocol_failure() -> None:
    assert (await failure(b"SSH-2.0-OpenSSH_9.2\r\n")).outcome == Outcome.PROTOCOL
    assert (await failure(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")).outcome == Outcome.PROTOCOL
    assert (await failure(b"HTTP/1.1 200 OK\r\nno colon at all\r\n\r\n")).outcome == Outcome.PROTOCOL
    assert (await failure(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")).outcome == (
        Outcome.PROTOCOL
    )
    contradiction = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert (await failure(contradiction)).outcome == Outcome.PROTOCOL


@on_both_loops
async def test_an_endless_head_is_refused() -> None:
    failed = await failure(b"HTTP/1.1 200 OK\r\n", *[b"X-More: " + b"x" * 60_000 + b"\r\n"] * 6)
    assert (failed.outcome, "head" in failed.message) == (Outcome.PROTOCOL, True)


@on_both_loops
async def test_a_torn_answer_is_a_reset_that_says_how_far_it_came() -> None:
    before = await failure()
    assert (before.outcome, before.message) == (Outcome.RESET, "the connection was closed before the answer began")
    within_head = await failure(b"HTTP/1.1 200 OK\r\nX-")
    assert (within_head.outcome, "headers" in within_head.message) == (Outcome.RESET, True)
    within_body = await failure(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcd")
    assert (within_body.outcome, "4 bytes into its body" in within_body.message) == (Outcome.RESET, True)
    within_chunk = await failure(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
    assert within_chunk.outcome == Outcome.RESET


@on_both_loops
async def test_a_broken_connection_is_a_reset() -> None:
    async def handler(client: Client) -> None:
        await client.read()
        await client.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab")
        client.reset()

    async with serving(handler) as server, transport() as http:
        with pytest.raises(OperationError) as caught:
            await http.request("GET", server.url)
        assert caught.value.outcome == Outcome.RESET


@on_both_loops
async def test_a_body_can_be_taken_piece_by_piece_and_error_bodies_are_kept() -> None:
    async def handler(client: Client) -> None:
        while (request := await client.read()) is not None:
            if request.target == "/missing":
                await client.write(answer(b"no such thing", status="404 Not Found"))
            else:
                await client.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n")
                for _ in range(3):
                    await client.write(b"x" * 100_000)

    async with serving(handler) as server, transport() as http:
        pieces: list[bytes] = []
        response = await http.request("GET", server.url, receive=pieces.append)
        assert (response.body, sum(map(len, pieces))) == (b"", 300_000)
        assert len(pieces) > 1
        pieces.clear()
        response = await http.request("GET", f"{server.url}/missing", receive=pieces.append)
        assert (response.body, pieces) == (b"no such thing", [])


@on_both_loops
async def test_an_error_of_the_taker_of_a_body_comes_back_to_the_caller() -> None:
    def full(piece: bytes) -> None:
        raise OSError("the disk is full")

    async with serving(echo) as server, transport() as http:
        with pytest.raises(OSError, match="the disk is full"):
            await http.request("GET", server.url, receive=full)
        assert (await http.request("GET", server.url)).status == 200


@on_both_loops
async def test_json_that_is_none_is_a_protocol_failure() -> None:
    response = await exchange(answer(b'{"a": '))
    with pytest.raises(OperationError) as caught:
        response.json()
    assert (caught.value.outcome, caught.value.status) == (Outcome.PROTOCOL, 200)
    assert (await exchange(answer(b'{"a": [1]}'))).json(dict[str, list[int]]) == {"a": [1]}
