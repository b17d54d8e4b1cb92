"""Faults on a simulated cloud: the driver for its processes, and how clients meet those that are away or frozen.

What a client of a real cloud sees: no connection while no api lives, a connection that breaks when the api dies that
was answering, and no answer from one that is frozen until it goes on. Which api gets a request is drawn by the seed.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError, KilonodeError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.randomness import Randomness
from kilonode.base.units import format_seconds
from kilonode.cli.node_targets import NodesOfSimulatedCloud
from kilonode.clients.application import ApplicationTransport
from kilonode.clients.transport import DEFAULT_TIMEOUT_S, BodyStream, HeaderPairs, Response
from kilonode.cloud.layout import role_of
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.cloud.simulated_processes import Life, SimulatedProcess
from kilonode.faults.amounts import write_signed_duration
from kilonode.faults.choosing import named
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.members import KINDS, step_of_unborn
from kilonode.faults.model import Action, Fault, Means, Target
from kilonode.faults.powered_nodes import PoweredNodes
from kilonode.faults.printing import print_fault
from kilonode.faults.process_faults import refuse_impossible
from kilonode.faults.registry import Drivers

NAME: Final = "simulated"
ACTIONS: Final = frozenset({Action.KILL, Action.TERMINATE, Action.FREEZE, Action.RESTART, Action.SKEW})


class LifeMemory(msgspec.Struct, frozen=True):
    """Which life was frozen."""

    life: int


class SkewMemory(msgspec.Struct, frozen=True):
    """What a clock is put forward by, and what that is called."""

    name: str
    offset_s: float


class SimulatedServices:
    """Kills, freezes and restarts the processes of a simulated cloud."""

    name = NAME

    def __init__(self, cloud: SimulatedCloud, clock: Clock) -> None:
        self._cloud = cloud
        self._clock = clock
        self._skews = 0

    def handles(self, fault: Fault) -> bool:
        """Faults on services and roles."""
        return fault.target.kind in KINDS and fault.action in ACTIONS and fault.means is not Means.CGROUP

    async def find(self, target: Target) -> Sequence[Found]:
        """Processes by their own name or by a role of theirs."""
        if target.nodes is not None:
            raise InputError("the services of a simulated cloud are on no node", hint="leave out where")
        found = [(one, tuple(dict.fromkeys(map(role_of, one.roles)))) for one in self._cloud.processes]
        return named(
            target,
            (Found(target.kind, one.name, tuple(role for role in roles if role != one.name)) for one, roles in found),
        )

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each process."""
        if peers:
            raise InputError("this driver divides nothing", where=print_fault(fault))
        refuse_impossible(fault)
        memory = "{}"
        if fault.skew_s is not None:
            self._skews += 1
            memory = remember(SkewMemory(f"skew {self._skews}", fault.skew_s))
        return [step_of_unborn(NAME, fault, each.name, memory) for each in found]

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Do it; on virtual time it takes none, but for a restart."""
        process = self._named(step.name)
        if step.action is Action.SKEW:
            memory = recall(step, SkewMemory)
            for one in self._cloud.processes:
                one.distrust()
            return self._skew(process, memory.name, memory.offset_s)
        try:
            if step.action is Action.FREEZE:
                keep(msgspec.structs.replace(step, memory=remember(LifeMemory(process.freeze()))))
                return Effect(self._clock.now_ns(), f"{step.name} is frozen")
            await (process.restart() if step.action is Action.RESTART else process.kill())
        except KilonodeError as error:
            raise FaultError(error.problem.what, where=step.words) from error
        words = "runs anew" if step.action is Action.RESTART else "is gone"
        return Effect(self._clock.now_ns(), f"{step.name} {words}")

    async def heal(self, step: Step) -> Effect:
        """Have it go on, if that life has not ended."""
        if step.action is Action.SKEW:
            return self._skew(self._named(step.name), recall(step, SkewMemory).name, 0.0)
        going = step.memory != "{}" and self._named(step.name).thaw(recall(step, LifeMemory).life)
        return Effect(self._clock.now_ns(), f"{step.name} {'goes on' if going else 'had ended'}")

    def _skew(self, process: SimulatedProcess, name: str, offset_s: float) -> Effect:
        process.skew(name, offset_s)
        by = f"{write_signed_duration(process.offset_s)} off" if process.offset_s else "right"
        return Effect(self._clock.now_ns(), f"the clock of {process.name} is {by}")

    async def capabilities(self) -> Sequence[Capability]:
        """All of it always works."""
        return (Capability(NAME, "processes of a simulated cloud", State.WORKS),)

    def _named(self, name: str) -> SimulatedProcess:
        return next(one for one in self._cloud.processes if one.name == name)


def simulated_drivers(cloud: SimulatedCloud, clock: Clock) -> Drivers:
    """What can be broken of a simulated cloud."""
    nodes = NodesOfSimulatedCloud(cloud)
    return Drivers([SimulatedServices(cloud, clock), PoweredNodes(nodes, clock, lambda name: nodes)])


class SimulatedDoor:
    """The way in for one client: any api of the site that a request is sent to."""

    def __init__(self, cloud: SimulatedCloud) -> None:
        self._cloud = cloud
        self._chance = Randomness(cloud.settings.seed, "doors", cloud.next_door()).stream()
        self._transports: dict[Life, ApplicationTransport] = {}

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
        """See `kilonode.clients.transport.Transport`."""
        lives = self._cloud.apis(url)
        if not lives:
            raise OperationError(Outcome.REFUSED, "connection refused")
        life = self._chance.choice(lives)
        asking = asyncio.create_task(self._ask(life, method, url, headers, body, timeout_s, receive))
        ending = asyncio.create_task(life.ended.wait())
        try:
            await asyncio.wait([asking, ending], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            if ending.done():
                raise OperationError(Outcome.RESET, "the connection was closed before the answer")
            raise OperationError(Outcome.TIMEOUT, f"no whole answer within {format_seconds(timeout_s)}")
        finally:
            for task in (asking, ending):
                task.cancel()
            await asyncio.gather(asking, ending, return_exceptions=True)

    async def close(self) -> None:
        """End what is still being answered to those who gave up."""
        for transport in self._transports.values():
            await transport.close()

    async def _ask(
        self,
        life: Life,
        method: str,
        url: str,
        headers: HeaderPairs,
        body: bytes | BodyStream,
        timeout_s: float,
        receive: Callable[[bytes], object] | None,
    ) -> Response:
        await life.awake.wait()
        transport = self._transports.setdefault(life, ApplicationTransport(life.application))
        life.answering += 1
        try:
            response = await transport.request(
                method, url, headers=headers, body=body, timeout_s=timeout_s, receive=receive
            )
        finally:
            life.answering -= 1
        await life.awake.wait()
        return response
