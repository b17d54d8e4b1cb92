"""Which roles a cloud has, and which processes they run in: names only, so that whoever needs them imports no role.

The processes of a cloud with several sites have the region before their name: `RegionTwo.api-1`.
"""

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


_OF_SITE: Final = "."


def role_of(name: str) -> str:
    """The role that one of its processes is named after: `fleet` of `fleet-2` and of `RegionTwo.fleet-2`."""
    return name.rpartition(_OF_SITE)[2].partition("-")[0]


def region_of(process: str) -> str:
    """The region whose site a process belongs to; empty in a cloud without sites."""
    return process.rpartition(_OF_SITE)[0]


def role_names(counts: RoleCounts) -> list[str]:
    """All roles of a cloud; each share of the work is a role of its own."""
    shared = [name for name in (API, SCHEDULER) for name in names_of(name, getattr(counts, name))]
    return [*shared, *CONTROLLERS, *names_of(FLEET, counts.fleet)]


def process_names(record: CloudRecord) -> list[str]:
    """The processes that make up a cloud."""
    names = names_of_site(record.settings.roles, all_in_one=record.all_in_one)
    if not record.settings.sites:
        return names
    return [f"{site.region}{_OF_SITE}{name}" for site in record.settings.sites for name in names]


def names_of_site(counts: RoleCounts, *, all_in_one: bool) -> list[str]:
    """The processes of one site, without its region."""
    if all_in_one:
        return [ALL_IN_ONE]
    names = [name for name in role_names(counts) if name not in CONTROLLERS or getattr(counts, name)]
    if any(not getattr(counts, name) for name in CONTROLLERS):
        names.insert(counts.api + counts.scheduler, SHARED)
    return names


def roles_of(process: str, counts: RoleCounts) -> list[str]:
    """The roles that run in a process."""
    name = process.rpartition(_OF_SITE)[2]
    if name == ALL_IN_ONE:
        return role_names(counts)
    if name == SHARED:
        return [name for name in CONTROLLERS if not getattr(counts, name)]
    return [name]


def chosen(wanted: list[str], names: list[str]) -> list[str]:
    """The processes of a cloud that are meant by names of processes, roles or regions, each once; all for none.

    Raises InputError for a name that means nothing here.
    """
    found: dict[str, None] = {}
    for one in wanted or names:
        meant = [name for name in names if one in _meaning(name)]
        if not meant:
            words = dict.fromkeys([*names, *(word for name in names for word in _meaning(name))])
            raise InputError(
                "the cloud has no such process",
                where=one,
                expected=f"one of {', '.join(words)}",
                hint=nearest(one, words),
            )
        found.update(dict.fromkeys(meant))
    return list(found)


def _meaning(process: str) -> list[str]:
    """The names that mean a process, perhaps among others."""
    region = region_of(process)
    return [process, role_of(process), *([region] if region else [])]
