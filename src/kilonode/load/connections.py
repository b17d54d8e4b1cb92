"""The connections of one worker: few transports, one login for each tenant, all made before the load begins.

Logging in, reading catalogs and asking for microversions are not part of any measured operation. Tokens are renewed in
the background by the clients.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from kilonode.base.clock import Clock
from kilonode.clients.http import HttpTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.tokens import TokenCache
from kilonode.clients.openstack.transports import tls_settings
from kilonode.clients.tls import TlsSettings
from kilonode.clients.transport import Transport
from kilonode.scenarios.tenant import Tenant

TransportFactory = Callable[[Access | None], Transport]
"""Opens a transport as an access wants it; None: for servers that are no cloud."""

LOGINS_AT_ONCE: Final = 16
"""Enough to hide the latency of a login, few enough not to be a load test of the identity service."""


class Connections:
    """Transports by their TLS settings, and the connections over them."""

    def __init__(self, clock: Clock, open_transport: TransportFactory) -> None:
        self._clock = clock
        self._open_transport = open_transport
        self._transports: dict[TlsSettings, Transport] = {}
        self._tokens = TokenCache()
        self._background: list[asyncio.Task[None]] = []

    def transport(self, access: Access | None) -> Transport:
        """The transport that this access uses."""
        settings = tls_settings(access)
        if settings not in self._transports:
            self._transports[settings] = self._open_transport(access)
        return self._transports[settings]

    async def connect(self, tenants: Sequence[Tenant], services: Sequence[str]) -> tuple[Connection, ...]:
        """Log every tenant in; `services` must answer. One connection each, in order; equal accesses share it.

        Raises OperationError or InputError of the first that fails.
        """
        connections = {
            access: Connection(access, self.transport(access), self._clock, self._tokens)
            for access in dict.fromkeys(tenant.access for tenant in tenants)
        }
        waiting = list(connections.values())
        waiting.reverse()

        async def log_in() -> None:
            while waiting:
                await waiting.pop().connect(services)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(LOGINS_AT_ONCE, len(waiting))):
                    group.create_task(log_in())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return tuple(connections[tenant.access] for tenant in tenants)

    def counts(self) -> dict[str, float]:
        """What happened on the connections so far, for the generator's health: nothing that was repeated is hidden."""
        pools = [transport.counts for transport in self._transports.values() if isinstance(transport, HttpTransport)]
        return {
            "connections_opened": float(sum(pool.opened for pool in pools)),
            "requests_waited": float(sum(pool.waited for pool in pools)),
            "requests_resent": float(sum(pool.resent for pool in pools)),
            "tokens_refused": float(self._tokens.counts.refused_tokens),
        }

    async def close(self) -> None:
        """Close every transport."""
        self._tokens.close()
        for transport in self._transports.values():
            await transport.close()
