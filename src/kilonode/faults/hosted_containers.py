"""The driver for Docker's containers on hosts that are reached by ssh.

Names are those of the `containers` of a hosts file; on nodes that a sentence names also any container's own name or
Compose service. The helper on the host hands our requests on to the engine's socket there, as whom the login becomes,
so nothing has to be forwarded and the `docker` command is not needed. What is done to a container is in
`container_faults`.
"""

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError, KilonodeError
from kilonode.base.randomness import Randomness
from kilonode.faults import container_faults, ssh
from kilonode.faults.container_faults import ContainerMemory, groups_of, own_name, plan_step
from kilonode.faults.docker_engine import Engine, Listed
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.model import Fault, Kind, Target
from kilonode.faults.printing import print_fault
from kilonode.faults.reaching import HostReach, Reached, seen_on_all

NAME: Final = "hosted-containers"


class HostedContainerMemory(Reached, frozen=True, omit_defaults=True):
    """What is kept of a step."""

    container: ContainerMemory


class _Exchanged(msgspec.Struct, frozen=True):
    data: str = ""
    trouble: str = ""
    there: bool = True
    """Whether there is such a socket."""


class _NoEngineError(FaultError):
    """Nothing is where Docker's socket should be."""


class HostedContainers:
    """Does what can be done to containers on the hosts of one hosts file; heals those of any."""

    name = NAME

    def __init__(self, file: Path | None, clock: Clock) -> None:
        self._reach = HostReach(file)
        self._clock = clock
        self._listed: dict[tuple[str, str], Listed] = {}
        """As they were last found, by host and the name they were found by."""

    def handles(self, fault: Fault) -> bool:
        """Where there is a hosts file: faults on containers that it knows, or that are on nodes."""
        if self._reach.file is None or not container_faults.handles(fault):
            return False
        return fault.target.nodes is not None or bool(self._reach.hosts.containers)

    async def find(self, target: Target) -> Sequence[Found]:
        """Containers by the hosts file, and on named nodes by their own names. Raises InputError."""
        meant = self._reach.meant(target.nodes)
        if target.nodes is None:
            meant = [host for host in meant if self._called_on(host, target.names)]
        return await seen_on_all((self._find_on(host, target) for host in meant), surely=bool(target.names))

    async def _find_on(self, host: str, target: Target) -> list[Found]:
        listed = await self._containers(host)
        # Where the file says that one of them is here, an engine is missed.
        if listed is None and any(self._called_on(host, target.names, surely=True)):
            raise InputError("there is no engine of Docker", where=f"{host}:{self._socket(host)}")
        found = []
        for each in listed or ():
            names = (own_name(each), *groups_of(each))
            called = self._called_on(host, target.names, of=names)
            if target.nodes is not None:
                called = [*called, *(name for name in names if not target.names or name in target.names)]
            if called:
                words = f"{each.id[:12]}, {each.state} on {host}"
                # Its own name is what tells two of one service apart.
                self._listed[host, names[0]] = each
                groups = tuple(dict.fromkeys(name for name in (*called, *names[1:]) if name != names[0]))
                found.append(Found(Kind.CONTAINER, names[0], groups, host, words=words))
        return found

    def _called_on(
        self, host: str, names: Sequence[str], of: Sequence[str] | None = None, *, surely: bool = False
    ) -> list[str]:
        """What the file calls containers on a host: all, or those that the engine calls so."""
        return [
            name
            for name, each in self._reach.hosts.containers.items()
            if (not names or name in names)
            and self._reach.is_called(host, each.hosts)
            and (of is None or each.container in of)
            and (bool(each.hosts) or not surely)
        ]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each container."""
        if peers:
            raise InputError("containers have no peers", where=print_fault(fault))
        steps = []
        for each in found:
            listed = self._listed[each.node, each.name]
            reached = self._reach.of(each.node)
            container = ContainerMemory(self._socket(each.node), listed.id)
            memory = remember(HostedContainerMemory(reached.host, reached.address, reached.login, container))
            steps.append(plan_step(NAME, fault, f"{each.name} on {each.node}", each.name, listed, memory))
        return steps

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Do it, and see the engine there say so."""
        memory = recall(step, HostedContainerMemory)

        def keep_memory(fuller: ContainerMemory) -> None:
            keep(msgspec.structs.replace(step, memory=remember(msgspec.structs.replace(memory, container=fuller))))

        return await self._reach.touch(
            memory,
            lambda helper: container_faults.inject(
                step, memory.container, _engine(helper, memory.host, memory.container.socket), keep_memory, self._clock
            ),
        )

    async def heal(self, step: Step) -> Effect:
        """Start it, have it go on, or connect it as it was."""
        memory = recall(step, HostedContainerMemory)
        return await self._reach.touch(
            memory,
            lambda helper: container_faults.heal(
                step, memory.container, _engine(helper, memory.host, memory.container.socket), self._clock
            ),
        )

    async def capabilities(self) -> Sequence[Capability]:
        """Which hosts have an engine. Nothing is said without a hosts file: the driver for hosts does."""
        if self._reach.file is None or not ssh.is_installed():
            return ()
        return tuple(await asyncio.gather(*(self._capability(host) for host in self._reach.hosts.hosts)))

    async def _capability(self, host: str) -> Capability:
        try:
            listed = await self._containers(host)
        except KilonodeError as error:
            return Capability(NAME, host, State.MISSING, str(error))
        if listed is None:
            return Capability(NAME, host, State.MISSING, f"no engine of Docker at {self._socket(host)}")
        return Capability(NAME, host, State.WORKS, f"{len(listed)} containers")

    def _socket(self, host: str) -> str:
        return self._reach.hosts.hosts[host].docker_socket

    async def _containers(self, host: str) -> tuple[Listed, ...] | None:
        """None: there is no engine. Raises InputError."""

        async def do(helper: ssh.Helper) -> tuple[Listed, ...] | None:
            try:
                return await _engine(helper, host, self._socket(host)).containers()
            except _NoEngineError:
                return None

        return await self._reach.look(host, do)


def _engine(helper: ssh.Helper, host: str, socket: str) -> Engine:
    async def exchange(request: bytes) -> bytes:
        data = base64.b64encode(request).decode()
        exchanged = await helper.ask("exchange", _Exchanged, socket=socket, data=data)
        if exchanged.trouble:
            kind = FaultError if exchanged.there else _NoEngineError
            raise kind("Docker's engine does not answer", where=f"{host}:{socket}", got=exchanged.trouble)
        return base64.b64decode(exchanged.data)

    return Engine(Path(socket), exchange)
