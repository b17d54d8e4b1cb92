"""The services of a stack as upgrades see them: the same release started anew, or the next one brought in.

A process of a stack is ended before its successor starts, as they share a port, a queue or a host name; so a service of
one process is away meanwhile, and is recorded as that. It serves from the instant at which `kilonode.stack.again` has
seen it work until it is told to end.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import InputError, LabError
from kilonode.base.processes import is_alive
from kilonode.run.upgrade_serving import Instance, Migration, Upgradable, words_of
from kilonode.run.upgrades import Version
from kilonode.stack import upgrading
from kilonode.stack.again import StackProcess, stack_processes
from kilonode.stack.folder import StackFolder
from kilonode.stack.plan import UpSettings, plan


class StackUpgrades(Upgradable):
    """The processes of one stack that is up."""

    def __init__(self, state: Path, name: str, clock: Clock) -> None:
        self._state = state
        self._name = name
        self._clock = clock
        self._folder = StackFolder(state, name)
        self._processes: list[StackProcess] = []
        """Which there are, in the order of upgrading; that does not change."""
        self._replacing: set[str] = set()
        """Those that are told to end, or have ended, until the next one works."""
        self._earlier: dict[str, list[str]] = {}
        """The releases that processes had before."""

    async def instances(self) -> Sequence[Instance]:
        """See `Upgradable`."""
        records = {record.process: record for record in self._folder.services()}
        found = []
        for one in self._known():
            record = records.get(one.process)
            alive = record is not None and is_alive(record.identity)
            serves = alive and one.process not in self._replacing
            identity = words_of(record.identity) if record is not None and alive else ""
            found.append(_instance(one, identity, record.release if record else one.release, serves=serves))
        return found

    async def check(self, names: Sequence[str], to: Version | None, *, together: bool = False) -> None:
        """See `Upgradable`."""
        _check(stack_processes(self._state, self._name), names, to, together=together)

    async def prepare(self, to: Version | None, note: Callable[[str], None]) -> None:
        """See `Upgradable`."""
        if to is None:
            return
        if not upgrading.is_installed(self._state, to.release):
            note(f"installing release {to.release}, before the load begins")
        began_ns = self._clock.now_ns()
        await upgrading.install(self._state, self._name, to.release)
        took_s = (self._clock.now_ns() - began_ns) / NANOSECONDS_PER_SECOND
        note(f"{took_s:7.1f} s  release {to.release}, beside the one that runs")

    async def migrations(self, names: Sequence[str], to: Version | None, *, after: bool) -> Sequence[Migration]:
        """See `Upgradable`."""
        if to is None:
            return ()
        commands = upgrading.migrations(self._state, self._name, names, to.release, after=after)
        return [
            Migration(
                project, command.words,
                partial(upgrading.migrate, self._state, self._name, command, to.release, self._clock),
            )
            for project, command in commands
        ]  # fmt: skip

    async def replace(self, name: str, to: Version | None) -> None:
        """See `Upgradable`."""
        before = self._now(name).release
        await self._put(name, to.release if to is not None else None)
        if to is not None:
            self._earlier.setdefault(name, []).append(before)

    async def take_back(self, name: str) -> None:
        """See `Upgradable`."""
        await self._put(name, self._earlier[name].pop())

    async def _put(self, name: str, release: str | None) -> None:
        self._replacing.add(name)

        def tell(works: bool) -> None:
            self._replacing.discard(name) if works else self._replacing.add(name)

        try:
            await upgrading.replace(self._state, self._name, name, release, self._clock, tell)
        finally:
            self._replacing.discard(name)

    def _known(self) -> Sequence[StackProcess]:
        if not self._processes:
            self._processes = upgrading.in_order(stack_processes(self._state, self._name))
        return self._processes

    def _now(self, name: str) -> StackProcess:
        return next(one for one in stack_processes(self._state, self._name) if one.process == name)


class StackUpgradesToCome(Upgradable):
    """The processes of a stack that is not there yet: to be looked at, not replaced."""

    def __init__(self, wanted: UpSettings) -> None:
        self._processes = upgrading.in_order(upgrading.processes_to_come(plan(wanted, None)))

    async def instances(self) -> Sequence[Instance]:
        """See `Upgradable`."""
        return [_instance(one, "", one.release, serves=False) for one in self._processes]

    async def check(self, names: Sequence[str], to: Version | None, *, together: bool = False) -> None:
        """See `Upgradable`."""
        _check(self._processes, names, to, together=together)

    async def migrations(self, names: Sequence[str], to: Version | None, *, after: bool) -> Sequence[Migration]:
        """See `Upgradable`."""
        if to is None:
            return ()
        commands = upgrading.wanted_migrations(self._processes, names, to.release, after=after)
        return [Migration(project, command.words, _not_there) for project, command in commands]

    async def replace(self, name: str, to: Version | None) -> None:
        """See `Upgradable`."""
        raise LabError("this stack is not there yet", where=name)

    async def take_back(self, name: str) -> None:
        """See `Upgradable`."""
        raise LabError("this stack is not there yet", where=name)


async def _not_there() -> None:
    raise LabError("this stack is not there yet")


def _check(processes: Sequence[StackProcess], names: Sequence[str], to: Version | None, *, together: bool) -> None:
    if together:
        raise InputError(
            "processes of a stack cannot take over at one instant: they share a port, a queue or a host name",
            where="way",
            expected="rolling",
        )
    if to is None:
        return
    if not to.release:
        raise InputError(
            "a stack is brought to a release of OpenStack", where="to", expected="release", got=f"label {to.label}"
        )
    for one in processes:
        if one.process in names:
            upgrading.check(one, to.release)


def _instance(one: StackProcess, identity: str, release: str, *, serves: bool) -> Instance:
    project = upgrading.project_of(one)
    groups = tuple(name for name in (project, *one.services[1:]) if name)
    return Instance(one.process, one.services[:1], identity, release, serves=serves, groups=groups)
