"""Listening and serving: errors for people, and an end that lets requests under way finish."""

import asyncio
import errno
import os
import socket
from typing import Any

import pytest

from kilonode.base.errors import InputError
from kilonode.cloud import serving as serving_module
from kilonode.cloud.ports import FREE_PORTS, SharedPort, inherited, listen, listen_anywhere
from kilonode.cloud.serving import serve

pytestmark = pytest.mark.real_loop


async def test_a_port_that_is_taken_names_who_has_it() -> None:
    with listen_anywhere("127.0.0.1") as taken:
        port = taken.getsockname()[1]
        assert FREE_PORTS[0] <= port < FREE_PORTS[1]
        with pytest.raises(InputError, match=f"port {port} is in use") as caught:
            listen("127.0.0.1", port)
        assert caught.value.problem.path == f"127.0.0.1:{port}"
        assert "--port" in str(caught.value)


async def test_an_address_of_another_machine_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="cannot listen there") as caught:
        listen("192.0.2.1", 15_000)
    assert "192.0.2.1:15000" in str(caught.value)


async def test_a_cancelled_server_answers_what_is_under_way_and_frees_its_port() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def application(scope: Any, _receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        arrived.set()
        await go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})

    listener = listen_anywhere("127.0.0.1")
    port = listener.getsockname()[1]
    serving = asyncio.create_task(serve(application, listener))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    await arrived.wait()
    serving.cancel()
    go_on.set()
    assert (await reader.read()).endswith(b"\r\n\r\ndone")
    with pytest.raises(asyncio.CancelledError):
        await serving
    writer.close()
    await writer.wait_closed()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


async def answer(scope: Any, _receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """The head of the answer to one more request on an open connection."""
    writer.write(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(2) == b"ok"
    return head.decode().lower()


async def test_a_drained_server_answers_what_still_comes_and_says_that_it_closes() -> None:
    listener = listen_anywhere("127.0.0.1")
    address = listener.getsockname()
    ready, drain = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(answer, listener, ready=ready.set, drain=drain))
    await ready.wait()
    connections = [await asyncio.open_connection(*address) for _ in range(3)]
    for connection in connections:
        assert "connection: close" not in await asked(*connection)
    drain.set()
    for connection in connections:
        assert "connection: close" in await asked(*connection)
        assert await connection[0].read() == b""
        connection[1].close()
    await serving
    with socket.socket() as probe:
        assert probe.connect_ex(address) == errno.ECONNREFUSED


async def test_a_drained_server_does_not_wait_for_ever_for_who_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "IDLE_WAIT_S", 0.0)
    listener = listen_anywhere("127.0.0.1")
    ready, drain = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(answer, listener, ready=ready.set, drain=drain))
    await ready.wait()
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    await asked(reader, writer)
    drain.set()
    await serving
    assert await reader.read() == b""
    writer.close()


async def test_an_answer_that_is_under_way_when_the_server_is_drained_is_given_whole() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        arrived.set()
        await go_on.wait()
        await answer(scope, receive, send)

    listener = listen_anywhere("127.0.0.1")
    drain = asyncio.Event()
    serving = asyncio.create_task(serve(slow, listener, drain=drain))
    connection = await asyncio.open_connection(*listener.getsockname())
    asking = asyncio.create_task(asked(*connection))
    await arrived.wait()
    drain.set()
    await asyncio.sleep(0)
    go_on.set()
    await asking
    assert await connection[0].read() == b""
    await serving
    connection[1].close()


async def test_a_port_can_be_shared_by_our_own_and_by_nobody_else_even_while_nobody_listens() -> None:
    with listen_anywhere("127.0.0.1") as found:
        port = found.getsockname()[1]
    first, second = SharedPort("127.0.0.1", port), SharedPort("127.0.0.1", port)
    try:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
        with pytest.raises(InputError, match="is in use"):
            listen("127.0.0.1", port)
        with inherited(os.dup(first.descriptor)) as listener:
            listener.listen()
            second.renew()
            socket.create_connection(("127.0.0.1", port), 5).close()
        first.renew()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    finally:
        first.close()
        second.close()
    listen("127.0.0.1", port).close()
