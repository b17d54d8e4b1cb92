"""The driver for the power of a cloud's nodes, where whoever knows the cloud can press their buttons.

An inventory, which the command line hands in, tells which nodes there are and turns them off and on: those of an
emulated cloud. Losing power is at once; shutting down and booting take the cloud as long as they take, and are seen.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError, InputError, KilonodeError
from kilonode.base.randomness import Randomness
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.model import Action, Fault, Kind, Target
from kilonode.faults.printing import print_fault

NAME: Final = "nodes"
Button = Literal["off", "on", "reset", "shutdown", "reboot"]
BUTTONS: Final[dict[Action, Button]] = {
    Action.POWEROFF: "off",
    Action.POWERON: "on",
    Action.RESET: "reset",
    Action.SHUTDOWN: "shutdown",
    Action.REBOOT: "reboot",
}
_LEAVE_IT_OFF: Final = frozenset({Action.POWEROFF, Action.SHUTDOWN})
LOOK_EVERY_S: Final = 0.05
LONGEST_S: Final = 900.0
"""How long a node may take to boot or to shut down."""


class PoweredNode(msgspec.Struct, frozen=True):
    """One node of a cloud."""

    name: str
    on: bool
    busy: bool = False
    """It is booting or shutting down."""


class NodeInventory(Protocol):
    """The nodes of a cloud."""

    @property
    def cloud(self) -> str:
        """What the cloud is called, so that whoever heals later finds it."""
        ...

    async def nodes(self) -> Sequence[PoweredNode]:
        """All of them now. Raises InputError when there is no such cloud."""
        ...

    async def press(self, name: str, button: Button) -> None:
        """Press a button of a node. Raises KilonodeError."""
        ...


class NodeMemory(msgspec.Struct, frozen=True):
    """What is kept of a step."""

    cloud: str


class PoweredNodes:
    """Turns the nodes of a cloud off and on."""

    name = NAME

    def __init__(self, inventory: NodeInventory, clock: Clock, other: Callable[[str], NodeInventory]) -> None:
        """`other`: the nodes of another cloud, for what is to be healed there."""
        self._inventory = inventory
        self._clock = clock
        self._other = other

    def handles(self, fault: Fault) -> bool:
        """Everything about the power of nodes."""
        return fault.target.kind is Kind.NODE and fault.action in BUTTONS

    async def find(self, target: Target) -> Sequence[Found]:
        """Nodes by their names."""
        names = target.nodes.names if target.nodes is not None else ()
        return [
            Found(Kind.NODE, each.name, (), each.name, None, "on" if each.on else "off")
            for each in await self._inventory.nodes()
            if not names or each.name in names
        ]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each node. Raises InputError for one that is off already."""
        heals = "power on" if fault.action in _LEAVE_IT_OFF else ""
        for each in found:
            if heals and each.words == "off":
                raise InputError(f"{each.name} is off already", where=print_fault(fault))
        memory = remember(NodeMemory(self._inventory.cloud))
        return [
            Step(NAME, fault.action, each.name, f"{fault.action.value} {each.name}", heals, memory) for each in found
        ]

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Press the button, and see what becomes of the node."""
        try:
            await self._inventory.press(step.name, BUTTONS[step.action])
        except KilonodeError as error:
            raise FaultError(error.problem.what, where=step.words) from error
        return await self._see(self._inventory, step.name, on=step.action not in _LEAVE_IT_OFF)

    async def heal(self, step: Step) -> Effect:
        """Turn it on again; a cloud that is gone took its nodes with it."""
        inventory = self._inventory
        cloud = recall(step, NodeMemory).cloud
        if cloud != inventory.cloud:
            inventory = self._other(cloud)
        try:
            known = {each.name: each for each in await inventory.nodes()}
        except InputError:
            return Effect(self._clock.now_ns(), f"{step.name} is gone with its cloud")
        if step.name not in known:
            return Effect(self._clock.now_ns(), f"{step.name} is gone")
        try:
            if not known[step.name].on:
                await inventory.press(step.name, "on")
        except KilonodeError as error:
            raise FaultError(error.problem.what, where=step.words) from error
        return await self._see(inventory, step.name, on=True)

    async def capabilities(self) -> Sequence[Capability]:
        """The nodes of emulated clouds always have buttons."""
        return (Capability(NAME, "power of the nodes of emulated clouds", State.WORKS),)

    async def _see(self, inventory: NodeInventory, name: str, *, on: bool) -> Effect:
        began_ns = before_ns = self._clock.now_ns()
        while True:
            node = next((each for each in await inventory.nodes() if each.name == name), None)
            now_ns = self._clock.now_ns()
            if node is not None and node.on is on and not node.busy:
                return Effect(now_ns, f"{name} is {'on' if on else 'off'}", now_ns - before_ns)
            if now_ns - began_ns > LONGEST_S * NANOSECONDS_PER_SECOND:
                raise FaultError(f"{name} is not {'on' if on else 'off'} after {LONGEST_S:g} s", where=name)
            before_ns = now_ns
            await self._clock.sleep(LOOK_EVERY_S)
