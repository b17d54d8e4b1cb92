"""What goes over the wire: heads, bodies from memory and from streams; and what is refused before it does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.heads import check_method, encode_headers, split_address
from kilonode.clients.transport import BodyStream
from tests.clients.loops import on_both_loops
from tests.clients.scripted import Client, answer, echo, serving, transport


def stream(*pieces: bytes, length_bytes: int | None = None) -> BodyStream:
    async def open_pieces() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0)

    return BodyStream(open_pieces, length_bytes)


@on_both_loops
async def test_a_request_says_whom_it_is_for_and_how_long_it_is() -> None:
    async with serving(echo) as server, transport() as http:
        await http.request("GET", f"{server.url}/servers?limit=2", headers=(("X-Auth-Token", "t"),))
        await http.request("POST", server.url, headers=[("Content-Type", "application/json")], body=b"{}")
        await http.request("POST", server.url)
        get, post, empty = server.requests
        host = f"127.0.0.1:{server.port}"
        assert (get.method, get.target, get.body) == ("GET", "/servers?limit=2", b"")
        assert get.headers == {"host": host, "user-agent": "kilonode", "x-auth-token": "t"}
        assert (post.target, post.body, post.headers["content-length"]) == ("/", b"{}", "2")
        assert post.headers["content-type"] == "application/json"
        assert empty.headers["content-length"] == "0"


@on_both_loops
async def test_a_stream_of_known_length_is_sent_as_it_is() -> None:
    async with serving(echo) as server, transport() as http:
        response = await http.request("PUT", server.url, body=stream(b"a" * 70_000, b"", b"b" * 5, length_bytes=70_005))
        assert response.body == b"PUT / 70005"
        assert server.requests[0].headers["content-length"] == "70005"
        response = await http.request("PUT", server.url, body=stream(b"abc", length_bytes=3))
        assert (response.body, response.connection_reused) == (b"PUT / 3", True)


@on_both_loops
async def test_a_stream_of_unknown_length_is_sent_in_chunks() -> None:
    async with serving(echo) as server, transport() as http:
        response = await http.request("POST", server.url, body=stream(b"abc", b"", b"d" * 20))
        assert response.body == b"POST / 23"
        assert server.requests[0].headers["transfer-encoding"] == "chunked"
        assert server.requests[0].body == b"abc" + b"d" * 20


@on_both_loops
async def test_a_stream_waits_for_a_server_that_takes_it_slowly() -> None:
    size = 8_000_000

    async def handler(client: Client) -> None:
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 8000000" in head
        taken = 0
        while taken < size:
            taken += len(await client.reader.read(100_000))
            await asyncio.sleep(0)
        await client.write(answer(b"%d" % taken))

    async with serving(handler) as server, transport() as http:
        body = stream(*[b"x" * 1_000_000] * 8, length_bytes=size)
        assert (await http.request("PUT", server.url, body=body)).body == b"8000000"


@on_both_loops
async def test_a_server_that_refuses_a_stream_early_is_heard_and_the_connection_not_used_again() -> None:
    async def handler(client: Client) -> None:
        await client.reader.readuntil(b"\r\n\r\n")
        await client.write(answer(b"too large", status="413 Payload Too Large"))
        while await client.reader.read(100_000):
            pass

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0)

    async with serving(handler) as server, transport() as http:
        for _ in range(2):
            response = await http.request("PUT", server.url, body=BodyStream(endless))
            assert (response.status, response.body) == (413, b"too large")
        assert len(server.clients) == 2


@on_both_loops
async def test_a_stream_that_is_not_as_long_as_it_says_is_refused() -> None:
    async with serving(echo) as server, transport() as http:
        for pieces in ([b"abc"], [b"abcdef"]):
            with pytest.raises(InputError, match="not as long as it says"):
                await http.request("PUT", server.url, body=stream(*pieces, length_bytes=5))
        assert (await http.request("GET", server.url)).status == 200


@on_both_loops
async def test_a_stream_is_begun_anew_when_it_has_to_be_sent_again() -> None:
    async def handler(client: Client) -> None:
        for _ in range(2 if client.number == 0 else 9):
            request = await client.read()
            await client.write(answer(request.body if request else b""))
        await client.read()

    async with serving(handler) as server, transport() as http:
        for _ in range(2):
            await http.request("GET", server.url)
        response = await http.request("PUT", server.url, body=stream(b"abc", b"def"))
        assert (response.body, response.resent) == (b"abcdef", True)


@on_both_loops
async def test_an_error_of_the_source_of_a_stream_comes_back_to_the_caller() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"abc"
        raise OSError("the file is gone")

    async with serving(echo) as server, transport() as http:
        with pytest.raises(OSError, match="the file is gone"):
            await http.request("PUT", server.url, body=BodyStream(broken))


@on_both_loops
async def test_a_stream_that_nobody_takes_is_a_timeout() -> None:
    taken = asyncio.Event()

    async def handler(client: Client) -> None:
        await taken.wait()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    async with serving(handler) as server, transport() as http:
        with pytest.raises(OperationError) as caught:
            await http.request("PUT", server.url, body=BodyStream(endless), timeout_s=0.1)
        assert caught.value.outcome == Outcome.TIMEOUT
        taken.set()


@on_both_loops
async def test_what_would_smuggle_something_into_a_request_is_refused() -> None:
    async with serving(echo) as server, transport() as http:
        for method, path, headers in [
            ("GET", "/a b", ()),
            ("GET", "/a\r\nX: y", ()),
            ("GET", "/é", ()),
            ("GET /evil HTTP/1.1\r\n", "/", ()),
            ("get", "/", ()),
            ("CONNECT", "/", ()),
            ("GET", "/", (("X-Evil", "a\r\nX-More: b"),)),
            ("GET", "/", (("X-Evil", "a\nb"),)),
            ("GET", "/", (("X-Evil", "a\x00b"),)),
            ("GET", "/", (("X Evil", "a"),)),
            ("GET", "/", (("X-Evil:", "a"),)),
            ("GET", "/", (("", "a"),)),
            ("GET", "/", (("Content-Length", "5"),)),
            ("GET", "/", (("transfer-encoding", "chunked"),)),
            ("GET", "/", (("Host", "elsewhere"),)),
        ]:
            with pytest.raises(InputError):
                await http.request(method, server.url + path, headers=headers)
        assert server.clients == []


@given(st.text())
def test_no_text_makes_two_headers_of_one(text: str) -> None:
    for headers in [(("X-Name", text),), ((text, "value"),)]:
        try:
            lines = encode_headers(headers)
        except InputError:
            continue
        assert lines.count("\r\n") == 1
        assert lines.count("\n") == lines.count("\r") == 1
        assert lines.isascii()


@given(st.text())
def test_no_text_makes_two_words_of_a_path_or_a_method(text: str) -> None:
    try:
        _, target = split_address("http://host/" + text)
    except InputError:
        pass
    else:
        assert len(target.split()) == 1
        assert target.isascii() and target.isprintable()
    try:
        check_method(text)
    except InputError:
        return
    assert len(text.split()) == 1


@pytest.mark.parametrize(
    ("url", "authority", "host_header", "target"),
    [
        ("http://cloud", "cloud:80", "cloud", "/"),
        ("http://Cloud:8774/v2.1?x=1#part", "cloud:8774", "cloud:8774", "/v2.1?x=1"),
        ("https://cloud:443/", "cloud:443", "cloud", "/"),
        ("http://cloud?x", "cloud:80", "cloud", "/?x"),
        ("http://[::1]:5000/v3", "[::1]:5000", "[::1]:5000", "/v3"),
        ("https://[fe80::1]/", "[fe80::1]:443", "[fe80::1]", "/"),
    ],
)
def test_an_address_is_split_into_origin_and_target(url: str, authority: str, host_header: str, target: str) -> None:
    origin, found = split_address(url)
    assert (origin.authority, origin.host_header, found) == (authority, host_header, target)


@pytest.mark.parametrize(
    "url",
    ["", "cloud", "//cloud/", "ftp://cloud/", "http://", "http:///x", "http://cloud:port/", "http://cloud:99999/"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        split_address(url)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(InputError) as caught:
        split_address("http://user:sesame@cloud/")
    assert "sesame" not in str(caught.value)


def test_the_value_of_a_refused_header_is_not_shown() -> None:
    with pytest.raises(InputError) as caught:
        encode_headers((("X-Auth-Token", "sesame\n"),))
    assert "sesame" not in str(caught.value)
