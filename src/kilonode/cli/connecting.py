"""Logging in for setup and cleanup: transports by their TLS settings, connections by their access."""

from collections.abc import Callable
from typing import Any, Self

from kilonode.base.clock import Clock
from kilonode.clients.openstack.access import Access, load_access
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.tokens import TokenCache
from kilonode.clients.transport import Transport

OpenTransport = Callable[[Access], Transport]
"""Gives a transport for the cloud of this access."""


class Connections:
    """Connections that are logged in, one for each access, over as few transports as there are TLS settings."""

    def __init__(self, clock: Clock, open_transport: OpenTransport | None = None) -> None:
        self._clock = clock
        self._open = open_transport or self._open_sockets
        self._transports: dict[Any, Transport] = {}
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
        key = (access.verify, access.ca_file, access.certificate_file, access.key_file)
        if key not in self._transports:
            self._transports[key] = self._open(access)
        return self._transports[key]

    def _open_sockets(self, access: Access) -> Transport:
        from kilonode.clients.http import HttpTransport
        from kilonode.clients.proxies import ProxySettings
        from kilonode.clients.tls import TlsSettings

        settings = TlsSettings(access.verify, access.ca_file, access.certificate_file, access.key_file)
        return HttpTransport(self._clock, tls=settings, proxies=ProxySettings.from_environment())

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
