"""Servers: list, show, change, delete. Creating them is `creating`, everything that is done to them is `actions`."""

from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from kilonode.cloud.openstack.compute import neighbours
from kilonode.cloud.openstack.compute.bodies import access_address, disk_config
from kilonode.cloud.openstack.compute.changes import begin
from kilonode.cloud.openstack.compute.deleted import bury
from kilonode.cloud.openstack.compute.filters import wanted_servers
from kilonode.cloud.openstack.compute.lookup import find_server
from kilonode.cloud.openstack.compute.model import ACTIONS_KEPT, SERVER, Server, ServerAction
from kilonode.cloud.openstack.compute.paging import paginate
from kilonode.cloud.openstack.compute.requests import UpdateServer
from kilonode.cloud.openstack.compute.states import DELETING
from kilonode.cloud.openstack.compute.views import LISTED, UPDATED, server_details, server_in_list
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.resources import NODE
from kilonode.control.mirror import Delete, Entry, Put

PIN_SINCE: Final = (2, 104)


async def list_servers(request: Request) -> Response:
    """Names and ids."""
    page = paginate(request, wanted_servers(request), _key)
    body = page.body("servers", lambda server: server_in_list(request, server))
    return reply(body, items=len(page.items))


async def list_servers_detail(request: Request) -> Response:
    """Everything about each server."""
    page = paginate(request, wanted_servers(request), _key)
    body = page.body("servers", lambda server: server_details(request, server, LISTED))
    return reply(body, items=len(page.items))


async def show_server(request: Request) -> Response:
    """One server."""
    return reply({"server": server_details(request, find_server(request).value)})


async def update_server(request: Request) -> Response:
    """Change what its owner may call it."""
    entry = find_server(request)
    changed = request.json(UpdateServer).server
    server = entry.value
    if changed.name is not UNSET:
        if not 1 <= len(changed.name.strip()) <= 255:
            raise Fault(400, "Invalid input for field/attribute name. It has 1 to 255 characters.")
        server = replace(server, name=changed.name.strip())
    if changed.description is not UNSET:
        server = replace(server, description=changed.description)
    if changed.access_ipv4 is not UNSET:
        server = replace(server, access_ipv4=access_address("accessIPv4", changed.access_ipv4, 4))
    if changed.access_ipv6 is not UNSET:
        server = replace(server, access_ipv6=access_address("accessIPv6", changed.access_ipv6, 6))
    if changed.disk_config is not UNSET:
        server = replace(server, disk_config=disk_config(changed.disk_config))
    if changed.pinned_zone is not UNSET and request.microversion >= PIN_SINCE:
        server = replace(server, zone=_pinned(request, server, changed.pinned_zone))
    if changed.hostname is not UNSET:
        server = replace(server, hostname=changed.hostname)
    server = replace(server, updated_us=request.cloud.now_us())
    await request.cloud.mirror.commit([Put(SERVER, server, server.id, entry.revision)])
    return reply({"server": server_details(request, server, UPDATED)})


def _pinned(request: Request, server: Server, zone: str | None) -> str:
    """The zone a server is to stay in: none, or the one it is in. Raises Fault 409."""
    if not zone or zone == server.zone:
        return zone or ""
    node = request.cloud.mirror.get(NODE, server.node)
    if server.zone or node is None or node.value.zone != zone:
        raise Fault(409, f"Cannot pin instance {server.id} to availability zone {zone}: it is not there, or pinned.")
    return zone


async def delete_server(request: Request) -> Response:
    """Begin to delete a server; one that has no node is gone at once."""
    await begin_delete(request, find_server(request))
    return reply(None, 204)


async def begin_delete(request: Request, entry: Entry[Server]) -> None:
    """Have the server deleted by its node, or delete it here when it has none."""
    server, cloud = entry.value, request.cloud
    check_unlocked(request, server)
    if server.task == DELETING:
        return
    if not server.node:
        deleting = instant_action(server, new_action(request, "delete"))
        gone = Delete(SERVER, server.id, entry.revision)
        await cloud.mirror.commit([*neighbours.release(cloud, server), *bury(cloud, deleting), gone])
        return
    deleting = begin(server, DELETING, new_action(request, "delete"))
    await cloud.mirror.commit([Put(SERVER, deleting, server.id, entry.revision)])


def check_unlocked(request: Request, server: Server) -> None:
    """Refuse what a lock forbids to all but administrators. Raises Fault 409."""
    if server.locked and not request.caller.is_admin:
        raise Fault(409, f"Instance {server.id} is locked")


def new_action(request: Request, name: str) -> ServerAction:
    """The record of what this request asks of a server."""
    caller = request.caller
    return ServerAction(name, request.id, caller.user_id, caller.project_id, request.cloud.now_us())


def instant_action(server: Server, action: ServerAction) -> Server:
    """The server with an action on record that took no time."""
    done = replace(action, finished_us=action.started_us)
    return replace(server, updated_us=action.started_us, actions=(*server.actions, done)[-ACTIONS_KEPT:])


def _key(server: Server) -> str:
    return server.id
