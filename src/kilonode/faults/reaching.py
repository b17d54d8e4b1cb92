"""The hosts of a hosts file as drivers reach them: who they are, how to log in, and what a failure is called when.

Before anything is touched whatever is wrong is for the user to mend (InputError); afterwards it was not done
(FaultError). What a step keeps of a host (`Reached`) is enough to heal it when the hosts file is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.errors import FaultError, InputError
from kilonode.faults import ssh
from kilonode.faults.driver import Found
from kilonode.faults.hosts import Hosts, Login, login_of, read_hosts
from kilonode.faults.model import Nodes

AT_ONCE: Final = 32
"""So many connections of one driver."""

Ask = Callable[[ssh.Helper], Awaitable[ssh.Answer]]


class Reached(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a host. What a driver keeps of a step on one adds to it."""

    host: str
    """Its name in the hosts file."""
    address: str
    """Where it is."""
    login: Login
    """How to log in; never a secret."""


class Ran(msgspec.Struct, frozen=True):
    """What became of a command on a host, as the helper there says it."""

    code: int
    """Its exit code; -1: it could not be run, or did not end in time."""
    words: str
    """The last it said, or why it could not."""


class HostReach:
    """Reaches the hosts of one hosts file, and any that a step remembers."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._hosts: Hosts | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)

    @property
    def hosts(self) -> Hosts:
        """What the hosts file says. Raises InputError."""
        if self._hosts is None:
            self._hosts = read_hosts(self.file) if self.file else Hosts()
        return self._hosts

    def of(self, host: str) -> Reached:
        """A host of the file."""
        folder = self.file.parent if self.file else Path()
        return Reached(host, self.hosts.hosts[host].address, login_of(self.hosts, host, folder))

    def meant(self, nodes: Nodes | None) -> list[str]:
        """The hosts of the file that are named; all where none is."""
        named = nodes.names if nodes else ()
        return [host for host in self.hosts.hosts if not named or host in named]

    def is_called(self, host: str, names: tuple[str, ...]) -> bool:
        """Whether one of the names is the host's, or its address; without names every host is meant."""
        return not names or host in names or self.hosts.hosts[host].address in names

    async def ask(self, host: Reached, do: Ask[ssh.Answer]) -> ssh.Answer:
        """Do something with a connection. Raises FaultError, and InputError for what can be mended in the login."""
        async with self._slots, ssh.open_helper(host.host, host.address, host.login) as helper:
            return await do(helper)

    async def look(self, host: str, do: Ask[ssh.Answer]) -> ssh.Answer:
        """Look before anything is touched. Raises InputError."""
        try:
            return await self.ask(self.of(host), do)
        except FaultError as error:
            problem = error.problem
            raise InputError(problem.what, where=problem.path or host, got=problem.got) from error

    async def touch(self, host: Reached, do: Ask[ssh.Answer]) -> ssh.Answer:
        """Do something that was planned. Raises FaultError."""
        try:
            return await self.ask(host, do)
        except InputError as error:
            raise FaultError(error.problem.what, where=host.host, got=error.problem.got) from error


async def seen_on_all(looks: Iterable[Awaitable[Sequence[Found]]], *, surely: bool) -> list[Found]:
    """What looks at several hosts, all at the same time, find together. Raises InputError.

    `surely`: of each it has to be seen. Otherwise, as for a list of all there is, a host that is down has nothing.
    """
    found: list[Found] = []
    for of_host in await asyncio.gather(*looks, return_exceptions=True):
        if not isinstance(of_host, BaseException):
            found += of_host
        elif surely or not isinstance(of_host, InputError):
            raise of_host
    return found
