"""Finding what a request names: the resource, or the fault that Nova gives when the caller may not know of it."""

import uuid

from kilonode.cloud.openstack.compute.model import DELETED_SERVER, FLAVOR, SERVER, Flavor, Server
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.resources import NODE, Node
from kilonode.control.mirror import Entry


def check_uuid(request: Request, key: str) -> None:
    """From 2.53 nodes and services are named by UUIDs alone. Raises Fault 400."""
    if request.microversion < (2, 53):
        return
    try:
        uuid.UUID(key)
    except ValueError as error:
        raise Fault(400, f"Invalid uuid {key}") from error


def find_server(request: Request, server_id: str | None = None) -> Entry[Server]:
    """The server the path names, if the caller may see it. Raises Fault 404."""
    key = server_id or request.params["server_id"]
    entry: Entry[Server] | None = request.cloud.mirror.get(SERVER, key)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Instance {key} could not be found.")
    return entry


def find_server_or_gone(request: Request) -> Server:
    """The server the path names, also when it was deleted lately. Raises Fault 404."""
    key = request.params["server_id"]
    gone = request.cloud.mirror.get(DELETED_SERVER, key)
    if gone is not None and request.caller.may_see(gone.value.server.project_id):
        server: Server = gone.value.server
        return server
    return find_server(request).value


def find_flavor(request: Request, flavor_id: str, *, status: int = 404) -> Flavor:
    """The flavor, if the caller may use it. Raises Fault with `status`."""
    entry: Entry[Flavor] | None = request.cloud.mirror.get(FLAVOR, flavor_id)
    if entry is None or not may_use(request, entry.value):
        raise Fault(status, f"Flavor {flavor_id} could not be found.")
    return entry.value


def may_use(request: Request, flavor: Flavor) -> bool:
    """Whether the caller may see and use a flavor."""
    return flavor.public or request.caller.is_admin or request.caller.project_id in flavor.projects


def find_node(request: Request, name: str, *, status: int = 404) -> Node:
    """The node of this name. Raises Fault with `status`."""
    entry: Entry[Node] | None = request.cloud.mirror.get(NODE, name)
    if entry is None:
        raise Fault(status, f"Compute host {name} could not be found.")
    return entry.value


def check_zone(request: Request, zone: str) -> None:
    """Refuse a zone that no node is in; an empty one is any. Raises Fault 400."""
    if zone and not request.cloud.mirror.index(NODE, "zone", lambda one: one.zone).count(zone):
        raise Fault(400, "The requested availability zone is not available")
