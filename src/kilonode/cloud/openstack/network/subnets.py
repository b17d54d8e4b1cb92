"""`/subnets`. A subnet that comes or goes is written together with its network, so two never overlap on one network."""

from ipaddress import IPv4Network, IPv6Network
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.addressing import default_gateway, default_pools
from kilonode.cloud.openstack.network.bodies import bad
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, standard_fields, touched
from kilonode.cloud.openstack.network.cutting import cut, default_pool, taken_from
from kilonode.cloud.openstack.network.faults import disallowed, invalid
from kilonode.cloud.openstack.network.model import (
    ADDRESS,
    NETWORK,
    PORT,
    SUBNET,
    HostRoute,
    Network,
    Subnet,
    addresses_by_subnet,
    by_project,
    is_shared_with,
    networks_open_to_all,
    shared_with_project,
    subnets_by_network,
)
from kilonode.cloud.openstack.network.networks import NETWORKS
from kilonode.cloud.openstack.network.pool_model import SubnetPool
from kilonode.cloud.openstack.network.subnet_checks import (
    WantedPool,
    check_modes,
    checked_gateway,
    checked_pools,
    refuse_gateway_in,
    refuse_overlap,
    space_of,
)
from kilonode.cloud.openstack.network.subnet_pools import POOLS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put


class WantedSubnet(msgspec.Struct, frozen=True):
    """The `subnet` of a create or update request."""

    network_id: str | UnsetType = UNSET
    cidr: str | UnsetType = UNSET
    ip_version: int | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    gateway_ip: str | UnsetType | None = UNSET
    enable_dhcp: bool | UnsetType = UNSET
    allocation_pools: tuple[WantedPool, ...] | UnsetType = UNSET
    dns_nameservers: tuple[str, ...] | UnsetType = UNSET
    host_routes: tuple[HostRoute, ...] | UnsetType = UNSET
    service_types: tuple[str, ...] | UnsetType = UNSET
    ipv6_address_mode: str | UnsetType | None = UNSET
    ipv6_ra_mode: str | UnsetType | None = UNSET
    subnetpool_id: str | UnsetType | None = UNSET
    use_default_subnetpool: bool = False
    prefixlen: int | UnsetType | None = UNSET
    project_id: str | None = None
    tenant_id: str | None = None
    tags: tuple[str, ...] = ()


def make_subnet_fields(cloud: Cloud) -> Fields[Subnet]:
    """The fields of a subnet."""

    def is_external(subnet: Subnet) -> bool:
        network = cloud.mirror.get(NETWORK, subnet.network_id)
        return network is not None and bool(network.value.external)

    return Fields(
        {
            "id": lambda subnet: subnet.id,
            "name": lambda subnet: subnet.name,
            "network_id": lambda subnet: subnet.network_id,
            "ip_version": lambda subnet: subnet.ip_version,
            "cidr": lambda subnet: subnet.cidr,
            "gateway_ip": lambda subnet: subnet.gateway_ip,
            "allocation_pools": lambda subnet: [
                {"start": pool.start, "end": pool.end} for pool in subnet.allocation_pools
            ],
            "enable_dhcp": lambda subnet: subnet.enable_dhcp,
            "dns_nameservers": lambda subnet: subnet.dns_nameservers,
            "dns_publish_fixed_ip": lambda subnet: False,
            "host_routes": lambda subnet: subnet.host_routes,
            "ipv6_address_mode": lambda subnet: subnet.ipv6_address_mode,
            "ipv6_ra_mode": lambda subnet: subnet.ipv6_ra_mode,
            "service_types": lambda subnet: subnet.service_types,
            "router:external": is_external,
            "subnetpool_id": lambda subnet: subnet.pool_id or None,
            "segment_id": lambda subnet: None,
            **standard_fields(),
        }
    )


def _sees(request: Request, subnet: Subnet) -> bool:
    entry = request.cloud.mirror.get(NETWORK, subnet.network_id)
    return entry is not None and (entry.value.shared or is_shared_with(entry.value, request.caller.project_id))


def _seen(request: Request) -> list[str]:
    mirror = request.cloud.mirror
    table = mirror.all(NETWORK)
    by_policy = shared_with_project(mirror, NETWORK).keys(request.caller.project_id)
    shared = [key for key in networks_open_to_all(mirror).keys(True) if table[key].value.shared]
    shared += [key for key in by_policy if is_shared_with(table[key].value, request.caller.project_id)]
    return [key for network_id in shared for key in subnets_by_network(mirror).keys(network_id)]


SUBNETS: Final[Collection[Subnet]] = Collection(
    kind=SUBNET,
    noun="subnet",
    plural="subnets",
    type_noun="Subnet",
    title="Subnet",
    make_fields=make_subnet_fields,
    sees=_sees,
    seen=_seen,
    indexes=(
        ("network_id", subnets_by_network),
        ("project_id", lambda mirror: by_project(mirror, SUBNET)),
        ("tenant_id", lambda mirror: by_project(mirror, SUBNET)),
    ),
)


async def list_subnets(request: Request) -> Response:
    """`GET /subnets`."""
    return SUBNETS.listing(request)


async def create_subnet(request: Request) -> Response:
    """`POST /subnets`, one, or many on as many networks."""
    return await SUBNETS.create(request, WantedSubnet, _new_subnet)


async def show_subnet(request: Request) -> Response:
    """`GET /subnets/{id}`."""
    return SUBNETS.show(request, SUBNETS.find(request, request.params["id"]).value)


async def update_subnet(request: Request) -> Response:
    """`PUT /subnets/{id}`."""
    return await SUBNETS.update(request, WantedSubnet, _changed_subnet)


async def delete_subnet(request: Request) -> Response:
    """`DELETE /subnets/{id}`: not while an address of it is in use."""
    entry = SUBNETS.find_own(request, request.params["id"], "delete")
    subnet, cloud = entry.value, request.cloud
    changes: list[Put | Delete] = [Delete(SUBNET, subnet.id, entry.revision)]
    if subnet.is_automatic:
        changes += _without_addresses(cloud, subnet)
    elif addresses_by_subnet(cloud.mirror).count(subnet.id):
        raise Fault(
            409,
            f"Unable to complete operation on subnet {subnet.id}: One or more ports have an IP allocation from this "
            "subnet.",
            type="SubnetInUse",
        )
    network = cloud.mirror.get(NETWORK, subnet.network_id)
    if network is not None:
        left = tuple(key for key in network.value.subnet_ids if key != subnet.id)
        without = touched(cloud, msgspec.structs.replace(network.value, subnet_ids=left))
        changes.append(Put(NETWORK, without, without.id, network.revision))
    await cloud.mirror.commit(changes)
    return reply(None, 204)


def _new_subnet(request: Request, wanted: WantedSubnet) -> tuple[Subnet, Changes]:
    cloud = request.cloud
    if wanted.network_id is UNSET:
        raise bad("Failed to parse request. Required attribute 'network_id' not specified")
    if wanted.ip_version is UNSET:
        raise bad("Failed to parse request. Required attribute 'ip_version' not specified")
    if wanted.ip_version not in (4, 6):
        raise bad(f"Invalid input for ip_version. Reason: {wanted.ip_version} is not in valid_values.")
    entry = NETWORKS.find(request, wanted.network_id)
    network: Network = entry.value
    if not request.caller.may_see(network.project_id):
        raise disallowed("create_subnet")
    project_id = owner(request, wanted.project_id or wanted.tenant_id or network.project_id)
    space, pool = _wanted_space(request, wanted, project_id)
    if wanted.ip_version != space.version:
        words = f"cidr '{space}' does not match the ip_version '{wanted.ip_version}'."
        raise invalid(f"Invalid input for operation: {words}")
    cidr = str(space)
    gateway_ip = default_gateway(cidr) if wanted.gateway_ip is UNSET else checked_gateway(wanted.gateway_ip)
    pools = default_pools(cidr, gateway_ip)
    if wanted.allocation_pools is not UNSET:
        pools = checked_pools(space, wanted.allocation_pools, gateway_ip)
    now_us = cloud.now_us()
    subnet = Subnet(
        id=cloud.new_id(),
        project_id=project_id,
        network_id=network.id,
        ip_version=space.version,
        cidr=cidr,
        gateway_ip=gateway_ip,
        allocation_pools=pools,
        created_us=now_us,
        updated_us=now_us,
        tags=wanted.tags,
        pool_id=pool.value.id if pool is not None else "",
    )
    subnet = _with_wishes(subnet, wanted)
    check_modes(subnet)
    refuse_overlap(cloud, network, space)
    with_subnet = touched(cloud, msgspec.structs.replace(network, subnet_ids=(*network.subnet_ids, subnet.id)))
    more = [] if pool is None else [taken_from(pool)]
    return subnet, [Put(SUBNET, subnet, subnet.id, 0), Put(NETWORK, with_subnet, network.id, entry.revision), *more]


def _wanted_space(
    request: Request, wanted: WantedSubnet, project_id: str
) -> tuple[IPv4Network | IPv6Network, Entry[SubnetPool] | None]:
    """The range of a new subnet: the one that is asked for, or one cut from a pool; and the pool. Raises Fault."""
    pool: Entry[SubnetPool] | None = None
    if isinstance(wanted.subnetpool_id, str) and wanted.subnetpool_id:
        pool = POOLS.find(request, wanted.subnetpool_id)
    elif wanted.use_default_subnetpool:
        version = 4 if wanted.ip_version is UNSET else wanted.ip_version
        pool = default_pool(request.cloud, project_id, version)
        if pool is None:
            raise Fault(400, f"No default subnet pool is defined for IPv{version}.", type="NoDefaultSubnetpool")
    asked = None if wanted.cidr is UNSET or not wanted.cidr else space_of(wanted.cidr)
    if pool is None:
        if asked is None:
            words = "Bad subnets request: a subnetpool must be specified in the absence of a cidr."
            raise Fault(400, words, type="BadRequest")
        return asked, None
    if wanted.ip_version is not UNSET and wanted.ip_version != pool.value.ip_version:
        raise invalid("Invalid input for operation: subnet IP version and subnet pool IP version differ.")
    length = wanted.prefixlen if isinstance(wanted.prefixlen, int) else None
    return cut(request.cloud, pool.value, project_id, length, asked), pool


def _without_addresses(cloud: Cloud, subnet: Subnet) -> list[Put | Delete]:
    """The changes that take from ports the addresses that they made themselves. Raises Fault 409 for a router's."""
    mirror = cloud.mirror
    changes: list[Put | Delete] = []
    for key in list(addresses_by_subnet(mirror).keys(subnet.id)):
        entry = mirror.get(PORT, mirror.all(ADDRESS)[key].value.port_id)
        changes.append(Delete(ADDRESS, key))
        if entry is None:
            continue
        if entry.value.device_owner.startswith("network:router_"):
            raise Fault(
                409,
                f"Unable to complete operation on subnet {subnet.id}: One or more ports have an IP allocation from "
                "this subnet.",
                type="SubnetInUse",
            )
        left = tuple(fixed for fixed in entry.value.fixed_ips if fixed.subnet_id != subnet.id)
        port = touched(cloud, msgspec.structs.replace(entry.value, fixed_ips=left))
        changes.append(Put(PORT, port, port.id, entry.revision))
    return changes


def _changed_subnet(request: Request, subnet: Subnet, wanted: WantedSubnet) -> tuple[Subnet, Changes]:
    space = space_of(subnet.cidr)
    changed = _with_wishes(subnet, wanted)
    if wanted.gateway_ip is not UNSET:
        changed = msgspec.structs.replace(changed, gateway_ip=checked_gateway(wanted.gateway_ip))
        if wanted.allocation_pools is UNSET:
            refuse_gateway_in(subnet.allocation_pools, changed.gateway_ip)
    if wanted.allocation_pools is not UNSET:
        pools = checked_pools(space, wanted.allocation_pools, changed.gateway_ip)
        changed = msgspec.structs.replace(changed, allocation_pools=pools)
    return changed, []


def _with_wishes(subnet: Subnet, wanted: WantedSubnet) -> Subnet:
    wishes = {
        name: getattr(wanted, name)
        for name in (
            "name",
            "description",
            "enable_dhcp",
            "dns_nameservers",
            "host_routes",
            "service_types",
            "ipv6_address_mode",
            "ipv6_ra_mode",
        )
        if getattr(wanted, name) is not UNSET
    }
    return msgspec.structs.replace(subnet, **wishes)


ROUTES: Final = (
    Route("GET", "/subnets", list_subnets, Access.READER),
    Route("POST", "/subnets", create_subnet, Access.MEMBER),
    Route("GET", "/subnets/{id}", show_subnet, Access.READER),
    Route("PUT", "/subnets/{id}", update_subnet, Access.MEMBER),
    Route("DELETE", "/subnets/{id}", delete_subnet, Access.MEMBER),
)
