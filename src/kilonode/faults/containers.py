"""The driver for Docker's containers on this machine: killed, ended, paused, taken off their networks, and back.

A container is known by its engine and its id, so one that was made anew under the same name is never meant. A name is
that of the container, or of its service where it was made by Compose. To freeze one is to pause it, which the engine
does by control groups; to unplug one is to disconnect it from all its networks.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.randomness import Randomness
from kilonode.faults.docker_engine import Container, Endpoint, Engine, Listed, engine_here
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.model import Action, Fault, Kind, Means, Target
from kilonode.faults.printing import print_fault

NAME: Final = "containers"
COMPOSE: Final = "com.docker.compose.service"
"""The label that tells the service of a Compose file."""
STOP_S: Final = 60
"""How long a container has to end by itself."""
SOON_S: Final = 15.0
LOOK_EVERY_S: Final = 0.01
ENDING: Final = frozenset({Action.KILL, Action.TERMINATE})
VERBS: Final = {
    Action.KILL: "kill?signal=SIGKILL", Action.TERMINATE: f"stop?t={STOP_S}", Action.START: "start",
    Action.RESTART: f"restart?t={STOP_S}", Action.FREEZE: "pause", Action.UNFREEZE: "unpause",
}  # fmt: skip
WORDS: Final = {
    Action.KILL: "kill", Action.TERMINATE: "stop", Action.START: "start", Action.RESTART: "restart",
    Action.FREEZE: "pause", Action.UNFREEZE: "unpause", Action.UNPLUG: "disconnect",
}  # fmt: skip
HEALS: Final = {Action.KILL: "start", Action.TERMINATE: "start", Action.FREEZE: "unpause", Action.UNPLUG: "connect"}
SEEN: Final = {
    Action.KILL: "does not run", Action.TERMINATE: "does not run", Action.START: "runs", Action.RESTART: "runs anew",
    Action.FREEZE: "is paused", Action.UNFREEZE: "goes on", Action.UNPLUG: "is on no network",
}  # fmt: skip


class ContainerMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a step."""

    socket: str
    container: str
    """Its id."""
    networks: dict[str, Endpoint] = {}
    """What it was connected to when it was unplugged."""


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
        return fault.target.kind is Kind.CONTAINER and fault.action in WORDS and fault.means is not Means.SIGNAL

    async def find(self, target: Target) -> Sequence[Found]:
        """Containers by their own name or by their Compose service. Raises InputError when the engine is not there."""
        if target.nodes is not None:
            raise InputError("this driver knows no nodes: its containers are those of this machine")
        try:
            listed = await self._engine().containers()
        except FaultError as error:
            problem = error.problem
            hint = "is it running, and may you use its socket? DOCKER_HOST names another one"
            raise InputError(problem.what, where=problem.path, got=problem.got, hint=hint) from error
        self._listed = {each.names[0].lstrip("/") if each.names else each.id[:12]: each for each in listed}
        return [
            Found(Kind.CONTAINER, name, _groups(each), words=f"{each.id[:12]}, {each.state}")
            for name, each in self._listed.items()
            if not target.names or {name, *_groups(each)} & set(target.names)
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
            if fault.action in ENDING | {Action.FREEZE} and listed.state != "running":
                raise InputError(f"container {each.name} does not run", where=print_fault(fault), got=listed.state)
            heals = f"{HEALS[fault.action]} container {each.name}" if fault.action in HEALS else ""
            words = f"{WORDS[fault.action]} container {each.name} ({listed.id[:12]})"
            memory = remember(ContainerMemory(socket, listed.id))
            steps.append(Step(NAME, fault.action, each.name, words, heals, memory))
        return steps

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Do it, and see the engine say so."""
        memory = recall(step, ContainerMemory)
        engine = Engine(Path(memory.socket))
        before = await engine.container(memory.container)

        async def unplug() -> None:
            for network, endpoint in before.networks.items():
                await engine.disconnect(endpoint.network_id or network, before.id)

        if step.action is Action.UNPLUG:
            if not before.networks:
                raise FaultError(f"container {step.name} is on no network", where=step.words)
            keep(
                msgspec.structs.replace(
                    step, memory=remember(msgspec.structs.replace(memory, networks=before.networks))
                )
            )
            return await self._see(engine, step, memory, unplug, lambda now: not now.networks)
        if step.action is Action.UNFREEZE and not before.state.paused:
            raise FaultError(f"container {step.name} is not paused", where=step.words)
        so: Callable[[Container], bool] = {
            Action.KILL: lambda now: not now.state.running,
            Action.TERMINATE: lambda now: not now.state.running,
            Action.START: lambda now: now.state.running,
            Action.RESTART: lambda now: now.state.running and now.state.started_at != before.state.started_at,
            Action.FREEZE: lambda now: now.state.paused,
            Action.UNFREEZE: lambda now: now.state.running and not now.state.paused,
        }[step.action]
        return await self._see(engine, step, memory, lambda: engine.act(memory.container, VERBS[step.action]), so)

    async def heal(self, step: Step) -> Effect:
        """Start it, have it go on, or connect it as it was."""
        memory = recall(step, ContainerMemory)
        engine = Engine(Path(memory.socket))
        now = await engine.container(memory.container)

        async def undo() -> None:
            if step.action is Action.UNPLUG:
                for network, endpoint in memory.networks.items():
                    if network not in now.networks:
                        await engine.connect(endpoint.network_id or network, now.id, endpoint)
            elif step.action is Action.FREEZE:
                if now.state.paused:
                    await engine.act(memory.container, "unpause")
            elif not now.state.running:
                await engine.act(memory.container, "start")

        def healed(then: Container) -> bool:
            if step.action is Action.UNPLUG:
                return memory.networks.keys() <= then.networks.keys()
            if step.action is Action.FREEZE:
                return not then.state.paused
            return then.state.running

        words = {Action.UNPLUG: "is connected again", Action.FREEZE: "goes on"}.get(step.action, "runs")
        return await self._see(engine, step, memory, undo, healed, words)

    async def capabilities(self) -> Sequence[Capability]:
        """Whether there is an engine, and who it is."""
        try:
            engine = self._engine()
            found = await engine.containers()
        except (FaultError, InputError) as error:
            why = f"{error.problem.what} ({error.problem.path}): start it: apt-get install docker.io"
            return (Capability(NAME, "Docker's engine", State.MISSING, why),)
        return (Capability(NAME, "Docker's engine", State.WORKS, f"{len(found)} containers ({engine.socket})"),)

    async def _see(
        self,
        engine: Engine,
        step: Step,
        memory: ContainerMemory,
        do: Callable[[], Awaitable[None]],
        so: Callable[[Container], bool],
        words: str = "",
    ) -> Effect:
        words = f"container {step.name} {words or SEEN[step.action]}"
        began_ns = before_ns = self._clock.now_ns()
        await do()
        while not so(await engine.container(memory.container)):
            before_ns = self._clock.now_ns()
            if before_ns - began_ns > SOON_S * NANOSECONDS_PER_SECOND:
                raise FaultError("it was done, but is not to be seen", expected=words, got=f"not so after {SOON_S:g} s")
            await self._clock.sleep(LOOK_EVERY_S)
        at_ns = self._clock.now_ns()
        return Effect(at_ns, words, at_ns - before_ns)


def _groups(listed: Listed) -> tuple[str, ...]:
    service = (listed.labels or {}).get(COMPOSE)
    return (service,) if service else ()
