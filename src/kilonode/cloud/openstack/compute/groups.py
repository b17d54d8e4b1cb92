"""Server groups: servers that are to be on one node (affinity) or on different ones (anti-affinity)."""

from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.compute.model import SERVER_GROUP, ServerGroup, servers_by_group
from kilonode.cloud.openstack.compute.quotas import limits_of
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

POLICIES: Final = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")


class WantedGroup(msgspec.Struct, frozen=True):
    """The `server_group` of a create request: `policies` before 2.64, then `policy` and `rules`."""

    name: str
    policies: list[str] = []
    policy: str = ""
    rules: dict[str, int] = {}


class CreateGroup(msgspec.Struct, frozen=True):
    """The body of `POST /os-server-groups`."""

    server_group: WantedGroup


async def list_server_groups(request: Request) -> Response:
    """The groups of the caller's project, or of all for an administrator who says so."""
    everything = request.query.flag("all_projects") and request.caller.is_admin
    found = [
        _view(request, entry.value)
        for entry in request.cloud.mirror.all(SERVER_GROUP).values()
        if everything or entry.value.project_id == request.caller.project_id
    ]
    offset, limit = request.query.integer("offset", 0) or 0, request.query.integer("limit")
    return reply({"server_groups": found[offset : offset + limit if limit else None]}, items=len(found))


async def show_server_group(request: Request) -> Response:
    """One group."""
    return reply({"server_group": _view(request, _find(request).value)})


async def create_server_group(request: Request) -> Response:
    """A new group."""
    wanted = request.json(CreateGroup).server_group
    if not wanted.name.strip():
        raise Fault(400, f"Invalid input for field/attribute name. Value: {wanted.name}. '' should be non-empty")
    newer = request.microversion >= (2, 64)
    if newer and not wanted.policy:
        raise Fault(400, "Invalid input for field/attribute server_group. 'policy' is a required property")
    policy = wanted.policy if newer else wanted.policies[0] if wanted.policies else wanted.policy
    if wanted.rules and policy != "anti-affinity":
        raise Fault(400, "Only anti-affinity policy supports rules.")
    most = wanted.rules.get("max_server_per_host", 1)
    if most < 1:
        words = f"Value: {most}. {most} is less than the minimum of 1"
        raise Fault(400, f"Invalid input for field/attribute max_server_per_host. {words}")
    if policy not in POLICIES:
        raise Fault(400, f"Invalid input for field/attribute policy. Value: {policy!r}. It is one of {POLICIES}.")
    cloud, caller = request.cloud, request.caller
    limit = limits_of(cloud, caller.project_id)["server_groups"]
    known = cloud.mirror.index(SERVER_GROUP, "project", lambda group: group.project_id)
    if 0 <= limit <= known.count(caller.project_id):
        raise Fault(403, "Quota exceeded, too many server groups.")
    group = ServerGroup(cloud.new_id(), wanted.name, caller.project_id, caller.user_id, policy, wanted.rules)
    await cloud.mirror.commit([Put(SERVER_GROUP, group, group.id, 0)])
    return reply({"server_group": _view(request, group)})


async def delete_server_group(request: Request) -> Response:
    """Forget a group; its servers stay where they are."""
    group = _find(request).value
    await request.cloud.mirror.commit([Delete(SERVER_GROUP, group.id)])
    return reply(None, 204)


def _find(request: Request) -> Entry[ServerGroup]:
    key = request.params["group_id"]
    entry: Entry[ServerGroup] | None = request.cloud.mirror.get(SERVER_GROUP, key)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Instance group {key} could not be found.")
    return entry


def _view(request: Request, group: ServerGroup) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": group.id,
        "name": group.name,
        "members": list(servers_by_group(request.cloud.mirror).keys(group.id)),
    }
    if request.microversion >= (2, 64):
        view |= {"policy": group.policy, "rules": group.rules}
    else:
        view |= {"policies": [group.policy], "metadata": {}}
    if request.microversion >= (2, 13):
        view |= {"project_id": group.project_id, "user_id": group.user_id}
    return view
