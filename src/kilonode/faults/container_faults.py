"""What can be done to a container, wherever its engine is: steps, their injection and their healing.

Shared by the drivers that know engines: `containers` for that of this machine, `hosted_containers` for those of hosts.
A container is known by its engine and its id, so one that was made anew under the same name is never meant. To freeze
one is to pause it, which the engine does by control groups; to unplug one is to disconnect it from all its networks.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.faults.docker_engine import Container, Endpoint, Engine, Listed
from kilonode.faults.driver import Effect, Step
from kilonode.faults.model import Action, Fault, Kind, Means
from kilonode.faults.printing import print_fault
from kilonode.faults.watching import see_asked

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
    """What is kept of a step, but for where its engine is when that is no machine of ours."""

    socket: str
    container: str
    """Its id."""
    networks: dict[str, Endpoint] = {}
    """What it was connected to when it was unplugged."""


def handles(fault: Fault) -> bool:
    """Faults on containers."""
    return fault.target.kind is Kind.CONTAINER and fault.action in WORDS and fault.means is not Means.SIGNAL


def own_name(listed: Listed) -> str:
    """What the engine calls it."""
    return listed.names[0].lstrip("/") if listed.names else listed.id[:12]


def groups_of(listed: Listed) -> tuple[str, ...]:
    """What else it is meant by: its Compose service."""
    service = (listed.labels or {}).get(COMPOSE)
    return (service,) if service else ()


def plan_step(driver: str, fault: Fault, who: str, name: str, listed: Listed, memory: str) -> Step:
    """The step for one container. Raises InputError when it cannot be done to it."""
    if fault.action in ENDING | {Action.FREEZE} and listed.state != "running":
        raise InputError(f"container {who} does not run", where=print_fault(fault), got=listed.state)
    heals = f"{HEALS[fault.action]} container {who}" if fault.action in HEALS else ""
    words = f"{WORDS[fault.action]} container {who} ({listed.id[:12]})"
    return Step(driver, fault.action, name, words, heals, memory)


async def inject(
    step: Step, memory: ContainerMemory, engine: Engine, keep: Callable[[ContainerMemory], None], clock: Clock
) -> Effect:
    """Do it, and see the engine say so. Raises FaultError."""
    before = await engine.container(memory.container)

    async def unplug() -> None:
        for network, endpoint in before.networks.items():
            await engine.disconnect(endpoint.network_id or network, before.id)

    if step.action is Action.UNPLUG:
        if not before.networks:
            raise FaultError(f"container {step.name} is on no network", where=step.words)
        keep(msgspec.structs.replace(memory, networks=before.networks))
        return await _see(engine, step, memory, clock, unplug, lambda now: not now.networks)
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
    return await _see(engine, step, memory, clock, lambda: engine.act(memory.container, VERBS[step.action]), so)


async def heal(step: Step, memory: ContainerMemory, engine: Engine, clock: Clock) -> Effect:
    """Start it, have it go on, or connect it as it was. Raises FaultError."""
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
    return await _see(engine, step, memory, clock, undo, healed, words)


async def _see(
    engine: Engine,
    step: Step,
    memory: ContainerMemory,
    clock: Clock,
    do: Callable[[], Awaitable[None]],
    so: Callable[[Container], bool],
    words: str = "",
) -> Effect:
    async def ask() -> bool:
        return so(await engine.container(memory.container))

    words = f"container {step.name} {words or SEEN[step.action]}"
    began_ns = clock.now_ns()
    await do()
    return await see_asked(words, ask, clock, SOON_S, began_ns, LOOK_EVERY_S)
