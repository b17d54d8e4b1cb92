"""The driver for the services of a stack: real services of this machine that nobody starts again when they die.

Which there are, and how one is started, is told by `Stacks`, which whoever knows stacks hands in. What is killed or
ended here stays dead for as long as the fault lasts, and is healed by starting the same process again, as the stack
itself would; a journal names the stack and the process, so any later process can heal it.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError, KilonodeError
from kilonode.base.processes import ProcessIdentity
from kilonode.base.randomness import Randomness
from kilonode.faults import preloaded_clocks, process_faults, signalling
from kilonode.faults.choosing import instance_of, named
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.model import Action, Fault, Kind, Target
from kilonode.faults.printing import print_fault

NAME: Final = "stack"
ENDING: Final = {Action.KILL: "SIGKILL", Action.TERMINATE: "SIGTERM"}
STARTING: Final = {Action.START: "start", Action.RESTART: "end and start"}


class StackMember(msgspec.Struct, frozen=True):
    """One process that a stack has."""

    name: str
    """Its own: `keystone`, `compute-001`."""
    services: tuple[str, ...]
    """What it is one of, and what that is also called: `nova-compute`."""
    node: str
    """The emulated host that it looks after; empty: none."""
    identity: ProcessIdentity | None
    """None: it does not run now."""


class Stacks(Protocol):
    """What the stacks of this machine are, and how their processes are started. All raise KilonodeError."""

    async def members(self, stack: str) -> Sequence[StackMember]:
        """All processes that a stack has, running or not."""
        ...

    async def start(self, stack: str, name: str) -> ProcessIdentity:
        """Start one as the stack would, unless it runs, and return when it works."""
        ...

    async def restart(self, stack: str, name: str) -> ProcessIdentity:
        """End one in good order and start it."""
        ...


class StackMemory(msgspec.Struct, frozen=True):
    """What is kept of a step that ends or starts a process."""

    stack: str
    head: ProcessIdentity | None


class StackMembers:
    """Kills, ends, freezes, thaws, starts and restarts the services of one stack; heals those of any."""

    name = NAME

    def __init__(self, stacks: Stacks, stack: str, clock: Clock) -> None:
        self._stacks = stacks
        self._stack = stack
        self._clock = clock

    def handles(self, fault: Fault) -> bool:
        """Faults on services."""
        return fault.target.kind is Kind.SERVICE and (
            fault.action in process_faults.ACTIONS or fault.action in STARTING or fault.action is Action.SKEW
        )

    async def find(self, target: Target) -> Sequence[Found]:
        """Services by their own name or by what they are one of; also those that do not run."""
        members = await self._stacks.members(self._stack)
        found = (instance_of(target.kind, each.name, each.services, each.identity, each.node) for each in members)
        return named(target, found)

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each process."""
        if peers:
            raise InputError("this driver divides nothing", where=print_fault(fault))
        return [self._step(fault, each) for each in found]

    def _step(self, fault: Fault, found: Found) -> Step:
        if fault.action is Action.SKEW:
            hint = "bring the stack up with: kilonode stack up --clocks (its OpenStack services can then be told)"
            return preloaded_clocks.plan_step(NAME, fault, found, hint)
        memory = remember(StackMemory(self._stack, found.identity))
        if fault.action in STARTING:
            pid = f" (pid {found.identity.pid})" if found.identity else ""
            return Step(NAME, fault.action, found.name, f"{STARTING[fault.action]} {found.name}{pid}", memory=memory)
        if fault.action not in ENDING:
            return process_faults.plan_step(NAME, fault, found)
        # Its checks and its words; what heals it is ours.
        lasting = msgspec.structs.replace(fault, duration=None)
        step = process_faults.plan_step(NAME, lasting, found)
        return msgspec.structs.replace(step, heals=f"start {found.name} again", memory=memory)

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Do it, and see what becomes of it."""
        if step.action is Action.SKEW:
            return await preloaded_clocks.inject(step, self._clock)
        if step.action not in ENDING and step.action not in STARTING:
            return await process_faults.inject(step, keep, self._clock)
        memory = recall(step, StackMemory)
        if step.action in STARTING:
            return await self._bring_back(step, memory, anew=step.action is Action.RESTART)
        if memory.head is None:
            raise FaultError(f"{step.name} does not run", where=step.words)
        end = signalling.kill if step.action is Action.KILL else signalling.terminate
        return await end(memory.head, step.name, self._clock)

    async def heal(self, step: Step) -> Effect:
        """Start what was ended; have go on what was frozen; set clocks right."""
        if step.action is Action.SKEW:
            return await preloaded_clocks.heal(step, self._clock)
        if step.action not in ENDING:
            return await process_faults.heal(step, self._clock)
        return await self._bring_back(step, recall(step, StackMemory), anew=False)

    async def capabilities(self) -> Sequence[Capability]:
        """What can be done to processes here."""
        clocks = Capability(NAME, "clock skew", State.WORKS, "of OpenStack services: kilonode stack up --clocks")
        return (*process_faults.capabilities(NAME), clocks)

    async def _bring_back(self, step: Step, memory: StackMemory, *, anew: bool) -> Effect:
        began_ns = self._clock.now_ns()
        bring = self._stacks.restart if anew else self._stacks.start
        try:
            identity = await bring(memory.stack, step.name)
        except KilonodeError as error:
            raise FaultError(f"{step.name} could not be started: {error}", where=step.words) from error
        at_ns = self._clock.now_ns()
        if anew and identity == memory.head:
            raise FaultError(f"{step.name} was restarted, but no new process of it is to be seen", where=step.words)
        return Effect(at_ns, f"{step.name} works (pid {identity.pid})", at_ns - began_ns)
