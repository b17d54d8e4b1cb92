"""`/networks`."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, standard_fields
from kilonode.cloud.openstack.network.default_group import default_group_changes
from kilonode.cloud.openstack.network.faults import disallowed
from kilonode.cloud.openstack.network.model import (
    FLOATING_IP,
    FLOATING_IP_OWNER,
    NETWORK,
    PORT,
    SUBNET,
    Network,
    addresses_by_subnet,
    by_project,
    networks_open_to_all,
    ports_by_network,
    segmentation_id_of,
    subnets_by_network,
)
from kilonode.cloud.openstack.network.plugging import remove_port
from kilonode.cloud.openstack.network.pool_model import SUBNET_POOL
from kilonode.cloud.openstack.network.qos import default_policy, held_policy, wanted_policy
from kilonode.cloud.openstack.network.topology_model import without_topology
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put


class WantedNetwork(msgspec.Struct, frozen=True):
    """The `network` of a create or update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    shared: bool | UnsetType = UNSET
    external: bool | UnsetType = msgspec.field(name="router:external", default=UNSET)
    mtu: int | UnsetType = UNSET
    port_security_enabled: bool | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET
    dns_domain: str | UnsetType = UNSET
    qos_policy_id: str | UnsetType | None = UNSET
    project_id: str | None = None
    tenant_id: str | None = None
    availability_zone_hints: tuple[str, ...] = ()
    network_type: str | UnsetType = msgspec.field(name="provider:network_type", default=UNSET)
    physical_network: str | UnsetType | None = msgspec.field(name="provider:physical_network", default=UNSET)
    segmentation_id: int | UnsetType | None = msgspec.field(name="provider:segmentation_id", default=UNSET)
    tags: tuple[str, ...] = ()


def make_network_fields(cloud: Cloud) -> Fields[Network]:
    """The fields of a network."""

    def scope(network: Network, version: int) -> str | None:
        """The address scope of the pools that the network's subnets are from."""
        for key in network.subnet_ids:
            subnet = cloud.mirror.get(SUBNET, key)
            if subnet is not None and subnet.value.ip_version == version and subnet.value.pool_id:
                pool = cloud.mirror.get(SUBNET_POOL, subnet.value.pool_id)
                if pool is not None and pool.value.address_scope_id:
                    return str(pool.value.address_scope_id)
        return None

    return Fields(
        {
            "id": lambda network: network.id,
            "name": lambda network: network.name,
            "admin_state_up": lambda network: network.admin_state_up,
            "status": lambda network: "ACTIVE",
            "subnets": lambda network: network.subnet_ids,
            "shared": lambda network: network.shared or "*" in network.shared_with,
            "router:external": lambda network: network.external,
            "is_default": lambda network: network.is_default,
            "mtu": lambda network: network.mtu,
            "port_security_enabled": lambda network: network.port_security_enabled,
            "availability_zone_hints": lambda network: network.availability_zone_hints,
            "availability_zones": lambda network: cloud.settings.zones,
            "ipv4_address_scope": lambda network: scope(network, 4),
            "ipv6_address_scope": lambda network: scope(network, 6),
            "dns_domain": lambda network: network.dns_domain,
            "qos_policy_id": lambda network: network.qos_policy_id or None,
            "l2_adjacency": lambda network: True,
            "vlan_transparent": lambda network: None,
            "provider:network_type": lambda network: network.network_type,
            "provider:physical_network": lambda network: network.physical_network,
            "provider:segmentation_id": lambda network: network.segmentation_id or None,
            **standard_fields(),
        }
    )


NETWORKS: Final[Collection[Network]] = Collection(
    kind=NETWORK,
    noun="network",
    plural="networks",
    type_noun="Network",
    title="Network",
    make_fields=make_network_fields,
    sees=lambda request, network: (
        network.shared or network.external or request.caller.project_id in network.external_for
    ),
    seen=lambda request: networks_open_to_all(request.cloud.mirror).keys(True),
    indexes=(
        ("project_id", lambda mirror: by_project(mirror, NETWORK)),
        ("tenant_id", lambda mirror: by_project(mirror, NETWORK)),
    ),
    admin_fields=frozenset({"provider:network_type", "provider:physical_network", "provider:segmentation_id"}),
)


async def list_networks(request: Request) -> Response:
    """`GET /networks`."""
    return NETWORKS.listing(request)


async def create_network(request: Request) -> Response:
    """`POST /networks`, one or many."""
    return await NETWORKS.create(request, WantedNetwork, _new_network)


async def show_network(request: Request) -> Response:
    """`GET /networks/{id}`."""
    return NETWORKS.show(request, NETWORKS.find(request, request.params["id"]).value)


async def update_network(request: Request) -> Response:
    """`PUT /networks/{id}`."""
    return await NETWORKS.update(request, WantedNetwork, _changed_network)


async def delete_network(request: Request) -> Response:
    """`DELETE /networks/{id}`, with its subnets; not while it has ports."""
    entry = NETWORKS.find_own(request, request.params["id"], "delete")
    network, mirror = entry.value, request.cloud.mirror
    changes: Changes = [Delete(NETWORK, network.id, entry.revision)]
    addresses = 0
    for key in ports_by_network(mirror).keys(network.id):
        port = mirror.all(PORT)[key].value
        floating_ip = mirror.get(FLOATING_IP, port.device_id) if port.device_owner == FLOATING_IP_OWNER else None
        if floating_ip is None or floating_ip.value.port_id:
            raise network_in_use(network.id)
        # A floating IP that stands for nothing goes with its network.
        changes += [*remove_port(request.cloud, port), Delete(FLOATING_IP, port.device_id, floating_ip.revision)]
        addresses += len(port.fixed_ips)
    subnets = list(subnets_by_network(mirror).keys(network.id))
    if sum(addresses_by_subnet(mirror).count(key) for key in subnets) > addresses:
        raise network_in_use(network.id)
    changes += [*(Delete(SUBNET, key) for key in subnets), *without_topology(mirror, network.project_id, network.id)]
    await mirror.commit(changes)
    return reply(None, 204)


def _new_network(request: Request, wanted: WantedNetwork) -> tuple[Network, Changes]:
    _check_rights(request, wanted)
    cloud = request.cloud
    now_us = cloud.now_us()
    network_id = cloud.new_id()
    network = Network(
        id=network_id,
        project_id=owner(request, wanted.project_id or wanted.tenant_id),
        created_us=now_us,
        updated_us=now_us,
        segmentation_id=segmentation_id_of(network_id),
        availability_zone_hints=wanted.availability_zone_hints,
        tags=wanted.tags,
    )
    network = _with_wishes(request, network, wanted)
    if wanted.qos_policy_id is UNSET:
        network = msgspec.structs.replace(network, qos_policy_id=default_policy(cloud, network.project_id))
    group = default_group_changes(cloud, network.project_id) if network.project_id else []
    return network, [Put(NETWORK, network, network.id, 0), *group, *held_policy(cloud, network.qos_policy_id)]


def _changed_network(request: Request, network: Network, wanted: WantedNetwork) -> tuple[Network, Changes]:
    _check_rights(request, wanted)
    changed = _with_wishes(request, network, wanted)
    if network.external and not changed.external:
        mirror = request.cloud.mirror
        owners = {mirror.all(PORT)[key].value.device_owner for key in ports_by_network(mirror).keys(network.id)}
        if FLOATING_IP_OWNER in owners:
            raise Fault(
                409,
                f"External network {network.id} cannot be updated to be made non-external, "
                "since it has existing gateway ports.",
                type="ExternalNetworkInUse",
            )
    return changed, held_policy(request.cloud, changed.qos_policy_id, network.qos_policy_id)


def _with_wishes(request: Request, network: Network, wanted: WantedNetwork) -> Network:
    wishes = {
        name: getattr(wanted, name)
        for name in (
            "name",
            "description",
            "admin_state_up",
            "shared",
            "external",
            "mtu",
            "port_security_enabled",
            "is_default",
            "dns_domain",
            "network_type",
            "physical_network",
            "segmentation_id",
        )
        if getattr(wanted, name) is not UNSET
    }
    if wishes.get("segmentation_id", 0) is None:
        del wishes["segmentation_id"]
    wishes["qos_policy_id"] = wanted_policy(request, wanted.qos_policy_id, network.qos_policy_id)
    changed = msgspec.structs.replace(network, **wishes)
    _check_default(request, changed, wanted)
    return changed


def _check_default(request: Request, network: Network, wanted: WantedNetwork) -> None:
    """There is one default external network. Raises Fault 409."""
    if not network.external or wanted.is_default is not True:
        return
    mirror = request.cloud.mirror
    for key in networks_open_to_all(mirror).keys(True):
        other = mirror.all(NETWORK)[key].value
        if other.external and other.is_default and key != network.id:
            words = f"A default external network already exists: {key}."
            raise Fault(409, words, type="DefaultExternalNetworkExists")


def _check_rights(request: Request, wanted: WantedNetwork) -> None:
    """Shared, external and provider networks are for administrators."""
    if request.caller.is_admin:
        return
    for name, rule in (
        ("shared", "create_network:shared"),
        ("external", "create_network:router:external"),
        ("network_type", "create_network:provider:network_type"),
        ("physical_network", "create_network:provider:physical_network"),
        ("segmentation_id", "create_network:provider:segmentation_id"),
    ):
        if getattr(wanted, name) not in (UNSET, None, False):
            raise disallowed(rule)


def network_in_use(network_id: str) -> Fault:
    """409 for a network that has ports."""
    return Fault(
        409,
        f"Unable to complete operation on network {network_id}. There are one or more ports still in use on the "
        "network.",
        type="NetworkInUse",
    )


ROUTES: Final = (
    Route("GET", "/networks", list_networks, Access.READER),
    Route("POST", "/networks", create_network, Access.MEMBER),
    Route("GET", "/networks/{id}", show_network, Access.READER),
    Route("PUT", "/networks/{id}", update_network, Access.MEMBER),
    Route("DELETE", "/networks/{id}", delete_network, Access.MEMBER),
)
