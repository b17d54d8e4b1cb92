"""From a sentence to what will be done: targets found and chosen, steps laid out. Nothing is touched.

The same seed and the same things found give the same choice. Whatever matches nothing, or not what the sentence says,
is refused here, before a run begins; so this is also all that a dry run does.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from kilonode.base.errors import FaultError, InputError
from kilonode.base.randomness import Randomness
from kilonode.base.units import Duration
from kilonode.faults.choosing import choose, named_by, names_of, number_of
from kilonode.faults.driver import Driver, Found, Step
from kilonode.faults.ending import ENDS, ending_step, ends, identified, refuse_idle
from kilonode.faults.model import Fault, Pick, Sentence, Target
from kilonode.faults.printing import print_fault, print_target
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
    only_ends: bool = False
    """It does nothing but end what an earlier fault began."""

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


PlanOne = Callable[[Fault, Drivers, Randomness, Sequence[Step]], Awaitable[PlannedFault]]


async def plan_sentence(
    sentence: Sentence,
    drivers: Drivers,
    randomness: Randomness,
    plan_one: PlanOne | None = None,
    before: Sequence[Step] = (),
) -> tuple[PlannedPart, ...]:
    """Resolve all targets as they are now, each fault by `plan_one`: without one by `plan_fault`. Raises InputError.

    `before`: what may be in effect by then, which faults such as `plug` can end.
    """
    plan_one = plan_one or plan_fault
    parts = []
    lasting = list(before)
    for number, part in enumerate(sentence.parts):
        here: list[PlannedFault] = []
        # In the order in which they take effect; the first draws are the fault's own.
        for place, fault in (*enumerate(part.during, 1), (0, part.fault)):
            during = [step for each in here for step in each.steps]
            here.append(await plan_one(fault, drivers, randomness.child(number, place), [*lasting, *during]))
        parts.append(PlannedPart(here[-1], tuple(here[:-1]), part.after))
        lasting += [step for each in here if each.open_ended for step in each.steps]
    return tuple(parts)


def unended(parts: Sequence[PlannedPart]) -> tuple[PlannedFault, ...]:
    """The faults of a sentence that last until somebody heals them: none that follows ends them."""
    row = [fault for part in parts for fault in (*part.during, part.fault)]
    return tuple(
        fault
        for place, fault in enumerate(row)
        if fault.open_ended
        and not all(
            any(ends(step, earlier) for later in row[place + 1 :] for step in later.steps)
            for earlier in fault.steps
            if earlier.heals
        )
    )


async def plan_fault(
    fault: Fault, drivers: Drivers, randomness: Randomness, before: Sequence[Step] = ()
) -> PlannedFault:
    """Resolve the targets of one fault as they are now. Raises InputError.

    `before`: what may be in effect by then.
    """
    if fault.action in ENDS:
        return await _plan_ending(fault, drivers, randomness, before)
    driver = await drivers.for_fault(fault)
    found = await resolve(fault.target, driver, drivers, randomness.child("target"))
    peers: Sequence[Found] = ()
    if fault.peer is not None:
        peers = await resolve(fault.peer, driver, drivers, randomness.child("peer"))
    draw = randomness.child("driver").integer()
    if fault.partition is not None:  # refused here, whatever the driver
        cuts_of(fault.partition, [each.name for each in found], [each.name for each in peers], Randomness(draw))
    steps = _steps(driver, fault, found, peers, draw)
    return PlannedFault(print_fault(fault), driver.name, fault, found, tuple(peers), steps, draw)


async def _plan_ending(fault: Fault, drivers: Drivers, randomness: Randomness, before: Sequence[Step]) -> PlannedFault:
    """A fault that ends what earlier ones began, where there are any; drawn are those that can be ended first."""
    driver = await drivers.for_ending(fault, before)
    only_ends = not driver.handles(fault)
    began = [each for each in before if each.driver == driver.name and each.action in ENDS[fault.action]]
    try:
        there = list(await driver.find(fault.target))
    except InputError:
        if not only_ends:
            raise
        there = []
    if only_ends:  # what was cut off may have ended meanwhile, and is not found any more
        here = {(each.node, each.name) for each in there}
        gone = {(each.node, each.name) for each in began if each.name in fault.target.names} - here
        there += [Found(fault.target.kind, name, node=node) for node, name in sorted(gone)]
    meant = [each for each in there if any(ends(ending_step(driver.name, fault, each), step) for step in began)]
    if only_ends:
        refuse_idle(fault, began if meant else (), [driver.name])
    chosen = None
    if only_ends or (meant and fault.target.choice.pick not in (Pick.NAMED, Pick.ALL)):
        try:
            chosen = await _choose(fault.target, meant, len(there), drivers, randomness.child("target"))
        except InputError:
            if only_ends:
                raise
    if chosen is None:
        chosen = await resolve(fault.target, driver, drivers, randomness.child("target"), there)
    draw = randomness.child("driver").integer()
    if only_ends:
        steps = tuple(ending_step(driver.name, fault, each) for each in chosen)
    else:
        steps = _steps(driver, fault, chosen, (), draw)
    return PlannedFault(print_fault(fault), driver.name, fault, chosen, (), steps, draw, only_ends)


async def _choose(
    target: Target, meant: Sequence[Found], there: int, drivers: Drivers, randomness: Randomness
) -> tuple[Found, ...]:
    """Of those that can be ended; what the sentence says of all there are is held against all."""
    if target.choice.of and target.choice.of != there:
        number_of(target.choice, there, print_target(target))
    counted = msgspec.structs.replace(target, choice=msgspec.structs.replace(target.choice, of=0))
    names = sorted({name for each in meant for name in names_of(each)})
    return choose(counted, meant, randomness, having=await _having(target, drivers), known=names)


def _steps(driver: Driver, fault: Fault, found: Sequence[Found], peers: Sequence[Found], draw: int) -> tuple[Step, ...]:
    """What the driver will do, each step with which thing it is done to, where it is one step for each."""
    steps = tuple(driver.plan(fault, found, peers, Randomness(draw)))
    if [step.name for step in steps] != [each.name for each in found]:
        return steps
    return tuple(identified(step, each) for step, each in zip(steps, found, strict=True))


async def renew(planned: PlannedFault, drivers: Drivers) -> PlannedFault:
    """The same fault on the same things as they are now: one that was killed meanwhile runs under another pid.

    Raises FaultError when one is not there any more.
    """
    if planned.only_ends:  # what it ends is known by then, not what is there
        return planned
    fault = planned.fault
    driver = drivers.named(planned.driver)
    try:
        chosen = _again(planned.chosen, await driver.find(fault.target))
        peers = _again(planned.peers, await driver.find(fault.peer)) if fault.peer else ()
        steps = _steps(driver, fault, chosen, peers, planned.draw)
    except InputError as error:  # what was good before the run is nobody's mistake now
        raise FaultError(error.problem.what, where=planned.sentence, got=error.problem.got) from error
    return msgspec.structs.replace(planned, chosen=chosen, peers=peers, steps=steps)


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


async def resolve(
    target: Target, driver: Driver, drivers: Drivers, randomness: Randomness, found: Sequence[Found] | None = None
) -> tuple[Found, ...]:
    """What a target means now. Raises InputError when that is nothing, or not what it says.

    `found`: what the driver has found for it just now, if it was asked.
    """
    if found is None:
        found = await driver.find(target)
    there = {name for each in found for name in names_of(each)}
    # To see all there is may take a login on every host: only an error has need of it.
    known = [] if there.issuperset(named_by(target)) and found else await driver.find(Target(target.kind))
    names = sorted({name for each in known for name in names_of(each)})
    return choose(target, found, randomness, having=await _having(target, drivers), known=names)


async def _having(target: Target, drivers: Drivers) -> dict[str, frozenset[str]]:
    services = target.nodes.services if target.nodes else ()
    return {service: await drivers.nodes_with(service) for service in services}
