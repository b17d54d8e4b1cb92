"""The connections to one origin: which are free, how many there are, who waits for one.

The connection used last is used first, so that those that are not needed grow old and are closed. A server that closes
each connection after its answer without saying so (uWSGI does) is found out: until a connection was seen to live on,
requests that must not be sent twice get a fresh one, and after `_BELIEVED_AFTER` closed ones all do.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.sockets import HttpConnection

_BELIEVED_AFTER: Final = 3
_LIVED_ON_S: Final = 0.02
"""A connection that lay free for so long without being closed is being kept by the server."""


class PoolCounts(msgspec.Struct):
    """What happened, for the generator's own health. All over the life of the transport."""

    opened: int = 0
    """Connections opened."""
    failed: int = 0
    """Connections that could not be opened."""
    waited: int = 0
    """Requests that had to wait for one of `max_connections_per_host`: the generator's limit, not the cloud's."""
    resent: int = 0
    """Requests sent a second time because a reused connection turned out closed."""


class Pool:
    """The connections to one origin (through one proxy, or directly). The owner of its connections."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connect: Callable[["Pool"], Awaitable[HttpConnection]],
        most: int,
        counts: PoolCounts,
    ) -> None:
        self._loop = loop
        self._connect = connect
        self._most = most
        self._counts = counts
        self._free: list[HttpConnection] = []
        self._open: dict[HttpConnection, None] = {}
        self._places = 0
        """Connections open or being opened."""
        self._waiting: deque[tuple[asyncio.Future[HttpConnection | None], bool]] = deque()
        """Who waits for a connection, or for the place of one (None); and whether its request may be sent twice. Each
        waits no longer than its own timeout."""
        self._lives_on = False
        self._closed_after_one = 0

    def take(self, now_s: float, *, repeatable: bool) -> HttpConnection | None:
        """A free connection, or None. `repeatable`: the request may be sent twice."""
        free = self._free
        while free:
            connection = free[-1]
            free_for_s = now_s - connection.free_since_s
            if free_for_s > connection.idle_limit_s:
                free.pop()
                connection.abort()
            elif self._lives_on or repeatable or free_for_s >= _LIVED_ON_S:
                return free.pop()
            else:
                return None
        return None

    @property
    def state(self) -> str:
        """For an error message: what there is."""
        return f"{self._places} of at most {self._most} connections to the host are open, {len(self._waiting)} wait"

    async def obtain(self, *, repeatable: bool, fresh: bool = False) -> HttpConnection:
        """A connection for a request when none was free: a new one, or the next that becomes free (unless `fresh`).

        Cancelling it is fine at any time. Raises what connecting raises.
        """
        if self._places >= self._most and self._free:
            self._free[0].abort()  # free, but not for this request: see `take`
        if self._places < self._most:
            self._places += 1
        else:
            self._counts.waited += 1
            waiter: asyncio.Future[HttpConnection | None] = self._loop.create_future()
            self._waiting.append((waiter, repeatable))
            try:
                connection = await waiter
            except asyncio.CancelledError:
                if not waiter.cancelled():  # it was given something at the same instant
                    self._give_back(waiter.result())
                raise
            if connection is not None:
                if not fresh:
                    return connection
                self._open.pop(connection, None)  # keep its place, not it
                connection.abort()
        try:
            connection = await self._connect(self)
        except BaseException:
            self._counts.failed += 1
            self._give_back(None)
            raise
        self._counts.opened += 1
        self._open[connection] = None
        if connection.left:  # closed before it was used
            del self._open[connection]
            self._give_back(None)
        return connection

    def released(self, connection: HttpConnection) -> None:
        """The connection has carried its answer and is open still."""
        if connection.served > 1:
            self._lives_on = True
            if not self._waiting:
                self._free.append(connection)
                return
        elif self._closed_after_one >= _BELIEVED_AFTER and not self._lives_on:
            connection.abort()
            return
        while self._waiting:
            waiter, repeatable = self._waiting.popleft()
            if waiter.done():
                continue
            if self._lives_on or repeatable:
                waiter.set_result(connection)
            else:
                self._waiting.appendleft((waiter, repeatable))
                connection.abort()  # which gives its place to the one that waits
            return
        self._free.append(connection)

    def lost(self, connection: HttpConnection) -> None:
        """The connection is closed."""
        if connection.closed_by_server and connection.served == 1 and not self._lives_on:
            self._closed_after_one += 1
        if connection in self._open:
            del self._open[connection]
            if connection in self._free:
                self._free.remove(connection)
            self._give_back(None)

    def close(self) -> None:
        """Close every connection; requests under way fail."""
        for connection in list(self._open):
            connection.fail(OperationError(Outcome.RESET, "the transport was closed"))

    def _give_back(self, connection: HttpConnection | None) -> None:
        """Somebody does not need the connection, or the place of one, that it was given."""
        if connection is not None:
            if not connection.left:  # else its place was given back when it was lost
                self.released(connection)
            return
        self._places -= 1
        while self._waiting:
            waiter, _ = self._waiting.popleft()
            if not waiter.done():
                self._places += 1
                waiter.set_result(None)
                return
