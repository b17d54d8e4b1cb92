"""Logging in for setup and cleanup: transports by their TLS settings, connections by their access."""

from collections.abc import Callable
from typing import Self

from kilonode.base.clock import Clock
from kilonode.clients.openstack.access import Access, load_access
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.tokens import TokenCache
from kilonode.clients.openstack.transports import open_transport, tls_settings
from kilonode.clients.tls import TlsSettings
from kilonode.clients.transport import Transport

OpenTransport = Callable[[Access | None], Transport]
"""Gives a transport for the cloud of this access; None: for servers that are no cloud."""


class Connections:
    """Connections that are logged in, one for each access, over as few transports as there are TLS settings."""

    def __init__(self, clock: Clock, transports: OpenTransport | None = None) -> None:
        self._clock = clock
        self._open = transports or self._open_sockets
        self._transports: dict[TlsSettings, Transport] = {}
        self._connections: dict[Access, Connection] = {}
        self._tokens = TokenCache()

    async def connect(self, access: Access) -> Connection:
        """A connection logged in with `access`. Raises OperationError, InputError."""
        connection = self._connections.get(access)
        if connection is None:
            connection = Connection(access, self._transport(access), self._clock, self._tokens)
            await connection.connect()
            self._connections[access] = connection
        return connection

    def _transport(self, access: Access) -> Transport:
        key = tls_settings(access)
        if key not in self._transports:
            self._transports[key] = self._open(access)
        return self._transports[key]

    def _open_sockets(self, access: Access) -> Transport:
        return open_transport(access, self._clock)

    async def close(self) -> None:
        """Close every transport."""
        for transport in self._transports.values():
            await transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def real_access(cloud: str | None) -> Access:
    """How to log in to a cloud of `clouds.yaml`, or to what the `OS_*` variables say for `envvars` or None."""
    return load_access(None if cloud == "envvars" else cloud)
