"""Operating a cloud that runs: which processes it has, who they are, and putting others in their place.

For commands, and for whatever disturbs or upgrades a cloud on purpose: `processes` names its targets, `restart`
replaces them without a request being lost. Killing and freezing need nothing from here but the identities.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.base.processes import ProcessIdentity, is_alive
from kilonode.base.usage import uptime_s
from kilonode.cloud.commands import ProcessChange
from kilonode.cloud.control_channel import RestartRequest, ask
from kilonode.cloud.folder import ProcessState, ProcessTable, StateFolder
from kilonode.cloud.layout import API, chosen, role_of, roles_of
from kilonode.cloud.profiles import known_profiles, load_profile
from kilonode.cloud.role_counts import RoleCounts

__all__ = [
    "CloudProcess",
    "ProcessChange",
    "check_stages",
    "of_table",
    "processes",
    "refuse_others_than_apis",
    "restart",
]


AS_IT_IS: Final = ProcessChange()


class CloudProcess(msgspec.Struct, frozen=True):
    """One process of a cloud."""

    name: str
    """Such as `api`, or `api-2` where there are several; `controllers` and `cloud` are several roles in one."""
    roles: tuple[str, ...]
    """The roles that run in it: `api`, `scheduler`, `fleet`, `volume` …, each named once."""
    state: ProcessState
    ready: bool
    """It does its work. One that is frozen, or stuck, still says so."""
    identity: ProcessIdentity | None
    """None while there is none."""
    version: str
    restarts: int
    replacements: int
    uptime_s: float | None
    """Since when this very process runs; None while there is none."""
    last_exit: str


def processes(folder: StateFolder) -> tuple[CloudProcess, ...]:
    """The processes of a cloud; none when it is down. Raises InputError when there is no such cloud."""
    record = folder.read_record()
    if record is None:
        raise _no_cloud(folder)
    return of_table(folder.read_processes(), record.settings.roles)


def of_table(table: ProcessTable | None, counts: RoleCounts) -> tuple[CloudProcess, ...]:
    """The processes that a supervisor told of, if it still runs."""
    if table is None or not is_alive(table.supervisor):
        return ()
    return tuple(
        CloudProcess(
            name=one.name,
            roles=tuple(dict.fromkeys(role_of(role) for role in roles_of(one.name, counts))),
            state=one.state,
            ready=one.ready,
            identity=one.identity,
            version=one.version,
            restarts=one.restarts,
            replacements=one.replacements,
            uptime_s=uptime_s(one.identity) if one.identity is not None else None,
            last_exit=one.last_exit,
        )
        for one in table.processes
    )


async def restart(
    folder: StateFolder,
    names: Sequence[str] = (),
    change: ProcessChange = AS_IT_IS,
    report: Callable[[str], None] = lambda line: None,
    *,
    together: bool = False,
) -> tuple[CloudProcess, ...]:
    """Replace processes, one after the other, without a request being lost; all of them when none is named.

    `together`: all at one instant, when each new one could begin; of processes that answer requests and do no more.
    `names` are of processes or of roles; `change` is what is to be different about them. Returns those that were
    replaced, as they are now. Raises InputError, or LabError when a replacement did not come up: then the process that
    it was to replace goes on, and those after it were not touched.
    """
    record = folder.read_record()
    if record is None:
        raise _no_cloud(folder)
    found = processes(folder)
    if not found:
        raise InputError("the cloud is not running", where=str(folder.path), hint="start it with: kilonode cloud up")
    if record.store == "memory":
        raise InputError(
            "this cloud keeps its data in the memory of its one process, which cannot be replaced",
            where=str(folder.path),
            hint="use a cloud with --store sqlite",
        )
    wanted = chosen(list(names), [one.name for one in found])
    if together:
        refuse_others_than_apis({one.name: one.roles for one in found if one.name in wanted})
    if change.stages is not None:
        check_stages(change.stages)
    async for said in ask(folder.path, RestartRequest(tuple(wanted), change, together)):
        report(said)
    return tuple(one for one in processes(folder) if one.name in wanted)


def refuse_others_than_apis(roles: Mapping[str, Sequence[str]]) -> None:
    """Raise InputError for processes of which old and new cannot work side by side, by name and roles."""
    for name, does in roles.items():
        if set(does) != {API}:
            raise InputError(
                f"{name} cannot take over while the one before still works",
                where=name,
                expected="processes that answer requests and do nothing else: api",
                got=", ".join(does),
            )


def check_stages(name: str) -> None:
    """Refuse a stage profile with anything wrong. Raises InputError."""
    if name in known_profiles():
        return
    # Only here: it takes half a second to import all services, and nothing else of `up` or `restart` needs them.
    from kilonode.cloud.openstack.application import operations

    load_profile(name, operations())


def _no_cloud(folder: StateFolder) -> InputError:
    return InputError(
        f"there is no emulated cloud {folder.name!r}", where=str(folder.path), hint="see: kilonode cloud status"
    )
