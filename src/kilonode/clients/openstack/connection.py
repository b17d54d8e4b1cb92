"""One user's connection to an OpenStack cloud: a token, a catalog, and a client for each service.

`connect` does what must not be measured: it logs in, reads the catalog and asks for the microversions. After it, one
call is one request. No failure is retried, with one exception that is counted and visible: a token that a service
refuses (401) is replaced once, and the answer is marked `reauthenticated`.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from kilonode.base.clock import Clock
from kilonode.base.errors import InputError, OperationError
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.catalog import SERVICES, find_endpoint, known_service, service_url, version_url
from kilonode.clients.openstack.login import Token, identity_url
from kilonode.clients.openstack.microversions import WRITTEN_FOR, Version, VersionRange, parse, read_range
from kilonode.clients.openstack.observing import ChangeObserver
from kilonode.clients.openstack.service import ServiceClient
from kilonode.clients.openstack.session import Session
from kilonode.clients.openstack.tokens import TokenCache
from kilonode.clients.transport import Transport

_DISCOVERY_TIMEOUT_S: Final = 30.0


class Connection:
    """One user of one cloud. Cheap: a thousand tenants are a thousand of these over one transport."""

    def __init__(
        self,
        access: Access,
        transport: Transport,
        clock: Clock,
        tokens: TokenCache | None = None,
        observer: ChangeObserver | None = None,
    ) -> None:
        self.access = access
        self.transport = transport
        self.clock = clock
        self.tokens = tokens if tokens is not None else TokenCache()
        self._session = Session(access, transport, clock, self.tokens.shared(access), observer)
        self._services: dict[tuple[str, str], ServiceClient] = {}
        """By name and region."""

    async def connect(self, services: Sequence[str] = ()) -> None:
        """Log in, read the catalog, ask for the microversions. Raises OperationError or InputError.

        `services` must exist and answer; of others a failure shows at their first use.
        """
        await self._session.token()
        for name in services:
            self.service(name)
        wanted = list(dict.fromkeys([*services, *SERVICES]))
        await asyncio.gather(*(self._discover(name, required=name in services) for name in wanted))

    @property
    def connected(self) -> bool:
        """Whether there is a token."""
        return self._session.shared.token is not None

    @property
    def token(self) -> Token:
        """The token as it stands; LabError before `connect`."""
        return self._session.current

    @property
    def project_id(self) -> str:
        """The project that the token is scoped to, or an empty string."""
        return self.token.project_id

    @property
    def user_id(self) -> str:
        """Whose token it is."""
        return self.token.user_id

    @property
    def identity(self) -> ServiceClient:
        """Keystone; paths begin below `/v3`."""
        return self.service("identity")

    @property
    def compute(self) -> ServiceClient:
        """Nova; paths begin below `/v2.1`."""
        return self.service("compute")

    @property
    def network(self) -> ServiceClient:
        """Neutron; paths begin below `/v2.0`."""
        return self.service("network")

    @property
    def image(self) -> ServiceClient:
        """Glance; paths begin below `/v2`."""
        return self.service("image")

    @property
    def volume(self) -> ServiceClient:
        """Cinder; paths begin below `/v3/<project>`."""
        return self.service("volume")

    @property
    def placement(self) -> ServiceClient:
        """Placement; paths begin at its root."""
        return self.service("placement")

    def service(self, name: str, region: str = "") -> ServiceClient:
        """The client of any service by its name or catalog type. Raises InputError when the cloud has none.

        `region`: where, if not in the region that was logged in to.
        """
        region = region or self.access.region_name
        client = self._services.get((name, region))
        if client is None:
            known = known_service(name).name
            root_url = self._root_url(name, region)
            client = ServiceClient(self._session, known, root_url, self._wanted_microversion(known))
            self._services[name, region] = client
        return client

    def _wanted_microversion(self, name: str) -> Version | None:
        """What to ask for where a request names none: the user's wish, or what scenarios are written for."""
        for service, version in self.access.default_microversions:
            if known_service(service).name == name:
                return parse(version)
        return parse(WRITTEN_FOR[name]) if name in WRITTEN_FOR else None

    def _root_url(self, name: str, region: str) -> str:
        service = known_service(name)
        for overridden, url in self.access.endpoint_overrides:
            if known_service(overridden).name == service.name:
                return service_url(service, url, self.project_id)
        try:
            url = find_endpoint(self.token.catalog, service, region, self.access.interface)
        except InputError:
            if service.name != "identity" or not self.access.auth_url:
                raise
            return identity_url(self.access.auth_url)  # Keystone need not be in its own catalog
        return service_url(service, url, self.project_id)

    async def _discover(self, name: str, *, required: bool) -> None:
        try:
            client = self.service(name)
            if self._wanted_microversion(client.name) is not None:
                client.served = await self._versions(client)
        except (InputError, OperationError):
            if required:
                raise

    async def _versions(self, client: ServiceClient) -> VersionRange:
        url = version_url(known_service(client.name), client.root_url)
        known = self.tokens.versions.get(url)
        if known is None:
            response = await client.request_url("GET", url, timeout_s=_DISCOVERY_TIMEOUT_S, expect=(200, 300))
            known = self.tokens.versions[url] = read_range(response)
        return known
