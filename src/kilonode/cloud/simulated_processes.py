"""Processes of a simulated cloud that can be killed, frozen and restarted as those of a real one: tasks with lives.

A life sees the store through a door of its own. One that was killed writes nothing more from that instant on, and what
it was about to be told is lost; one that is frozen sees and writes nothing until it goes on. A keeper starts what was
killed again after `AWAY_S`, as a supervisor does. Requests that a life was answering when it ended have no answer.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec

from kilonode.base.clock import Clock, SkewedClock
from kilonode.base.errors import InputError, LabError
from kilonode.cloud.commands import ProcessChange
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.cues import Cues
from kilonode.cloud.layout import API, role_of
from kilonode.cloud.openstack.application import open_application
from kilonode.cloud.operating import refuse_others_than_apis
from kilonode.cloud.roles import run_roles
from kilonode.store.protocol import Change, Commit, Document, Listing, Store

AS_IT_IS: Final = ProcessChange()
AWAY_S: Final = 0.8
"""From the end of a process to the next one that does its work: what starting Python takes."""


class LifeStore:
    """The store as one life of a process sees it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.ended = asyncio.Event()
        self.awake = asyncio.Event()
        self.awake.set()

    async def get(self, kind: str, key: str) -> Document | None:
        """See `Store.get`."""
        await self._pass()
        return await self._store.get(kind, key)

    async def list(self, *kinds: str) -> Listing:
        """See `Store.list`."""
        await self._pass()
        return await self._store.list(*kinds)

    async def commit(self, changes: Sequence[Change]) -> int:
        """See `Store.commit`. Of a life that ends meanwhile nobody learns whether it was written."""
        await self._pass()
        revision = await self._store.commit(changes)
        await self._pass()
        return revision

    async def revision(self) -> int:
        """See `Store.revision`."""
        await self._pass()
        return await self._store.revision()

    async def changes(self, after: int) -> AsyncIterator[Commit]:
        """See `Store.changes`."""
        async for commit in self._store.changes(after):
            await self._pass()
            yield commit

    async def close(self) -> None:
        """The store outlives it."""

    async def _pass(self) -> None:
        await self.awake.wait()
        if self.ended.is_set():
            await asyncio.Event().wait()  # whoever waits is cancelled with the life


class Life:
    """One life of a process: from its start to its end."""

    def __init__(self, number: int, store: Store, shared: Store | None, version: str, settings: CloudSettings) -> None:
        self.number = number
        self.version = version
        self.settings = settings
        self.door = LifeStore(store)
        self.shared = None if shared is None else LifeStore(shared)
        self.cues = _Silent()
        self.clock: SkewedClock | None = None
        self.cloud: Cloud | None = None
        self.application: Any = None
        """Of an api, once it answers."""
        self.answering = 0
        """Requests that have no answer yet."""
        self.work: asyncio.Task[None] | None = None

    @property
    def ended(self) -> asyncio.Event:
        """Set when it was killed."""
        return self.door.ended

    @property
    def awake(self) -> asyncio.Event:
        """Clear while it is frozen."""
        return self.door.awake

    def set_awake(self, awake: bool) -> None:
        """Freeze it, or have it go on with what it knew."""
        for door in (self.door, *([self.shared] if self.shared is not None else [])):
            door.awake.set() if awake else door.awake.clear()

    def end(self) -> None:
        """Kill it."""
        for door in (self.door, *([self.shared] if self.shared is not None else [])):
            door.ended.set()
        if self.work is not None:
            self.work.cancel()


class SimulatedProcess:
    """One process of a site: a life after the other."""

    def __init__(
        self,
        name: str,
        roles: Sequence[str],
        store: Store,
        shared: Store | None,
        clock: Clock,
        settings: CloudSettings,
    ) -> None:
        self.name = name
        self.roles = tuple(roles)
        self._store, self._shared, self._clock, self._settings = store, shared, clock, settings
        self._lives = 0
        self.life: Life | None = None
        """None while it is away."""
        self.leaving: list[Life] = []
        """Those in whose place another one is already, and that answer what is under way."""
        self._version = version("kilonode")
        self._earlier: list[tuple[str, CloudSettings]] = []
        self._keeper: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._skews: dict[str, float] = {}
        """What its wall clock is off by, by what each is called."""
        self._trusts = True

    async def start(self) -> None:
        """Begin its first life, and keep it. Returns when it does its work. Raises what it failed with."""
        self.life = await self._begin(self._version, self._settings)
        self._keeper = asyncio.create_task(self._keep(), name=f"keeper of {self.name}")

    async def stop(self) -> None:
        """End it for good. Raises what ended it before."""
        if self._keeper is not None:
            ended = self._keeper.done()
            self._keeper.cancel()
            result = await asyncio.gather(self._keeper, return_exceptions=True)
            if ended and isinstance(result[0], Exception):
                raise result[0]
        if self.life is not None:
            await _end(self.life)

    async def kill(self) -> None:
        """End this life at once; another begins a little later."""
        life = self._living()
        life.end()
        self.life = None
        await _end(life)

    def freeze(self) -> int:
        """Hold it still; which life that is."""
        life = self._living()
        life.set_awake(False)
        return life.number

    def thaw(self, number: int) -> bool:
        """Have that life go on; False when it has ended."""
        if self.life is None or self.life.number != number:
            return False
        self.life.set_awake(True)
        return True

    async def restart(self, change: ProcessChange = AS_IT_IS) -> None:
        """Put another life in this one's place in good order: what it answers it answers to its end.

        Of a change only what it is called and its stage profile matter here. Raises InputError or LabError; then the
        one that was there goes on.
        """
        after = await self._prepare(change)
        before = self._take_over(after, change)
        await self._until_left(before)

    async def _prepare(self, change: ProcessChange) -> Life:
        """Another life that could do the work. Raises InputError or LabError."""
        self._living()
        if change.back and not self._earlier:
            raise InputError(f"{self.name} was not changed: there is nothing to take back", where=self.name)
        if change.interpreter is not None or change.environment:
            raise InputError("a simulated cloud runs in this very process", got="another interpreter or environment")
        return await self._begin(*self._changed_by(change))

    def _take_over(self, after: Life, change: ProcessChange) -> Life:
        """From now on this is the life; the one before, which lets go."""
        before = self._living()
        earlier = (self._version, self._settings)
        if change.back:
            self._earlier.pop()
        elif (after.version, after.settings) != earlier:
            self._earlier.append(earlier)
        self._version, self._settings = after.version, after.settings
        self.life = after
        self.leaving.append(before)
        before.cues.drain.set()
        return before

    async def _until_left(self, before: Life) -> None:
        if before.work is not None:
            await asyncio.wait([before.work])
        self.leaving.remove(before)

    def _changed_by(self, change: ProcessChange) -> tuple[str, CloudSettings]:
        if change.back:
            return self._earlier[-1]
        settings = self._settings
        if change.stages is not None:
            settings = msgspec.structs.replace(settings, stages=change.stages)
        return change.version or self._version, settings

    @property
    def offset_s(self) -> float:
        """What its wall clock is off by."""
        return sum(self._skews.values())

    def distrust(self) -> None:
        """Somebody's clock will be off, so timestamps are not to be trusted any more."""
        self._trusts = False
        self._tell_clocks()

    def skew(self, name: str, offset_s: float) -> None:
        """Put its wall clock forward by so much more; by zero ends what is called so."""
        self._skews.pop(name, None)
        if offset_s:
            self._skews[name] = offset_s
        self._tell_clocks()

    def _tell_clocks(self) -> None:
        for life in (self.life, *self.leaving):
            if life is not None and life.clock is not None:
                self._tell_clock(life.clock)

    def _tell_clock(self, clock: SkewedClock) -> None:
        if not self._trusts:
            clock.distrust()
        clock.skew(self.offset_s)

    def _living(self) -> Life:
        if self.life is None:
            raise LabError(f"{self.name} does not run")
        return self.life

    async def _begin(self, version: str, settings: CloudSettings) -> Life:
        self._lives += 1
        life = Life(self._lives, self._store, self._shared, version, settings)
        life.clock = SkewedClock(self._clock)
        self._tell_clock(life.clock)
        life.work = asyncio.create_task(
            run_roles(self.roles, life.door, life.clock, settings, _answer_as(life), life.shared, life.cues),
            name=f"{self.name} {life.number}",
        )
        life.cues.go.set()
        working = asyncio.create_task(life.cues.working.wait())
        try:
            await asyncio.wait([life.work, working], return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            await _end(life)
            raise
        finally:
            working.cancel()
        if life.work.done():
            life.work.result()
        return life

    async def _keep(self) -> None:
        """Begin another life when one has ended. One that ends by itself is an error."""
        while True:
            life = self.life
            if life is None:
                await self._clock.sleep(AWAY_S)
                self.life = await self._begin(self._version, self._settings)
            elif life.work is not None:
                await asyncio.wait([life.work])
                if life is self.life:
                    life.work.result()
                    raise LabError(f"{self.name} ended by itself")


class _Silent(Cues):
    """Cues within one event loop."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.working = asyncio.Event()

    def prepared(self) -> None:
        """It need not be waited for."""

    def ready(self) -> None:
        """It does its work."""
        self.working.set()


def _answer_as(life: Life) -> Any:
    async def answer(cloud: Cloud) -> None:
        life.cloud = cloud
        life.application = await open_application(cloud)
        life.cues.ready()
        await life.cues.drain.wait()
        while life.answering:
            await cloud.clock.sleep(0.01)

    return answer


async def _end(life: Life) -> None:
    if life.work is not None:
        life.work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await life.work


async def restart_together(processes: Sequence[SimulatedProcess], change: ProcessChange = AS_IT_IS) -> None:
    """Put other lives in the place of several at one instant. Raises InputError or LabError; then all go on."""
    refuse_others_than_apis({one.name: tuple(dict.fromkeys(map(role_of, one.roles))) for one in processes})
    after: list[Life] = []
    try:
        for process in processes:
            after += [await process._prepare(change)]
    except BaseException:
        for life in after:
            await _end(life)
        raise
    before = [process._take_over(life, change) for process, life in zip(processes, after, strict=True)]
    await asyncio.gather(*(one._until_left(life) for one, life in zip(processes, before, strict=True)))


def apis_of(processes: Sequence[SimulatedProcess]) -> list[Life]:
    """The lives that answer requests now, and those that would if they were not frozen."""
    return [
        one.life
        for one in processes
        if one.life is not None and one.life.application is not None and API in map(role_of, one.roles)
    ]
