"""`/network-ip-availabilities`: how many addresses each network has, and how many are in use."""

from ipaddress import ip_address
from typing import Any, Final

from kilonode.cloud.openstack.network.faults import missing
from kilonode.cloud.openstack.network.model import NETWORK, SUBNET, Network, Subnet, addresses_by_subnet
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route

_COMPARED: Final = ("network_id", "network_name", "tenant_id", "project_id")


async def list_availabilities(request: Request) -> Response:
    """`GET /network-ip-availabilities`; `ip_version` counts the subnets of one version alone."""
    version = request.query.integer("ip_version")
    wanted = [(name, request.query.all(name)) for name in _COMPARED if name in request.query]
    shown = []
    for entry in request.cloud.mirror.all(NETWORK).values():
        found = _availability(request, entry.value, version)
        if all(str(found[name]) in texts for name, texts in wanted):
            shown.append(found)
    return reply({"network_ip_availabilities": shown}, items=len(shown))


async def show_availability(request: Request) -> Response:
    """`GET /network-ip-availabilities/{id}`."""
    entry = request.cloud.mirror.get(NETWORK, request.params["id"])
    if entry is None:
        raise missing("Network", "Network", request.params["id"])
    return reply({"network_ip_availability": _availability(request, entry.value, None)})


def _availability(request: Request, network: Network, version: int | None) -> dict[str, Any]:
    mirror = request.cloud.mirror
    in_use = addresses_by_subnet(mirror)
    found = [mirror.get(SUBNET, key) for key in network.subnet_ids]
    subnets: list[Subnet] = [one.value for one in found if one is not None]
    counted = [
        {
            "subnet_id": subnet.id,
            "subnet_name": subnet.name,
            "ip_version": subnet.ip_version,
            "cidr": subnet.cidr,
            "total_ips": _size(subnet),
            "used_ips": in_use.count(subnet.id),
        }
        for subnet in subnets
        if version in (None, subnet.ip_version)
    ]
    return {
        "network_id": network.id,
        "network_name": network.name,
        "tenant_id": network.project_id,
        "project_id": network.project_id,
        "total_ips": sum(int(str(one["total_ips"])) for one in counted),
        "used_ips": sum(int(str(one["used_ips"])) for one in counted),
        "subnet_ip_availability": counted,
    }


def _size(subnet: Subnet) -> int:
    return sum(int(ip_address(pool.end)) - int(ip_address(pool.start)) + 1 for pool in subnet.allocation_pools)


ROUTES: Final = (
    Route("GET", "/network-ip-availabilities", list_availabilities, Access.ADMIN),
    Route("GET", "/network-ip-availabilities/{id}", show_availability, Access.ADMIN),
)
