"""What can be done to processes of this machine, whatever they are called: steps, their injection and their healing.

Shared by the drivers that know names: `local_processes` and `members`.
"""

from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import InputError
from kilonode.base.processes import ProcessIdentity, is_stopped
from kilonode.faults import freezer, signalling
from kilonode.faults.driver import Capability, Effect, Found, Keep, State, Step, recall, remember
from kilonode.faults.model import Action, Fault, Means
from kilonode.faults.printing import print_fault

ACTIONS: Final = frozenset({Action.KILL, Action.TERMINATE, Action.FREEZE, Action.UNFREEZE})
_ENDING: Final = frozenset({Action.KILL, Action.TERMINATE})


class ProcessMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a step."""

    head: ProcessIdentity
    family: tuple[ProcessIdentity, ...] = ()
    """Whom a signal stopped, or is about to."""
    group: freezer.FrozenGroup | None = None


def refuse_impossible(fault: Fault) -> None:
    """Raise InputError for what can be done to no process at all."""
    if fault.action in _ENDING and fault.duration is not None:
        raise InputError(
            "nothing here can start it again, or keep it from being started",
            where=print_fault(fault),
            hint=f"freeze it for {fault.duration} instead, or leave the duration out",
        )


def plan_step(driver: str, fault: Fault, found: Found) -> Step:
    """The step for one process. Raises InputError when it cannot be done to it."""
    head = found.identity
    where = print_fault(fault)
    if head is None:
        raise InputError(f"{found.name} does not run", where=where)
    refuse_impossible(fault)
    family = signalling.family_of(head)
    signalling.may_signal([head] if fault.action is Action.TERMINATE else family, found.name)
    members = len(family) - 1
    children = "" if members < 1 else " and one child" if members == 1 else f" and {members} children"
    also = f"; it is {', '.join(found.groups)}" if len(found.groups) > 1 else ""
    who = f"{found.name} (pid {head.pid}{children}{also})"
    if fault.action is not Action.FREEZE:
        number = {Action.KILL: "SIGKILL", Action.TERMINATE: "SIGTERM", Action.UNFREEZE: "SIGCONT"}[fault.action]
        return Step(driver, fault.action, found.name, f"{number} to {who}", memory=remember(ProcessMemory(head)))
    if is_stopped(head):
        raise InputError(f"{found.name} is stopped already", where=where, got=f"pid {head.pid}")
    if fault.means is not Means.CGROUP:
        memory = remember(ProcessMemory(head))
        return Step(driver, fault.action, found.name, f"SIGSTOP to {who}", "SIGCONT to those that were stopped", memory)
    hierarchy = freezer.find_hierarchy()
    if hierarchy is None:
        raise InputError(
            "control groups cannot be written here", where=where, hint="leave out `by cgroup`: by a signal"
        )
    group = freezer.plan_group(head, hierarchy)
    memory = remember(ProcessMemory(head, group=group))
    return Step(driver, fault.action, found.name, f"cgroup freezer on {who}", f"thaw {group.path}", memory)


async def inject(step: Step, keep: Keep, clock: Clock) -> Effect:
    """Do a step of `plan_step`. Raises FaultError."""
    memory = recall(step, ProcessMemory)

    def keep_family(family: tuple[ProcessIdentity, ...]) -> None:
        keep(msgspec.structs.replace(step, memory=remember(msgspec.structs.replace(memory, family=family))))

    if step.action is Action.KILL:
        return await signalling.kill(memory.head, step.name, clock)
    if step.action is Action.TERMINATE:
        return await signalling.terminate(memory.head, step.name, clock)
    if step.action is Action.UNFREEZE:
        return await signalling.thaw(signalling.family_of(memory.head), step.name, clock)
    if memory.group is not None:
        return await freezer.freeze(memory.head, memory.group, step.name, clock)
    return await signalling.freeze(memory.head, step.name, clock, keep_family)


async def heal(step: Step, clock: Clock) -> Effect:
    """Undo a step of `plan_step`, or half of it. Raises FaultError."""
    memory = recall(step, ProcessMemory)
    if memory.group is not None:
        return await freezer.thaw(memory.group, step.name, clock)
    return await signalling.thaw(memory.family, step.name, clock)


def capabilities(driver: str) -> tuple[Capability, ...]:
    """Signals always work on Linux; control groups where they may be written."""
    found = freezer.find_hierarchy()
    why = "" if found else "no writable control groups: mount them, or run as root; freezing by a signal needs none"
    return (
        Capability(driver, "signals", State.WORKS),
        Capability(driver, "cgroup freezer", State.WORKS if found else State.MISSING, why),
    )
