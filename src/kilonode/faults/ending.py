"""Which faults end what earlier ones began: `plug` after `unplug`, `start` after `kill`. Pure.

What is ended is healed by its own heal, so whatever it was is undone as it was meant to be. `plug` and `connect` do
nothing by themselves; the others do what they say where nothing earlier is in effect.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.faults.driver import Found, Step
from kilonode.faults.model import Action, Fault
from kilonode.faults.printing import print_fault

ENDS: Final[dict[Action, frozenset[Action]]] = {
    Action.PLUG: frozenset({Action.UNPLUG}),
    Action.CONNECT: frozenset({Action.DISCONNECT}),
    Action.UNFREEZE: frozenset({Action.FREEZE}),
    Action.POWERON: frozenset({Action.POWEROFF, Action.SHUTDOWN}),
    Action.START: frozenset({Action.KILL, Action.TERMINATE}),
}
"""An action to those whose effect it ends."""


def ends(step: Step, earlier: Step) -> bool:
    """Whether a step ends what an earlier one began: the same thing, touched by the same driver."""
    if not earlier.heals or earlier.action not in ENDS.get(step.action, ()):
        return False
    if (step.driver, step.name, step.node) != (earlier.driver, earlier.name, earlier.node):
        return False
    # Two processes may have one name; what is started again or plugged in again is another process by then.
    known = step.action is Action.UNFREEZE and None not in (step.identity, earlier.identity)
    return not known or step.identity == earlier.identity


def identified(step: Step, found: Found) -> Step:
    """A step that says which thing it is done to."""
    return msgspec.structs.replace(step, node=found.node, identity=found.identity)


def ending_step(driver: str, fault: Fault, found: Found) -> Step:
    """The step of a fault that does nothing but end what an earlier one began."""
    where = f" on {found.node}" if found.node and found.node != found.name else ""
    began = " or ".join(sorted(ENDS[fault.action]))
    words = f"end what an earlier {began} of {found.name}{where} began"
    return identified(Step(driver, fault.action, found.name, words), found)


def refuse_idle(fault: Fault, before: Iterable[Step], drivers: Sequence[str]) -> None:
    """Raise InputError when nothing that was planned before, or was left, is such that it could be ended."""
    if any(each.action in ENDS[fault.action] and each.driver in drivers for each in before):
        return
    began = " or ".join(sorted(ENDS[fault.action]))
    raise InputError(
        f"there is nothing to {fault.action.value}",
        where=print_fault(fault),
        expected=f"an earlier {began} of it, in the same sentence or run, or left in a journal",
        hint="what others began, and still hold, ends with them: kilonode fault list",
    )
