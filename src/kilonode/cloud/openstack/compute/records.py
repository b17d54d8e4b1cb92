"""What was done to servers: instance actions, and the migrations of the whole cloud."""

from collections.abc import Callable
from typing import Any, Final

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.compute.lookup import find_server, find_server_or_gone
from kilonode.cloud.openstack.compute.model import MIGRATION, Migration, Server, ServerAction
from kilonode.cloud.openstack.compute.paging import paginate, resource_links
from kilonode.cloud.openstack.compute.views import host_id
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.resources import NODE

GONE_SINCE: Final = (2, 21)
_EVENTS: Final = {
    "create": "compute__do_build_and_run_instance",
    "delete": "compute_terminate_instance",
    "resize": "compute_prep_resize",
    "confirmResize": "compute_confirm_resize",
    "revertResize": "compute_revert_resize",
    "migrate": "compute_prep_resize",
    "live-migration": "compute_live_migration",
    "extend_volume": "compute_extend_volume",
}
_UNDER_WAY: Final = frozenset({"queued", "preparing", "running", "post-migrating", "accepted"})


async def list_actions(request: Request) -> Response:
    """What was asked of a server, newest first."""
    server = _acted_on(request)
    found = list(reversed(server.actions))
    if request.microversion < (2, 58):
        return reply({"instanceActions": [_action(request, server, one) for one in found]}, items=len(found))
    page = paginate(request, found, lambda one: one.request_id)
    body: dict[str, Any] = {"instanceActions": [_action(request, server, one) for one in page.items]}
    if page.links:
        body["links"] = page.links
    return reply(body, items=len(page.items))


async def show_action(request: Request) -> Response:
    """One action with its event."""
    server, request_id = _acted_on(request), request.params["request_id"]
    for one in server.actions:
        if one.request_id == request_id:
            view = _action(request, server, one)
            if request.caller.is_admin or request.microversion >= (2, 51):
                view["events"] = [_event(request, server, one)]
            return reply({"instanceAction": view})
    raise Fault(404, f"Action for request_id {request_id} on instance {server.id} not found")


async def list_migrations(request: Request) -> Response:
    """All moves of the cloud, newest first; to a manager those of its project, without the names of hosts."""
    query = request.query
    wanted: dict[str, Callable[[Migration], str]] = {
        "status": lambda one: one.status,
        "instance_uuid": lambda one: one.server_id,
        "migration_type": lambda one: one.kind,
        "user_id": lambda one: one.user_id,
        "project_id": lambda one: one.project_id,
    }
    found = [entry.value for entry in request.cloud.mirror.all(MIGRATION).values()][::-1]
    if not request.caller.is_admin:
        if query.one("host") or query.one("project_id", request.caller.project_id) != request.caller.project_id:
            raise Fault(403, "Policy doesn't allow os_compute_api:os-migrations:index:all_projects to be performed.")
        found = [one for one in found if one.project_id == request.caller.project_id]
    for name, of in wanted.items():
        if query.one(name):
            found = [one for one in found if of(one) == query.one(name)]
    if query.one("host"):
        found = [one for one in found if query.one("host") in (one.source, one.target)]
    if request.microversion < (2, 59):
        return reply({"migrations": [_migration(request, one) for one in found[::-1]]}, items=len(found))
    page = paginate(request, found, lambda one: one.uuid)
    return reply(page.body("migrations", lambda one: _migration(request, one)), items=len(page.items))


async def list_server_migrations(request: Request) -> Response:
    """The moves of one server that are under way."""
    server = find_server(request).value
    found = [_server_migration(request, one) for one in _moves(request, server) if one.status in _UNDER_WAY]
    return reply({"migrations": found}, items=len(found))


async def show_server_migration(request: Request) -> Response:
    """One move of a server that is under way."""
    server, number = find_server(request).value, request.params["migration_id"]
    for one in _moves(request, server):
        if str(one.number) == number and one.status in _UNDER_WAY:
            return reply({"migration": _server_migration(request, one)})
    raise Fault(404, f"In-progress live migration {number} is not found for server {server.id}.")


def _acted_on(request: Request) -> Server:
    """The server whose actions are asked for; from 2.21 on also one that is gone."""
    return find_server_or_gone(request) if request.microversion >= GONE_SINCE else find_server(request).value


def _moves(request: Request, server: Server) -> list[Migration]:
    mirror = request.cloud.mirror
    keys = mirror.index(MIGRATION, "server", lambda one: one.server_id).keys(server.id)
    return [mirror.all(MIGRATION)[key].value for key in keys]


def _action(request: Request, server: Server, one: ServerAction) -> dict[str, Any]:
    view: dict[str, Any] = {
        "action": one.name,
        "instance_uuid": server.id,
        "request_id": one.request_id,
        "user_id": one.user_id,
        "project_id": one.project_id,
        "start_time": timestamp_with_microseconds(one.started_us),
        "message": "Error" if one.error else None,
    }
    if request.microversion >= (2, 58):
        view["updated_at"] = timestamp_with_microseconds(one.finished_us or one.started_us)
    return view


def _event(request: Request, server: Server, one: ServerAction) -> dict[str, Any]:
    version, is_admin = request.microversion, request.caller.is_admin
    result = None if not one.finished_us else "Error" if one.error else "Success"
    event: dict[str, Any] = {
        "event": _EVENTS.get(one.name, f"compute_{one.name}_instance"),
        "start_time": timestamp_with_microseconds(one.started_us),
        "finish_time": timestamp_with_microseconds(one.finished_us) if one.finished_us else None,
        "result": result,
    }
    if is_admin:
        event["traceback"] = None
    if version >= (2, 62):
        event["hostId"] = host_id(server.project_id, server.node) if server.node else ""
        if is_admin:
            event["host"] = server.node or None
    if version >= (2, 84) and is_admin:
        event["details"] = one.error or None
    return event


def _migration(request: Request, one: Migration) -> dict[str, Any]:
    node = request.cloud.mirror.get(NODE, one.target) if request.caller.is_admin else None
    view: dict[str, Any] = {
        "id": one.number,
        "instance_uuid": one.server_id,
        "status": one.status,
        **_hosts(request, one),
        "dest_host": node.value.host_ip if node is not None else None,
        "old_instance_type_id": _number(one.old_flavor_id),
        "new_instance_type_id": _number(one.new_flavor_id),
        "created_at": timestamp_with_microseconds(one.created_us),
        "updated_at": timestamp_with_microseconds(one.updated_us),
    }
    if request.microversion >= (2, 23):
        view["migration_type"] = one.kind
        if one.status in _UNDER_WAY:
            view["links"] = resource_links(request, f"servers/{one.server_id}/migrations", str(one.number))
    if request.microversion >= (2, 59):
        view["uuid"] = one.uuid
    if request.microversion >= (2, 80):
        view |= {"user_id": one.user_id, "project_id": one.project_id}
    return view


def _hosts(request: Request, one: Migration) -> dict[str, str | None]:
    """Where a move is from and to: nothing of it to those who do not run the cloud."""
    if not request.caller.is_admin:
        return dict.fromkeys(("source_compute", "source_node", "dest_compute", "dest_node"))
    target = one.target or None
    return {"source_compute": one.source, "source_node": one.source, "dest_compute": target, "dest_node": target}


def _server_migration(request: Request, one: Migration) -> dict[str, Any]:
    sizes = dict.fromkeys(
        f"{what}_{part}_bytes" for what in ("memory", "disk") for part in ("total", "processed", "remaining")
    )
    return {
        "id": one.number,
        "uuid": one.uuid,
        "server_uuid": one.server_id,
        "status": one.status,
        **_hosts(request, one),
        "dest_host": None,
        "created_at": timestamp_with_microseconds(one.created_us),
        "updated_at": timestamp_with_microseconds(one.updated_us),
        "user_id": one.user_id,
        "project_id": one.project_id,
        **sizes,
    }


def _number(flavor_id: str) -> int:
    """Nova gives the flavor's row here; ours is its id where that is a number."""
    return int(flavor_id) if flavor_id.isdigit() else 0
