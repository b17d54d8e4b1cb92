"""The cloud of a run: brought up for it, named in `clouds.yaml`, simulated in-process, or none at all."""

import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from kilonode.base.clock import Clock, RealClock
from kilonode.base.errors import InputError
from kilonode.base.processes import identify
from kilonode.cli.connecting import real_access
from kilonode.cli.fault_targets import drivers_for, drivers_without_cloud
from kilonode.cli.process_sources import CloudProcesses, StackProcesses
from kilonode.cli.stack_upgrades import StackUpgrades
from kilonode.cli.stacks import (
    Note,
    StackKeeper,
    StackServices,
    service_facts,
    stack_facts,
    stack_for,
    stack_meters,
    stack_name,
)
from kilonode.cli.state import state_folder
from kilonode.cli.upgrade_targets import CloudUpgrades
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connections import OpenTransport
from kilonode.cloud import launch
from kilonode.cloud.access import AccessFacts, access_facts
from kilonode.cloud.context import CloudSettings, Weights
from kilonode.cloud.folder import StateFolder
from kilonode.cloud.role_counts import RoleCounts
from kilonode.cloud.sites import with_sites
from kilonode.cloud.usage import CloudServices
from kilonode.faults.registry import Drivers
from kilonode.run.census import ServiceSource
from kilonode.run.costs import Meter
from kilonode.run.deaths import ProcessSource
from kilonode.run.environment import ServiceFacts
from kilonode.run.experiment import EmulatedCloud, Experiment, RoleProcesses, StackCloud
from kilonode.run.interruption import Interruption
from kilonode.run.upgrade_serving import Upgradable
from kilonode.stack.content import admin_access

OWN_CLOUD_PREFIX = "run-"
"""The emulated cloud that a run brings up is named by this and the run's id."""


@dataclass(frozen=True, slots=True)
class Target:
    """The cloud a run is about."""

    access: Access | None
    """None: the experiment has no cloud."""
    open_transport: OpenTransport | None = None
    """None: sockets."""
    name: str = ""
    emulated: bool = False
    nodes: int | None = None
    services: ServiceSource | None = None
    """Which processes the cloud's services are; None: they run elsewhere, or on virtual time."""
    meters: tuple[Meter, ...] = ()
    """What servers of the cloud say of themselves."""
    processes: ProcessSource | None = None
    """Which processes it should have; None: they run elsewhere, or on virtual time."""
    drivers: Drivers | None = None
    """What can break it; None: nothing can."""
    upgradable: Upgradable | None = None
    """Whose processes can be replaced; None: nobody's."""
    software: tuple[ServiceFacts, ...] = ()
    """What the cloud runs on, where that is known."""
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)
    """What else about the cloud can change a figure."""


@contextlib.asynccontextmanager
async def target_of(
    experiment: Experiment,
    run_id: str,
    seed: int,
    clock: Clock,
    interruption: Interruption,
    *,
    note: Note,
    keeper: StackKeeper | None = None,
) -> AsyncIterator[Target]:
    """Bring up, or find, the cloud of an experiment; take down afterwards what was brought up.

    `note` gets lines for people while that lasts. `keeper` keeps a stack for later runs instead.

    Raises InputError when that is impossible, AbortError when the user would not wait for it.
    """
    cloud = experiment.cloud
    if cloud is None:
        yield Target(None) if clock.simulated else _breakable(Target(None), experiment)
    elif cloud.emulated is not None and clock.simulated:
        async with _simulated(cloud.emulated, seed, clock, disrupted=bool(experiment.disruptions)) as target:
            yield target
    elif cloud.emulated is not None:
        async with _emulated(cloud.emulated, run_id, seed, interruption) as target:
            yield _breakable(target, experiment)
    elif clock.simulated:
        raise InputError(
            "a real cloud cannot be simulated",
            where="cloud.stack" if cloud.stack is not None else "cloud.openstack",
            got="real services" if cloud.stack is not None else str(cloud.openstack),
            hint="run without --simulated, or try --set cloud='{emulated: {nodes: 100}}'",
        )
    elif cloud.stack is not None:
        async with _stack(cloud.stack, run_id, clock, interruption, note, keeper) as target:
            yield _breakable(target, experiment)
    else:
        access = real_access(cloud.openstack)
        yield _breakable(Target(access, name=cloud.openstack or access.cloud), experiment)


def _breakable(target: Target, experiment: Experiment) -> Target:
    """The same cloud with what can break it, where the experiment wants that."""
    if not experiment.disruptions:
        return target
    hosts = Path(experiment.hosts) if experiment.hosts else None
    if experiment.cloud is None:
        return replace(target, drivers=drivers_without_cloud(RealClock(), hosts))
    return replace(target, drivers=drivers_for(target.name, RealClock(), hosts))


def cloud_name(experiment: Experiment, run_id: str, keeper: StackKeeper | None, *, simulated: bool) -> str:
    """The name of the cloud that the run will be about, as its record has it; empty while it is not known."""
    if experiment.cloud is None or simulated:
        return ""
    if experiment.cloud.stack is not None:
        return stack_name(experiment, run_id, keeper)
    return own_cloud_name(run_id) if experiment.cloud.emulated is not None else experiment.cloud.openstack or ""


def own_cloud_name(run_id: str) -> str:
    """The name of the emulated cloud that this run brings up for itself."""
    return f"{OWN_CLOUD_PREFIX}{run_id}"


def access_of(facts: AccessFacts, cloud: str) -> Access:
    """What a client needs, from what the emulated cloud says."""
    return Access(
        auth_url=facts.auth_url,
        cloud=cloud,
        username=facts.username,
        user_domain_name=facts.user_domain_name,
        password=facts.password,
        project_name=facts.project_name,
        project_domain_name=facts.project_domain_name,
        region_name=facts.region_name,
    )


@contextlib.asynccontextmanager
async def _emulated(cloud: EmulatedCloud, run_id: str, seed: int, interruption: Interruption) -> AsyncIterator[Target]:
    """A cloud of processes of its own, started as `kilonode cloud up` does, and removed with its data.

    Should this process be killed, the cloud's processes end by themselves; `kilonode cleanup` removes its data.
    """
    state, name = state_folder(), own_cloud_name(run_id)
    settings = launch.UpSettings(
        state=state,
        name=name,
        nodes=cloud.nodes,
        stages=cloud.stages,
        scheduler=cloud.scheduler,
        weights=msgspec.structs.asdict(cloud.weights),
        service_down_time_s=float(cloud.service_down_time),
        heartbeat_s=float(cloud.heartbeat),
        seed=seed,
        all_in_one=cloud.roles == "together",
        roles=_processes(cloud),
        sites=cloud.sites,
        port=0,
        owner=identify(os.getpid()),
    )
    try:
        status = await interruption.unless_requested(launch.up(settings, lambda line: None))
        folder = StateFolder(state, name)
        record, secrets = folder.read_record(), folder.secrets()
        if record is None or secrets is None:
            raise InputError("the emulated cloud's state is gone", where=status.folder)
        whole = msgspec.structs.replace(record.settings, secrets=secrets)
        access = access_of(access_facts(whole), name)
        yield Target(
            access,
            name=name,
            emulated=True,
            nodes=cloud.nodes,
            services=CloudServices(folder),
            processes=CloudProcesses(folder),
            upgradable=CloudUpgrades(folder),
        )
    finally:
        with contextlib.suppress(InputError):
            await launch.down(state, name, lambda line: None, purge=True)


@contextlib.asynccontextmanager
async def _stack(
    cloud: StackCloud, run_id: str, clock: Clock, interruption: Interruption, note: Note, keeper: StackKeeper | None
) -> AsyncIterator[Target]:
    """Real services of this machine. Should this process be killed, they stay, and `kilonode cleanup` ends them."""
    async with stack_for(cloud, run_id, interruption, note, keeper) as site:
        meters = stack_meters(site, clock)
        try:
            yield Target(
                admin_access(site),
                name=site.folder.name,
                nodes=site.settings.nodes,
                services=StackServices(site),
                processes=StackProcesses(site.folder),
                meters=meters,
                upgradable=StackUpgrades(site.folder.state, site.folder.name, clock),
                software=service_facts(site),
                settings=stack_facts(site),
            )
        finally:
            for meter in meters:
                await meter.close()


def _processes(cloud: EmulatedCloud) -> dict[str, int] | None:
    """How many processes roles have, where that is said."""
    return msgspec.structs.asdict(cloud.roles) if isinstance(cloud.roles, RoleProcesses) else None


@contextlib.asynccontextmanager
async def _simulated(cloud: EmulatedCloud, seed: int, clock: Clock, *, disrupted: bool) -> AsyncIterator[Target]:
    """The same cloud inside this event loop, on virtual time; with processes to break where it is `disrupted`."""
    from kilonode.cli.simulated_target import simulated_cloud  # the whole emulator: no other run waits for it

    together = cloud.roles == "together"
    async with simulated_cloud(settings_of(cloud, seed), clock, together=together, disrupted=disrupted) as simulated:
        yield Target(
            access_of(simulated.access, "simulated"),
            open_transport=simulated.open_transport,
            name="simulated",
            emulated=True,
            nodes=cloud.nodes,
            drivers=simulated.drivers,
            upgradable=simulated.upgradable,
        )


def settings_of(cloud: EmulatedCloud, seed: int) -> CloudSettings:
    """The settings of an emulated cloud that is not there yet, or only simulated."""
    settings = CloudSettings(
        nodes=cloud.nodes,
        stages=cloud.stages,
        scheduler=cloud.scheduler,
        weights=Weights(**msgspec.structs.asdict(cloud.weights)),
        service_down_time_s=float(cloud.service_down_time),
        heartbeat_s=float(cloud.heartbeat),
        roles=RoleCounts(**(_processes(cloud) or {})),
        seed=seed,
        public_url="http://cloud.simulated",
    )
    urls = [settings.public_url, *(f"http://site-{number}.simulated" for number in range(2, cloud.sites + 1))]
    return with_sites(settings, urls)
