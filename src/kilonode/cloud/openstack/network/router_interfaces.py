"""`/routers/{id}/add_router_interface` and `remove_router_interface`. An interface is a port of the router."""

from ipaddress import ip_network
from typing import Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.bodies import is_uuid
from kilonode.cloud.openstack.network.collection import Changes, touched
from kilonode.cloud.openstack.network.faults import missing
from kilonode.cloud.openstack.network.model import (
    FLOATING_IP,
    NETWORK,
    PORT,
    ROUTER,
    ROUTER_INTERFACE,
    SUBNET,
    Port,
    Router,
    Subnet,
    floating_ips_by_router,
)
from kilonode.cloud.openstack.network.plugging import WantedAddress, new_port, remove_port
from kilonode.cloud.openstack.network.port_routes import PORTS
from kilonode.cloud.openstack.network.routers import ROUTERS, interfaces_of
from kilonode.cloud.openstack.network.subnets import SUBNETS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Put


class WantedInterface(msgspec.Struct, frozen=True):
    """The body of a request to add or remove an interface."""

    subnet_id: str | None = None
    port_id: str | None = None


async def add_router_interface(request: Request) -> Response:
    """`PUT /routers/{id}/add_router_interface`: a subnet, at its gateway address; or a port that exists."""
    entry = ROUTERS.find_own(request, request.params["id"], "add_router_interface")
    wanted = request.json(WantedInterface)
    router, cloud = entry.value, request.cloud
    _check_interface(wanted)
    if wanted.subnet_id is not None and wanted.port_id is not None:
        raise Fault(400, "Bad router request: Cannot specify both subnet-id and port-id.", type="BadRequest")
    if wanted.port_id is not None:
        port, changes = _adopted_port(request, router, wanted.port_id)
    else:
        port, changes = _interface_on(request, router, wanted.subnet_id or "")
    # Written too, so that two requests at one instant cannot give the router two interfaces on one subnet.
    changes.append(Put(ROUTER, touched(cloud, router), router.id, entry.revision))
    await cloud.mirror.commit(changes)
    return _interface_reply(router, port)


async def remove_router_interface(request: Request) -> Response:
    """`PUT /routers/{id}/remove_router_interface`, by subnet or port."""
    entry = ROUTERS.find_own(request, request.params["id"], "remove_router_interface")
    wanted = request.json(WantedInterface)
    _check_interface(wanted)
    router, cloud = entry.value, request.cloud
    for port in interfaces_of(cloud, router.id):
        if wanted.port_id in (None, port.id) and wanted.subnet_id in (
            None,
            *(fixed.subnet_id for fixed in port.fixed_ips),
        ):
            break
    else:
        raise Fault(
            404,
            f"Router {router.id} has no interface on subnet {wanted.subnet_id or wanted.port_id}",
            type="RouterInterfaceNotFoundForSubnet",
        )
    _refuse_interface_removal(cloud, router, port)
    changes = [*remove_port(cloud, port), Put(ROUTER, touched(cloud, router), router.id, entry.revision)]
    await cloud.mirror.commit(changes)
    return _interface_reply(router, port)


def _check_interface(wanted: WantedInterface) -> None:
    """Raises Fault 400 for a request that names neither subnet nor port, or none that could be one."""
    if wanted.subnet_id is None and wanted.port_id is None:
        raise Fault(400, "Bad router request: Either subnet_id or port_id must be specified.", type="BadRequest")
    for key in (wanted.subnet_id, wanted.port_id):
        if key is not None and not is_uuid(key):
            raise Fault(400, f"Bad router request: '{key}' is not a valid UUID.", type="BadRequest")


def _interface_on(request: Request, router: Router, subnet_id: str) -> tuple[Port, Changes]:
    cloud = request.cloud
    found = SUBNETS.find(request, subnet_id)
    subnet: Subnet = found.value
    if not subnet.gateway_ip:
        raise Fault(400, "Bad router request: Subnet for router interface must have a gateway IP.", type="BadRequest")
    _refuse_second_interface(cloud, router, subnet)
    entry = cloud.mirror.get(NETWORK, subnet.network_id)
    if entry is None:
        raise missing("Network", "Network", subnet.network_id)
    port = Port(
        id=cloud.new_id(),
        project_id=router.project_id,
        network_id=subnet.network_id,
        mac_address="",
        device_id=router.id,
        device_owner=ROUTER_INTERFACE,
        status="ACTIVE",
        port_security_enabled=False,
    )
    port, changes = new_port(cloud, entry.value, port, addresses=[WantedAddress(subnet.id, subnet.gateway_ip)])
    # Both are written too, so that neither can go at the same instant.
    held = [Put(SUBNET, subnet, subnet.id, found.revision), Put(NETWORK, entry.value, entry.value.id, entry.revision)]
    return port, [*changes, *held]


def _adopted_port(request: Request, router: Router, port_id: str) -> tuple[Port, Changes]:
    cloud = request.cloud
    entry = PORTS.find_own(request, port_id, "add_router_interface")
    port: Port = entry.value
    if port.device_id:
        raise Fault(
            409,
            f"Unable to complete operation on port {port.id} for network {port.network_id}. Port already has an "
            f"attached device {port.device_id}.",
            type="PortInUse",
        )
    if not port.fixed_ips:
        raise Fault(400, "Bad router request: Router port must have at least one fixed IP.", type="BadRequest")
    for fixed in port.fixed_ips:
        _refuse_second_interface(cloud, router, cloud.mirror.all(SUBNET)[fixed.subnet_id].value)
    port = touched(
        cloud, msgspec.structs.replace(port, device_id=router.id, device_owner=ROUTER_INTERFACE, status="ACTIVE")
    )
    return port, [Put(PORT, port, port.id, entry.revision)]


def _refuse_second_interface(cloud: Cloud, router: Router, subnet: Subnet) -> None:
    if any(fixed.subnet_id == subnet.id for port in interfaces_of(cloud, router.id) for fixed in port.fixed_ips):
        raise Fault(400, f"Bad router request: Router already has a port on subnet {subnet.id}.", type="BadRequest")
    _refuse_overlap(cloud, router, subnet)


def _refuse_overlap(cloud: Cloud, router: Router, subnet: Subnet) -> None:
    """Raises Fault 400 when the router has an interface on a subnet whose range overlaps."""
    own = ip_network(subnet.cidr)
    for port in interfaces_of(cloud, router.id):
        for fixed in port.fixed_ips:
            entry = cloud.mirror.get(SUBNET, fixed.subnet_id)
            other = ip_network(entry.value.cidr) if entry is not None else None
            if other is not None and other.version == own.version and other.overlaps(own):
                raise Fault(
                    400,
                    f"Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {other} of subnet {fixed.subnet_id}",
                    type="BadRequest",
                )


def _refuse_interface_removal(cloud: Cloud, router: Router, port: Port) -> None:
    subnets = {fixed.subnet_id for fixed in port.fixed_ips}
    for key in floating_ips_by_router(cloud.mirror).keys(router.id):
        floating_ip = cloud.mirror.all(FLOATING_IP)[key].value
        inner = (floating_ip.port_id, *(part.internal_port_id for part in floating_ip.port_forwardings))
        targets = [target.value for target in (cloud.mirror.get(PORT, key) for key in inner) if target is not None]
        if any(fixed.subnet_id in subnets for target in targets for fixed in target.fixed_ips):
            raise Fault(
                409,
                f"Router interface for subnet {min(subnets)} on router {router.id} cannot be deleted, as it is "
                "required by one or more floating IPs.",
                type="RouterInterfaceInUseByFloatingIP",
            )


def _interface_reply(router: Router, port: Port) -> Response:
    subnets = [fixed.subnet_id for fixed in port.fixed_ips]
    return reply(
        {
            "id": router.id,
            "project_id": router.project_id,
            "port_id": port.id,
            "network_id": port.network_id,
            "subnet_id": subnets[0],
            "subnet_ids": subnets,
        }
    )


ROUTES: Final = (
    Route("PUT", "/routers/{id}/add_router_interface", add_router_interface, Access.MEMBER),
    Route("PUT", "/routers/{id}/remove_router_interface", remove_router_interface, Access.MEMBER),
)
