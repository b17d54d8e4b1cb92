"""The emulated cloud with each role in a life of its own, ended at random instants as by SIGKILL, or frozen for a while
as by SIGSTOP, on virtual time.

A life that is ended writes nothing more: its store refuses it from that instant on. Commits take a random moment before
and after they happen, so a life also ends between a commit and the word that it happened. Requests under way at an api
that dies have no answer; those to none are refused. The store outlives everything.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Self

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.cli.target import access_of
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.transport import DEFAULT_TIMEOUT_S, BodyStream, HeaderPairs, Response
from kilonode.cloud.access import access_facts
from kilonode.cloud.context import Cloud, CloudSettings, Secrets
from kilonode.cloud.layout import API, role_names, role_of
from kilonode.cloud.openstack.application import open_application
from kilonode.cloud.roles import run_roles
from kilonode.store.memory import MemoryStore
from kilonode.store.protocol import Change, Commit, Document, Listing

LONGEST_COMMIT_S = 0.02
SHARE_FROZEN = 0.3
LONGEST_FREEZE_S = 1.5
LONGEST_REST_S = 0.5
"""How long a role is away at most, before it is started again."""


class Life:
    """The store as one life of a role sees it: until it is ended."""

    def __init__(self, store: MemoryStore, clock: Clock, chance: random.Random) -> None:
        self._store, self._clock, self._chance = store, clock, chance
        self.ended = asyncio.Event()
        self._awake = asyncio.Event()
        self._awake.set()

    async def freeze(self, duration_s: float) -> None:
        """See and write nothing for a while, and then go on with what was known before."""
        self._awake.clear()
        await self._clock.sleep(duration_s)
        self._awake.set()

    async def _pass(self, longest_s: float = 0.0) -> None:
        """Take a moment; wait for the end of a freeze; come back never when the life is over."""
        await self._clock.sleep(self._chance.uniform(0.0, longest_s))
        await self._awake.wait()
        if self.ended.is_set():
            await asyncio.Event().wait()

    async def get(self, kind: str, key: str) -> Document | None:
        await self._pass()
        return await self._store.get(kind, key)

    async def list(self, *kinds: str) -> Listing:
        await self._pass()
        return await self._store.list(*kinds)

    async def commit(self, changes: Sequence[Change]) -> int:
        await self._pass(LONGEST_COMMIT_S)
        revision = await self._store.commit(changes)
        await self._pass(LONGEST_COMMIT_S)
        return revision

    async def revision(self) -> int:
        await self._pass()
        return await self._store.revision()

    async def changes(self, after: int) -> AsyncIterator[Commit]:
        async for commit in self._store.changes(after):
            await self._pass()
            yield commit

    async def close(self) -> None:
        """The store outlives it."""


class KillableCloud:
    """A cloud whose roles can be killed. Use it as a context."""

    def __init__(self, settings: CloudSettings, clock: Clock, chance: random.Random) -> None:
        made_up = Secrets(admin_password="a-password", token_key="0" * 64)
        self._settings = msgspec.structs.replace(settings, secrets=made_up)
        self._clock, self._chance = clock, chance
        self._store = MemoryStore()
        self._lives: dict[str, tuple[Life, asyncio.Task[None]]] = {}
        self._doors: dict[str, tuple[Life, ApplicationTransport]] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self.kills = self.freezes = 0
        self._quiet = False

    @property
    def access(self) -> Access:
        """How to log in as the administrator."""
        return access_of(access_facts(self._settings), "killed")

    async def __aenter__(self) -> Self:
        names = role_names(self._settings.roles)
        self._keepers = [asyncio.create_task(self._keep(name), name=f"keep {name}") for name in names]
        while not self._doors:
            await self._clock.sleep(0.1)
        await self._clock.sleep(2.0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        ends = await asyncio.gather(*self._keepers, return_exceptions=True)
        await self._store.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _keep(self, name: str) -> None:
        """Start the role again each time it is killed. One that ends by itself is an error."""
        while True:
            life = Life(self._store, self._clock, self._chance)

            async def serve(cloud: Cloud, life: Life = life) -> None:
                application: Any = await open_application(cloud)
                self._doors[name] = (life, ApplicationTransport(application))
                await asyncio.Event().wait()

            work = asyncio.create_task(run_roles([name], life, self._clock, self._settings, serve), name=name)
            self._lives[name] = (life, work)
            try:
                await asyncio.wait([work])
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            if not life.ended.is_set():
                work.result()
            await self._clock.sleep(self._chance.uniform(0.0, LONGEST_REST_S))

    async def disrupt_at_random(self, every_s: float) -> None:
        """Kill or freeze a role now and then, on average each `every_s`, until told to let be."""
        async with asyncio.TaskGroup() as freezing:
            while not self._quiet:
                await self._clock.sleep(self._chance.expovariate(1 / every_s))
                name = self._chance.choice(sorted(self._lives))
                if self._chance.random() < SHARE_FROZEN:
                    freeze = self._lives[name][0].freeze(self._chance.uniform(0.0, LONGEST_FREEZE_S))
                    freezing.create_task(freeze, name=f"freeze {name}")
                    self.freezes += 1
                else:
                    await self._kill(name)

    def let_be(self) -> None:
        """Disrupt nothing more; what is frozen thaws in its time."""
        self._quiet = True

    async def _kill(self, name: str) -> None:
        life, work = self._lives[name]
        if life.ended.is_set():
            return
        life.ended.set()
        self.kills += 1
        door = self._doors.pop(name, None)
        work.cancel()
        if door is not None:
            await door[1].close()

    def open_transport(self, access: object) -> "Port":
        """The way in: any api that lives."""
        return Port(lambda: [door for name, door in sorted(self._doors.items()) if role_of(name) == API], self._chance)


class Port:
    """What clients connect to: one of the apis that live, at random."""

    def __init__(self, doors: Callable[[], list[tuple[Life, ApplicationTransport]]], chance: random.Random) -> None:
        self._doors, self._chance = doors, chance

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
        doors = self._doors()
        if not doors:
            raise OperationError(Outcome.REFUSED, "no api lives")
        life, transport = self._chance.choice(doors)
        asking = asyncio.create_task(
            transport.request(method, url, headers=headers, body=body, timeout_s=timeout_s, receive=receive)
        )
        ending = asyncio.create_task(life.ended.wait())
        try:
            await asyncio.wait([asking, ending], return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                raise OperationError(Outcome.RESET, "the api died before it answered")
            return asking.result()
        finally:
            for task in (asking, ending):
                task.cancel()
            await asyncio.gather(asking, ending, return_exceptions=True)

    async def close(self) -> None:
        """Nothing to close."""
