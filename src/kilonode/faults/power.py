"""The driver for the power of hosts, by their management controllers: Redfish.

Off and on are seen, by asking the controller until it says so. A reset is not: a controller that restarts a machine may
call it on all the while, so what is said is that the controller took the order and calls the machine on afterwards.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError, InputError, KilonodeError
from kilonode.base.randomness import Randomness
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.hosts import Hosts, Power, absolute, read_hosts
from kilonode.faults.model import Action, Fault, Kind, Target
from kilonode.faults.printing import print_fault
from kilonode.faults.redfish import Controller, open_controller

NAME: Final = "power"
TIMEOUT_S: Final = 180.0
LOOK_EVERY_S: Final = 0.25
RESETS: Final = {Action.POWEROFF: "ForceOff", Action.POWERON: "On", Action.RESET: "ForceRestart"}
STATES: Final = {Action.POWEROFF: "Off", Action.POWERON: "On", Action.RESET: "On"}
WORDS: Final = {Action.POWEROFF: "off", Action.POWERON: "on", Action.RESET: "off and on"}

Answer = TypeVar("Answer")


class PowerMemory(msgspec.Struct, frozen=True):
    """What is kept of a step: the name of the password's variable, never the password."""

    host: str
    power: Power


class HostPower:
    """Switches the hosts of one hosts file off and on; heals those of any."""

    name = NAME

    def __init__(self, file: Path | None, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._hosts: Hosts | None = None

    def handles(self, fault: Fault) -> bool:
        """Where there is a hosts file: nodes switched off, on, and off and on."""
        return self._file is not None and fault.target.kind is Kind.NODE and fault.action in RESETS

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
        if peers:
            raise InputError("this driver divides nothing", where=print_fault(fault))
        steps = []
        for each in found:
            power = self._powers()[each.name]
            if power.by != "redfish":
                what = f"nothing here can switch host {each.name} by {power.by}"
                raise InputError(what, where=print_fault(fault), expected="redfish")
            words = f"switch host {each.name} {WORDS[fault.action]} ({each.words})"
            heals = f"switch host {each.name} on" if fault.action is Action.POWEROFF else ""
            steps.append(Step(NAME, fault.action, each.name, words, heals, remember(PowerMemory(each.name, power))))
        return steps

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Press, and see the controller say so."""

        async def do(controller: Controller) -> Effect:
            system = await controller.system()
            if step.action is not Action.RESET:
                return await self._switch(controller, step.action, step.name)
            if system.power != "On":
                raise FaultError(f"host {step.name} is not on", where=step.words, got=str(system.power))
            began_ns = self._clock.now_ns()
            await controller.press(system, RESETS[step.action])
            at_ns = self._clock.now_ns()
            await self._until(controller, Action.RESET, step.name)
            words = f"host {step.name} was told to go off and on, and is called on"
            return Effect(at_ns, words, at_ns - began_ns)

        return await self._with(recall(step, PowerMemory).power, do)

    async def heal(self, step: Step) -> Effect:
        """Switch it on, and see it on."""
        return await self._with(
            recall(step, PowerMemory).power, lambda controller: self._switch(controller, Action.POWERON, step.name)
        )

    async def capabilities(self) -> Sequence[Capability]:
        """What each controller says."""
        if self._file is None:
            return (Capability(NAME, "redfish", State.PARTLY, "say which hosts: --hosts FILE, or KILONODE_HOSTS"),)
        found = []
        for host, power in self._powers().items():
            if power.by != "redfish":
                why = f"there is no driver for {power.by}, only for redfish"
                found.append(Capability(NAME, host, State.MISSING, why))
                continue
            try:
                system = await self._with(power, lambda controller: controller.system())
                found.append(Capability(NAME, host, State.WORKS, f"it is {system.power or 'in a state nobody knows'}"))
            except KilonodeError as error:
                found.append(Capability(NAME, host, State.MISSING, str(error)))
        return found or (Capability(NAME, "redfish", State.PARTLY, "no host of the hosts file has a `power`"),)

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
        try:
            async with open_controller(power, self._clock) as controller:
                return await do(controller)
        except InputError as error:
            raise FaultError(error.problem.what, where=error.problem.path, got=error.problem.got) from error

    async def _switch(self, controller: Controller, action: Action, host: str) -> Effect:
        system = await controller.system()
        if system.power != STATES[action]:
            await controller.press(system, RESETS[action])
        return await self._until(controller, action, host)

    async def _until(self, controller: Controller, action: Action, host: str) -> Effect:
        began_ns = before_ns = self._clock.now_ns()
        while (state := (await controller.system()).power) != STATES[action]:
            before_ns = self._clock.now_ns()
            if before_ns - began_ns > TIMEOUT_S * NANOSECONDS_PER_SECOND:
                got = f"{state or 'unknown'} after {TIMEOUT_S:g} s"
                raise FaultError("it was done, but is not to be seen", where=host, expected=STATES[action], got=got)
            await self._clock.sleep(LOOK_EVERY_S)
        at_ns = self._clock.now_ns()
        return Effect(at_ns, f"host {host} is {STATES[action].lower()}", at_ns - before_ns)
