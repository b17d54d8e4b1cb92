"""From a sentence to what will be done: targets found and chosen, steps laid out. Nothing is touched.

The same seed and the same things found give the same choice. Whatever matches nothing, or not what the sentence says,
is refused here, before a run begins; so this is also all that a dry run does.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from kilonode.base.errors import FaultError, InputError
from kilonode.base.randomness import Randomness
from kilonode.base.units import Duration
from kilonode.faults.choosing import choose
from kilonode.faults.driver import Driver, Found, Step
from kilonode.faults.model import Fault, Sentence, Target
from kilonode.faults.printing import print_fault
from kilonode.faults.registry import Drivers
from kilonode.faults.shapes import cuts_of


class PlannedFault(msgspec.Struct, frozen=True):
    """One fault with what it was resolved to."""

    sentence: str
    """Canonical."""
    driver: str
    fault: Fault
    chosen: tuple[Found, ...]
    peers: tuple[Found, ...]
    steps: tuple[Step, ...]
    draw: int
    """What the driver's own chance comes from."""

    @property
    def lasting(self) -> bool:
        """Whether it leaves something to heal."""
        return any(step.heals for step in self.steps)

    @property
    def open_ended(self) -> bool:
        """Whether it lasts until somebody heals it."""
        return self.lasting and self.fault.duration is None


class PlannedPart(msgspec.Struct, frozen=True):
    """One part of a sentence with what it was resolved to."""

    fault: PlannedFault
    during: tuple[PlannedFault, ...] = ()
    after: Duration = Duration(0)


PlanOne = Callable[[Fault, Drivers, Randomness], Awaitable[PlannedFault]]


async def plan_sentence(
    sentence: Sentence, drivers: Drivers, randomness: Randomness, plan_one: PlanOne | None = None
) -> tuple[PlannedPart, ...]:
    """Resolve all targets as they are now, each fault by `plan_one`: without one by `plan_fault`. Raises InputError."""
    plan_one = plan_one or plan_fault
    parts = []
    for number, part in enumerate(sentence.parts):
        faults = [
            await plan_one(fault, drivers, randomness.child(number, place))
            for place, fault in enumerate((part.fault, *part.during))
        ]
        parts.append(PlannedPart(faults[0], tuple(faults[1:]), part.after))
    return tuple(parts)


async def plan_fault(fault: Fault, drivers: Drivers, randomness: Randomness) -> PlannedFault:
    """Resolve the targets of one fault as they are now. Raises InputError."""
    driver = await drivers.for_fault(fault)
    found = await resolve(fault.target, driver, drivers, randomness.child("target"))
    peers: Sequence[Found] = ()
    if fault.peer is not None:
        peers = await resolve(fault.peer, driver, drivers, randomness.child("peer"))
    draw = randomness.child("driver").integer()
    if fault.partition is not None:  # refused here, whatever the driver
        cuts_of(fault.partition, [each.name for each in found], [each.name for each in peers], Randomness(draw))
    steps = driver.plan(fault, found, peers, Randomness(draw))
    return PlannedFault(print_fault(fault), driver.name, fault, found, tuple(peers), tuple(steps), draw)


async def renew(planned: PlannedFault, drivers: Drivers) -> PlannedFault:
    """The same fault on the same things as they are now: one that was killed meanwhile runs under another pid.

    Raises FaultError when one is not there any more.
    """
    fault = planned.fault
    driver = drivers.named(planned.driver)
    try:
        chosen = _again(planned.chosen, await driver.find(fault.target))
        peers = _again(planned.peers, await driver.find(fault.peer)) if fault.peer else ()
        steps = driver.plan(fault, chosen, peers, Randomness(planned.draw))
    except InputError as error:  # what was good before the run is nobody's mistake now
        raise FaultError(error.problem.what, where=planned.sentence, got=error.problem.got) from error
    return msgspec.structs.replace(planned, chosen=chosen, peers=peers, steps=tuple(steps))


def _again(chosen: Sequence[Found], found: Sequence[Found]) -> tuple[Found, ...]:
    left = list(found)
    now = []
    for one in chosen:
        same = [each for each in left if (each.node, each.name) == (one.node, one.name)]
        if not same:
            raise InputError(f"{one.name} is not there any more")
        # Of several with one name, itself when it still runs.
        best = next((each for each in same if each.identity == one.identity), same[0])
        left.remove(best)
        now.append(best)
    return tuple(now)


async def resolve(target: Target, driver: Driver, drivers: Drivers, randomness: Randomness) -> tuple[Found, ...]:
    """What a target means now. Raises InputError when that is nothing, or not what it says."""
    found = await driver.find(target)
    services = target.nodes.services if target.nodes else ()
    having = {service: await drivers.nodes_with(service) for service in services}
    known = await driver.find(Target(target.kind))
    names = sorted({name for each in known for name in (each.name, *each.groups)})
    return choose(target, found, randomness, having=having, known=names)
