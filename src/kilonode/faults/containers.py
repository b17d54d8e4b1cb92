"""The driver for Docker's containers on this machine: killed, ended, paused, taken off their networks, and back.

A name is that of the container, or of its service where it was made by Compose. What is done to a container is in
`container_faults`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.randomness import Randomness
from kilonode.faults import container_faults
from kilonode.faults.container_faults import ContainerMemory, groups_of, own_name, plan_step
from kilonode.faults.docker_engine import Engine, Listed, engine_here
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.model import Fault, Kind, Target
from kilonode.faults.printing import print_fault

NAME: Final = "containers"


class Containers:
    """Does what can be done to containers of one engine; heals those of any."""

    name = NAME

    def __init__(self, clock: Clock, engine: Callable[[], Engine] = engine_here) -> None:
        self._clock = clock
        self._engine = engine
        self._listed: dict[str, Listed] = {}
        """As they were last found, by name."""

    def handles(self, fault: Fault) -> bool:
        """Faults on containers."""
        return container_faults.handles(fault)

    async def find(self, target: Target) -> Sequence[Found]:
        """Containers by their own name or by their Compose service. Raises InputError when the engine is not there."""
        if target.nodes is not None:
            raise InputError(
                "the containers of this machine are on no node", hint="leave out where, or name hosts: --hosts FILE"
            )
        try:
            listed = await self._engine().containers()
        except FaultError as error:
            problem = error.problem
            hint = "is it running, and may you use its socket? DOCKER_HOST names another one"
            raise InputError(problem.what, where=problem.path, got=problem.got, hint=hint) from error
        self._listed = {own_name(each): each for each in listed}
        return [
            Found(Kind.CONTAINER, name, groups_of(each), words=f"{each.id[:12]}, {each.state}")
            for name, each in self._listed.items()
            if not target.names or {name, *groups_of(each)} & set(target.names)
        ]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each container."""
        if peers:
            raise InputError("containers have no peers", where=print_fault(fault))
        socket = str(self._engine().socket)
        steps = []
        for each in found:
            listed = self._listed[each.name]
            memory = remember(ContainerMemory(socket, listed.id))
            steps.append(plan_step(NAME, fault, each.name, each.name, listed, memory))
        return steps

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Do it, and see the engine say so."""
        memory = recall(step, ContainerMemory)

        def keep_memory(fuller: ContainerMemory) -> None:
            keep(msgspec.structs.replace(step, memory=remember(fuller)))

        return await container_faults.inject(step, memory, Engine(Path(memory.socket)), keep_memory, self._clock)

    async def heal(self, step: Step) -> Effect:
        """Start it, have it go on, or connect it as it was."""
        memory = recall(step, ContainerMemory)
        return await container_faults.heal(step, memory, Engine(Path(memory.socket)), self._clock)

    async def capabilities(self) -> Sequence[Capability]:
        """Whether there is an engine, and who it is."""
        try:
            engine = self._engine()
            found = await engine.containers()
        except (FaultError, InputError) as error:
            problem = error.problem
            how = "" if self._is_there() else ": start it: apt-get install docker.io"
            why = f"{problem.what} ({problem.path}: {problem.got}){how}"
            return (Capability(NAME, "Docker's engine", State.MISSING, why),)
        return (Capability(NAME, "Docker's engine", State.WORKS, f"{len(found)} containers ({engine.socket})"),)

    def _is_there(self) -> bool:
        """Whether something has its socket, be it only for others."""
        try:
            return self._engine().socket.exists()
        except InputError:  # the environment names one that is not here
            return True
