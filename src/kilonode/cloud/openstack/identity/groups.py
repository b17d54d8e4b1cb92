"""`/groups`: users that get roles together."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import (
    SHORT_NAME_LIMIT,
    checked_name,
    find,
    is_domain_reader,
    listing,
    name_taken,
    require,
    require_manager,
    show,
)
from kilonode.cloud.openstack.identity.model import (
    DEFAULT_DOMAIN,
    DOMAIN,
    GROUP,
    USER,
    Group,
    find_by_name,
    free_name,
    groups_by_member,
    take_name,
)
from kilonode.cloud.openstack.identity.removal import of_actor
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields, Getter
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put

_FIELDS: Final[dict[str, Getter[Group]]] = {
    "id": lambda group: group.id,
    "name": lambda group: group.name,
    "domain_id": lambda group: group.domain_id,
    "description": lambda group: group.description,
}
GROUP_FIELDS: Final[Fields[Group]] = Fields(_FIELDS)
MEMBERSHIP_FIELDS: Final[Fields[Group]] = Fields({**_FIELDS, "membership_expires_at": lambda group: None})
"""Of a group that a user is in; memberships that end are for users of other clouds."""


class WantedGroup(msgspec.Struct, frozen=True):
    """The `group` of a create request."""

    name: str
    domain_id: str | None = None
    description: str | None = None


class CreateGroup(msgspec.Struct, frozen=True):
    """The body of `POST /groups`."""

    group: WantedGroup


class ChangedGroup(msgspec.Struct, frozen=True):
    """The `group` of an update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class UpdateGroup(msgspec.Struct, frozen=True):
    """The body of `PATCH /groups/{group_id}`."""

    group: ChangedGroup


async def list_groups(request: Request) -> Response:
    """`GET /groups`."""
    caller = request.caller
    values = (entry.value for entry in request.cloud.mirror.all(GROUP).values())
    if is_domain_reader(caller) and not caller.is_admin:
        values = (group for group in values if group.domain_id == caller.domain_id)
    else:
        require(request, "list_groups")
    return listing(request, "groups", GROUP_FIELDS, values)


async def list_user_groups(request: Request) -> Response:
    """`GET /users/{user_id}/groups`."""
    user_id = request.params["user_id"]
    require(request, "list_groups_for_user", user_id=user_id)
    mirror = request.cloud.mirror
    values = (mirror.all(GROUP)[key].value for key in groups_by_member(mirror).keys(user_id))
    return listing(request, "groups", MEMBERSHIP_FIELDS, values)


async def create_group(request: Request) -> Response:
    """`POST /groups`."""
    wanted = request.json(CreateGroup).group
    cloud = request.cloud
    name = checked_name("group", wanted.name, SHORT_NAME_LIMIT)
    domain_id = wanted.domain_id or request.caller.domain_id or DEFAULT_DOMAIN
    require_manager(request, "create_group", domain_id)
    find(request, DOMAIN, "domain", domain_id)
    if find_by_name(cloud, GROUP, domain_id, name):
        raise name_taken("group", name, domain_id)
    group = Group(cloud.new_hexadecimal_id(), name, domain_id, wanted.description or "")
    await cloud.mirror.commit([Put(GROUP, group, group.id, 0), take_name(GROUP, domain_id, name, group.id)])
    return show(request, "group", "groups", GROUP_FIELDS, group, 201)


async def show_group(request: Request) -> Response:
    """`GET /groups/{group_id}`."""
    known = request.cloud.mirror.get(GROUP, request.params["group_id"])
    require(request, "get_group", domain_id=known.value.domain_id if known is not None else "")
    return show(
        request, "group", "groups", GROUP_FIELDS, find(request, GROUP, "group", request.params["group_id"]).value
    )


async def update_group(request: Request) -> Response:
    """`PATCH /groups/{group_id}`."""
    entry = _managed(request, "update_group")
    changed = request.json(UpdateGroup).group
    old: Group = entry.value
    name = old.name if changed.name is UNSET else checked_name("group", changed.name, SHORT_NAME_LIMIT)
    description = old.description if changed.description is UNSET else changed.description or ""
    group = msgspec.structs.replace(old, name=name, description=description)
    changes: list[Put | Delete] = [Put(GROUP, group, group.id, entry.revision)]
    if name != old.name:
        if find_by_name(request.cloud, GROUP, old.domain_id, name):
            raise name_taken("group", name, old.domain_id)
        changes += [free_name(GROUP, old.domain_id, old.name), take_name(GROUP, old.domain_id, name, old.id)]
    await request.cloud.mirror.commit(changes)
    return show(request, "group", "groups", GROUP_FIELDS, group)


async def delete_group(request: Request) -> Response:
    """`DELETE /groups/{group_id}`, with its roles."""
    entry = _managed(request, "delete_group")
    group: Group = entry.value
    mirror = request.cloud.mirror
    await mirror.commit(
        [
            Delete(GROUP, group.id, entry.revision),
            free_name(GROUP, group.domain_id, group.name),
            *of_actor(mirror, group.id),
        ]
    )
    return reply(None, 204)


async def add_group_user(request: Request) -> Response:
    """`PUT /groups/{group_id}/users/{user_id}`."""
    entry = _managed(request, "add_user_to_group")
    user_id = find(request, USER, "user", request.params["user_id"]).value.id
    group: Group = entry.value
    if user_id not in group.user_ids:
        group = msgspec.structs.replace(group, user_ids=(*group.user_ids, user_id))
        await request.cloud.mirror.commit([Put(GROUP, group, group.id, entry.revision)])
    return reply(None, 204)


async def check_group_user(request: Request) -> Response:
    """`HEAD /groups/{group_id}/users/{user_id}`."""
    require(request, "check_user_in_group", user_id=request.params["user_id"])
    _member(find(request, GROUP, "group", request.params["group_id"]).value, request.params["user_id"])
    return reply(None, 204)


async def remove_group_user(request: Request) -> Response:
    """`DELETE /groups/{group_id}/users/{user_id}`."""
    entry = _managed(request, "remove_user_from_group")
    user_id = _member(entry.value, request.params["user_id"])
    left = tuple(member for member in entry.value.user_ids if member != user_id)
    group = msgspec.structs.replace(entry.value, user_ids=left)
    await request.cloud.mirror.commit([Put(GROUP, group, group.id, entry.revision)])
    return reply(None, 204)


def _managed(request: Request, action: str) -> Entry[Group]:
    """The group, if the caller may change it. Raises Fault."""
    known = request.cloud.mirror.get(GROUP, request.params["group_id"])
    require_manager(request, action, known.value.domain_id if known is not None else None)
    return find(request, GROUP, "group", request.params["group_id"])


def _member(group: Group, user_id: str) -> str:
    if user_id not in group.user_ids:
        raise Fault(404, f"User '{user_id}' not found in group '{group.id}'")
    return user_id


ROUTES = (
    Route("GET", "/groups", list_groups, Access.AUTHENTICATED),
    Route("POST", "/groups", create_group, Access.MANAGER),
    Route("GET", "/groups/{group_id}", show_group, Access.AUTHENTICATED),
    Route("PATCH", "/groups/{group_id}", update_group, Access.MANAGER),
    Route("DELETE", "/groups/{group_id}", delete_group, Access.MANAGER),
    Route("PUT", "/groups/{group_id}/users/{user_id}", add_group_user, Access.MANAGER),
    Route("HEAD", "/groups/{group_id}/users/{user_id}", check_group_user, Access.AUTHENTICATED),
    Route("DELETE", "/groups/{group_id}/users/{user_id}", remove_group_user, Access.MANAGER),
    Route("GET", "/users/{user_id}/groups", list_user_groups, Access.AUTHENTICATED),
)
