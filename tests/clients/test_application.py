"""Requests to an application in the same loop, on virtual time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from kilonode.base.errors import InputError, LabError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.transport import BodyStream

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def whole_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    return body


class Application:
    """A small ASGI application that keeps what it was asked."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.finished: list[str] = []
        self.disconnected = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.bodies.append(await whole_body(receive))
        path = scope["path"]
        if path == "/slow":
            await asyncio.sleep(100)
        if path == "/until-gone":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.disconnected += 1
        if path == "/raises":
            raise RuntimeError("a mistake in the application")
        await send({"type": "http.response.start", "status": 201, "headers": [(b"X-One", b"1")]})
        if path == "/breaks-off":
            return
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await send({"type": "http.response.body", "body": b"def"})
        self.finished.append(path)


async def test_an_application_is_asked_as_a_server_would_ask_it() -> None:
    application = Application()
    transport = ApplicationTransport(application)
    response = await transport.request(
        "POST", "http://cloud:15000/a%20b?x=1&y=%20", headers=(("X-Auth-Token", "t"),), body=b"{}"
    )
    assert (response.status, response.body, response.header("x-one")) == (201, b"abcdef", "1")
    scope = application.scopes[0]
    assert (scope["type"], scope["method"], scope["scheme"], scope["server"]) == (
        "http",
        "POST",
        "http",
        ("cloud", 15000),
    )
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b", b"/a%20b", b"x=1&y=%20")
    assert scope["headers"] == [(b"host", b"cloud:15000"), (b"x-auth-token", b"t"), (b"content-length", b"2")]
    assert application.bodies == [b"{}"]
    await transport.close()


async def test_the_way_there_and_back_takes_virtual_time() -> None:
    transport = ApplicationTransport(Application(), latency_s=0.25)
    await transport.request("GET", "http://cloud/")
    assert asyncio.get_running_loop().time() == 0.5


async def test_a_body_is_streamed_both_ways() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    application = Application()
    received: list[bytes] = []
    transport = ApplicationTransport(application)
    response = await transport.request("PUT", "http://cloud/", body=BodyStream(pieces), receive=received.append)
    assert (response.body, b"".join(received), application.bodies) == (b"", b"abcdef", [b"onetwo"])
    await transport.request("PUT", "http://cloud/", body=BodyStream(pieces, 6))
    assert (b"content-length", b"6") in application.scopes[1]["headers"]


async def test_an_answer_to_head_has_no_body() -> None:
    assert (await ApplicationTransport(Application()).request("HEAD", "http://cloud/")).body == b""


async def test_a_client_that_gives_up_leaves_the_application_at_work() -> None:
    application = Application()
    transport = ApplicationTransport(application)
    with pytest.raises(OperationError, match=r"2\.00 s") as caught:
        await transport.request("GET", "http://cloud/slow", timeout_s=2)
    assert caught.value.outcome == Outcome.TIMEOUT
    assert asyncio.get_running_loop().time() == 2
    await asyncio.sleep(200)
    assert application.finished == ["/slow"]


async def test_an_application_sees_that_the_client_is_gone() -> None:
    application = Application()
    request = asyncio.ensure_future(ApplicationTransport(application).request("GET", "http://cloud/until-gone"))
    await asyncio.sleep(1)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await asyncio.sleep(1)
    assert application.disconnected == 1


async def test_a_failing_application_is_an_internal_server_error_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = ApplicationTransport(Application())
    with caplog.at_level(logging.ERROR):
        response = await transport.request("GET", "http://cloud/raises")
    assert (response.status, response.body) == (500, b"Internal Server Error")
    assert "a mistake in the application" in caplog.text
    with pytest.raises(OperationError) as caught:
        await transport.request("GET", "http://cloud/breaks-off")
    assert caught.value.outcome == Outcome.RESET


async def test_what_sockets_refuse_is_refused_here_too() -> None:
    transport = ApplicationTransport(Application())
    for method, url, headers in [
        ("GET", "http://cloud/a b", ()),
        ("get", "http://cloud/", ()),
        ("GET", "http://cloud/", (("X-Evil", "a\nb"),)),
        ("GET", "http://cloud/", (("Host", "b"),)),
    ]:
        with pytest.raises(InputError):
            await transport.request(method, url, headers=headers)


async def test_closing_ends_what_is_still_at_work() -> None:
    application = Application()
    transport = ApplicationTransport(application)
    with pytest.raises(OperationError):
        await transport.request("GET", "http://cloud/slow", timeout_s=1)
    await transport.close()
    await asyncio.sleep(200)
    assert application.finished == []
    with pytest.raises(LabError):
        await transport.request("GET", "http://cloud/")
