"""The emulated cloud inside the caller's own event loop: all roles as tasks over a store in memory, no port, no files.

It is for simulated time, where a client calls the application instead of a socket, and for tests; it also runs on a
real event loop. Its passwords and keys come from the seed: they protect nothing, since nobody else can reach it. The
sites of a cloud are told apart by the address that a request was sent to.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self
from urllib.parse import urlsplit

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import LabError
from kilonode.base.randomness import Randomness
from kilonode.cloud.access import AccessFacts, access_facts
from kilonode.cloud.context import Cloud, CloudSettings, Secrets
from kilonode.cloud.layout import names_of_site, role_names, roles_of
from kilonode.cloud.liveness import is_node_up
from kilonode.cloud.openstack.application import open_application
from kilonode.cloud.resources import NODE
from kilonode.cloud.roles import run_roles
from kilonode.cloud.simulated_processes import Life, SimulatedProcess, apis_of
from kilonode.cloud.sites import of_each_site
from kilonode.store.memory import MemoryStore

LOOK_EVERY_S: Final = 0.01
READY_TIMEOUT_S: Final = 60.0


class SimulatedCloud:
    """A whole cloud. Use it as a context, or call `start` and `stop`."""

    def __init__(
        self,
        settings: CloudSettings,
        clock: Clock,
        store: MemoryStore | None = None,
        *,
        apart: bool = False,
        all_in_one: bool = False,
    ) -> None:
        """`store`: documents to go on with, of a cloud with one site; it stays open.

        `apart`: the roles run in `processes` of their own, which can be killed and frozen, with a mirror each: that is
        slower. `all_in_one`: then they all run in one.
        """
        random = Randomness(settings.seed, "simulated-secrets").stream()
        made_up = Secrets(admin_password=f"{random.getrandbits(64):016x}", token_key=f"{random.getrandbits(256):064x}")
        # One application answers, whatever the number of processes would be.
        counts = settings.roles if apart else msgspec.structs.replace(settings.roles, api=1)
        self.settings = msgspec.structs.replace(settings, secrets=made_up, roles=counts)
        self._doors = 0
        self._clock = clock
        self._shared = MemoryStore() if settings.sites else None
        self._sites = [
            _Site(told, clock, self._shared, store, names_of_site(counts, all_in_one=all_in_one) if apart else ())
            for told in of_each_site(self.settings)
        ]

    @property
    def store(self) -> MemoryStore:
        """The documents of the cloud, or of its first site."""
        return self._sites[0].store

    @property
    def application(self) -> Any:
        """The ASGI 3 application that answers for `settings.public_url`, and for the addresses of the other sites."""
        if len(self._sites) == 1:
            return self._sites[0].application
        return _ByHost({urlsplit(site.settings.public_url).netloc: site.application for site in self._sites})

    @property
    def processes(self) -> list[SimulatedProcess]:
        """What can be killed and frozen; nothing unless the roles run apart."""
        return [process for site in self._sites for process in site.processes]

    def apis(self, url: str) -> list[Life]:
        """Of a cloud whose roles run apart, who answers at an address now."""
        host = urlsplit(url).netloc
        sites = [site for site in self._sites if urlsplit(site.settings.public_url).netloc == host]
        return apis_of([process for site in sites or self._sites[:1] for process in site.processes])

    @property
    def regions(self) -> list[str]:
        """Its sites; one without a name where there is only one."""
        return [site.settings.region if self.settings.sites else "" for site in self._sites]

    async def view(self, region: str) -> Cloud:
        """The documents of a site whose roles run apart, as an api sees them, once one does its work."""
        site = self._sites[self.regions.index(region)]
        while True:
            for life in apis_of(site.processes):
                if life.cloud is not None and life.awake.is_set():
                    return life.cloud
            await self._clock.sleep(LOOK_EVERY_S)

    def next_door(self) -> int:
        """A number for each client, so that no two are given the same choices."""
        self._doors += 1
        return self._doors

    @property
    def access(self) -> AccessFacts:
        """How to log in as the administrator."""
        return access_facts(self.settings)

    async def start(self) -> None:
        """Start all roles and return when the cloud answers and all nodes are up."""
        for site in self._sites:
            await site.start()

    async def stop(self) -> None:
        """End all roles. Raises what ended any of them before."""
        for site in self._sites:
            await site.stop()
        if self._shared is not None:
            await self._shared.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class _Site:
    """All roles of one site."""

    def __init__(
        self,
        settings: CloudSettings,
        clock: Clock,
        shared: MemoryStore | None,
        store: MemoryStore | None,
        names: Sequence[str],
    ) -> None:
        self.settings = settings
        self.store = MemoryStore() if store is None else store
        self._keeps_store = store is not None
        self._shared = shared
        self._clock = clock
        self._ready: asyncio.Future[tuple[Cloud, Any]] | None = None
        self._work: asyncio.Task[None] | None = None
        region = f"{settings.region}." if settings.sites else ""
        self.processes = [
            SimulatedProcess(f"{region}{name}", roles_of(name, settings.roles), self.store, shared, clock, settings)
            for name in names
        ]

    @property
    def application(self) -> Any:
        if self._ready is None or not self._ready.done():
            raise LabError("the simulated cloud was not started")
        return self._ready.result()[1]

    async def start(self) -> None:
        if self.processes:
            await self._start_processes()
            return
        self._ready = asyncio.get_running_loop().create_future()
        roles = role_names(self.settings.roles)
        self._work = asyncio.create_task(
            run_roles(roles, self.store, self._clock, self.settings, self._serve_api, self._shared),
            name=f"simulated-{self.settings.region}",
        )
        either: list[asyncio.Future[Any]] = [self._ready, self._work]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._work.done():
            self._work.result()
        cloud, _ = self._ready.result()
        await self._wait_for_nodes(cloud)

    async def _start_processes(self) -> None:
        await asyncio.gather(*(process.start() for process in self.processes))
        (life, *_) = apis_of(self.processes)
        if life.cloud is not None:
            await self._wait_for_nodes(life.cloud)

    async def _wait_for_nodes(self, cloud: Cloud) -> None:
        deadline_ns = self._clock.now_ns() + int(READY_TIMEOUT_S * NANOSECONDS_PER_SECOND)
        while sum(is_node_up(cloud, entry.value) for entry in cloud.mirror.all(NODE).values()) < self.settings.nodes:
            if self._work is not None and self._work.done():
                self._work.result()
            if self._clock.now_ns() > deadline_ns:
                raise LabError("the nodes of the simulated cloud did not come up")
            await self._clock.sleep(LOOK_EVERY_S)

    async def stop(self) -> None:
        for process in self.processes:
            await process.stop()
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work
        if not self._keeps_store:
            await self.store.close()

    async def _serve_api(self, cloud: Cloud) -> None:
        application = await open_application(cloud)
        if self._ready is not None:
            self._ready.set_result((cloud, application))
        await asyncio.Event().wait()  # it is called, not served


class _ByHost:
    """Hands each request to the application of the address that it was sent to."""

    def __init__(self, applications: Mapping[str, Any]) -> None:
        self._applications = applications

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        host = next((value.decode() for name, value in scope["headers"] if name == b"host"), "")
        if host not in self._applications:
            raise LabError("no site has this address", got=host, expected=", ".join(self._applications))
        await self._applications[host](scope, receive, send)
