"""What every controller of machines' power is asked, whichever way it speaks: what the power is, and to press a button.

A controller says what it will do, not that it is done: who presses looks again. How one is spoken to is not known here.
"""

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Final, Protocol

from kilonode.base.clock import Clock
from kilonode.faults.hosts import Power

ON: Final = "on"
OFF: Final = "off"


class Button(StrEnum):
    """What can be pressed."""

    ON = "on"
    OFF = "off"
    """At once."""
    SOFT = "soft off"
    """The machine's system is asked to go down in good order; it need not."""
    RESET = "reset"
    """Started anew at once."""


class Controller(Protocol):
    """One machine's power, while its controller is spoken to. All raise FaultError."""

    look_every_s: float
    """How often it may be asked."""

    async def state(self) -> str | None:
        """`on`, `off`, or another word of its own; None: it does not know."""
        ...

    async def press(self, button: Button) -> None:
        """Have it done; it is not done when this returns."""
        ...


class Way(Protocol):
    """One way to speak to controllers."""

    keys: frozenset[str]
    """What a hosts file may say of it, besides `by` and `address`."""

    def missing(self) -> str:
        """What this machine lacks for it, and how to get it; empty: nothing."""
        ...

    def check(self, power: Power) -> None:
        """Whether one could be spoken to as the hosts file says; nothing is asked. Raises InputError."""
        ...

    def open(self, power: Power, clock: Clock) -> AbstractAsyncContextManager[Controller]:
        """A controller to ask. Raises InputError for a login that cannot be."""
        ...
