"""The driver for the services of a cloud that runs on this machine: the roles of an emulated cloud, for one.

Which services there are, and which processes they are, is told by an `Inventory`, which whoever knows the cloud hands
in: this part imports no cloud. What the inventory can do itself, such as a restart without a lost request, it is asked
to do; what signals can do is done by them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.processes import ProcessIdentity
from kilonode.base.randomness import Randomness
from kilonode.faults import clock_faults, process_faults
from kilonode.faults.amounts import write_signed_duration
from kilonode.faults.choosing import instance_of, named
from kilonode.faults.driver import Capability, Effect, Found, Keep, Step, recall, remember
from kilonode.faults.model import Action, Fault, Kind, Target
from kilonode.faults.printing import print_fault

NAME: Final = "services"
KINDS: Final = frozenset({Kind.SERVICE, Kind.ROLE})
OWN: Final = frozenset({Action.RESTART, Action.SKEW})
"""What is done by other means than signals."""


class Member(msgspec.Struct, frozen=True):
    """One process of a cloud."""

    name: str
    """Its own: `api-2`."""
    services: tuple[str, ...]
    """What runs in it: `api`; of several roles in one process, each."""
    identity: ProcessIdentity | None
    """None: it does not run now."""


class Inventory(Protocol):
    """What a cloud's services are."""

    @property
    def cloud(self) -> str:
        """What the cloud is called."""
        ...

    @property
    def folder(self) -> Path | None:
        """Where its processes look what their clocks are off by; None: they do not."""
        ...

    async def members(self) -> Sequence[Member]:
        """Its processes now. Raises InputError when there is no such cloud, or it is down."""
        ...

    async def restart(self, name: str) -> None:
        """Restart one process in good order; return when the new one works. Raises KilonodeError."""
        ...


class RestartMemory(msgspec.Struct, frozen=True):
    """What is kept of a restart."""

    head: ProcessIdentity | None


def step_of_unborn(driver: str, fault: Fault, name: str, memory: str = "{}") -> Step:
    """The step for a process that is none of the machine's: it is simulated, or not there yet."""
    what = fault.action.value
    if fault.skew_s is not None:
        what = f"{what} by {write_signed_duration(fault.skew_s)} the clock of"
    heals = {Action.FREEZE: "have it go on", Action.SKEW: "set its clock right"}.get(fault.action, "")
    return Step(driver, fault.action, name, f"{what} {name}", heals, memory)


class Members:
    """Kills, ends, freezes, thaws and restarts the services of one cloud, and skews their clocks."""

    name = NAME

    def __init__(self, inventory: Inventory, clock: Clock) -> None:
        self._inventory = inventory
        self._clock = clock

    def handles(self, fault: Fault) -> bool:
        """Faults on services and roles."""
        return fault.target.kind in KINDS and (fault.action in process_faults.ACTIONS or fault.action in OWN)

    async def find(self, target: Target) -> Sequence[Found]:
        """Services by their own name or by what they are one of."""
        if target.nodes is not None:
            raise InputError(
                f"the services of cloud {self._inventory.cloud!r} are on no node",
                hint="leave out where, or say which: api-2",
            )
        members = await self._inventory.members()
        return named(target, (instance_of(target.kind, each.name, each.services, each.identity) for each in members))

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each process."""
        if peers:
            raise InputError("this driver divides nothing", where=print_fault(fault))
        return [self._step(fault, each) for each in found]

    def _step(self, fault: Fault, found: Found) -> Step:
        if fault.action is Action.SKEW:
            folder = self._inventory.folder
            if folder is None:
                raise InputError("the clocks of this cloud cannot be told", where=print_fault(fault))
            return clock_faults.plan_step(NAME, fault, found, folder)
        if fault.action is not Action.RESTART:
            return process_faults.plan_step(NAME, fault, found)
        pid = f" (pid {found.identity.pid})" if found.identity else ""
        memory = remember(RestartMemory(found.identity))
        return Step(NAME, fault.action, found.name, f"restart {found.name}{pid} in good order", memory=memory)

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Do it, and see what becomes of it."""
        if step.action is Action.SKEW:
            return await clock_faults.inject(step, self._clock)
        if step.action is not Action.RESTART:
            return await process_faults.inject(step, keep, self._clock)
        began_ns = self._clock.now_ns()
        await self._inventory.restart(step.name)
        before = recall(step, RestartMemory).head
        now = next((each for each in await self._inventory.members() if each.name == step.name), None)
        at_ns = self._clock.now_ns()
        if now is None or now.identity is None or now.identity == before:
            raise FaultError(f"{step.name} was restarted, but no new process of it is to be seen", where=step.words)
        return Effect(at_ns, f"{step.name} runs anew (pid {now.identity.pid})", at_ns - began_ns)

    async def heal(self, step: Step) -> Effect:
        """Have them go on, and their clocks be right."""
        heal = clock_faults.heal if step.action is Action.SKEW else process_faults.heal
        return await heal(step, self._clock)

    async def capabilities(self) -> Sequence[Capability]:
        """What can be done to processes here."""
        return (*process_faults.capabilities(NAME), *clock_faults.capabilities(NAME))
