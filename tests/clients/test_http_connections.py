"""The life of connections: reuse, closing, races, limits, deadlines, cancellation. Nothing is sent twice unseen."""

import asyncio
import contextlib
import errno
import os
import resource
import socket
from pathlib import Path

import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import LabError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.http import HttpTransport
from tests.clients.loops import on_both_loops
from tests.clients.scripted import Client, Scripted, answer, echo, serving, transport


async def outcome_of(http: HttpTransport, method: str, url: str, timeout_s: float = 5) -> OperationError:
    with pytest.raises(OperationError) as caught:
        await http.request(method, url, timeout_s=timeout_s)
    return caught.value


async def until_closed(server: Scripted, client: int = 0) -> None:
    """Wait until the server, whose handler has ended, has seen that the client closed too."""
    assert await server.clients[client].reader.read() == b""


async def let_it_live(http: HttpTransport, server: Scripted) -> None:
    """Two requests over one connection, so that the pool knows that connections live on."""
    for _ in range(2):
        await http.request("GET", server.url)


@on_both_loops
async def test_one_connection_carries_one_request_after_the_other() -> None:
    async with serving(echo) as server, transport() as http:
        answers = [await http.request("GET", f"{server.url}/{number}") for number in range(5)]
        assert [response.body for response in answers] == [b"GET /%d 0" % number for number in range(5)]
        assert [response.connection_reused for response in answers] == [False, True, True, True, True]
        assert [response.connecting_s > 0 for response in answers] == [True, False, False, False, False]
        assert len(server.clients) == 1
        assert http.counts.opened == 1


@on_both_loops
async def test_requests_at_once_have_a_connection_each_and_share_them_when_there_may_be_no_more() -> None:
    async with serving(echo) as server, transport(max_connections_per_host=3) as http:
        answers = await asyncio.gather(*(http.request("GET", f"{server.url}/{number}") for number in range(20)))
        assert sorted(response.body for response in answers) == sorted(b"GET /%d 0" % number for number in range(20))
        assert len(server.clients) == 3
        assert http.counts.waited == 17


@on_both_loops
async def test_an_answer_that_says_close_ends_the_connection() -> None:
    async def handler(client: Client) -> None:
        while await client.read() is not None:
            await client.write(answer(b"bye", headers="Connection: close\r\n"))

    async with serving(handler) as server, transport() as http:
        for _ in range(3):
            assert (await http.request("POST", server.url)).body == b"bye"
        assert [len(client.requests) for client in server.clients] == [1, 1, 1]


@on_both_loops
async def test_a_server_that_closes_each_connection_without_a_word_never_harms_a_request() -> None:
    async def handler(client: Client) -> None:
        await client.read()
        await client.write(answer(b"ok"))

    async with serving(handler) as server, transport() as http:
        for number in range(20):
            method = "POST" if number % 2 else "GET"
            assert (await http.request(method, server.url)).body == b"ok"
        assert len(server.requests) == 20
        assert http.counts.resent <= 3


@on_both_loops
async def test_a_repeatable_request_on_a_connection_closed_in_the_meantime_is_sent_again_and_says_so() -> None:
    async def handler(client: Client) -> None:
        for _ in range(2 if client.number == 0 else 9):
            await client.read()
            await client.write(answer(b"%d" % client.number))
        await client.read()  # and closes without an answer

    async with serving(handler) as server, transport() as http:
        await let_it_live(http, server)
        response = await http.request("GET", server.url)
        assert (response.body, response.resent, response.connection_reused) == (b"1", True, False)
        assert http.counts.resent == 1


@on_both_loops
async def test_a_request_that_must_not_be_repeated_is_not() -> None:
    async def handler(client: Client) -> None:
        for _ in range(2):
            await client.read()
            await client.write(answer())
        await client.read()

    async with serving(handler) as server, transport() as http:
        await let_it_live(http, server)
        failed = await outcome_of(http, "POST", server.url)
        assert (failed.outcome, "reused" in failed.message) == (Outcome.RESET, True)
        assert [request.method for request in server.requests] == ["GET", "GET", "POST"]


@on_both_loops
async def test_a_request_is_sent_again_once_at_most() -> None:
    async def handler(client: Client) -> None:
        for _ in range(0 if client.number else 2):
            await client.read()
            await client.write(answer())
        await client.read()

    async with serving(handler) as server, transport() as http:
        await let_it_live(http, server)
        failed = await outcome_of(http, "GET", server.url)
        assert failed.outcome == Outcome.RESET
        assert [len(client.requests) for client in server.clients] == [3, 1]


@on_both_loops
async def test_a_request_that_is_refused_when_it_is_sent_again_tells_that_it_was_sent_before() -> None:
    async def handler(client: Client) -> None:
        for _ in range(2):
            await client.read()
            await client.write(answer())
        await client.read()  # it may be obeyed, and nobody says so
        server.refuse()

    async with serving(handler) as server, transport() as http:
        await let_it_live(http, server)
        failed = await outcome_of(http, "DELETE", server.url)
        assert (failed.outcome, failed.resent) == (Outcome.REFUSED, True)
        assert [len(client.requests) for client in server.clients] == [3]
        never_sent = await outcome_of(http, "DELETE", server.url)
        assert (never_sent.outcome, never_sent.resent) == (Outcome.REFUSED, False)


@on_both_loops
async def test_a_request_that_was_partly_answered_is_not_sent_again() -> None:
    async def handler(client: Client) -> None:
        for _ in range(2):
            await client.read()
            await client.write(answer())
        await client.read()
        await client.write(b"HTTP/1.1 2")

    async with serving(handler) as server, transport() as http:
        await let_it_live(http, server)
        assert (await outcome_of(http, "GET", server.url)).outcome == Outcome.RESET
        assert len(server.requests) == 3


@on_both_loops
async def test_a_connection_closed_while_free_is_not_used() -> None:
    closing = asyncio.Event()

    async def handler(client: Client) -> None:
        for _ in range(2):
            await client.read()
            await client.write(answer())
        if client.number == 0:
            await closing.wait()

    async with serving(handler) as server, transport() as http:
        await let_it_live(http, server)
        closing.set()
        await until_closed(server)
        await asyncio.sleep(0.01)
        response = await http.request("POST", server.url)
        assert (response.status, response.connection_reused) == (200, False)


@on_both_loops
async def test_bytes_that_nobody_asked_for_condemn_the_connection_but_not_the_answer_before_them() -> None:
    async def handler(client: Client) -> None:
        while await client.read() is not None:
            await client.write(answer(b"mine") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    async with serving(handler) as server, transport() as http:
        for _ in range(3):
            assert (await http.request("GET", server.url)).body == b"mine"
        assert len(server.clients) == 3


@on_both_loops
async def test_a_word_said_on_a_free_connection_condemns_it() -> None:
    said = asyncio.Event()

    async def handler(client: Client) -> None:
        await client.read()
        await client.write(answer(b"first"))
        if client.number == 0:
            await client.write(answer(b"bored", status="408 Request Timeout"))
            said.set()
        await client.read()
        await client.write(answer(b"second"))

    async with serving(handler) as server, transport() as http:
        assert (await http.request("GET", server.url)).body == b"first"
        await said.wait()
        await server.clients[0].finished.wait()
        assert (await http.request("GET", server.url)).body == b"first"


@on_both_loops
async def test_a_connection_that_was_free_for_too_long_is_not_used() -> None:
    async with serving(echo) as server, transport(idle_limit_s=0.0) as http:
        for _ in range(3):
            await http.request("GET", server.url)
            await asyncio.sleep(0.005)
        assert len(server.clients) == 3


@on_both_loops
async def test_the_servers_word_on_how_long_it_keeps_connections_is_heeded() -> None:
    async def handler(client: Client) -> None:
        while await client.read() is not None:
            await client.write(answer(headers="Keep-Alive: timeout=1, max=100\r\n"))

    async with serving(handler) as server, transport() as http:
        for _ in range(3):
            await http.request("GET", server.url)
            await asyncio.sleep(0.005)
        assert len(server.clients) == 3


@on_both_loops
async def test_an_answer_that_does_not_come_in_time_is_a_timeout_and_closes_the_connection() -> None:
    async def handler(client: Client) -> None:
        while await client.read() is not None:
            if len(client.requests) < 3:
                await client.write(answer())

    async with serving(handler) as server, transport() as http:
        await let_it_live(http, server)
        failed = await outcome_of(http, "GET", server.url, timeout_s=0.02)
        assert (failed.outcome, "20.0 ms" in failed.message) == (Outcome.TIMEOUT, True)
        await server.clients[0].finished.wait()
        assert (await http.request("GET", server.url)).status == 200


@on_both_loops
async def test_whoever_takes_a_connection_right_after_an_answer_has_a_deadline_of_its_own() -> None:
    async def handler(client: Client) -> None:
        while (request := await client.read()) is not None:
            if request.target != "/hang":
                await client.write(answer())

    async with serving(handler) as server, transport(max_connections_per_host=1) as http:
        await let_it_live(http, server)
        for _ in range(20):
            # The second gets the first one's connection in the moment of the answer, before the first is told.
            first = asyncio.ensure_future(http.request("GET", server.url, timeout_s=0.05))
            second = asyncio.ensure_future(http.request("GET", f"{server.url}/hang", timeout_s=0.05))
            results = await asyncio.gather(first, second, return_exceptions=True)
            assert isinstance(results[1], OperationError)
            assert results[1].outcome == Outcome.TIMEOUT


@on_both_loops
async def test_a_slow_body_is_a_timeout_as_a_whole() -> None:
    async def handler(client: Client) -> None:
        await client.read()
        await client.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not client.writer.is_closing():
            await client.write(b"x")
            await asyncio.sleep(0.005)

    async with serving(handler) as server, transport() as http:
        assert (await outcome_of(http, "GET", server.url, timeout_s=0.05)).outcome == Outcome.TIMEOUT


@on_both_loops
async def test_waiting_for_a_connection_counts_against_the_timeout() -> None:
    async def handler(client: Client) -> None:
        while await client.read() is not None:
            pass

    async with serving(handler) as server, transport(max_connections_per_host=1) as http:
        first = asyncio.ensure_future(http.request("GET", server.url, timeout_s=30))
        await asyncio.sleep(0.02)
        failed = await outcome_of(http, "GET", server.url, timeout_s=0.02)
        assert (failed.outcome, "1 of at most 1 connections" in failed.message) == (Outcome.TIMEOUT, True)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


@on_both_loops
async def test_cancelling_a_request_closes_its_connection_and_gives_its_place_to_another() -> None:
    accepted = asyncio.Event()

    async def handler(client: Client) -> None:
        accepted.set()
        while (request := await client.read()) is not None:
            if request.target == "/answer":
                await client.write(answer(b"here"))

    async with serving(handler) as server, transport(max_connections_per_host=1) as http:
        hanging = asyncio.ensure_future(http.request("GET", server.url))
        waiting = asyncio.ensure_future(http.request("GET", f"{server.url}/answer"))
        await accepted.wait()
        await server.clients[0].came.wait()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert (await waiting).body == b"here"
        await server.clients[0].finished.wait()


@on_both_loops
async def test_places_survive_every_kind_of_cancellation() -> None:
    async with serving(echo) as server, transport(max_connections_per_host=2) as http:
        for turns in range(40):
            requests = [asyncio.ensure_future(http.request("GET", server.url)) for _ in range(6)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for request in requests[::2]:
                request.cancel()
            results = await asyncio.gather(*requests, return_exceptions=True)
            assert not [result for result in results if isinstance(result, Exception)]
        assert (await http.request("GET", server.url, timeout_s=5)).status == 200


@on_both_loops
async def test_where_nobody_listens_the_connection_is_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with transport() as http:
            failed = await outcome_of(http, "GET", f"http://127.0.0.1:{port}/")
    assert failed.outcome == Outcome.REFUSED
    assert f"127.0.0.1:{port}" in failed.message


@on_both_loops
async def test_a_name_that_does_not_resolve_is_refused() -> None:
    async with transport() as http:
        failed = await outcome_of(http, "GET", f"http://{'a' * 70}.invalid/")  # a label has 63 characters at most
    assert failed.outcome == Outcome.REFUSED


@pytest.mark.real_loop
async def test_a_name_that_the_resolver_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*arguments: object, **settings: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", unknown)
    async with transport() as http:
        failed = await outcome_of(http, "GET", "http://keystone.invalid/")
    assert (failed.outcome, "keystone.invalid" in failed.message) == (Outcome.REFUSED, True)


@pytest.mark.real_loop
@pytest.mark.parametrize("number", [errno.EMFILE, errno.EADDRNOTAVAIL])
async def test_limits_of_this_machine_are_not_the_clouds_failures(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_the_limit(*arguments: object, **settings: object) -> None:
        raise OSError(f"Multiple exceptions: [Errno {number}] one, [Errno {number}] two")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", at_the_limit)
    async with transport() as http:
        failed = await outcome_of(http, "GET", "http://127.0.0.1:9/")
    assert failed.outcome == Outcome.EXHAUSTED
    assert "has no more" in failed.message
    assert ("ulimit -n" if number == errno.EMFILE else "ip_local_port_range") in failed.message


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.real_loop
async def test_a_process_without_free_file_descriptors_is_exhausted_and_not_refused() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []

    async def listen(client: Client) -> None:
        await client.read()

    async with serving(listen) as server, transport() as http:
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_files() + 20, hard))
        try:
            with contextlib.suppress(OSError):
                while True:
                    held.append(os.dup(0))
            failed = await outcome_of(http, "GET", server.url)
        finally:
            for descriptor in held:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert failed.outcome == Outcome.EXHAUSTED


@pytest.mark.real_loop
async def test_a_connection_that_does_not_open_in_time_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*arguments: object, **settings: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    async with transport(connect_timeout_s=0.01) as http:
        assert (await outcome_of(http, "GET", "http://127.0.0.1:9/")).outcome == Outcome.TIMEOUT


@on_both_loops
async def test_closing_the_transport_ends_what_is_under_way() -> None:
    accepted = asyncio.Event()

    async def handler(client: Client) -> None:
        accepted.set()
        await client.read()
        await client.read()

    async with serving(handler) as server, transport() as http:
        hanging = asyncio.ensure_future(http.request("GET", server.url))
        await accepted.wait()
        await server.clients[0].came.wait()
        await http.close()
        with pytest.raises(OperationError) as caught:
            await hanging
        assert caught.value.outcome == Outcome.RESET
        with pytest.raises(LabError):
            await http.request("GET", server.url)


async def test_there_are_no_sockets_in_simulated_time() -> None:
    with pytest.raises(LabError, match="simulated"):
        HttpTransport(SimulatedClock(asyncio.get_running_loop()))


@on_both_loops
async def test_a_transport_that_never_reuses_opens_a_connection_for_each_request_and_leaves_none_behind() -> None:
    async with serving(echo) as server, transport() as http:
        http.never_reuse()
        answers = [await http.request("GET", server.url) for _ in range(4)]
        assert [response.connection_reused for response in answers] == [False] * 4
        assert http.counts.opened == len(server.clients) == 4
        for client in range(3):
            await until_closed(server, client)
