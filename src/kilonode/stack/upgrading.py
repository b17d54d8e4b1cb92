"""Bringing services of a stack from one release to the next, one process at a time, over the same data.

What is known here of the order and of the databases is in `migrations`. A process of the new release reads
configuration files of its own; one that does not come up is started again from the old release. Schemas are migrated
once, and never back. When the last process is of the new release, the whole stack is: what is started later is, too.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import InputError, KilonodeError, LabError
from kilonode.base.processes import ProcessIdentity
from kilonode.stack import again
from kilonode.stack.again import StackProcess, stack_processes
from kilonode.stack.bringing_up import (
    SYNC_TIMEOUT_S,
    command_variables,
    configuration_digests,
    configuration_options,
    write_compute,
    write_configuration,
)
from kilonode.stack.commands import run_command
from kilonode.stack.configuration.site import Site
from kilonode.stack.environment import Environment
from kilonode.stack.launch import site_of
from kilonode.stack.migrations import MIGRATIONS, SERVICES, Command
from kilonode.stack.plan import Settings
from kilonode.stack.releases import RELEASES, find_release
from kilonode.stack.running import FOUNDATIONS
from kilonode.stack.services import AGENTS, API_LABELS, COMPUTE, WORKER_FILES

_ORDER: Final = tuple(SERVICES)


def in_order(processes: Collection[StackProcess]) -> list[StackProcess]:
    """Processes in the order in which they are upgraded; what comes from the system's packages first."""
    return sorted(processes, key=lambda one: _ORDER.index(one.services[0]) if one.services[0] in _ORDER else -1)


def project_of(process: StackProcess) -> str:
    """Whose it is; empty: it comes from the system's packages."""
    return SERVICES.get(process.services[0], "")


def processes_to_come(settings: Settings) -> list[StackProcess]:
    """The processes that a stack of these settings will have."""
    services = [*API_LABELS.values(), *WORKER_FILES, *([AGENTS] if settings.network else [])]
    found = [StackProcess(name, (name, *again.ALIASES.get(name, ())), "", None) for name in sorted(FOUNDATIONS)]
    found += [StackProcess(name, (name, *again.ALIASES.get(name, ())), "", None, settings.release) for name in services]
    return found + [
        StackProcess(plan.host, (COMPUTE,), plan.host, None, settings.release) for plan in settings.computes
    ]


def check(process: StackProcess, release: str) -> None:
    """Refuse what cannot be brought to a release: another's, an older one, one after the next. Raises InputError."""
    names = [one.name for one in RELEASES]
    to = names.index(find_release(release).name)
    if not process.release:
        raise InputError(
            f"{process.process} is of no release: it comes from the system's packages",
            where=process.process,
            hint="without to: it is started anew",
        )
    now = names.index(process.release)
    if now - to not in (0, 1):
        raise InputError(
            f"{process.process} cannot be brought from release {process.release} to {release}",
            where="to.release",
            expected=f"the next one, {names[now - 1]}" if now else f"there is none after {process.release}",
            got=release,
        )


def is_installed(state: Path, release: str) -> bool:
    """Whether the services of a release are on this machine. Raises InputError when there is no such release."""
    return Environment(state, find_release(release)).built


async def install(state: Path, name: str, release: str) -> None:
    """Install a release beside that of the stack, and write what its services read. Raises InputError."""
    site = site_of(state, name).of_release(release)
    await site.environment.build()
    _write(site)


async def replace(
    state: Path,
    name: str,
    process: str,
    release: str | None,
    clock: Clock,
    tell: again.Tell = lambda works: None,
) -> ProcessIdentity:
    """End one process in good order and start it, from another release unless that is None; return when it works.

    Raises InputError, and LabError where it does not come up from that release: then it is back from the one before.
    """
    site = site_of(state, name)
    before = again.service_of(site, process).release
    if release is None or release == before:
        return await again.restart(state, name, process, clock, tell)
    await again.end(state, name, process, clock)
    await _note_release(site, process, release, clock)
    try:
        identity = await again.start_again(state, name, process, clock, tell)
    except KilonodeError as error:
        await again.end(state, name, process, clock)
        await _note_release(site, process, before, clock)
        await again.start_again(state, name, process, clock, tell)
        raise LabError(
            f"{process} did not come up from release {release}; it runs from {before} again",
            got=error.problem.what,
            where=str(site.folder.log(process)),
        ) from error
    await _settle(state, name, release, clock)
    return identity


def migrations(
    state: Path, name: str, processes: Collection[str], release: str, *, after: bool
) -> list[tuple[str, Command]]:
    """What has to be done to databases before these processes are replaced, or when they were, and by which project.

    Nothing that was done already; after, only for projects of which nothing of an older release is left. Raises
    InputError.
    """
    done = site_of(state, name).folder.done()
    wanted = wanted_migrations(stack_processes(state, name), processes, release, after=after)
    return [(project, command) for project, command in wanted if _mark(command, release) not in done]


def wanted_migrations(
    found: Sequence[StackProcess], processes: Collection[str], release: str, *, after: bool
) -> list[tuple[str, Command]]:
    """The same, as if nothing had been done yet: `found` are all processes of the stack. Pure."""
    projects = {project_of(one) for one in found if one.process in processes} - {""}
    if not after:
        projects &= {project_of(one) for one in found if one.process in processes and one.release != release}
    if after:
        projects -= {project_of(one) for one in found if one.release != release}
    return [
        (project, command)
        for project in MIGRATIONS
        if project in projects
        for command in (MIGRATIONS[project].after if after else MIGRATIONS[project].before)
    ]


async def migrate(state: Path, name: str, command: Command, release: str, clock: Clock) -> None:
    """Do one of these, with the tools of that release. Raises InputError."""
    site = site_of(state, name).of_release(release)
    project = next(key for key, one in MIGRATIONS.items() if command in (*one.before, *one.after))
    await run_command(
        [site.environment.program(command.program), *configuration_options(site, project, command.files),
         *command.arguments.split()],
        site.folder.commands_log,
        timeout_s=SYNC_TIMEOUT_S,
        variables=command_variables(site),
        what=f"the database of {project} cannot be migrated",
    )  # fmt: skip
    async with again.locked(site.folder, clock):
        site.folder.write_done(site.folder.done() | {_mark(command, release)})


def _mark(command: Command, release: str) -> str:
    return f"{command.words} of {release}"


async def _note_release(site: Site, process: str, release: str, clock: Clock) -> None:
    """From now on this process is started from that release."""
    async with again.locked(site.folder, clock):
        record = site.folder.read_record()
        if record is None:
            raise InputError("the state of the stack is gone", where=str(site.folder.path))
        releases = {**record.releases, process: release}
        if release == record.settings.release:
            del releases[process]
        site.folder.write_record(msgspec.structs.replace(record, releases=releases))
        _write(site_of(site.folder.state, site.folder.name).of_process(process))


async def _settle(state: Path, name: str, release: str, clock: Clock) -> None:
    """Where everything is of that release now, the stack is."""
    if any(one.release not in ("", release) for one in stack_processes(state, name)):
        return
    site = site_of(state, name)
    packages = await site.of_release(release).environment.build()
    async with again.locked(site.folder, clock):
        record = site.folder.read_record()
        if record is None:
            raise InputError("the state of the stack is gone", where=str(site.folder.path))
        settings = msgspec.structs.replace(record.settings, release=release)
        record = msgspec.structs.replace(record, settings=settings, releases={}, packages=packages)
        own = Site(site.folder, Environment(state, find_release(release)), settings, site.ports, site.secrets)
        # Before it is said: what is started from now on reads the files that all of the stack reads.
        _write(own)
        site.folder.write_record(msgspec.structs.replace(record, digests=configuration_digests(own)))


def _write(site: Site) -> None:
    write_configuration(site)
    for plan in site.settings.computes:
        write_compute(site, plan)
