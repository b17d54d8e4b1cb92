"""Bringing a stack up and down: what `kilonode stack` does, as functions.

`up` returns when every hypervisor is up; given again, it goes on where it was stopped, mends what died, or adds
computes. `down` ends every process; with `purge` it removes every file of the stack too.
"""

import resource
import secrets
from pathlib import Path

import msgspec
import yaml

from kilonode.base.clock import NANOSECONDS_PER_SECOND, RealClock
from kilonode.base.errors import InputError
from kilonode.base.files import PRIVATE, write_atomically
from kilonode.base.processes import is_alive
from kilonode.stack.bringing_up import BringingUp, Progress, configuration_digests
from kilonode.stack.configuration.site import ADMIN, DOMAIN, REGION, Site
from kilonode.stack.content import DEMO
from kilonode.stack.environment import Environment
from kilonode.stack.folder import STATE_VERSION, Ports, Secrets, StackFolder, StackRecord, known_stacks
from kilonode.stack.needs import Need, check_all, choose_ports, require
from kilonode.stack.plan import DEFAULT_NAME, Settings, UpSettings, check_name, plan
from kilonode.stack.releases import find_release
from kilonode.stack.running import end_all, end_strays, processes_of


async def up(wanted: UpSettings, progress: Progress, run: str = "") -> StackRecord:
    """Bring a stack up and return when it is ready. Raises InputError.

    `run` names the run it is for.
    """
    check_name(wanted.name)
    clock = RealClock()
    began_ns = clock.now_ns()
    folder = StackFolder(wanted.state, wanted.name)
    with folder.locked():
        if wanted.fresh:
            await end_all(folder, clock, at_once=True)
            folder.remove()
        await end_strays(folder, clock)
        known = folder.read_record()
        settings = plan(wanted, known.settings if known else None)
        running = bool(processes_of(folder))
        _refuse_change_while_running(settings, known, folder, running=running)
        ports = _ports(wanted, known)
        environment = Environment(folder.state, find_release(settings.release))
        require(_needs(wanted, settings, ports, environment, folder, running=running))
        folder.make()
        folder.turn_logs()
        _raise_file_limit()
        releases = known.releases if known else {}
        record = StackRecord(
            STATE_VERSION, wanted.name, settings, ports, releases=releases, run=known.run if known else run
        )
        folder.write_record(record)
        built_ns = clock.now_ns()
        if not environment.built:
            progress.begin(f"installing release {settings.release}")
        packages = await environment.build()
        for release in {*releases.values()}:
            await Environment(folder.state, find_release(release)).build()
        took_s = (clock.now_ns() - built_ns) / NANOSECONDS_PER_SECOND
        progress.end(f"release {settings.release}", took_s, f"nova {packages.get('nova', '')}")
        site = Site(folder, environment, settings, ports, _secrets(folder), releases)
        record = msgspec.structs.replace(record, packages=packages, digests=configuration_digests(site))
        folder.write_record(record)
        write_atomically(folder.clouds_file, _clouds_file(site).encode(), PRIVATE)
        await BringingUp(site, clock, progress).run()
    took_s = (clock.now_ns() - began_ns) / NANOSECONDS_PER_SECOND
    progress.say(f"stack {wanted.name} is up after {took_s:.1f} s: {settings.nodes} nodes")
    for line in how_to_use(folder):
        progress.say(line)
    return record


async def down(state: Path, name: str, progress: Progress, *, purge: bool = False) -> None:
    """End a stack; with `purge` also remove everything it kept. Raises InputError when there is none."""
    check_name(name)
    folder = StackFolder(state, name)
    if not folder.exists:
        raise no_stack(state, name)
    clock = RealClock()
    with folder.locked():
        began_ns = clock.now_ns()
        ended = await end_all(folder, clock, at_once=purge)
        took_s = (clock.now_ns() - began_ns) / NANOSECONDS_PER_SECOND
        progress.say(f"stack {name}: {ended} processes ended in {took_s:.1f} s")
        if purge:
            folder.remove()
            folder.remove_lock()
            progress.say(f"removed {folder.path}")


def no_stack(state: Path, name: str) -> InputError:
    """The error for a stack that is not there."""
    known = known_stacks(state)
    return InputError(
        f"there is no stack {name!r}",
        where=str(state / "stack"),
        expected=", ".join(known) if known else "",
        hint="bring one up with: kilonode stack up" + ("" if name == DEFAULT_NAME else f" --name {name}"),
    )


def needs(wanted: UpSettings) -> list[Need]:
    """Everything that bringing up this stack needs of the machine."""
    check_name(wanted.name)
    folder = StackFolder(wanted.state, wanted.name)
    known = folder.read_record()
    settings = plan(wanted, known.settings if known else None)
    environment = Environment(folder.state, find_release(settings.release))
    running = bool(processes_of(folder))
    return _needs(wanted, settings, _ports(wanted, known), environment, folder, running=running)


def how_to_use(folder: StackFolder) -> list[str]:
    """Lines for people: how to log in, how to run an experiment, how to end it."""
    return [
        f"export OS_CLIENT_CONFIG_FILE={folder.clouds_file}",
        f"openstack --os-cloud {folder.name} hypervisor list",
        f"kilonode run experiments/thousand-nodes.yaml --set 'cloud={{stack: {{name: {folder.name}}}}}'",
        f"end it with: kilonode stack down{folder.name_option}",
    ]


def _needs(
    wanted: UpSettings, settings: Settings, ports: Ports, environment: Environment, folder: StackFolder, *,
    running: bool,
) -> list[Need]:  # fmt: skip
    alive = {record.process for record in folder.services() if is_alive(record.identity)}
    missing = sum(1 for compute in settings.computes if compute.host not in alive)
    found = check_all(environment, folder.path, computes=missing, ports=ports, running=running)
    if wanted.force:
        return [msgspec.structs.replace(need, met=True) if need.name == "memory" else need for need in found]
    return found


def _ports(wanted: UpSettings, known: StackRecord | None) -> Ports:
    if known is None:
        others = (StackFolder(wanted.state, name) for name in known_stacks(wanted.state) if name != wanted.name)
        records = [record for record in (_record_or_none(other) for other in others) if record is not None]
        taken = {port for record in records for port in record.ports.by_name().values()}
        return choose_ports(wanted.port or 0, taken)
    if wanted.port and wanted.port != known.ports.keystone:
        raise InputError(
            "the ports of a stack cannot be changed",
            where="--port",
            expected=str(known.ports.keystone),
            got=str(wanted.port),
            hint="start anew with --fresh",
        )
    return known.ports


def _record_or_none(folder: StackFolder) -> StackRecord | None:
    try:
        return folder.read_record()
    except InputError:
        return None  # another's broken state must not be in the way


def _refuse_change_while_running(
    settings: Settings, known: StackRecord | None, folder: StackFolder, *, running: bool
) -> None:
    """Services read their configuration when they start; a stack must not be half of one and half of another."""
    if known is None or not running:
        return
    changed = [
        field.name
        for field in msgspec.structs.fields(Settings)
        if field.name != "computes" and getattr(settings, field.name) != getattr(known.settings, field.name)
    ]
    if changed:
        raise InputError(
            "a stack that runs cannot be changed so",
            where=", ".join(f"--{name.replace('_', '-').removesuffix('-s')}" for name in changed),
            hint=f"end it first with: kilonode stack down{folder.name_option}",
        )


def _secrets(folder: StackFolder) -> Secrets:
    known = folder.secrets()
    if known is None:
        known = Secrets(*(secrets.token_hex(16) for _ in msgspec.structs.fields(Secrets)))
        folder.write_secrets(known)
    return known


def _clouds_file(site: Site) -> str:
    def entry(user: str, password: str) -> dict[str, object]:
        return {
            "auth": {
                "auth_url": site.identity_url,
                "username": user,
                "password": password,
                "project_name": user,
                "user_domain_name": DOMAIN,
                "project_domain_name": DOMAIN,
            },
            "region_name": REGION,
            "interface": "public",
            "identity_api_version": 3,
        }

    name = site.folder.name
    clouds = {name: entry(ADMIN, site.secrets.admin), f"{name}-{DEMO}": entry(DEMO, site.secrets.demo)}
    heading = f"# Made by `kilonode stack up` for the stack {name!r}; replaced at each start.\n"
    return heading + yaml.safe_dump({"clouds": clouds}, sort_keys=False)


def _raise_file_limit() -> None:
    """Let what we start have as many files open as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def site_of(state: Path, name: str) -> Site:
    """A stack that is there. Raises InputError when there is none."""
    check_name(name)
    folder = StackFolder(state, name)
    record, known = folder.read_record(), folder.secrets()
    if record is None or known is None:
        raise no_stack(state, name)
    environment = Environment(folder.state, find_release(record.settings.release))
    return Site(folder, environment, record.settings, record.ports, known, record.releases)
