"""The network of a project that has none: with subnets, a router, and a way to the outside, as changes for one commit.

Neutron's auto-allocated topology, which Nova asks for when a server wants `auto`. Whoever asks first makes it: the
document `topology` of the project must not have existed. No HTTP, no policies.
"""

from collections.abc import Sequence
from typing import Final

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.addressing import default_gateway, default_pools, mac_address
from kilonode.cloud.openstack.network.cutting import cut, default_pool, taken_from
from kilonode.cloud.openstack.network.default_group import default_group_changes
from kilonode.cloud.openstack.network.model import (
    ACTIVE,
    NETWORK,
    PORT,
    ROUTER,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    SUBNET,
    FixedIp,
    Network,
    Port,
    Router,
    Subnet,
    networks_open_to_all,
    segmentation_id_of,
)
from kilonode.cloud.openstack.network.plugging import new_port, take_addresses
from kilonode.cloud.openstack.network.topology_model import TOPOLOGY, Topology
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.mirror import Delete, Put

RANGE: Final = "10.0.0.0/16"
"""Of a network for which there is no default pool: as the first network of the project demo."""
Changes = list[Put | Delete]


def topology_of(cloud: Cloud, project_id: str) -> tuple[str, Changes]:
    """The id of the project's network, and the changes that make it: none when it is there. Raises Fault 409."""
    entry = cloud.mirror.get(TOPOLOGY, project_id)
    if entry is not None:
        return entry.value.network_id, []
    outside = outside_network(cloud)
    now_us = cloud.now_us()
    network_id = cloud.new_id()
    try:
        subnets, changes = _subnets(cloud, project_id, network_id)
    except Fault as fault:
        raise _failure("Unable to provide tenant private network") from fault
    network = Network(
        id=network_id,
        project_id=project_id,
        name="auto_allocated_network",
        segmentation_id=segmentation_id_of(network_id),
        subnet_ids=tuple(subnet.id for subnet in subnets),
        created_us=now_us,
        updated_us=now_us,
    )
    router_id, its_changes = _router(cloud, project_id, outside, subnets)
    return network_id, [
        Put(TOPOLOGY, Topology(network_id, router_id), project_id, 0),
        Put(NETWORK, network, network_id, 0),
        *changes,
        *its_changes,
        *default_group_changes(cloud, project_id),
    ]


def outside_network(cloud: Cloud) -> Network:
    """The default external network. Raises Fault 409 when there is none."""
    table = cloud.mirror.all(NETWORK)
    for key in networks_open_to_all(cloud.mirror).keys(True):
        network: Network = table[key].value
        if network.external and network.is_default:
            return network
    raise _failure("No default router:external network")


def interface_port(cloud: Cloud, router_id: str, subnet: Subnet) -> Port:
    """The interface of a router on a subnet that is yet to be written: at the gateway's address, which is free."""
    port_id, now_us = cloud.new_id(), cloud.now_us()
    fixed = FixedIp(subnet.id, subnet.gateway_ip or "")
    return Port(
        id=port_id,
        project_id=subnet.project_id,
        network_id=subnet.network_id,
        mac_address=mac_address(port_id, fixed.ip_address, 0),
        fixed_ips=(fixed,),
        device_id=router_id,
        device_owner=ROUTER_INTERFACE,
        status=ACTIVE,
        port_security_enabled=False,
        created_us=now_us,
        updated_us=now_us,
    )


def gateway_port(router_id: str, network: Network, port_id: str) -> Port:
    """The gateway of a router on an external network, without address and MAC address. It is no project's."""
    return Port(
        id=port_id,
        project_id="",
        network_id=network.id,
        mac_address="",
        device_id=router_id,
        device_owner=ROUTER_GATEWAY,
        status=ACTIVE,
        port_security_enabled=False,
    )


def _subnets(cloud: Cloud, project_id: str, network_id: str) -> tuple[list[Subnet], Changes]:
    """A subnet from the default pool of each IP version; without any, one of IPv4."""
    found: list[Subnet] = []
    changes: Changes = []
    for version in (4, 6):
        pool = default_pool(cloud, project_id, version)
        if pool is not None:
            cidr = str(cut(cloud, pool.value, project_id, None, None))
            found.append(_subnet(cloud, project_id, network_id, version, cidr, pool.value.id))
            changes.append(taken_from(pool))
    found = found or [_subnet(cloud, project_id, network_id, 4, RANGE)]
    return found, [*changes, *(Put(SUBNET, subnet, subnet.id, 0) for subnet in found)]


def _subnet(cloud: Cloud, project_id: str, network_id: str, version: int, cidr: str, pool_id: str = "") -> Subnet:
    now_us = cloud.now_us()
    gateway_ip = default_gateway(cidr)
    return Subnet(
        id=cloud.new_id(),
        project_id=project_id,
        name=f"auto_allocated_subnet_v{version}",
        network_id=network_id,
        ip_version=version,
        cidr=cidr,
        gateway_ip=gateway_ip,
        allocation_pools=default_pools(cidr, gateway_ip),
        pool_id=pool_id,
        created_us=now_us,
        updated_us=now_us,
    )


def _router(cloud: Cloud, project_id: str, outside: Network, subnets: Sequence[Subnet]) -> tuple[str, Changes]:
    now_us = cloud.now_us()
    router_id = cloud.new_id()
    gateway, changes = new_port(cloud, outside, gateway_port(router_id, outside, cloud.new_id()), addresses=None)
    for subnet in subnets:
        port = interface_port(cloud, router_id, subnet)
        changes += [Put(PORT, port, port.id, 0), *take_addresses(port, port.fixed_ips)]
    router = Router(
        id=router_id,
        project_id=project_id,
        name="auto_allocated_router",
        gateway_network_id=outside.id,
        gateway_port_id=gateway.id,
        created_us=now_us,
        updated_us=now_us,
    )
    return router_id, [*changes, Put(ROUTER, router, router_id, 0)]


def _failure(reason: str) -> Fault:
    return Fault(409, f"Deployment error: {reason}.", type="AutoAllocationFailure")
