"""Who serves while an upgrade goes on: looked at again and again, and written down as Ops from when to when.

It knows nothing of what is done meanwhile, so it also sees what was not meant: a process that died, a role that nobody
does. Instants are of the clock; what is seen lies up to one look (20 ms) beside the truth.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError, KilonodeError, nearest
from kilonode.base.processes import ProcessIdentity
from kilonode.run.upgrades import Version

LOOK_EVERY_S: Final = 0.02


class Instance(msgspec.Struct, frozen=True):
    """A process of the cloud, as it is now."""

    name: str
    """Such as `api-1`."""
    roles: tuple[str, ...]
    """What it does."""
    identity: str
    """Of this very process; another one in its place has another."""
    version: str
    serves: bool
    """It does its work, as far as the cloud knows."""
    leaving: bool = False
    """Another one is in its place already; it answers what is under way, and ends."""
    groups: tuple[str, ...] = ()
    """What it can be named by beside its name and roles: `nova`."""


@dataclass(frozen=True, slots=True)
class Migration:
    """Something to be done to data that an upgrade needs. It is not taken back."""

    what: str
    """Whose data: `nova`."""
    words: str
    """For people."""
    do: Callable[[], Awaitable[None]]
    """Raises KilonodeError."""


class Upgradable(ABC):
    """A cloud whose processes can be replaced. Each kind of cloud is one."""

    @abstractmethod
    async def instances(self) -> Sequence[Instance]:
        """Its processes now, also those that are leaving. Raises KilonodeError."""

    @abstractmethod
    async def check(self, names: Sequence[str], to: Version | None, *, together: bool = False) -> None:
        """Refuse, before the load, what these processes cannot be brought to, or not at one instant: InputError."""

    async def prepare(self, to: Version | None, note: Callable[[str], None]) -> None:
        """Do before the load what need not be done during it. Raises KilonodeError."""
        return

    async def migrations(self, names: Sequence[str], to: Version | None, *, after: bool) -> Sequence[Migration]:
        """What has to be done to data before these processes are replaced, or after, when nothing of the version before
        will be needed again. Raises KilonodeError.
        """
        return ()

    @abstractmethod
    async def replace(self, name: str, to: Version | None) -> None:
        """Put another process in the place of one; None: the same anew.

        Raises KilonodeError when it does not come up; then the one that was there goes on.
        """

    async def replace_together(self, names: Sequence[str], to: Version | None) -> None:
        """Put other processes in the place of several at one instant. Raises KilonodeError when they cannot: then those
        that were there go on, and nobody has noticed.
        """
        raise FaultError("the processes of this cloud cannot take over at one instant", where=", ".join(names))

    @abstractmethod
    async def take_back(self, name: str) -> None:
        """Put what was there before the last replacement in its place again. Raises KilonodeError."""


def words_of(identity: ProcessIdentity) -> str:
    """What tells this process from all others, as an `Instance` says it."""
    return f"{identity.pid} {identity.started_ticks} {identity.boot}"


def chosen(names: Sequence[str], instances: Sequence[Instance]) -> list[str]:
    """The processes that names of processes, roles and groups mean, in the cloud's order. Raises InputError."""
    known = list(dict.fromkeys(word for one in instances for word in (*one.groups, *one.roles, one.name)))
    for name in names:
        if name not in known:
            raise InputError(
                f"the cloud has no process {name!r}", expected=", ".join(known), got=name, hint=nearest(name, known)
            )
    return [one.name for one in instances if {one.name, *one.roles, *one.groups} & {*names}]


class Served(msgspec.Struct, frozen=True):
    """From when to when a process served."""

    name: str
    new: bool
    start_ns: int
    finish_ns: int


class ServingWatch:
    """Looks at who serves until its context is left."""

    def __init__(
        self, cloud: Upgradable, clock: Clock, is_meant: Callable[[Instance], bool], is_new: Callable[[Instance], bool]
    ) -> None:
        """`is_meant`: whether to look at a process at all; `is_new`: whether it is what the upgrade brings."""
        self._cloud = cloud
        self._clock = clock
        self._is_meant = is_meant
        self._is_new = is_new
        self._open: dict[tuple[str, str, bool], tuple[int, int]] = {}
        self._looking: asyncio.Task[None] | None = None
        self.served: list[Served] = []
        """What was seen; whole once the context is left."""

    async def __aenter__(self) -> Self:
        await self._look()
        self._looking = asyncio.create_task(self._follow(), name="who serves")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._look()
        for key in list(self._open):
            self._close(key)

    async def _follow(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            await self._look()

    async def _look(self) -> None:
        found: Sequence[Instance] = ()
        with contextlib.suppress(KilonodeError):  # nobody to be seen is what there is to say
            found = await self._cloud.instances()
        now_ns = self._clock.now_ns()
        serving = {(one.name, one.identity, self._is_new(one)) for one in found if one.serves and self._is_meant(one)}
        for key in [key for key in self._open if key not in serving]:
            self._close(key)
        for key in serving:
            since_ns = self._open[key][0] if key in self._open else now_ns
            self._open[key] = (since_ns, now_ns)

    def _close(self, key: tuple[str, str, bool]) -> None:
        start_ns, finish_ns = self._open.pop(key)
        self.served.append(Served(key[0], key[2], start_ns, finish_ns))
