"""Finding what runs have made and not removed.

A resource is a run's own when its name says so (see `kilonode.run.naming`). Two kinds have no such name: a floating IP
is the run's own when its description says so or its project is the run's own; the group `default`, which a network
service makes in every project by itself, when its project is. What comes is sorted out here, exactly; servers, users
and projects, of which a cloud has most, are asked for by the beginning of the name, so that a cleanup does not read a
whole cloud. The other services know no such question: there whole lists are read.

Administrators see what all projects have; others see their own project, and then what they could not see is said.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from kilonode.base.errors import InputError, OperationError
from kilonode.clients.openstack.connection import Connection
from kilonode.run.naming import run_of
from kilonode.scenarios.naming import run_prefix

REFUSALS: Final = frozenset({400, 401, 403, 404, 405})
"""Answers to a question that this user may not, or cannot, ask there."""

DEFAULT_GROUP: Final = "default"
NAMES_BEGIN: Final = "kn-"

Query = Sequence[tuple[str, str]]


class Leftover(msgspec.Struct, frozen=True):
    """One resource that a run has made and that is still there."""

    kind: str
    """A name out of `KINDS`."""
    id: str
    name: str
    run_id: str
    project_id: str = ""
    user_id: str = ""
    """Whose it is, for key pairs; else empty."""


class Kind(msgspec.Struct, frozen=True):
    """How one kind of resource is listed and deleted."""

    name: str
    service: str
    """The attribute of a connection."""
    path: str
    """Of the list; `path/<id>` deletes."""
    collection: str
    """The key of the list in the answer."""
    everything: Query = ()
    """What an administrator adds to see all projects; left out when the service refuses it."""
    by_name: str = ""
    """The filter that takes a part of the name, where the service has one that at least everything of a run passes."""
    delete_path: str = ""
    """Of one resource, without the id, where it differs from the list's."""


KINDS: Final[tuple[Kind, ...]] = (
    Kind("server", "compute", "/servers/detail", "servers", (("all_tenants", "true"),), "name", "/servers"),
    Kind("floating_ip", "network", "/floatingips", "floatingips"),
    Kind("snapshot", "volume", "/snapshots/detail", "snapshots", (("all_tenants", "true"),), "", "/snapshots"),
    Kind("volume", "volume", "/volumes/detail", "volumes", (("all_tenants", "true"),), "", "/volumes"),
    Kind("router", "network", "/routers", "routers"),
    Kind("port", "network", "/ports", "ports"),
    Kind("subnet", "network", "/subnets", "subnets"),
    Kind("network", "network", "/networks", "networks"),
    Kind("security_group", "network", "/security-groups", "security_groups"),
    Kind("keypair", "compute", "/os-keypairs", "keypairs"),
    Kind("image", "image", "/images", "images", (("visibility", "all"),)),
    Kind("flavor", "compute", "/flavors/detail", "flavors", (("is_public", "None"),), "", "/flavors"),
    Kind("user", "identity", "/users", "users", by_name="name__startswith"),
    Kind("project", "identity", "/projects", "projects", by_name="name__startswith"),
)
"""In the order of deletion: what uses something goes before what it uses."""


class Found(msgspec.Struct, frozen=True):
    """What a search found, and which kinds it could not look for."""

    leftovers: tuple[Leftover, ...]
    unseen: tuple[str, ...]
    """Kind and reason, for the reader."""


async def find_leftovers(connection: Connection, run_id: str | None = None) -> Found:
    """Everything that the run `run_id` (None: any run) has left on the cloud, in the order of deletion."""
    by_kind: dict[str, list[Leftover]] = {kind.name: [] for kind in KINDS}
    unseen: list[str] = []
    for kind in reversed(KINDS):  # projects and users first: what has no name of its own is found through them
        if not has_service(connection, kind.service):
            continue
        owners = {owner.id: owner.run_id for owner in by_kind["user" if kind.name == "keypair" else "project"]}
        try:
            by_kind[kind.name] = await find_kind(connection, kind, run_id, owners)
        except OperationError as error:
            if error.status not in REFUSALS:
                raise
            unseen.append(f"{kind.name}: {error.message}")
    return Found(tuple(leftover for found in by_kind.values() for leftover in found), tuple(unseen))


async def find_kind(
    connection: Connection, kind: Kind, run_id: str | None, owners: Mapping[str, str]
) -> list[Leftover]:
    """The leftovers of one kind. Raises OperationError.

    `owners` are the projects that runs have made, or for key pairs the users, id to run id.
    """
    if kind.name == "keypair":
        found = await _keypairs(connection, kind, owners)
    else:
        named = ((kind.by_name, run_prefix(run_id) if run_id else NAMES_BEGIN),) if kind.by_name else ()
        found = [_leftover(kind, item, owners) for item in await list_everything(connection, kind, named)]
    return [leftover for leftover in found if leftover.run_id and run_id in (None, leftover.run_id)]


def has_service(connection: Connection, name: str) -> bool:
    """Whether the cloud's catalog has the service."""
    try:
        connection.service(name)
    except InputError:
        return False
    return True


async def list_everything(connection: Connection, kind: Kind, named: Query = ()) -> list[dict[str, Any]]:
    """Every resource of the kind that this user can see, in all projects if it may. Raises OperationError.

    `named` narrows it down; a service that refuses a question is asked a wider one.
    """
    service = connection.service(kind.service)
    for query in dict.fromkeys(((*kind.everything, *named), tuple(kind.everything), tuple(named))):
        if query:
            try:
                return list(await service.list_all(kind.path, kind.collection, query))
            except OperationError as error:
                if error.status not in REFUSALS:
                    raise
    return list(await service.list_all(kind.path, kind.collection))


def _leftover(kind: Kind, item: dict[str, Any], owners: Mapping[str, str]) -> Leftover:
    name = str(item.get("name") or "")
    project_id = str(item.get("project_id") or item.get("tenant_id") or item.get("owner") or "")
    run_id = run_of(name)
    if kind.name == "floating_ip":
        name = str(item.get("floating_ip_address") or "")
        run_id = run_of(item.get("description")) or owners.get(project_id, "")
    elif kind.name == "security_group" and name == DEFAULT_GROUP:
        run_id = owners.get(project_id, "")
    return Leftover(kind.name, str(item["id"]), name, run_id, project_id)


async def _keypairs(connection: Connection, kind: Kind, owners: Mapping[str, str]) -> list[Leftover]:
    """Key pairs belong to users: those of this user, and of each user that a run has made."""
    found: list[Leftover] = []
    for user_id in ("", *owners):
        for item in await list_keypairs(connection, kind, user_id):
            name = str(item["keypair"]["name"])
            found.append(Leftover(kind.name, name, name, run_of(name), "", user_id))
    return found


async def list_keypairs(connection: Connection, kind: Kind, user_id: str) -> list[dict[str, Any]]:
    """The key pairs of a user, by an empty id of this one. Raises OperationError."""
    query = (("user_id", user_id),) if user_id else ()
    return await connection.compute.list_all(kind.path, kind.collection, query)
