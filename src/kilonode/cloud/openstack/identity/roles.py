"""`/roles`: the names that policies speak of. Who has them where is `assignments`."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import checked_name, extra_of, find, listing, name_taken, require, show
from kilonode.cloud.openstack.identity.model import DOMAIN, ROLE, Role, find_by_name, free_name, take_name
from kilonode.cloud.openstack.identity.options import RESOURCE_OPTIONS, changed_options, refuse_immutable
from kilonode.cloud.openstack.identity.removal import of_role
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

ROLE_FIELDS: Final[Fields[Role]] = Fields(
    {
        "id": lambda role: role.id,
        "name": lambda role: role.name,
        "domain_id": lambda role: role.domain_id,
        "description": lambda role: role.description,
        "options": lambda role: role.options,
    }
)


class WantedRole(msgspec.Struct, frozen=True):
    """The `role` of a create request."""

    name: str
    description: str | None = None
    domain_id: str | None = None
    options: dict[str, Any] = {}


class CreateRole(msgspec.Struct, frozen=True):
    """The body of `POST /roles`."""

    role: WantedRole


class ChangedRole(msgspec.Struct, frozen=True):
    """The `role` of an update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    options: dict[str, Any] = {}


class UpdateRole(msgspec.Struct, frozen=True):
    """The body of `PATCH /roles/{role_id}`."""

    role: ChangedRole


async def list_roles(request: Request) -> Response:
    """`GET /roles`: those of no domain, or with `domain_id` those of that domain."""
    _require_reader(request, "list_roles")
    domain_id = request.query.one("domain_id") or None
    values = (entry.value for entry in request.cloud.mirror.all(ROLE).values())
    return listing(request, "roles", ROLE_FIELDS, (role for role in values if role.domain_id == domain_id))


async def create_role(request: Request) -> Response:
    """`POST /roles`."""
    wanted = request.json(CreateRole).role
    cloud = request.cloud
    name = checked_name("role", wanted.name)
    if wanted.domain_id is not None:
        find(request, DOMAIN, "domain", wanted.domain_id)
    if find_by_name(cloud, ROLE, wanted.domain_id or "", name):
        raise name_taken("role", name)
    role = Role(
        cloud.new_hexadecimal_id(),
        name,
        wanted.description,
        wanted.domain_id,
        changed_options({}, wanted.options, RESOURCE_OPTIONS),
        extra_of(request, "role", WantedRole, ROLE_FIELDS),
    )
    await cloud.mirror.commit([Put(ROLE, role, role.id, 0), take_name(ROLE, role.domain_id or "", name, role.id)])
    return show(request, "role", "roles", ROLE_FIELDS, role, 201)


async def show_role(request: Request) -> Response:
    """`GET /roles/{role_id}`."""
    _require_reader(request, "get_role")
    return show(request, "role", "roles", ROLE_FIELDS, find(request, ROLE, "role", request.params["role_id"]).value)


async def update_role(request: Request) -> Response:
    """`PATCH /roles/{role_id}`."""
    entry = find(request, ROLE, "role", request.params["role_id"])
    changed = request.json(UpdateRole).role
    old: Role = entry.value
    refuse_immutable("role", old.id, old.options, changed.options)
    name = old.name if changed.name is UNSET else checked_name("role", changed.name)
    description = old.description if changed.description is UNSET else changed.description
    role = msgspec.structs.replace(
        old,
        name=name,
        description=description,
        options=changed_options(old.options, changed.options, RESOURCE_OPTIONS),
        extra={**old.extra, **extra_of(request, "role", ChangedRole, ROLE_FIELDS)},
    )
    changes: list[Put | Delete] = [Put(ROLE, role, role.id, entry.revision)]
    if name != old.name:
        domain_id = old.domain_id or ""
        if find_by_name(request.cloud, ROLE, domain_id, name):
            raise name_taken("role", name)
        changes += [free_name(ROLE, domain_id, old.name), take_name(ROLE, domain_id, name, role.id)]
    await request.cloud.mirror.commit(changes)
    return show(request, "role", "roles", ROLE_FIELDS, role)


async def delete_role(request: Request) -> Response:
    """`DELETE /roles/{role_id}`, with its assignments and the rules that name it."""
    entry = find(request, ROLE, "role", request.params["role_id"])
    role: Role = entry.value
    refuse_immutable("role", role.id, role.options)
    await request.cloud.mirror.commit(
        [
            Delete(ROLE, role.id, entry.revision),
            free_name(ROLE, role.domain_id or "", role.name),
            *of_role(request.cloud.mirror, role.id),
        ]
    )
    return reply(None, 204)


def _require_reader(request: Request, action: str) -> None:
    """Let administrators, readers of the system and managers of a domain pass. Raises Fault 403."""
    if not (request.caller.domain_id and request.caller.access >= Access.MANAGER):
        require(request, action)


ROUTES = (
    Route("GET", "/roles", list_roles, Access.AUTHENTICATED),
    Route("POST", "/roles", create_role, Access.ADMIN),
    Route("GET", "/roles/{role_id}", show_role, Access.AUTHENTICATED),
    Route("PATCH", "/roles/{role_id}", update_role, Access.ADMIN),
    Route("DELETE", "/roles/{role_id}", delete_role, Access.ADMIN),
)
