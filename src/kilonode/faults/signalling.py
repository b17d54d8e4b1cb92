"""Signals to a process and all its descendants, each seen to work: kill, terminate, freeze, thaw.

Only processes that are known by pid, start time and boot get a signal. A freeze tells its caller of every process
before it is stopped, so that what stops is always written down; what was stopped before is left alone and stays so.
"""

# ruff: noqa: PTH208  (paths as objects would cost more than what is read by them)

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError, InputError
from kilonode.base.processes import ProcessIdentity, is_alive, is_stopped, send, stat_fields
from kilonode.faults.driver import Effect
from kilonode.faults.watching import see

SOON_S: Final = 5.0
"""How long the kernel has to do what it was told."""
GENTLE_S: Final = 60.0
"""How long a process has to end by itself."""
MOST_ROUNDS: Final = 50
"""How often new children are looked for while a family is stopped."""
_STATE, _PARENT, _SESSION, _START = 0, 1, 3, 19
"""Places in /proc/<pid>/stat, counted after the command's name in brackets."""
_ENDED: Final = "ZX"

Family = tuple[ProcessIdentity, ...]


def family_of(head: ProcessIdentity) -> Family:
    """The process and its descendants now, itself first; empty when nobody of them is left.

    Of a process that leads a session, which a service does, those whose parents have ended are known by the session.
    """
    found: dict[int, ProcessIdentity] = {}
    parents: dict[int, int] = {}
    sessions: dict[int, int] = {}
    for name in os.listdir("/proc"):
        fields = stat_fields(name) if name.isdecimal() else None
        if fields is not None and fields[_STATE] not in _ENDED:
            found[int(name)] = ProcessIdentity(int(name), int(fields[_START]), head.boot)
            parents[int(name)], sessions[int(name)] = int(fields[_PARENT]), int(fields[_SESSION])
    if found.get(head.pid, head) != head:
        return ()  # the number is another's now
    members = {pid for pid in found if pid == head.pid or sessions[pid] == head.pid}
    while more := {pid for pid, parent in parents.items() if parent in members and pid not in members}:
        members |= more
    return tuple(found[pid] for pid in sorted(members, key=lambda pid: (pid != head.pid, pid)))


async def kill(head: ProcessIdentity, name: str, clock: Clock) -> Effect:
    """SIGKILL to all of them, and to the children that they made meanwhile."""
    family = family_of(head)
    if head not in family:
        raise FaultError(f"{name} had ended before", where=f"pid {head.pid}")

    def gone() -> bool:
        left = family_of(head)
        for member in left:
            _send(member, signal.SIGKILL, name)
        return not left

    return await see(f"{name} ({_many(family)}) is gone", gone, clock, SOON_S)


async def terminate(head: ProcessIdentity, name: str, clock: Clock) -> Effect:
    """SIGTERM to itself alone, which ends its children; seen when all are gone."""
    family = family_of(head)
    if head not in family:
        raise FaultError(f"{name} had ended before", where=f"pid {head.pid}")
    _send(head, signal.SIGTERM, name)
    return await see(f"{name} ({_many(family)}) has ended", lambda: not _alive(family), clock, GENTLE_S)


async def freeze(head: ProcessIdentity, name: str, clock: Clock, keep: Callable[[Family], None]) -> Effect:
    """SIGSTOP to all of them, until no child is left that is not stopped; `keep` is told before each of them is."""
    ours: list[ProcessIdentity] = []
    spared = set[ProcessIdentity]()
    for _ in range(MOST_ROUNDS):
        family = family_of(head)
        if head not in family:
            raise FaultError(f"{name} has ended", where=f"pid {head.pid}")
        others = [member for member in family if member not in ours and member not in spared]
        stopped = {member for member in others if is_stopped(member)}
        if head in stopped:
            raise FaultError(f"{name} was stopped before, by somebody else", where=f"pid {head.pid}")
        spared |= stopped
        new = [member for member in others if member not in stopped]
        if not new:
            return await _see_stopped(ours, name, clock)
        ours += new
        keep(tuple(ours))
        for member in new:
            _send(member, signal.SIGSTOP, name)
        await _see_stopped(ours, name, clock)
    raise FaultError(f"{name} makes children faster than they can be stopped", where=f"pid {head.pid}")


async def thaw(family: Iterable[ProcessIdentity], name: str, clock: Clock) -> Effect:
    """SIGCONT to each of them that still runs, itself last."""
    members = tuple(family)
    for member in reversed(members):
        with contextlib.suppress(PermissionError):  # who is another user's was not stopped by us
            send(member, signal.SIGCONT)
    gone = len(members) - len(_alive(members))
    words = f"{name} ({_many(members)}) goes on" + (f", {gone} had ended" if gone else "")
    return await see(words, lambda: not any(is_stopped(each) for each in members), clock, SOON_S)


def may_signal(family: Iterable[ProcessIdentity], name: str) -> None:
    """Raises InputError when this user may not send each of them signals."""
    for member in family:
        with contextlib.suppress(ProcessLookupError):
            try:
                os.kill(member.pid, 0)
            except PermissionError:
                hint = "run as that user, or as root"
                raise InputError(f"{name} belongs to another user", where=f"pid {member.pid}", hint=hint) from None


async def _see_stopped(family: Sequence[ProcessIdentity], name: str, clock: Clock) -> Effect:
    words = f"{name} ({_many(family)}) is stopped"
    return await see(words, lambda: all(is_stopped(each) for each in _alive(family)), clock, SOON_S)


def _alive(family: Iterable[ProcessIdentity]) -> list[ProcessIdentity]:
    return [member for member in family if is_alive(member)]


def _send(member: ProcessIdentity, number: signal.Signals, name: str) -> None:
    try:
        send(member, number)
    except PermissionError:
        raise FaultError(f"{name} belongs to another user", where=f"pid {member.pid}") from None


def _many(family: Iterable[ProcessIdentity]) -> str:
    pids = [str(member.pid) for member in family]
    shown = ", ".join(pids[:4]) + (f" and {len(pids) - 4} more" if len(pids) > 4 else "")
    return f"pid {shown}" if len(pids) == 1 else f"pids {shown}"
