"""The stack that a run is about: one of its own, one that a campaign keeps between its points, or one that is up.

A run that names no stack gets one of its own, brought up for it and removed after it with everything in it. The points
of a campaign that want the same stack share it. A stack that was named is only used.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from kilonode.base.clock import Clock
from kilonode.base.errors import InputError
from kilonode.base.processes import ProcessIdentity
from kilonode.cli.stack_delays import delays_of
from kilonode.cli.state import state_folder
from kilonode.clients.openstack.access import Access
from kilonode.run.environment import ServiceFacts
from kilonode.run.experiment import Experiment, StackCloud
from kilonode.run.interruption import Interruption
from kilonode.stack import launch
from kilonode.stack.configuration.site import Site
from kilonode.stack.content import admin_access
from kilonode.stack.folder import StackFolder
from kilonode.stack.meters import MariaMeter, RabbitMeter
from kilonode.stack.plan import UpSettings, plan
from kilonode.stack.status import alive_processes, dead_processes

Note = Callable[[str], None]
"""Takes lines for people."""

OWN_PREFIX: Final = "run-"


class Steps:
    """The steps of a stack that comes up, as notes of the run."""

    def __init__(self, note: Note) -> None:
        self._note = note

    def begin(self, step: str) -> None:
        """See `kilonode.stack.bringing_up.Progress`."""

    def end(self, step: str, took_s: float, note: str) -> None:
        """See `kilonode.stack.bringing_up.Progress`."""
        self._note(f"{took_s:7.1f} s  {step}" + (f": {note}" if note else ""))

    def say(self, line: str) -> None:
        """See `kilonode.stack.bringing_up.Progress`."""


class StackServices:
    """Which processes the services of a stack are now."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def services(self) -> Mapping[str, Sequence[ProcessIdentity]]:
        """See `kilonode.run.census.ServiceSource`."""
        return alive_processes(self._site)


class StackKeeper:
    """Keeps the stack of a campaign from one point to the next, as long as they want the same."""

    def __init__(self, name: str) -> None:
        self.name = name
        """How the campaign's stack is called: the same when the campaign is taken up again."""

    async def let_go(self, note: Note) -> None:
        """Remove the stack, with everything in it, if there is one."""
        with contextlib.suppress(InputError):
            await launch.down(state_folder(), self.name, Steps(note), purge=True)

    async def clear_for(self, wanted: UpSettings, note: Note) -> None:
        """Remove the stack when it is not the one that is wanted now."""
        folder = StackFolder(wanted.state, self.name)
        record = folder.read_record() if folder.exists else None
        fresh = plan(wanted, None)
        if record is not None and record.settings != fresh:
            await self.let_go(note)


@contextlib.asynccontextmanager
async def stack_for(
    cloud: StackCloud, run_id: str, interruption: Interruption, note: Note, keeper: StackKeeper | None
) -> AsyncIterator[Site]:
    """The stack that an experiment wants, ready. Raises InputError, or AbortError when the user would not wait."""
    state = state_folder()
    if cloud.name:
        yield _running(state, cloud)
        return
    name = keeper.name if keeper is not None else own_stack_name(run_id)
    wanted = wanted_stack(state, name, cloud)
    try:
        if keeper is not None:
            await keeper.clear_for(wanted, note)
        await interruption.unless_requested(launch.up(wanted, Steps(note), run=run_id))
        yield launch.site_of(state, name)
    finally:
        if keeper is None:
            with contextlib.suppress(InputError):
                await launch.down(state, name, Steps(lambda line: None), purge=True)


def own_stack_name(run_id: str) -> str:
    """The name of the stack that this run brings up for itself."""
    return f"{OWN_PREFIX}{run_id}"


def stack_name(experiment: Experiment, run_id: str, keeper: StackKeeper | None) -> str:
    """The name of the stack that a run will be about, before it is there; empty when it is about none."""
    if experiment.cloud is None or experiment.cloud.stack is None:
        return ""
    return experiment.cloud.stack.name or (keeper.name if keeper is not None else own_stack_name(run_id))


def stack_access(name: str, state: Path) -> Access:
    """How to log in to a stack of this machine. Raises InputError."""
    return admin_access(launch.site_of(state, name))


def stack_meters(site: Site, clock: Clock) -> tuple[RabbitMeter, MariaMeter]:
    """What the broker and the database of a stack say of themselves."""
    return RabbitMeter(site, clock), MariaMeter(site)


def service_facts(site: Site) -> tuple[ServiceFacts, ...]:
    """The version and the configuration of each service, as they run."""
    record = site.folder.read_record()
    packages, digests = (record.packages, record.digests) if record else ({}, {})
    names = {"openstack-placement": "placement"}
    facts = [
        ServiceFacts(names.get(package, package), version, digests.get(names.get(package, package), ""))
        for package, version in packages.items()
    ]
    return tuple(facts)


def stack_facts(site: Site) -> dict[str, str | int | bool]:
    """What else of a stack can change a figure."""
    settings = site.settings
    return {
        "release": settings.release,
        "nodes": settings.nodes,
        "nova-compute processes": len(settings.computes),
        "processes of each API and of the conductor": settings.workers,
        "network": settings.network,
        "password hash rounds (log2)": settings.password_rounds,
        "report interval (s; 0: Nova's default)": settings.report_interval_s,
        "spawn delay": bool(settings.delays.spawn_s),
        "clocks can be told": settings.clocks,
    }


async def remove_own_stack(name: str, state: Path, note: Note) -> bool:
    """Remove a stack that a run made for itself; False when it is gone already."""
    if not StackFolder(state, name).exists:
        return False
    await launch.down(state, name, Steps(note), purge=True)
    return True


def wanted_stack(state: Path, name: str, cloud: StackCloud) -> UpSettings:
    """What has to be brought up for an experiment that says this of its stack."""
    return UpSettings(
        state=state,
        name=name,
        nodes=cloud.nodes,
        computes=cloud.computes,
        release=cloud.release,
        network=cloud.network,
        workers=cloud.workers,
        report_interval_s=round(float(cloud.report_interval)) if cloud.report_interval is not None else None,
        delays=delays_of(cloud.stages) if cloud.stages else None,
        clocks=cloud.clocks,
    )


def _running(state: Path, cloud: StackCloud) -> Site:
    """A stack that was named. Raises InputError when it is not up, half dead, or not what the experiment says."""
    site = launch.site_of(state, cloud.name)
    option = site.folder.name_option
    dead = dead_processes(site)
    if dead:
        down = not any(alive_processes(site).values())
        shown = ", ".join(dead[:5]) + (f" and {len(dead) - 5} more" if len(dead) > 5 else "")
        raise InputError(
            f"stack {cloud.name!r} is down" if down else f"stack {cloud.name!r} is half dead",
            where="cloud.stack.name",
            expected="all its processes run",
            got="none runs" if down else f"not running: {shown}",
            hint=f"bring it up with: kilonode stack up{option}" if down else f"mend it with: kilonode stack up{option}",
        )
    settings = site.settings
    actual = {"nodes": settings.nodes, "computes": len(settings.computes), "release": settings.release,
              "network": settings.network, "clocks": settings.clocks}  # fmt: skip
    for key, value in actual.items():
        wanted = getattr(cloud, key)
        if wanted is not None and wanted != value:
            raise InputError(
                f"stack {cloud.name!r} is not what the experiment says",
                where=f"cloud.stack.{key}",
                expected=str(wanted),
                got=str(value),
                hint=f"leave cloud.stack.{key} out, or change the stack with: kilonode stack up{option}",
            )
    return site
