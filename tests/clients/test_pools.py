"""Whatever servers and users do in whatever order: every request ends, with its own answer, and no place is lost.

The whole transport runs on virtual time over wires that answer, hang, close and break as hypothesis wants.
"""

import asyncio
import errno
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.clock import RealClock
from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.clients import http as http_module
from kilonode.clients.http import HttpTransport
from kilonode.clients.pools import Pool, PoolCounts
from kilonode.clients.sockets import HttpConnection

TIMEOUT_S = 5.0
BEHAVIOURS = ["answer", "answer", "answer", "pieces", "hang", "break", "break-within", "close-after", "say-close"]

requests = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.5, 3.0]),  # when it starts
        st.sampled_from(["GET", "POST"]),
        st.sampled_from(BEHAVIOURS),
        st.sampled_from([0.0, 0.5, 1.0, TIMEOUT_S]),  # how long the server takes
        st.sampled_from([None, None, None, 0.0, 0.5, 1.0, 2.0]),  # when the user gives up
    ),
    max_size=25,
)
connects = st.lists(st.sampled_from(["open", "open", "open", "slow", "refuse", "never"]), max_size=30)


class Wire(asyncio.Transport):
    """A server that does with each request what the request's path says."""

    def __init__(self, connection: HttpConnection) -> None:
        super().__init__()
        self.connection = connection
        self.closed = False
        self.loop = asyncio.get_running_loop()

    def write(self, data: Any) -> None:
        assert not self.closed
        number, behaviour, takes_s = bytes(data).split(b" ")[1].decode().strip("/").split("/")
        self.loop.call_later(float(takes_s), self.serve, number, behaviour)

    def serve(self, number: str, behaviour: str) -> None:
        whole = f"HTTP/1.1 200 OK\r\nContent-Length: {len(number)}\r\n\r\n{number}".encode()
        if behaviour in ("answer", "close-after"):
            self.give(whole)
        elif behaviour == "pieces":
            self.give(whole[:20])
            self.loop.call_later(0.25, self.give, whole[20:])
        elif behaviour == "say-close":
            self.give(whole.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))
        elif behaviour == "break-within":
            self.give(whole[:20])
        if behaviour in ("break", "break-within"):
            self.lose(ConnectionResetError(errno.ECONNRESET, "reset"))
        elif behaviour == "close-after":
            self.loop.call_soon(self.lose, None)

    def give(self, data: bytes) -> None:
        if not self.closed:
            self.connection.data_received(data)

    def lose(self, error: Exception | None) -> None:
        if not self.closed:
            self.closed = True
            self.connection.eof_received()
            self.loop.call_soon(self.connection.connection_lost, error)

    def close(self) -> None:
        self.lose(None)

    def abort(self) -> None:
        self.lose(None)

    def is_closing(self) -> bool:
        return self.closed


@given(requests, connects, st.integers(1, 5))
def test_every_request_ends_with_its_own_answer_and_no_place_is_lost(
    planned: list[tuple[float, str, str, float, float | None]], connecting: list[str], most: int
) -> None:
    wires: list[Wire] = []

    async def dial(loop: Any, origin: Any, proxy: Any, tls: Any, make: Any) -> HttpConnection:
        how = connecting.pop() if connecting else "open"
        if how == "refuse":
            raise OperationError(Outcome.REFUSED, "refused")
        if how in ("slow", "never"):
            await asyncio.sleep(1.0 if how == "slow" else 1000.0)
        connection: HttpConnection = make()
        wires.append(Wire(connection))
        connection.connection_made(wires[-1])
        return connection

    async def one(transport: HttpTransport, number: int) -> None:
        start_s, method, behaviour, takes_s, _ = planned[number]
        await asyncio.sleep(start_s)
        began_s = asyncio.get_running_loop().time()
        path = f"/{number}/{behaviour}/{takes_s}"
        try:
            response = await transport.request(method, f"http://cloud{path}", timeout_s=TIMEOUT_S)
            assert response.body == str(number).encode()
            assert not response.resent or method == "GET"
        except OperationError:
            pass
        assert asyncio.get_running_loop().time() <= began_s + TIMEOUT_S

    async def main() -> None:
        transport = HttpTransport(RealClock(), max_connections_per_host=most, connect_timeout_s=3.0)
        tasks = [asyncio.ensure_future(one(transport, number)) for number in range(len(planned))]
        for task, (start_s, _, _, _, gives_up_s) in zip(tasks, planned, strict=True):
            if gives_up_s is not None:
                asyncio.get_running_loop().call_later(start_s + gives_up_s, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            assert result is None or isinstance(result, asyncio.CancelledError), result
        await asyncio.sleep(2000)
        for pool in transport._routes.pools:
            assert pool._places == len(pool._open) <= most
            assert sorted(map(id, pool._free)) == sorted(map(id, pool._open))
            assert not any(not waiter.done() for waiter, _ in pool._waiting)
        assert sum(not wire.closed for wire in wires) == sum(len(pool._open) for pool in transport._routes.pools)
        await transport.close()
        assert all(wire.closed for wire in wires)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_module, "dial", dial)
        run_coroutine_simulated(main())


async def test_a_connection_that_is_lost_in_the_moment_it_is_handed_on_is_not_kept() -> None:
    made: list[HttpConnection] = []

    async def connect(pool: Pool) -> HttpConnection:
        connection = HttpConnection(asyncio.get_running_loop(), pool, 4.0)
        connection.connection_made(Wire(connection))
        made.append(connection)
        return connection

    pool = Pool(asyncio.get_running_loop(), connect, 1, PoolCounts())
    connection = await pool.obtain(repeatable=True)
    waiting = asyncio.ensure_future(pool.obtain(repeatable=True))
    await asyncio.sleep(0)
    connection.served = 2
    pool.released(connection)
    connection.abort()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert pool.take(0.0, repeatable=True) is None
    assert await pool.obtain(repeatable=True) is made[1]
