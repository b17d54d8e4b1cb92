"""Addresses as compute managed them before the network service did: floating IPs (to 2.35), the actions (to 2.43)."""

from typing import Any, Final
from urllib.parse import quote

from msgspec.structs import replace

from kilonode.cloud.openstack.compute import neighbours
from kilonode.cloud.openstack.compute.acting import ACCEPTED, object_of, write
from kilonode.cloud.openstack.compute.delegated import ask
from kilonode.cloud.openstack.compute.model import RequestedNetwork, Server
from kilonode.cloud.openstack.network.model import NETWORK, PORT, Port
from kilonode.cloud.openstack.network.ports import release_port, server_ports
from kilonode.cloud.openstack.network.service import NETWORK_SERVICE
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry

_EXTERNAL: Final = "router:external=True"
_PLACE: Final = "/floatingips"


async def list_floating_ips(request: Request) -> Response:
    """The project's floating IPs."""
    project = quote(request.caller.project_id)
    found = await ask(request, NETWORK_SERVICE, "GET", _PLACE, query=f"project_id={project}")
    return reply({"floating_ips": [_floating_ip(request, one) for one in found["floatingips"]]})


async def show_floating_ip(request: Request) -> Response:
    """One floating IP."""
    return reply({"floating_ip": _floating_ip(request, await _find(request))})


async def create_floating_ip(request: Request) -> Response:
    """A floating IP of a pool, that is of an external network by name or id; of the first one when none is named."""
    pool = (request.json_object() if request.body else {}).get("pool")
    external = (await ask(request, NETWORK_SERVICE, "GET", "/networks", query=_EXTERNAL))["networks"]
    chosen = [one for one in external if pool in (None, one["name"], one["id"])]
    if not chosen:
        raise Fault(404, f"Floating IP pool {pool} not found.")
    wanted = {"floatingip": {"floating_network_id": chosen[0]["id"]}}
    made = await ask(request, NETWORK_SERVICE, "POST", _PLACE, body=wanted)
    return reply({"floating_ip": _floating_ip(request, made["floatingip"])})


async def delete_floating_ip(request: Request) -> Response:
    """Give a floating IP back."""
    await _find(request)
    await ask(request, NETWORK_SERVICE, "DELETE", _place(request.params["floating_ip_id"]))
    return reply(None, ACCEPTED)


async def list_floating_ip_pools(request: Request) -> Response:
    """The external networks."""
    external = await ask(request, NETWORK_SERVICE, "GET", "/networks", query=_EXTERNAL)
    return reply({"floating_ip_pools": [{"name": one["name"] or one["id"]} for one in external["networks"]]})


async def add_floating_ip(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Have a floating IP stand for the server's first address, or for the one that is named."""
    wanted = object_of(arguments, "addFloatingIp")
    address, server = str(wanted.get("address", "")), entry.value
    fixed = wanted.get("fixed_address")
    ports = [port for port in server_ports(request.cloud, server.id) if _has_v4(port)]
    if not ports:
        raise Fault(400, "No fixed IPs associated to instance")
    chosen = [port for port in ports if not fixed or any(one.ip_address == fixed for one in port.fixed_ips)]
    if not chosen:
        raise Fault(400, "Specified fixed address not assigned to instance")
    found = await _by_address(request, address)
    change = {"port_id": chosen[0].id, **({"fixed_ip_address": fixed} if fixed else {})}
    try:
        await ask(request, NETWORK_SERVICE, "PUT", _place(found["id"]), body={"floatingip": change})
    except Fault as fault:
        raise Fault(400 if fault.status == 409 else fault.status, fault.message) from fault
    return reply(None, ACCEPTED)


async def remove_floating_ip(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Have a floating IP no longer stand for an address of the server."""
    address = str(object_of(arguments, "removeFloatingIp").get("address", ""))
    found = await _by_address(request, address)
    ports = {port.id for port in server_ports(request.cloud, entry.value.id)}
    if found["port_id"] not in ports:
        raise Fault(409, f"Floating IP {address} is not associated with instance {entry.value.id}.")
    change = {"floatingip": {"port_id": None}}
    await ask(request, NETWORK_SERVICE, "PUT", _place(found["id"]), body=change)
    return reply(None, ACCEPTED)


async def add_fixed_ip(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Give the server one more interface on a network."""
    network_id = str(object_of(arguments, "addFixedIp").get("networkId", ""))
    server, cloud = entry.value, request.cloud
    asked = neighbours.resolve_networks(cloud, request.caller, (RequestedNetwork(network_id=network_id),))
    changes = neighbours.plug_interfaces(cloud, server, asked, turn=len(server_ports(cloud, server.id)))
    grown = replace(server, networks=(*server.networks, *asked), updated_us=cloud.now_us())
    await write(request, entry, grown, *changes)
    return reply(None, ACCEPTED)


async def remove_fixed_ip(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Take the interface with an address from the server."""
    address = str(object_of(arguments, "removeFixedIp").get("address", ""))
    for port in server_ports(request.cloud, entry.value.id):
        if any(one.ip_address == address for one in port.fixed_ips):
            shrunk = replace(entry.value, updated_us=request.cloud.now_us())
            await write(request, entry, shrunk, *release_port(request.cloud, port))
            return reply(None, ACCEPTED)
    raise Fault(400, f"Instance {entry.value.id} has no address {address}.")


def _place(floating_ip_id: str) -> str:
    return f"{_PLACE}/{quote(floating_ip_id, safe='')}"


async def _find(request: Request) -> dict[str, Any]:
    key = request.params["floating_ip_id"]
    try:
        found = await ask(request, NETWORK_SERVICE, "GET", _place(key))
    except Fault as fault:
        raise Fault(fault.status, f"Floating IP not found for ID {key}") from fault
    body: dict[str, Any] = found["floatingip"]
    return body


async def _by_address(request: Request, address: str) -> dict[str, Any]:
    found = await ask(request, NETWORK_SERVICE, "GET", _PLACE, query=f"floating_ip_address={quote(address)}")
    if not found["floatingips"]:
        raise Fault(404, "floating IP not found")
    body: dict[str, Any] = found["floatingips"][0]
    return body


def _floating_ip(request: Request, one: dict[str, Any]) -> dict[str, Any]:
    mirror = request.cloud.mirror
    port = mirror.get(PORT, one["port_id"]) if one["port_id"] else None
    network = mirror.get(NETWORK, one["floating_network_id"])
    return {
        "id": one["id"],
        "ip": one["floating_ip_address"],
        "pool": network.value.name if network is not None else one["floating_network_id"],
        "fixed_ip": one["fixed_ip_address"],
        "instance_id": port.value.device_id or None if port is not None else None,
    }


def _has_v4(port: Port) -> bool:
    return any(":" not in one.ip_address for one in port.fixed_ips)
