"""Disruptions looked at before there is a cloud: what the one that a run would bring up will have to break.

The processes of an emulated cloud follow from the experiment, so a name that nothing has, or a number that is wrong, is
said by `kilonode check`. What other drivers would find shows when the cloud is there; that there is such a driver, now.
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from kilonode.base.clock import RealClock
from kilonode.base.errors import LabError
from kilonode.base.randomness import Randomness
from kilonode.cli.fault_targets import drivers_for, drivers_without_cloud
from kilonode.cli.output import give_json, say
from kilonode.cli.stack_upgrades import StackUpgrades, StackUpgradesToCome
from kilonode.cli.stacks import wanted_stack
from kilonode.cli.state import state_folder
from kilonode.cli.target import settings_of
from kilonode.cli.upgrade_targets import check_version
from kilonode.cloud.folder import CloudRecord
from kilonode.cloud.layout import process_names, role_of, roles_of
from kilonode.cloud.resources import node_name
from kilonode.faults import process_faults
from kilonode.faults.driver import Capability, Driver, Effect, Found, Keep, Step
from kilonode.faults.ending import ENDS
from kilonode.faults.hosts import read_hosts
from kilonode.faults.members import NAME, Member, Members, step_of_unborn
from kilonode.faults.model import Fault, Sentence, Target
from kilonode.faults.planning import PlannedFault, PlannedPart, plan_fault, plan_sentence
from kilonode.faults.powered_nodes import Button, PoweredNode, PoweredNodes
from kilonode.faults.printing import print_fault
from kilonode.faults.registry import Drivers
from kilonode.run.disruption_plans import Occurrence, describe, plan_disruptions
from kilonode.run.experiment import EmulatedCloud, Experiment
from kilonode.run.reading import read_experiment
from kilonode.run.upgrade_serving import Instance, Upgradable
from kilonode.run.upgrades import Version
from kilonode.stack.folder import StackFolder
from kilonode.stack.plan import DEFAULT_NAME


async def foresee(experiment: Experiment, *, resolve: bool = False) -> tuple[Occurrence, ...]:
    """What would be done and when. Raises InputError where it could not be.

    `resolve`: look on the cloud that the experiment names, if that is one that is there already.
    """
    cloud = experiment.cloud
    if not experiment.disruptions:
        return ()
    seed = experiment.seed or 0
    if cloud is None:
        return await _without_cloud(experiment, seed, resolve=resolve)
    existing = cloud.openstack or (cloud.stack.name if cloud.stack is not None else "")
    hosts = Path(experiment.hosts) if experiment.hosts else None
    if resolve and existing:
        drivers_there = drivers_for(existing, RealClock(), hosts)
        return await plan_disruptions(experiment, seed, drivers_there, cloud=_of_stack(experiment))
    if hosts is not None:
        read_hosts(hosts)
    drivers = list(drivers_for(existing, RealClock(), hosts))
    upgradable = _of_stack(experiment)
    if cloud.emulated is not None:
        upgradable = _UpgradesToCome(cloud.emulated)
        ahead: list[Driver] = [ServicesToCome(cloud.emulated), NodesToCome(cloud.emulated)]
        drivers = [*ahead, *(driver for driver in drivers if driver.name not in {each.name for each in ahead})]
    return await plan_disruptions(experiment, seed, Drivers(drivers), _plan, upgradable)


async def _without_cloud(experiment: Experiment, seed: int, *, resolve: bool) -> tuple[Occurrence, ...]:
    drivers = drivers_without_cloud(RealClock(), Path(experiment.hosts) if experiment.hosts else None)
    if resolve:
        return await plan_disruptions(experiment, seed, drivers)
    if experiment.hosts:
        read_hosts(Path(experiment.hosts))
    return await plan_disruptions(experiment, seed, drivers, _plan)


def show_foreseen(file: Path, sets: Sequence[str], *, as_json: bool) -> None:
    """Say for each run of an experiment file what would be done to what, and when."""
    points = read_experiment(file, sets).points
    foreseen = []
    for point in points:
        with point.placing():
            foreseen.append(asyncio.run(foresee(point.experiment, resolve=True)))
    if as_json:
        give_json([tuple(occurrences) for occurrences in foreseen])
    for point, occurrences in zip(points, foreseen, strict=True):
        if len(points) > 1:
            say(f"run {point.number + 1} of {len(points)}:")
        for line in describe_foreseen(point.experiment, occurrences):
            say(line)


def describe_foreseen(experiment: Experiment, occurrences: Sequence[Occurrence]) -> Iterator[str]:
    """What would be done and when, for people."""
    if not occurrences:
        yield "nothing would be disrupted"
        return
    yield from describe(occurrences)
    if experiment.seed is None:
        yield "the file has no seed, so a run may choose others"


async def _plan(
    sentence: Sentence, drivers: Drivers, randomness: Randomness, *, before: Sequence[Step]
) -> tuple[PlannedPart, ...]:
    return await plan_sentence(sentence, drivers, randomness, _plan_one, before)


async def _plan_one(fault: Fault, drivers: Drivers, randomness: Randomness, before: Sequence[Step]) -> PlannedFault:
    ending = fault.action in ENDS
    driver = await (drivers.for_ending(fault, before) if ending else drivers.for_fault(fault))
    if isinstance(driver, ServicesToCome | NodesToCome):
        return await plan_fault(fault, drivers, randomness, before)
    words = f"{print_fault(fault)}: found by the driver {driver.name!r} when the cloud is there"
    step = Step(driver.name, fault.action, "", words)
    return PlannedFault(print_fault(fault), driver.name, fault, (), (), (step,), 0)


class NodesToCome(PoweredNodes):
    """The driver for the nodes of a cloud that is not there yet."""

    def __init__(self, cloud: EmulatedCloud) -> None:
        super().__init__(_ToCome(cloud), RealClock(), lambda name: _ToCome(cloud))


class ServicesToCome:
    """The driver for services of a cloud that is not there yet: finds them, and does nothing."""

    name = NAME

    def __init__(self, cloud: EmulatedCloud) -> None:
        self._members = Members(_ToCome(cloud), RealClock())

    def handles(self, fault: Fault) -> bool:
        """As the driver that will be there."""
        return self._members.handles(fault)

    async def find(self, target: Target) -> Sequence[Found]:
        """What the names will mean."""
        return [msgspec.structs.replace(found, words="") for found in await self._members.find(target)]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """Words for people. Raises InputError for what can be done to no process."""
        process_faults.refuse_impossible(fault)
        lasts = f" for {fault.duration}" if fault.duration else ""
        steps = [step_of_unborn(NAME, fault, each.name) for each in found]
        return [msgspec.structs.replace(step, words=step.words + lasts) for step in steps]

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Nothing is there yet."""
        raise LabError("this cloud is not there yet", where=step.words)

    async def heal(self, step: Step) -> Effect:
        """Nothing is there yet."""
        raise LabError("this cloud is not there yet", where=step.words)

    async def capabilities(self) -> Sequence[Capability]:
        """Those of the driver that will be there."""
        return await self._members.capabilities()


class _ToCome:
    """The processes that an emulated cloud will have."""

    cloud = "to come"
    folder: Path | None = None

    def __init__(self, cloud: EmulatedCloud) -> None:
        self._settings = settings = settings_of(cloud, 0)
        record = CloudRecord(0, settings, "sqlite", cloud.roles == "together", "", 0)
        self._members = [
            Member(name, tuple(dict.fromkeys(map(role_of, roles_of(name, settings.roles)))), None)
            for name in process_names(record)
        ]

    async def members(self) -> Sequence[Member]:
        return self._members

    async def restart(self, name: str) -> None:
        raise LabError("this cloud is not there yet", where=name)

    async def nodes(self) -> Sequence[PoweredNode]:
        names = map(node_name, range(self._settings.nodes))
        regions = [f"{site.region}." for site in self._settings.sites] or [""]
        return [PoweredNode(f"{region}{name}", on=True) for name in names for region in regions]

    async def press(self, name: str, button: Button) -> None:
        raise LabError("this cloud is not there yet", where=name)


def _of_stack(experiment: Experiment) -> Upgradable | None:
    """What can be upgraded of the stack that an experiment is about, there or not yet; None: it is about none."""
    stack = experiment.cloud.stack if experiment.cloud is not None else None
    if stack is None:
        return None
    if stack.name and StackFolder(state_folder(), stack.name).exists:
        return StackUpgrades(state_folder(), stack.name, RealClock())
    return StackUpgradesToCome(wanted_stack(state_folder(), stack.name or DEFAULT_NAME, stack))


class _UpgradesToCome(Upgradable):
    """The same processes, as upgrades see them."""

    def __init__(self, cloud: EmulatedCloud) -> None:
        self._to_come = _ToCome(cloud)

    async def instances(self) -> Sequence[Instance]:
        return [Instance(one.name, one.services, "", "", serves=False) for one in await self._to_come.members()]

    async def check(self, names: Sequence[str], to: Version | None, *, together: bool = False) -> None:
        check_version(await self.instances(), names, to, together=together)

    async def replace(self, name: str, to: Version | None) -> None:
        raise LabError("this cloud is not there yet", where=name)

    async def take_back(self, name: str) -> None:
        raise LabError("this cloud is not there yet", where=name)
