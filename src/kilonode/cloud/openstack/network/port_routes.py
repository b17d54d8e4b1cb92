"""`/ports`. What a port is made of is in `plugging`; here are its requests and who may do what."""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.bodies import bad, is_uuid
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner
from kilonode.cloud.openstack.network.default_group import default_group_changes, default_group_id
from kilonode.cloud.openstack.network.faults import disallowed, invalid, missing
from kilonode.cloud.openstack.network.model import (
    NETWORK,
    PORT,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    SECURITY_GROUP,
    AddressPair,
    DhcpOption,
    Network,
    Port,
    by_project,
    is_shared_with,
    ports_by_device,
    ports_by_mac,
    ports_by_network,
)
from kilonode.cloud.openstack.network.networks import NETWORKS
from kilonode.cloud.openstack.network.plugging import (
    WantedAddress,
    automatic_addresses,
    bound_to,
    choose_addresses,
    free_addresses,
    new_port,
    remove_port,
    take_addresses,
)
from kilonode.cloud.openstack.network.port_fields import make_port_fields, port_test
from kilonode.cloud.openstack.network.qos import held_policy, wanted_policy
from kilonode.cloud.openstack.network.security_groups import GROUPS
from kilonode.cloud.openstack.network.trunk_model import trunks_by_parent, trunks_by_sub_port
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route

_MAC: Final = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
_TRUSTED: Final = "network:"
"""How the owners of ports begin whose traffic nobody filters."""
_WITHOUT_SECURITY: Final = (
    "Port security must be enabled and port must have an IP address in order to use security groups."
)


class WantedPort(msgspec.Struct, frozen=True):
    """The `port` of a create or update request."""

    network_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    mac_address: str | UnsetType | None = UNSET
    fixed_ips: tuple[WantedAddress, ...] | UnsetType | None = UNSET
    device_id: str | UnsetType | None = UNSET
    device_owner: str | UnsetType | None = UNSET
    security_groups: tuple[str, ...] | UnsetType | None = UNSET
    port_security_enabled: bool | UnsetType = UNSET
    allowed_address_pairs: tuple[AddressPair, ...] | UnsetType | None = UNSET
    host: str | UnsetType | None = msgspec.field(name="binding:host_id", default=UNSET)
    vnic_type: str | UnsetType = msgspec.field(name="binding:vnic_type", default=UNSET)
    profile: dict[str, Any] | UnsetType | None = msgspec.field(name="binding:profile", default=UNSET)
    extra_dhcp_opts: tuple[DhcpOption, ...] | UnsetType | None = UNSET
    dns_name: str | UnsetType = UNSET
    qos_policy_id: str | UnsetType | None = UNSET
    project_id: str | None = None
    tenant_id: str | None = None
    tags: tuple[str, ...] = ()


def _owns_network(request: Request, port: Port) -> bool:
    entry = request.cloud.mirror.get(NETWORK, port.network_id)
    return entry is not None and entry.value.project_id == request.caller.project_id


def _on_own_networks(request: Request) -> list[str]:
    mirror = request.cloud.mirror
    networks = by_project(mirror, NETWORK).keys(request.caller.project_id)
    return [key for network_id in networks for key in ports_by_network(mirror).keys(network_id)]


PORTS: Final[Collection[Port]] = Collection(
    kind=PORT,
    noun="port",
    plural="ports",
    type_noun="Port",
    title="Port",
    make_fields=make_port_fields,
    sees=_owns_network,
    seen=_on_own_networks,
    indexes=(
        ("device_id", ports_by_device),
        ("mac_address", ports_by_mac),
        ("network_id", ports_by_network),
        ("project_id", lambda mirror: by_project(mirror, PORT)),
        ("tenant_id", lambda mirror: by_project(mirror, PORT)),
    ),
    admin_fields=frozenset({"binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details"}),
    special=port_test,
)


async def list_ports(request: Request) -> Response:
    """`GET /ports`."""
    return PORTS.listing(request)


async def create_port(request: Request) -> Response:
    """`POST /ports`, one or many."""
    return await PORTS.create(request, WantedPort, _new_port)


async def show_port(request: Request) -> Response:
    """`GET /ports/{id}`."""
    return PORTS.show(request, PORTS.find(request, request.params["id"]).value)


async def update_port(request: Request) -> Response:
    """`PUT /ports/{id}`."""
    return await PORTS.update(request, WantedPort, _changed_port)


async def delete_port(request: Request) -> Response:
    """`DELETE /ports/{id}`: not one that belongs to a router or a floating IP."""
    entry = PORTS.find_own(request, request.params["id"], "delete")
    port = entry.value
    if port.device_owner.startswith("network:") and port.device_id:
        raise Fault(
            409,
            f"Port {port.id} cannot be deleted directly via the port API: has device owner {port.device_owner}.",
            type="ServicePortInUse" if port.device_owner not in (ROUTER_INTERFACE, ROUTER_GATEWAY) else "L3PortInUse",
        )
    _refuse_trunk(request.cloud, port)
    await request.cloud.mirror.commit(remove_port(request.cloud, port))
    return reply(None, 204)


def _refuse_trunk(cloud: Cloud, port: Port) -> None:
    """Raises Fault 409 for a port that belongs to a trunk."""
    for index, words, name in (
        (trunks_by_parent(cloud.mirror), "a parent port for trunk", "PortInUseAsTrunkParent"),
        (trunks_by_sub_port(cloud.mirror), "a subport for trunk", "PortInUseAsSubPort"),
    ):
        for key in index.keys(port.id):
            raise Fault(409, f"Port {port.id} is currently {words} {key}.", type=name)


def _new_port(request: Request, wanted: WantedPort) -> tuple[Port, Changes]:
    cloud = request.cloud
    if wanted.network_id is UNSET:
        raise bad("Failed to parse request. Required attribute 'network_id' not specified")
    network: Network = NETWORKS.find(request, wanted.network_id).value
    project_id = owner(request, wanted.project_id or wanted.tenant_id)
    _check_rights(request, network, wanted)
    if wanted.mac_address not in (UNSET, None) and not _MAC.fullmatch(wanted.mac_address):
        raise bad(f"Invalid input for mac_address. Reason: '{wanted.mac_address}' is not a valid MAC address.")
    # External networks are seen by all, but ports on them are for administrators, routers and floating IPs.
    allowed = network.shared or is_shared_with(network, request.caller.project_id)
    if not (request.caller.may_see(network.project_id) or allowed):
        raise disallowed("create_port")
    changes: Changes = []
    secured = network.port_security_enabled if wanted.port_security_enabled is UNSET else wanted.port_security_enabled
    groups: tuple[str, ...] = ()
    if wanted.security_groups is UNSET or wanted.security_groups is None:
        if secured:
            groups = (default_group_id(project_id),)
            changes += default_group_changes(cloud, project_id)
    else:
        groups = _checked_groups(request, wanted.security_groups)
    if wanted.device_owner not in (UNSET, None, "") and wanted.device_owner.startswith(_TRUSTED):
        secured, groups = False, () if wanted.security_groups in (UNSET, None) else groups
    if groups and not secured:
        raise Fault(400, _WITHOUT_SECURITY, type="PortSecurityAndIPRequiredForSecurityGroups")
    port = Port(
        id=cloud.new_id(),
        project_id=project_id,
        network_id=network.id,
        mac_address="",
        security_groups=groups,
        port_security_enabled=secured,
        tags=wanted.tags,
    )
    port, port_changes = new_port(
        cloud,
        network,
        _with_wishes(request, port, wanted),
        addresses=None if wanted.fixed_ips is UNSET else wanted.fixed_ips,
        mac=None if wanted.mac_address is UNSET else wanted.mac_address,
    )
    return port, [*changes, *port_changes, *held_policy(cloud, port.qos_policy_id)]


def _changed_port(request: Request, port: Port, wanted: WantedPort) -> tuple[Port, Changes]:
    cloud = request.cloud
    entry = cloud.mirror.get(NETWORK, port.network_id)
    if entry is None:
        raise missing("Network", "Network", port.network_id)
    network: Network = entry.value
    _check_rights(request, network, wanted, port)
    changed = _with_wishes(request, port, wanted)
    if wanted.port_security_enabled is not UNSET:
        changed = msgspec.structs.replace(changed, port_security_enabled=wanted.port_security_enabled)
    if wanted.security_groups is not UNSET:
        groups = _checked_groups(request, wanted.security_groups or ())
        changed = msgspec.structs.replace(changed, security_groups=groups)
    if wanted.security_groups not in (UNSET, None, ()) and not changed.port_security_enabled:
        raise Fault(400, _WITHOUT_SECURITY, type="PortSecurityAndIPRequiredForSecurityGroups")
    if changed.allowed_address_pairs and not changed.port_security_enabled:
        raise Fault(
            409,
            "Port Security must be enabled in order to have allowed address pairs on a port.",
            type="AddressPairAndPortSecurityRequired",
        )
    if changed.security_groups and not changed.port_security_enabled:
        raise Fault(
            409,
            "Port has security group associated. Cannot disable port security or ip address until security group is "
            "removed.",
            type="PortSecurityPortHasSecurityGroup",
        )
    changes = held_policy(cloud, changed.qos_policy_id, port.qos_policy_id)
    if wanted.fixed_ips is not UNSET:
        fixed_ips = choose_addresses(
            cloud, network, wanted.fixed_ips or (), kept=port.fixed_ips, owner=port.device_owner
        )
        if wanted.fixed_ips:
            fixed_ips += automatic_addresses(cloud, network, port.mac_address, port.device_owner)
        changes += take_addresses(port, [fixed for fixed in fixed_ips if fixed not in port.fixed_ips])
        changes += free_addresses([fixed for fixed in port.fixed_ips if fixed not in fixed_ips])
        changed = msgspec.structs.replace(changed, fixed_ips=fixed_ips)
    return changed, changes


def _with_wishes(request: Request, port: Port, wanted: WantedPort) -> Port:
    wishes: dict[str, Any] = {
        name: getattr(wanted, name)
        for name in ("name", "description", "admin_state_up", "vnic_type", "dns_name")
        if getattr(wanted, name) is not UNSET
    }
    for name in ("device_id", "device_owner", "host"):
        if getattr(wanted, name) is not UNSET:
            wishes[name] = getattr(wanted, name) or ""
    if wanted.extra_dhcp_opts is not UNSET:
        wishes["dhcp_options"] = _dhcp_options(port.dhcp_options, wanted.extra_dhcp_opts or ())
    if wanted.profile is not UNSET:
        wishes["profile"] = wanted.profile or {}
    if wanted.allowed_address_pairs is not UNSET:
        wishes["allowed_address_pairs"] = tuple(
            pair if pair.mac_address else AddressPair(pair.ip_address, port.mac_address or None)
            for pair in wanted.allowed_address_pairs or ()
        )
    wishes["qos_policy_id"] = wanted_policy(request, wanted.qos_policy_id, port.qos_policy_id)
    changed = msgspec.structs.replace(port, **wishes)
    return changed if changed.host == port.host else bound_to(request.cloud, changed, changed.host)


def _dhcp_options(known: tuple[DhcpOption, ...], wanted: tuple[DhcpOption, ...]) -> tuple[DhcpOption, ...]:
    """The options after a change: those named are set, or go when they have no value; the others stay."""
    options = {(one.opt_name, one.ip_version): one for one in known}
    for one in wanted:
        if one.ip_version not in (4, 6) or not one.opt_name.strip():
            raise invalid(f"Invalid input for extra_dhcp_opts: {one.opt_name!r}, version {one.ip_version}.")
        if one.opt_value is None:
            options.pop((one.opt_name, one.ip_version), None)
        else:
            options[one.opt_name, one.ip_version] = one
    return tuple(options.values())


def _check_rights(request: Request, network: Network, wanted: WantedPort, port: Port | None = None) -> None:
    """What only administrators and owners of the network may ask of a port."""
    caller = request.caller
    if caller.is_admin:
        return
    if wanted.host not in (UNSET, None, ""):
        raise disallowed("create_port:binding:host_id")
    if wanted.profile not in (UNSET, None, {}):
        raise disallowed("create_port:binding:profile")
    if port is not None and wanted.mac_address not in (UNSET, None, port.mac_address):
        raise disallowed("update_port:mac_address")
    if network.project_id == caller.project_id:
        return
    if wanted.mac_address not in (UNSET, None):
        raise disallowed("create_port:mac_address")
    if isinstance(wanted.fixed_ips, tuple) and any(one.ip_address is not None for one in wanted.fixed_ips):
        kept = {fixed.ip_address for fixed in port.fixed_ips} if port is not None else set()
        if not {one.ip_address for one in wanted.fixed_ips} <= kept:
            raise disallowed("create_port:fixed_ips:ip_address")


def _checked_groups(request: Request, wanted: Sequence[str]) -> tuple[str, ...]:
    table = request.cloud.mirror.all(SECURITY_GROUP)
    for key in wanted:
        if not is_uuid(key):
            raise bad(f"Invalid input for security_groups. Reason: '{key}' is not a valid UUID.")
        if key not in table or not GROUPS.is_visible(request, table[key].value):
            raise missing("SecurityGroup", "Security group", key)
    return tuple(dict.fromkeys(wanted))


ROUTES: Final = (
    Route("GET", "/ports", list_ports, Access.READER),
    Route("POST", "/ports", create_port, Access.MEMBER),
    Route("GET", "/ports/{id}", show_port, Access.READER),
    Route("PUT", "/ports/{id}", update_port, Access.MEMBER),
    Route("DELETE", "/ports/{id}", delete_port, Access.MEMBER),
)
