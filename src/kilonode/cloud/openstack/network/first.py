"""The networks of a new cloud: one outside, one for each of its two projects, and a router. Names as DevStack's."""

from typing import Final

from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.addressing import default_gateway, default_pools, mac_address
from kilonode.cloud.openstack.network.default_group import default_group_changes
from kilonode.cloud.openstack.network.model import (
    NETWORK,
    PORT,
    ROUTER,
    SUBNET,
    FixedIp,
    Network,
    Router,
    Subnet,
)
from kilonode.cloud.openstack.network.plugging import take_addresses
from kilonode.cloud.openstack.network.topologies import gateway_port, interface_port
from kilonode.control.mirror import Delete, Put

NETWORKS: Final = (
    ("public", "admin", "172.24.0.0/16", True),
    ("lab", "admin", "10.16.0.0/12", False),
    ("private", "demo", "10.0.0.0/16", False),
)
"""Name, project, range and whether it is external. Wide, because a lab boots servers by the ten thousand."""

Place = tuple[Network, Subnet]


def first_networks(cloud: Cloud, projects: dict[str, str]) -> list[Put | Delete]:
    """An external network, one for each of the two projects, and demo's router between its own and the outside.

    A site that comes later does without what would be of a project that is gone.
    """
    now_us = cloud.now_us()
    changes: list[Put | Delete] = []
    networks: dict[str, Place] = {}
    for number, (name, owner, cidr, external) in enumerate(NETWORKS, 1):
        if owner not in projects:
            continue
        subnet_id, network_id, project_id = cloud.new_id(), cloud.new_id(), projects[owner]
        network = Network(
            id=network_id,
            project_id=project_id,
            name=name,
            external=external,
            is_default=external,
            segmentation_id=number,
            subnet_ids=(subnet_id,),
            created_us=now_us,
            updated_us=now_us,
        )
        gateway_ip = default_gateway(cidr)
        subnet = Subnet(
            id=subnet_id,
            project_id=project_id,
            name=f"{name}-subnet",
            network_id=network_id,
            ip_version=4,
            cidr=cidr,
            gateway_ip=gateway_ip,
            allocation_pools=default_pools(cidr, gateway_ip),
            enable_dhcp=not external,
            created_us=now_us,
            updated_us=now_us,
        )
        networks[name] = (network, subnet)
        changes += [Put(NETWORK, network, network_id, 0), Put(SUBNET, subnet, subnet_id, 0)]
    if "public" in networks and "private" in networks:
        changes += _router(cloud, projects["demo"], networks["public"], networks["private"])
    own = [projects[name] for name in ("admin", "demo") if name in projects]
    return [*changes, *(put for project_id in own for put in default_group_changes(cloud, project_id))]


def _router(cloud: Cloud, project_id: str, outside: Place, inside: Place) -> list[Put | Delete]:
    """The router `router1`: its gateway outside, its interface at the gateway address inside."""
    now_us = cloud.now_us()
    router_id, port_id = cloud.new_id(), cloud.new_id()
    fixed = FixedIp(outside[1].id, outside[1].allocation_pools[0].start)
    gateway = replace(
        gateway_port(router_id, outside[0], port_id),
        mac_address=mac_address(port_id, fixed.ip_address, 0),
        fixed_ips=(fixed,),
        created_us=now_us,
        updated_us=now_us,
    )
    changes: list[Put | Delete] = []
    for port in (gateway, interface_port(cloud, router_id, inside[1])):
        changes += [Put(PORT, port, port.id, 0), *take_addresses(port, port.fixed_ips)]
    router = Router(
        id=router_id,
        project_id=project_id,
        name="router1",
        gateway_network_id=outside[0].id,
        gateway_port_id=gateway.id,
        created_us=now_us,
        updated_us=now_us,
    )
    return [*changes, Put(ROUTER, router, router_id, 0)]
