"""`/roles`: the names that policies speak of. Who has them where is `assignments`."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import checked_name, find, listing, name_taken, show
from kilonode.cloud.openstack.identity.model import ASSIGNMENT, ROLE, Role, find_by_name, free_name, take_name
from kilonode.cloud.openstack.identity.removal import assignments_on
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
        "options": lambda role: {},
    }
)


class WantedRole(msgspec.Struct, frozen=True):
    """The `role` of a create request."""

    name: str
    description: str | None = None


class CreateRole(msgspec.Struct, frozen=True):
    """The body of `POST /roles`."""

    role: WantedRole


class ChangedRole(msgspec.Struct, frozen=True):
    """The `role` of an update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class UpdateRole(msgspec.Struct, frozen=True):
    """The body of `PATCH /roles/{role_id}`."""

    role: ChangedRole


async def list_roles(request: Request) -> Response:
    """`GET /roles`."""
    return listing(request, "roles", ROLE_FIELDS, (entry.value for entry in request.cloud.mirror.all(ROLE).values()))


async def create_role(request: Request) -> Response:
    """`POST /roles`."""
    wanted = request.json(CreateRole).role
    cloud = request.cloud
    name = checked_name("role", wanted.name)
    if find_by_name(cloud, ROLE, "", name):
        raise name_taken("role", name)
    role = Role(cloud.new_hexadecimal_id(), name, wanted.description)
    await cloud.mirror.commit([Put(ROLE, role, role.id, 0), take_name(ROLE, "", name, role.id)])
    return show(request, "role", "roles", ROLE_FIELDS, role, 201)


async def show_role(request: Request) -> Response:
    """`GET /roles/{role_id}`."""
    return show(request, "role", "roles", ROLE_FIELDS, find(request, ROLE, "role", request.params["role_id"]).value)


async def update_role(request: Request) -> Response:
    """`PATCH /roles/{role_id}`."""
    entry = find(request, ROLE, "role", request.params["role_id"])
    changed = request.json(UpdateRole).role
    old: Role = entry.value
    name = old.name if changed.name is UNSET else checked_name("role", changed.name)
    description = old.description if changed.description is UNSET else changed.description
    role = msgspec.structs.replace(old, name=name, description=description)
    changes: list[Put | Delete] = [Put(ROLE, role, role.id, entry.revision)]
    if name != old.name:
        if find_by_name(request.cloud, ROLE, "", name):
            raise name_taken("role", name)
        changes += [free_name(ROLE, "", old.name), take_name(ROLE, "", name, role.id)]
    await request.cloud.mirror.commit(changes)
    return show(request, "role", "roles", ROLE_FIELDS, role)


async def delete_role(request: Request) -> Response:
    """`DELETE /roles/{role_id}`, with its assignments."""
    entry = find(request, ROLE, "role", request.params["role_id"])
    mirror = request.cloud.mirror
    held = [key for key, held in mirror.all(ASSIGNMENT).items() if held.value.role_id == entry.value.id]
    await mirror.commit(
        [
            Delete(ROLE, entry.value.id, entry.revision),
            free_name(ROLE, "", entry.value.name),
            *assignments_on(held),
        ]
    )
    return reply(None, 204)


ROUTES = (
    Route("GET", "/roles", list_roles, Access.AUTHENTICATED),
    Route("POST", "/roles", create_role, Access.ADMIN),
    Route("GET", "/roles/{role_id}", show_role, Access.AUTHENTICATED),
    Route("PATCH", "/roles/{role_id}", update_role, Access.ADMIN),
    Route("DELETE", "/roles/{role_id}", delete_role, Access.ADMIN),
)
