"""Signals to a process of a host and all its descendants, through the helper there, each seen to work.

As `signalling` does it on this machine. When something happened is known to lie between a request and its answer, by
the clock of this machine: the host's clock is not asked.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import FaultError
from kilonode.base.processes import ProcessIdentity
from kilonode.faults.driver import Effect
from kilonode.faults.signalling import GENTLE_S, MOST_ROUNDS, SOON_S
from kilonode.faults.ssh import Helper

Member = tuple[int, int]
"""A pid, and the ticks between the host's boot and the start of the process."""


class Signalled(msgspec.Struct, frozen=True):
    """What became of some processes."""

    members: tuple[Member, ...]
    seen: bool


class Family(msgspec.Struct, frozen=True):
    """A process and its descendants, itself first."""

    members: tuple[Member, ...]
    stopped: tuple[bool, ...]


def member(identity: ProcessIdentity) -> Member:
    """A process as the helper knows it."""
    return identity.pid, identity.started_ticks


async def kill(helper: Helper, head: ProcessIdentity, who: str, clock: Clock) -> Effect:
    """SIGKILL to all of them."""
    return await _end(helper, "kill", head, f"{who} is gone", clock, SOON_S)


async def terminate(helper: Helper, head: ProcessIdentity, who: str, clock: Clock) -> Effect:
    """SIGTERM to itself alone, which ends its children."""
    return await _end(helper, "terminate", head, f"{who} has ended", clock, GENTLE_S)


async def freeze(
    helper: Helper,
    head: ProcessIdentity,
    who: str,
    clock: Clock,
    keep: Callable[[tuple[ProcessIdentity, ...]], None],
) -> Effect:
    """SIGSTOP to all of them, until no child is left that is not stopped; `keep` is told before each of them is."""
    ours: list[Member] = []
    spared = set[Member]()
    effect: Effect | None = None
    for _ in range(MOST_ROUNDS):
        family = await helper.ask("family", Family, head=member(head), boot=head.boot)
        if member(head) not in family.members:
            raise FaultError(f"{who} has ended")
        others = [one for one in zip(family.members, family.stopped, strict=True) if one[0] not in {*ours, *spared}]
        if (member(head), True) in others:
            raise FaultError(f"{who} was stopped before, by somebody else")
        spared |= {one for one, stopped in others if stopped}
        new = [one for one, stopped in others if not stopped]
        if not new and effect is not None:
            return effect
        ours += new
        keep(tuple(ProcessIdentity(*one, head.boot) for one in ours))
        ask = helper.ask("stop", Signalled, members=new, timeout_s=SOON_S, boot=head.boot)
        effect = await _seen(ask, f"{who} is stopped ({_many(len(ours))})", clock)
    raise FaultError(f"{who} makes children faster than they can be stopped")


async def thaw(helper: Helper, family: Sequence[ProcessIdentity], who: str, clock: Clock) -> Effect:
    """SIGCONT to each of them that still runs, itself last."""
    if not family:
        return Effect(clock.now_ns(), f"{who} had not been stopped")
    members = [member(each) for each in family]
    ask = helper.ask("go_on", Signalled, members=members, timeout_s=SOON_S, boot=family[0].boot)
    return await _seen(ask, f"{who} goes on", clock)


async def thaw_all(helper: Helper, head: ProcessIdentity, who: str, clock: Clock) -> Effect:
    """SIGCONT to the whole family, whoever stopped it."""
    family = await helper.ask("family", Family, head=member(head), boot=head.boot)
    return await thaw(helper, [ProcessIdentity(*each, head.boot) for each in family.members], who, clock)


async def _end(helper: Helper, do: str, head: ProcessIdentity, words: str, clock: Clock, timeout_s: float) -> Effect:
    began_ns = clock.now_ns()
    done = await helper.ask(do, Signalled, head=member(head), timeout_s=timeout_s, boot=head.boot)
    at_ns = clock.now_ns()
    if not done.members:
        raise FaultError("it had ended before", where=words)
    if not done.seen:
        raise FaultError("it was done, but is not to be seen", expected=words, got=f"not so after {timeout_s:g} s")
    return Effect(at_ns, f"{words} ({_many(len(done.members))})", at_ns - began_ns)


async def _seen(asked: Awaitable[Signalled], words: str, clock: Clock) -> Effect:
    began_ns = clock.now_ns()
    done = await asked
    at_ns = clock.now_ns()
    if not done.seen:
        raise FaultError("it was done, but is not to be seen", expected=words, got=f"not so after {SOON_S:g} s")
    return Effect(at_ns, words, at_ns - began_ns)


def _many(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes"
