"""HTTP/1.1 over sockets: the load engine's own transport.

Made for little CPU per request (docs/decisions/0040): no task, no timer and no header parsing per request; the bytes of
the head are put together from parts that were checked and encoded once. What it does not do: HTTP/2, pipelining,
compression, redirects, cookies, retries. One exception: a repeatable request that met a reused connection which the
server had closed is sent once more over a fresh one, and its answer is marked `resent`.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import LabError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.units import format_seconds
from kilonode.clients.deadlines import Deadlines, Lane
from kilonode.clients.dialing import dial
from kilonode.clients.heads import Origin
from kilonode.clients.pools import Pool, PoolCounts
from kilonode.clients.proxies import ProxySettings
from kilonode.clients.routes import Route, Routes
from kilonode.clients.sockets import DeadlineError, HttpConnection, StaleConnectionError
from kilonode.clients.streams import length_header, send_stream
from kilonode.clients.tls import TlsSettings
from kilonode.clients.transport import DEFAULT_TIMEOUT_S, BodyStream, HeaderPairs, Response

REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Idempotent by RFC 9110: sending one twice means the same as once."""

_NOT_AT_ALL_S: Final = -1.0
"""As a limit of how long a free connection is good for."""

_ALWAYS_WITH_LENGTH: Final = frozenset({"POST", "PUT", "PATCH"})


class HttpTransport:
    """Sends requests over pools of connections, one pool for each origin. Belongs to one event loop."""

    def __init__(
        self,
        clock: Clock,
        *,
        tls: TlsSettings | None = None,
        proxies: ProxySettings | None = None,
        max_connections_per_host: int = 1_000,
        connect_timeout_s: float = 10.0,
        idle_limit_s: float = 4.0,
    ) -> None:
        """`idle_limit_s` lies below the five seconds after which uvicorn and Apache close a free connection."""
        if clock.simulated:
            raise LabError("there are no sockets in simulated time", hint="use an ApplicationTransport")
        self.counts = PoolCounts()
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._tls_settings = tls or TlsSettings()
        self._tls: ssl.SSLContext | None = None
        self._proxies = proxies or ProxySettings()
        self._most = max_connections_per_host
        self._connect_timeout_s = connect_timeout_s
        self._idle_limit_s = idle_limit_s
        self._deadlines = Deadlines(self._loop)
        self._lane: Lane = self._deadlines.lane(DEFAULT_TIMEOUT_S)
        self._routes = Routes(self._route)
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: HeaderPairs = (),
        body: bytes | BodyStream = b"",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        receive: Callable[[bytes], object] | None = None,
    ) -> Response:
        """See `Transport.request`."""
        try:
            ready = self._routes.ready.get((method, url, headers))
        except TypeError:  # a list of headers
            ready = None
        pool, data = ready or self._routes.prepare(method, url, headers)
        now_s = self._loop.time()
        if body or method in _ALWAYS_WITH_LENGTH:
            if isinstance(body, BodyStream):
                data = b"%b%b\r\n" % (data[:-2], length_header(body))
                return await self._exchange(_Exchange(method, pool, data, now_s + timeout_s, timeout_s, receive, body))
            data = b"%bContent-Length: %d\r\n\r\n%b" % (data[:-2], len(body), body)
        connection = pool.take(now_s, repeatable=method in REPEATABLE)
        if connection is None:
            return await self._exchange(_Exchange(method, pool, data, now_s + timeout_s, timeout_s, receive))
        lane = self._lane
        if lane.seconds != timeout_s:
            lane = self._lane = self._deadlines.lane(timeout_s)
        waiter = connection.send(
            data, free_of_body=method == "HEAD", receive=receive, lane=lane, deadline_s=now_s + timeout_s
        )
        try:
            return await waiter
        except StaleConnectionError:
            pass
        except DeadlineError:
            raise _too_late(timeout_s) from None
        except asyncio.CancelledError:
            connection.give_up(waiter)
            raise
        exchange = _Exchange(method, pool, data, now_s + timeout_s, timeout_s, receive)
        exchange.stale(self.counts)
        return await self._exchange(exchange)

    def never_reuse(self) -> None:
        """From now on each request opens a connection of its own: a free one is closed when the next is wanted."""
        self._idle_limit_s = _NOT_AT_ALL_S

    async def close(self) -> None:
        """Close every connection; requests under way fail with the outcome reset."""
        self._closed = True
        self._deadlines.stop()
        for pool in self._routes.pools:
            pool.close()
        await asyncio.sleep(0)  # the loop says goodbye to the sockets in its next turn

    async def _exchange(self, exchange: "_Exchange") -> Response:
        """The way of a request that has no free connection, or streams its body: everything that is rare."""
        while True:
            connection = await self._obtain(exchange)
            waiter = exchange.begin(connection)
            timer = self._loop.call_at(exchange.deadline_s, connection.expire, waiter)
            try:
                await exchange.send_rest(connection, waiter)
                response = await waiter
                response.resent = exchange.resent
                return response
            except StaleConnectionError:
                exchange.stale(self.counts)
            except DeadlineError:
                raise _too_late(exchange.timeout_s) from None
            except BaseException:
                connection.give_up(waiter)
                raise
            finally:
                timer.cancel()

    async def _obtain(self, exchange: "_Exchange") -> HttpConnection:
        if self._closed:
            raise LabError("the transport was used after it was closed")
        if exchange.has_stream and not exchange.resent:
            free = exchange.pool.take(self._loop.time(), repeatable=exchange.repeatable)
            if free is not None:
                return free
        try:
            async with asyncio.timeout_at(exchange.deadline_s):
                return await exchange.pool.obtain(repeatable=exchange.repeatable, fresh=exchange.resent)
        except OperationError as error:
            error.resent = exchange.resent
            raise
        except TimeoutError:
            raise OperationError(
                Outcome.TIMEOUT,
                f"no connection within {format_seconds(exchange.timeout_s)}; {exchange.pool.state}",
            ) from None

    def _route(self, origin: Origin) -> Route:
        proxy = self._proxies.proxy_for(origin.scheme, origin.host, origin.port)
        secure = origin.scheme == "https"
        if secure and self._tls is None:
            self._tls = self._tls_settings.context()
        tls = self._tls if secure else None
        connect_timeout_s = self._connect_timeout_s

        async def connect(pool: Pool) -> HttpConnection:
            began_ns = self._clock.now_ns()
            try:
                async with asyncio.timeout(connect_timeout_s):
                    connection = await dial(
                        self._loop, origin, proxy, tls, lambda: HttpConnection(self._loop, pool, self._idle_limit_s)
                    )
            except TimeoutError:
                raise OperationError(
                    Outcome.TIMEOUT, f"{origin.authority}: no connection within {format_seconds(connect_timeout_s)}"
                ) from None
            connection.connecting_s = (self._clock.now_ns() - began_ns) / NANOSECONDS_PER_SECOND
            return connection

        return Route(origin, Pool(self._loop, connect, self._most, self.counts), proxy)


class _Exchange:
    """A request on its slow way."""

    def __init__(
        self,
        method: str,
        pool: Pool,
        data: bytes,
        deadline_s: float,
        timeout_s: float,
        receive: Callable[[bytes], object] | None,
        body: BodyStream | None = None,
    ) -> None:
        self.method = method
        self.pool = pool
        self.deadline_s = deadline_s
        self.timeout_s = timeout_s
        self.repeatable = method in REPEATABLE
        self.has_stream = body is not None
        self.resent = False
        self._data = data
        self._receive = receive
        self._body = body

    def stale(self, counts: PoolCounts) -> None:
        """The connection was closed before the answer: once, and where the method allows it, send again."""
        if self.resent or not self.repeatable:
            raise OperationError(
                Outcome.RESET, "the server closed the reused connection before the answer began"
            ) from None
        self.resent = True
        counts.resent += 1

    def begin(self, connection: HttpConnection) -> asyncio.Future[Response]:
        """Send the request, or its head when the body is a stream."""
        if self._body is not None:
            connection.begin_stream()
        return connection.send(self._data, free_of_body=self.method == "HEAD", receive=self._receive)

    async def send_rest(self, connection: HttpConnection, waiter: asyncio.Future[Response]) -> None:
        """Send the body when it is a stream."""
        if self._body is None:
            return
        try:
            await send_stream(connection, self._body, waiter)
        except BaseException:
            connection.give_up(waiter)
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # seen, so that asyncio does not report it
            raise


def _too_late(timeout_s: float) -> OperationError:
    return OperationError(Outcome.TIMEOUT, f"no whole answer within {format_seconds(timeout_s)}")
