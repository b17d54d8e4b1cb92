"""The driver for the power of hosts, by their management controllers, each spoken to in the way its host's entry names.

Off and on are seen, by asking the controller until it says so. A reset is not: a controller that restarts a machine may
call it on all the while, so what is said is that the controller took the order and calls the machine on afterwards. A
host is shut down here only for a time, since a controller can switch it on again. That a controller is about to be told
is written down first: what was never told (a wrong password, no answer) leaves nothing to heal.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError, InputError, KilonodeError
from kilonode.base.randomness import Randomness
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.hosts import Hosts, Power, absolute, read_hosts
from kilonode.faults.ipmi import Ipmi
from kilonode.faults.libvirt import Libvirt
from kilonode.faults.model import Action, Fault, Kind, Target
from kilonode.faults.power_controls import OFF, ON, Button, Controller, Way
from kilonode.faults.printing import print_fault
from kilonode.faults.redfish import Redfish

NAME: Final = "power"
WAYS: Final[Mapping[str, Way]] = {"redfish": Redfish(), "ipmi": Ipmi(), "libvirt": Libvirt()}
TIMEOUT_S = 180.0
DOWN_TIMEOUT_S = 300.0
"""How long a system has to go down in good order."""
LATE_DOWN_S = 60.0
"""How long one that was told to, and whom nobody waited for, may still do so; then it never did."""
BUTTONS: Final = {
    Action.POWEROFF: Button.OFF, Action.POWERON: Button.ON, Action.RESET: Button.RESET, Action.SHUTDOWN: Button.SOFT,
}  # fmt: skip
WORDS: Final = {
    Action.POWEROFF: "switch host {} off", Action.POWERON: "switch host {} on", Action.RESET: "reset host {}",
    Action.SHUTDOWN: "shut host {} down",
}  # fmt: skip
_GOES_OFF: Final = frozenset({Action.POWEROFF, Action.SHUTDOWN})

Answer = TypeVar("Answer")


class PowerMemory(msgspec.Struct, frozen=True):
    """What is kept of a step: the name of the password's variable, never the password."""

    host: str
    power: Power
    told: bool = True
    """Whether the controller was told, or is about to be."""


class HostPower:
    """Switches the hosts of one hosts file off and on; heals those of any."""

    name = NAME

    def __init__(self, file: Path | None, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._hosts: Hosts | None = None

    def handles(self, fault: Fault) -> bool:
        """Where there is a hosts file: nodes switched off, on, reset, or shut down for a time."""
        if self._file is None or fault.target.kind is not Kind.NODE:
            return False
        return fault.action in BUTTONS and (fault.action is not Action.SHUTDOWN or fault.duration is not None)

    async def find(self, target: Target) -> Sequence[Found]:
        """Hosts whose power can be switched."""
        names = target.nodes.names if target.nodes else ()
        return [
            Found(Kind.NODE, name, node=name, words=f"by {power.by} at {power.address}")
            for name, power in self._powers().items()
            if not names or name in names
        ]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """A step for each host."""
        where = print_fault(fault)
        if peers:
            raise InputError("this driver divides nothing", where=where)
        steps = []
        for each in found:
            power = self._powers()[each.name]
            if lacks := WAYS[power.by].missing():
                raise InputError(f"nothing here can switch host {each.name} by {power.by}", where=where, hint=lacks)
            _check(each.name, power)
            words = f"{WORDS[fault.action].format(each.name)} ({each.words})"
            heals = f"switch host {each.name} on" if fault.action in _GOES_OFF else ""
            memory = remember(PowerMemory(each.name, power, told=False))
            steps.append(Step(NAME, fault.action, each.name, words, heals, memory))
        return steps

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Press, and see the controller say so."""
        memory = recall(step, PowerMemory)

        async def do(controller: Controller) -> Effect:
            state = await controller.state()
            if step.action is Action.POWERON and state == ON:
                return Effect(self._clock.now_ns(), f"host {step.name} is on, and was before")
            if state == OFF and step.action in _GOES_OFF:
                raise FaultError(f"host {step.name} is off already", where=step.words)
            if state != ON and step.action is Action.RESET:
                raise FaultError(f"host {step.name} is not on", where=step.words, got=state or "unknown")
            told = msgspec.structs.replace(memory, told=True)
            keep(msgspec.structs.replace(step, memory=remember(told)))
            began_ns = self._clock.now_ns()
            await controller.press(BUTTONS[step.action])
            at_ns = self._clock.now_ns()
            if step.action in _GOES_OFF:
                timeout_s = DOWN_TIMEOUT_S if step.action is Action.SHUTDOWN else TIMEOUT_S
                return await self._until(controller, OFF, step.name, timeout_s)
            seen = await self._until(controller, ON, step.name, TIMEOUT_S)
            if step.action is Action.POWERON:
                return seen
            return Effect(at_ns, f"host {step.name} was told to start anew, and is called on", at_ns - began_ns)

        return await self._with(memory.power, do)

    async def heal(self, step: Step) -> Effect:
        """Switch it on, and see it on; one that was told to go down in good order may be about to."""
        memory = recall(step, PowerMemory)
        if not memory.told:
            return Effect(self._clock.now_ns(), f"host {step.name} was never told to go off")

        async def do(controller: Controller) -> Effect:
            if step.action is Action.SHUTDOWN:
                with contextlib.suppress(_NotSeenError):
                    await self._until(controller, OFF, step.name, LATE_DOWN_S)
            if await controller.state() != ON:
                await controller.press(Button.ON)
            return await self._until(controller, ON, step.name, TIMEOUT_S)

        return await self._with(memory.power, do)

    async def capabilities(self) -> Sequence[Capability]:
        """What each controller says."""
        if self._file is None:
            return tuple(_capability_without_hosts(by, way) for by, way in WAYS.items())
        found = await asyncio.gather(*(self._capability(host, power) for host, power in self._powers().items()))
        return tuple(found) or (Capability(NAME, "controllers", State.PARTLY, "no host of the file has a `power`"),)

    async def _capability(self, host: str, power: Power) -> Capability:
        if lacks := WAYS[power.by].missing():
            return Capability(NAME, host, State.MISSING, lacks)
        try:
            _check(host, power)
            state = await self._with(power, lambda controller: controller.state())
        except KilonodeError as error:
            return Capability(NAME, host, State.MISSING, str(error))
        return Capability(NAME, host, State.WORKS, f"by {power.by}: it is {state or 'in a state nobody knows'}")

    def _powers(self) -> dict[str, Power]:
        if self._hosts is None:
            self._hosts = read_hosts(self._file) if self._file else Hosts()
        folder = self._file.parent if self._file else Path()
        return {
            name: msgspec.structs.replace(host.power, ca_file=absolute(host.power.ca_file, folder))
            for name, host in self._hosts.hosts.items()
            if host.power is not None
        }

    async def _with(self, power: Power, do: Callable[[Controller], Awaitable[Answer]]) -> Answer:
        if lacks := WAYS[power.by].missing():
            raise FaultError(f"nothing here can switch a host by {power.by}", hint=lacks)
        try:
            async with WAYS[power.by].open(power, self._clock) as controller:
                return await do(controller)
        except InputError as error:
            problem = error.problem
            raise FaultError(problem.what, where=problem.path, got=problem.got, hint=problem.hint) from error

    async def _until(self, controller: Controller, wanted: str, host: str, timeout_s: float) -> Effect:
        began_ns = before_ns = self._clock.now_ns()
        while (state := await controller.state()) != wanted:
            before_ns = self._clock.now_ns()
            if before_ns - began_ns > timeout_s * NANOSECONDS_PER_SECOND:
                got = f"{state or 'unknown'} after {timeout_s:g} s"
                raise _NotSeenError("it was done, but is not to be seen", where=host, expected=wanted, got=got)
            await self._clock.sleep(controller.look_every_s)
        at_ns = self._clock.now_ns()
        return Effect(at_ns, f"host {host} is {wanted}", at_ns - before_ns)


class _NotSeenError(FaultError):
    """What was done is not to be seen."""


def _check(host: str, power: Power) -> None:
    """Everything that the hosts file says is understood. Raises InputError."""
    said = {
        field for field in ("user", "password_variable", "name", "ca_file", "cipher_suite") if getattr(power, field)
    }
    way = WAYS[power.by]
    if extra := sorted(said - way.keys):
        expected = ", ".join(sorted(way.keys))
        raise InputError(f"{power.by} has no {extra[0]}", where=f"hosts.{host}.power", expected=expected)
    way.check(power)


def _capability_without_hosts(by: str, way: Way) -> Capability:
    if lacks := way.missing():
        return Capability(NAME, by, State.MISSING, lacks)
    return Capability(NAME, by, State.PARTLY, "say which hosts: --hosts FILE, or KILONODE_HOSTS")
