"""Listening and serving: errors for people, and an end that lets requests under way finish."""

import asyncio
import errno
import socket
from typing import Any

import pytest

from kilonode.base.errors import InputError
from kilonode.cloud.serving import FREE_PORTS, listen, listen_anywhere, serve

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
