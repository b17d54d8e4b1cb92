"""All connections of one process: few transports, one login for each access.

Logging in, reading catalogs and asking for microversions are not part of any measured operation, so they are done here,
before one begins. Tokens are shared by equal accesses and renewed in the background. Which accesses there are, and what
is done with them, is for others to say.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Self

from kilonode.base.clock import Clock
from kilonode.clients.http import HttpTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.observing import ChangeObserver
from kilonode.clients.openstack.tokens import TokenCache
from kilonode.clients.openstack.transports import open_transport, tls_settings
from kilonode.clients.tls import TlsSettings
from kilonode.clients.transport import Transport

OpenTransport = Callable[[Access | None], Transport]
"""Opens a transport as an access wants it; None: for servers that are no cloud."""

LOGINS_AT_ONCE: Final = 16
"""Enough to hide the latency of a login, few enough not to be a load test of the identity service."""


class Connections:
    """Transports by their TLS settings, and the connections over them. An async context: leaving it closes all."""

    def __init__(
        self, clock: Clock, transports: OpenTransport | None = None, observer: ChangeObserver | None = None
    ) -> None:
        """`transports` None: sockets. `observer` is told of all requests that would change something."""
        self._observer = observer
        self._clock = clock
        self._open = transports or self._open_sockets
        self._transports: dict[TlsSettings, Transport] = {}
        self._own_transports: list[Transport] = []
        self._connections: dict[Access, Connection] = {}
        """Those that are logged in."""
        self._tokens = TokenCache()

    def transport(self, access: Access | None) -> Transport:
        """The transport that this access uses. Raises InputError."""
        settings = tls_settings(access)
        if settings not in self._transports:
            self._transports[settings] = self._open(access)
        return self._transports[settings]

    def own_transport(self, access: Access | None, *, reuse: bool) -> Transport:
        """A transport that nobody else uses, with connections of its own; without `reuse` one for each request."""
        transport = self._open(access)
        if not reuse and isinstance(transport, HttpTransport):  # in simulated time there are no connections
            transport.never_reuse()
        self._own_transports.append(transport)
        return transport

    async def connect(self, access: Access) -> Connection:
        """The connection of this access, logged in. Raises OperationError, InputError."""
        (connection,) = await self.connect_all([access])
        return connection

    async def connect_all(self, accesses: Iterable[Access], services: Sequence[str] = ()) -> tuple[Connection, ...]:
        """One connection each, logged in, in order; equal accesses share theirs. `services` must answer.

        Raises OperationError or InputError of the first that fails.
        """
        wanted = list(accesses)
        known = self._connections
        connections = {access: known.get(access) or self._connection(access) for access in wanted}
        waiting = [connection for access, connection in connections.items() if services or access not in known]
        waiting.reverse()

        async def log_in() -> None:
            while waiting:
                await waiting.pop().connect(services)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(log_in()) for _ in range(min(LOGINS_AT_ONCE, len(waiting)))]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        for task in tasks:
            task.result()  # a group says nothing of a task that was cancelled, as by `close`
        known.update(connections)
        return tuple(connections[access] for access in wanted)

    def counts(self) -> dict[str, float]:
        """What happened on the connections so far, for the generator's health: nothing that was repeated is hidden."""
        pools = [transport.counts for transport in self._all() if isinstance(transport, HttpTransport)]
        return {
            "connections_opened": float(sum(pool.opened for pool in pools)),
            "requests_waited": float(sum(pool.waited for pool in pools)),
            "requests_resent": float(sum(pool.resent for pool in pools)),
            "tokens_refused": float(self._tokens.counts.refused_tokens),
        }

    async def close(self) -> None:
        """Give up logins under way and close every transport."""
        self._tokens.close()
        for transport in self._all():
            await transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _all(self) -> list[Transport]:
        return [*self._transports.values(), *self._own_transports]

    def _connection(self, access: Access) -> Connection:
        return Connection(access, self.transport(access), self._clock, self._tokens, self._observer)

    def _open_sockets(self, access: Access | None) -> Transport:
        return open_transport(access, self._clock)
