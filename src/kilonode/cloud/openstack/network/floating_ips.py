"""`/floatingips`: an address of an external network that stands for one of a port.

The address is held by a port of its own on the external network. It can stand for an address that a router joins with
that network, and two floating IPs never stand for the same one: the port is written with them.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.bodies import bad
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, standard_fields
from kilonode.cloud.openstack.network.faults import disallowed, invalid, missing
from kilonode.cloud.openstack.network.model import (
    ADDRESS,
    FLOATING_IP,
    FLOATING_IP_OWNER,
    NETWORK,
    PORT,
    ROUTER,
    ROUTER_INTERFACE,
    SUBNET,
    FloatingIp,
    Network,
    Port,
    Router,
    Subnet,
    address_key,
    by_project,
    floating_ips_by_port,
    floating_ips_by_router,
    ports_by_device,
    routers_by_gateway,
)
from kilonode.cloud.openstack.network.networks import NETWORKS
from kilonode.cloud.openstack.network.plugging import WantedAddress, new_port, remove_port
from kilonode.cloud.openstack.network.port_routes import PORTS
from kilonode.cloud.openstack.network.qos import held_policy, wanted_policy
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put


class WantedFloatingIp(msgspec.Struct, frozen=True):
    """The `floatingip` of a create or update request."""

    floating_network_id: str | UnsetType = UNSET
    port_id: str | UnsetType | None = UNSET
    fixed_ip_address: str | UnsetType | None = UNSET
    floating_ip_address: str | UnsetType | None = UNSET
    subnet_id: str | None = None
    description: str | UnsetType = UNSET
    dns_name: str | UnsetType = UNSET
    dns_domain: str | UnsetType = UNSET
    qos_policy_id: str | UnsetType | None = UNSET
    project_id: str | None = None
    tenant_id: str | None = None
    tags: tuple[str, ...] = ()


_FORWARDED: Final = ("protocol", "internal_ip_address", "internal_port", "external_port")


def make_floating_ip_fields(cloud: Cloud) -> Fields[FloatingIp]:
    """The fields of a floating IP."""

    def port_details(floating_ip: FloatingIp) -> dict[str, Any] | None:
        entry = cloud.mirror.get(PORT, floating_ip.port_id)
        if entry is None:
            return None
        port: Port = entry.value
        return {
            "name": port.name,
            "network_id": port.network_id,
            "mac_address": port.mac_address,
            "admin_state_up": port.admin_state_up,
            "status": port.status,
            "device_id": port.device_id,
            "device_owner": port.device_owner,
        }

    return Fields(
        {
            "id": lambda floating_ip: floating_ip.id,
            "floating_network_id": lambda floating_ip: floating_ip.network_id,
            "floating_ip_address": lambda floating_ip: floating_ip.address,
            "fixed_ip_address": lambda floating_ip: floating_ip.fixed_ip or None,
            "port_id": lambda floating_ip: floating_ip.port_id or None,
            "router_id": lambda floating_ip: floating_ip.router_id or None,
            "status": lambda floating_ip: "ACTIVE" if floating_ip.router_id else "DOWN",
            "port_details": port_details,
            "dns_name": lambda floating_ip: floating_ip.dns_name,
            "dns_domain": lambda floating_ip: floating_ip.dns_domain,
            "qos_policy_id": lambda floating_ip: floating_ip.qos_policy_id or None,
            "port_forwardings": lambda floating_ip: [
                {name: getattr(part, name) for name in _FORWARDED} for part in floating_ip.port_forwardings
            ],
            **standard_fields(),
        }
    )


FLOATING_IPS: Final[Collection[FloatingIp]] = Collection(
    kind=FLOATING_IP,
    noun="floatingip",
    plural="floatingips",
    type_noun="FloatingIP",
    title="Floating IP",
    make_fields=make_floating_ip_fields,
    indexes=(
        ("port_id", floating_ips_by_port),
        ("router_id", floating_ips_by_router),
        ("project_id", lambda mirror: by_project(mirror, FLOATING_IP)),
        ("tenant_id", lambda mirror: by_project(mirror, FLOATING_IP)),
    ),
)


async def list_floating_ip_pools(request: Request) -> Response:
    """`GET /floatingip_pools`: the ranges that floating IPs are from, as far as the caller sees their networks."""
    mirror = request.cloud.mirror
    pools = []
    for entry in mirror.all(SUBNET).values():
        subnet: Subnet = entry.value
        network = mirror.get(NETWORK, subnet.network_id)
        if network is None or not network.value.external or subnet.ip_version != 4:
            continue
        if NETWORKS.is_visible(request, network.value):
            pools.append(
                {
                    "network_id": subnet.network_id,
                    "subnet_id": subnet.id,
                    "subnet_name": subnet.name,
                    "cidr": subnet.cidr,
                    "project_id": subnet.project_id,
                    "tenant_id": subnet.project_id,
                }
            )
    return reply({"floatingip_pools": pools}, items=len(pools))


async def list_floating_ips(request: Request) -> Response:
    """`GET /floatingips`."""
    return FLOATING_IPS.listing(request)


async def create_floating_ip(request: Request) -> Response:
    """`POST /floatingips`."""
    return await FLOATING_IPS.create(request, WantedFloatingIp, _new_floating_ip)


async def show_floating_ip(request: Request) -> Response:
    """`GET /floatingips/{id}`."""
    return FLOATING_IPS.show(request, FLOATING_IPS.find(request, request.params["id"]).value)


async def update_floating_ip(request: Request) -> Response:
    """`PUT /floatingips/{id}`: with a port it stands for one of its addresses, without one for nothing."""
    return await FLOATING_IPS.update(request, WantedFloatingIp, _changed_floating_ip)


async def delete_floating_ip(request: Request) -> Response:
    """`DELETE /floatingips/{id}`: gives the address back."""
    entry = FLOATING_IPS.find_own(request, request.params["id"], "delete")
    floating_ip, cloud = entry.value, request.cloud
    _refuse_forwarding(floating_ip)
    changes: Changes = [Delete(FLOATING_IP, floating_ip.id, entry.revision)]
    own_port = cloud.mirror.get(PORT, floating_ip.own_port_id)
    if own_port is not None:
        changes += remove_port(cloud, own_port.value)
    await cloud.mirror.commit(changes)
    return reply(None, 204)


def _new_floating_ip(request: Request, wanted: WantedFloatingIp) -> tuple[FloatingIp, Changes]:
    cloud = request.cloud
    if wanted.floating_network_id is UNSET:
        raise bad("Failed to parse request. Required attribute 'floating_network_id' not specified")
    network: Network = NETWORKS.find(request, wanted.floating_network_id).value
    if not network.external:
        words = f"Bad floatingip request: Network {network.id} is not a valid external network."
        raise Fault(400, words, type="BadRequest")
    if wanted.floating_ip_address and not request.caller.is_admin:
        raise disallowed("create_floatingip:floating_ip_address")
    floating_id = cloud.new_id()
    port = Port(
        id=cloud.new_id(),
        project_id="",
        network_id=network.id,
        mac_address="",
        device_id=floating_id,
        device_owner=FLOATING_IP_OWNER,
        status="N/A",
        port_security_enabled=False,
    )
    asked = wanted.floating_ip_address or None
    address = WantedAddress(wanted.subnet_id, asked) if asked or wanted.subnet_id else None
    port, changes = new_port(cloud, network, port, addresses=[address] if address else None)
    v4 = [fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address]
    if not v4:
        message = f"Network {network.id} does not contain any IPv4 subnet"
        raise Fault(400, f"Bad floatingip request: {message}.", type="BadRequest")
    now_us = cloud.now_us()
    floating_ip = FloatingIp(
        id=floating_id,
        project_id=owner(request, wanted.project_id or wanted.tenant_id),
        network_id=network.id,
        address=v4[0],
        own_port_id=port.id,
        created_us=now_us,
        updated_us=now_us,
        tags=wanted.tags,
    )
    floating_ip, more = _with_wishes(request, floating_ip, wanted)
    held = held_policy(cloud, floating_ip.qos_policy_id)
    return floating_ip, [*changes, *more, *held, Put(FLOATING_IP, floating_ip, floating_ip.id, 0)]


def _changed_floating_ip(
    request: Request, floating_ip: FloatingIp, wanted: WantedFloatingIp
) -> tuple[FloatingIp, Changes]:
    changed, changes = _with_wishes(request, floating_ip, wanted)
    return changed, [*changes, *held_policy(request.cloud, changed.qos_policy_id, floating_ip.qos_policy_id)]


def _with_wishes(request: Request, floating_ip: FloatingIp, wanted: WantedFloatingIp) -> tuple[FloatingIp, Changes]:
    names = ("description", "dns_name", "dns_domain")
    wishes = {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not UNSET}
    wishes["qos_policy_id"] = wanted_policy(request, wanted.qos_policy_id, floating_ip.qos_policy_id)
    changed = msgspec.structs.replace(floating_ip, **wishes)
    if not floating_ip.port_id and not wanted.port_id and floating_ip.port_forwardings:
        return changed, []
    if wanted.port_id is UNSET:
        if wanted.fixed_ip_address not in (UNSET, None, "") and not floating_ip.port_id:
            raise invalid("fixed_ip_address cannot be specified without a port_id")
        return changed, []
    if not wanted.port_id:
        return msgspec.structs.replace(changed, port_id="", fixed_ip="", router_id=""), []
    _refuse_forwarding(floating_ip)
    entry = PORTS.find_own(request, wanted.port_id, "update_floatingip")
    port: Port = entry.value
    fixed_ip, subnet_id = _fixed_ip(port, wanted.fixed_ip_address or "")
    cloud = request.cloud
    for key in floating_ips_by_port(cloud.mirror).keys(port.id):
        other = cloud.mirror.all(FLOATING_IP)[key].value
        if other.id != floating_ip.id and other.fixed_ip == fixed_ip and other.network_id == floating_ip.network_id:
            raise Fault(
                409,
                f"Cannot associate floating IP {floating_ip.address} ({floating_ip.id}) with port {port.id} using "
                f"fixed IP {fixed_ip}, as that fixed IP already has a floating IP on external network "
                f"{floating_ip.network_id}.",
                type="FloatingIPPortAlreadyAssociated",
            )
    router_id = router_between(cloud, floating_ip.network_id, subnet_id)
    if not router_id:
        raise Fault(
            404,
            f"External network {floating_ip.network_id} is not reachable from subnet {subnet_id}.  Therefore, cannot "
            f"associate Port {port.id} with a Floating IP.",
            type="ExternalGatewayForFloatingIPNotFound",
        )
    changed = msgspec.structs.replace(changed, port_id=port.id, fixed_ip=fixed_ip, router_id=router_id)
    return changed, [Put(PORT, port, port.id, entry.revision)]


def _refuse_forwarding(floating_ip: FloatingIp) -> None:
    if floating_ip.port_forwardings:
        message = f"Floating IP {floating_ip.id} in use by Port Forwarding resources."
        raise Fault(409, message, type="FipInUseByPortForwarding")


def _fixed_ip(port: Port, wanted: str) -> tuple[str, str]:
    """The address of the port that is meant, and its subnet."""
    for fixed in port.fixed_ips:
        if fixed.ip_address == wanted or (not wanted and ":" not in fixed.ip_address):
            return fixed.ip_address, fixed.subnet_id
    if wanted:
        raise missing("FixedIP", "Fixed IP", wanted)
    raise Fault(400, f"Bad floatingip request: Port {port.id} has no fixed IPv4 addresses.", type="BadRequest")


def router_between(cloud: Cloud, external_network_id: str, subnet_id: str) -> str:
    """The router with a gateway on the one and an interface on the other, or an empty string."""
    mirror = cloud.mirror
    ports = mirror.all(PORT)
    at_gateway = _router_at_gateway(cloud, subnet_id)
    if at_gateway is not None and at_gateway.gateway_network_id == external_network_id:
        return at_gateway.id
    for router_id in routers_by_gateway(mirror).keys(external_network_id):
        if router_id not in mirror.all(ROUTER):
            continue
        for key in ports_by_device(mirror).keys(router_id):
            port = ports[key].value
            if port.device_owner == ROUTER_INTERFACE and any(one.subnet_id == subnet_id for one in port.fixed_ips):
                return router_id
    return ""


def _router_at_gateway(cloud: Cloud, subnet_id: str) -> Router | None:
    """The router that has the gateway address of a subnet: nearly always the one, and found at once."""
    mirror = cloud.mirror
    subnet = mirror.get(SUBNET, subnet_id)
    if subnet is None or not subnet.value.gateway_ip:
        return None
    address = mirror.get(ADDRESS, address_key(subnet_id, subnet.value.gateway_ip))
    port = mirror.get(PORT, address.value.port_id) if address is not None else None
    router = mirror.get(ROUTER, port.value.device_id) if port is not None else None
    return router.value if router is not None else None


ROUTES: Final = (
    Route("GET", "/floatingip_pools", list_floating_ip_pools, Access.READER),
    Route("GET", "/floatingips", list_floating_ips, Access.READER),
    Route("POST", "/floatingips", create_floating_ip, Access.MEMBER),
    Route("GET", "/floatingips/{id}", show_floating_ip, Access.READER),
    Route("PUT", "/floatingips/{id}", update_floating_ip, Access.MEMBER),
    Route("DELETE", "/floatingips/{id}", delete_floating_ip, Access.MEMBER),
)
