"""The drivers that are there, by name and by what they handle."""

from collections.abc import Iterator, Sequence

from kilonode.base.errors import InputError, LabError
from kilonode.faults.driver import Driver
from kilonode.faults.model import Fault
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

    def for_fault(self, fault: Fault) -> Driver:
        """The first that handles it. Raises InputError when none does."""
        for driver in self._drivers:
            if driver.handles(fault):
                return driver
        raise InputError(
            f"nothing here can {fault.action.value} a {fault.target.kind.value}",
            where=print_fault(fault),
            hint="see what can be done here with: kilonode doctor --faults",
        )

    def named(self, name: str) -> Driver:
        """The driver that a journal names. Raises InputError when it is not there."""
        for driver in self._drivers:
            if driver.name == name:
                return driver
        raise InputError(f"there is no driver {name!r} here", expected=", ".join(each.name for each in self._drivers))
