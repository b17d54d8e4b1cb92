"""Which roles a cloud has, and which processes they run in: names only, so that whoever needs them imports no role."""

from typing import Final

from kilonode.base.errors import InputError, nearest
from kilonode.cloud.folder import CloudRecord
from kilonode.cloud.role_counts import RoleCounts, names_of

API: Final = "api"
"""Answers HTTP: all services in one application."""
SCHEDULER: Final = "scheduler"
"""Gives servers their places."""
FLEET: Final = "fleet"
"""Is the nodes, or a share of them."""
VOLUME: Final = "volume"
"""Takes volumes and snapshots through their statuses."""
NETWORK: Final = "network"
"""Plugs ports, where the profile says that takes time."""
IMAGE: Final = "image"
"""Takes images through their statuses, where the profile says that takes time."""
CONTROLLERS: Final = (VOLUME, NETWORK, IMAGE)
"""The roles of which there is one, and which share a process unless they are given one each."""
SHARED: Final = "controllers"
"""The process of the controllers that have none of their own."""
ALL_IN_ONE: Final = "cloud"
"""The name of the one process that is all roles."""


def role_of(name: str) -> str:
    """The role that one of its processes is named after: `fleet` of `fleet-2`."""
    return name.partition("-")[0]


def role_names(counts: RoleCounts) -> list[str]:
    """All roles of a cloud; each share of the work is a role of its own."""
    shared = [name for name in (API, SCHEDULER) for name in names_of(name, getattr(counts, name))]
    return [*shared, *CONTROLLERS, *names_of(FLEET, counts.fleet)]


def process_names(record: CloudRecord) -> list[str]:
    """The processes that make up a cloud."""
    if record.all_in_one:
        return [ALL_IN_ONE]
    counts = record.settings.roles
    names = [name for name in role_names(counts) if name not in CONTROLLERS or getattr(counts, name)]
    if any(not getattr(counts, name) for name in CONTROLLERS):
        names.insert(counts.api + counts.scheduler, SHARED)
    return names


def roles_of(process: str, counts: RoleCounts) -> list[str]:
    """The roles that run in a process."""
    if process == ALL_IN_ONE:
        return role_names(counts)
    if process == SHARED:
        return [name for name in CONTROLLERS if not getattr(counts, name)]
    return [process]


def chosen(wanted: list[str], names: list[str]) -> list[str]:
    """The processes of a cloud that are meant by names of processes or of roles, each once; all for none.

    Raises InputError for a name that means nothing here.
    """
    found: dict[str, None] = {}
    for one in wanted or names:
        meant = [name for name in names if one in (name, role_of(name))]
        if not meant:
            raise InputError(
                "the cloud has no such process",
                where=one,
                expected=f"one of {', '.join(dict.fromkeys([*names, *map(role_of, names)]))}",
                hint=nearest(one, names),
            )
        found.update(dict.fromkeys(meant))
    return list(found)
