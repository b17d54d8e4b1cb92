"""The drivers that are there, by name and by what they handle."""

import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from kilonode.base.errors import InputError, LabError
from kilonode.faults.driver import Driver, Step
from kilonode.faults.ending import ENDS, refuse_idle
from kilonode.faults.model import Action, Fault, Kind, Target
from kilonode.faults.printing import print_fault


class Drivers:
    """Drivers in the order in which they are asked."""

    def __init__(self, drivers: Sequence[Driver]) -> None:
        self._drivers = tuple(drivers)
        names = [driver.name for driver in self._drivers]
        if len(set(names)) < len(names):
            raise LabError("two drivers have the same name", got=", ".join(names))

    def __iter__(self) -> Iterator[Driver]:
        return iter(self._drivers)

    async def for_fault(self, fault: Fault) -> Driver:
        """Of those that handle it, the first that finds something; else the first that can look, or says why it cannot.

        Raises InputError when none handles it, or the only ones that do cannot look.
        """
        able = [driver for driver in self._drivers if driver.handles(fault)]
        if not able:
            raise InputError(
                f"nothing here can {fault.action.value} a {fault.target.kind.value}",
                where=print_fault(fault),
                hint="see what can be done here with: kilonode doctor --faults",
            )
        looked = []
        for driver in able if len(able) > 1 else ():
            with contextlib.suppress(InputError):
                if await driver.find(fault.target):
                    return driver
                looked.append(driver)
        return (looked or able)[0]

    async def for_ending(self, fault: Fault, before: Sequence[Step]) -> Driver:
        """The driver of a fault that may end what an earlier one began: the one that began it, else as for others."""
        began = [msgspec.structs.replace(fault, action=action, duration=None) for action in ENDS[fault.action]]
        able = [driver for driver in self._drivers if any(driver.handles(each) for each in began)]
        if not any(driver.handles(fault) for driver in self._drivers):
            if not able:
                return await self.for_fault(fault)  # which says that nobody can
            refuse_idle(fault, before, [driver.name for driver in able])
        for driver in able:
            open_here = [each for each in before if each.driver == driver.name and each.action in ENDS[fault.action]]
            if open_here and await _means(driver, fault.target, open_here):
                return driver
        if any(driver.handles(fault) for driver in self._drivers):
            return await self.for_fault(fault)
        return able[0]

    async def nodes_with(self, service: str) -> frozenset[str]:
        """The nodes that have a service, as all drivers of services know them."""
        target = Target(Kind.SERVICE, (service,))
        found: set[str] = set()
        for driver in self._drivers:
            if driver.handles(Fault(Action.KILL, target)):
                with contextlib.suppress(InputError):
                    found |= {each.node for each in await driver.find(target)}
        return frozenset(found - {""})

    def named(self, name: str) -> Driver:
        """The driver that a journal names. Raises InputError when it is not there."""
        for driver in self._drivers:
            if driver.name == name:
                return driver
        raise InputError(f"there is no driver {name!r} here", expected=", ".join(each.name for each in self._drivers))


async def _means(driver: Driver, target: Target, steps: Sequence[Step]) -> bool:
    """Whether a target means any of what these steps were done to."""
    with contextlib.suppress(InputError):
        there = {(each.node, each.name) for each in await driver.find(target)}
        if any((step.node, step.name) in there for step in steps):
            return True
    return any(step.name in target.names for step in steps)
