"""`/auto-allocated-topology/{project}`: a project's network that is made by being asked for."""

from typing import Final

from kilonode.cloud.openstack.network.faults import missing
from kilonode.cloud.openstack.network.model import (
    NETWORK,
    PORT,
    ROUTER,
    ROUTER_INTERFACE,
    SUBNET,
    Port,
    ports_by_device,
    ports_by_network,
    subnets_by_network,
)
from kilonode.cloud.openstack.network.networks import network_in_use
from kilonode.cloud.openstack.network.plugging import remove_port
from kilonode.cloud.openstack.network.topologies import outside_network, topology_of
from kilonode.cloud.openstack.network.topology_model import TOPOLOGY, Topology
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

DRY_RUN: Final = "dry-run"


async def show_topology(request: Request) -> Response:
    """`GET …/{project}`: the network's id, and the network if there was none. `fields=dry-run`: whether it could be."""
    project_id = _project(request)
    fields = request.query.all("fields")
    if DRY_RUN in fields:
        outside_network(request.cloud)
        return _shown("dry-run=pass", project_id)
    if fields:
        raise Fault(400, "Bad auto_allocate request: Unrecognized field.", type="BadRequest")
    network_id, changes = topology_of(request.cloud, project_id)
    if changes:
        await request.cloud.mirror.commit(changes)
    return _shown(network_id, project_id)


async def delete_topology(request: Request) -> Response:
    """`DELETE …/{project}`: network, subnets and router, all or none; nothing to do is well too."""
    project_id = _project(request)
    mirror = request.cloud.mirror
    entry = mirror.get(TOPOLOGY, project_id)
    if entry is not None:
        changes = [Delete(TOPOLOGY, project_id, entry.revision), *_removal(request, entry.value)]
        await mirror.commit(changes)
    return reply(None, 204)


def _removal(request: Request, topology: Topology) -> list[Put | Delete]:
    """The changes that take the topology away. Raises Fault 409 while others use its network or router."""
    mirror = request.cloud.mirror
    table = mirror.all(PORT)
    on_network: list[Port] = [table[key].value for key in ports_by_network(mirror).keys(topology.network_id)]
    if any(port.device_owner != ROUTER_INTERFACE or port.device_id != topology.router_id for port in on_network):
        raise network_in_use(topology.network_id)
    of_router: list[Port] = [table[key].value for key in ports_by_device(mirror).keys(topology.router_id)]
    elsewhere = [port.id for port in of_router if port.device_owner == ROUTER_INTERFACE and port not in on_network]
    if elsewhere:
        attached = ",".join(elsewhere)
        raise Fault(409, f"Router {topology.router_id} has ports still attached: {attached}", type="RouterInUse")
    changes: list[Put | Delete] = []
    for port in of_router:
        changes += remove_port(request.cloud, port)
    gone = [(SUBNET, key) for key in subnets_by_network(mirror).keys(topology.network_id)]
    for kind, key in (*gone, (NETWORK, topology.network_id), (ROUTER, topology.router_id)):
        found = mirror.get(kind, key)
        if found is not None:
            changes.append(Delete(kind, key, found.revision))
    return changes


def _project(request: Request) -> str:
    """The project in the path; `None`, as clients say, is the caller's. Raises Fault for another one's."""
    project_id = request.params["project_id"]
    if project_id == "None":
        project_id = request.caller.project_id
    if not project_id:
        raise missing("Project", "Project", project_id)
    if not request.caller.may_see(project_id):
        raise Fault(403, "Not authorized.", type="NotAuthorized")
    return project_id


def _shown(network_id: str, project_id: str) -> Response:
    shown = {"id": network_id, "tenant_id": project_id, "project_id": project_id}
    return reply({"auto_allocated_topology": shown})


ROUTES: Final = (
    Route("GET", "/auto-allocated-topology/{project_id}", show_topology, Access.READER),
    Route("DELETE", "/auto-allocated-topology/{project_id}", delete_topology, Access.MEMBER),
)
