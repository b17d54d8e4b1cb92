"""What compute asks of the network service: ports for a server, their addresses, and an end to them.

The seam between the two services. Each function gives changes for the caller's own commit, so a server never has half
of its ports; refusals are Faults with the message that a person would get.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.default_group import default_group_changes, default_group_id
from kilonode.cloud.openstack.network.default_rule_model import DEFAULT_RULES
from kilonode.cloud.openstack.network.faults import missing
from kilonode.cloud.openstack.network.model import (
    ADDRESS,
    COMPUTE_OWNER,
    DOWN,
    FLOATING_IP,
    NETWORK,
    PORT,
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    SUBNET,
    Network,
    Port,
    by_project,
    floating_ips_by_port,
    is_shared_with,
    networks_open_to_all,
    ports_by_device,
    shared_with_project,
)
from kilonode.cloud.openstack.network.plugging import WantedAddress, bound_to, new_port, remove_port
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.mirror import Delete, Put

KINDS: Final = (NETWORK, SUBNET, PORT, ADDRESS, FLOATING_IP, SECURITY_GROUP, SECURITY_GROUP_RULE, DEFAULT_RULES)
"""The documents that a role which calls these functions must mirror."""


class WantedInterface(msgspec.Struct, frozen=True):
    """One interface of a server: a port that exists, or a network, perhaps with an address."""

    network_id: str = ""
    port_id: str = ""
    fixed_ip: str = ""


class ServerAddress(msgspec.Struct, frozen=True):
    """One address of a server as others see it."""

    network_name: str
    address: str
    version: int
    mac: str
    type: str
    """`fixed` or `floating`."""


def own_networks(cloud: Cloud, project_id: str) -> list[str]:
    """The networks a server of the project may be on without asking for one: its own, then the shared ones.

    External networks are not among them.
    """
    table = cloud.mirror.all(NETWORK)
    by_policy = [
        key
        for key in shared_with_project(cloud.mirror, NETWORK).keys(project_id)
        if is_shared_with(table[key].value, project_id)
    ]
    keys = dict.fromkeys([*by_project(cloud.mirror, NETWORK).keys(project_id), *_shared(cloud), *by_policy])
    return [key for key in keys if table[key].value.admin_state_up and not table[key].value.external]


def check_interface(cloud: Cloud, project_id: str, wanted: WantedInterface, *, is_admin: bool = False) -> None:
    """Refuse an interface that cannot be had. Raises Fault 400, 404 or 409."""
    if wanted.port_id:
        port = _port(cloud, project_id, wanted.port_id, is_admin=is_admin)
        if port.device_id:
            raise Fault(409, f"Port {port.id} is still in use.")
        return
    network = _network(cloud, project_id, wanted.network_id, is_admin=is_admin)
    if not network.subnet_ids and wanted.fixed_ip:
        raise Fault(400, f"Network {network.id} requires a subnet in order to boot instances on.")


def ports_for_server(
    cloud: Cloud,
    project_id: str,
    interfaces: Sequence[WantedInterface],
    server_id: str,
    host: str,
    *,
    zone: str = "nova",
    security_groups: Sequence[str] = (),
    turn: int = 0,
) -> list[Put | Delete]:
    """The changes that give a server its interfaces on a node, in their order.

    `security_groups`: ids or names; none: the project's default. `turn`: the number of interfaces it has already.
    Raises Fault when something cannot be had. The caller has checked who may use what.
    """
    changes: list[Put | Delete] = []
    groups: tuple[str, ...] | None = None
    for number, wanted in enumerate(interfaces, turn):
        owner = f"{COMPUTE_OWNER}{zone}"
        if wanted.port_id:
            entry = cloud.mirror.get(PORT, wanted.port_id)
            if entry is None:
                raise missing("Port", "Port", wanted.port_id)
            if entry.value.device_id not in ("", server_id):
                raise Fault(409, f"Port {wanted.port_id} is still in use.")
            bound = _bound(cloud, entry.value, host)
            bound = msgspec.structs.replace(bound, device_id=server_id, device_owner=owner, turn=number)
            changes.append(Put(PORT, bound, bound.id, entry.revision))
            continue
        if groups is None:
            groups = group_ids(cloud, project_id, security_groups)
            if not security_groups:
                changes += default_group_changes(cloud, project_id)
        network = _network(cloud, project_id, wanted.network_id, is_admin=True)
        port = Port(
            id=cloud.new_id(),
            project_id=project_id,
            network_id=network.id,
            mac_address="",
            device_id=server_id,
            device_owner=owner,
            security_groups=groups if network.port_security_enabled else (),
            port_security_enabled=network.port_security_enabled,
            made_for_server=True,
            turn=number,
        )
        port = bound_to(cloud, port, host)
        addresses = [WantedAddress(ip_address=wanted.fixed_ip)] if wanted.fixed_ip else None
        changes += new_port(cloud, network, port, addresses=addresses)[1]
    return changes


def release_ports(cloud: Cloud, server_id: str) -> list[Put | Delete]:
    """The changes that end a server's interfaces: ports made for it go, ports that were there before are free again."""
    changes: list[Put | Delete] = []
    for port in server_ports(cloud, server_id):
        changes += release_port(cloud, port)
    return changes


def release_port(cloud: Cloud, port: Port) -> list[Put | Delete]:
    """The changes that end one interface."""
    if port.made_for_server:
        return remove_port(cloud, port)
    freed = msgspec.structs.replace(
        port,
        device_id="",
        device_owner="",
        host="",
        waiting_bindings=(),
        status=DOWN,
        building_us=0,
        turn=0,
        updated_us=cloud.now_us(),
        version=port.version + 1,
    )
    return [Put(PORT, freed, port.id, cloud.mirror.all(PORT)[port.id].revision)]


def rebind_ports(cloud: Cloud, server_id: str, host: str) -> list[Put | Delete]:
    """The changes that have a server's ports on another node."""
    table = cloud.mirror.all(PORT)
    return [
        Put(PORT, _bound(cloud, port, host), port.id, table[port.id].revision)
        for port in server_ports(cloud, server_id)
    ]


def server_ports(cloud: Cloud, server_id: str) -> list[Port]:
    """The ports of a server in the order of its interfaces."""
    table = cloud.mirror.all(PORT)
    ports = [table[key].value for key in ports_by_device(cloud.mirror).keys(server_id)]
    ports.sort(key=lambda port: port.turn)
    return ports


def addresses(cloud: Cloud, server_id: str) -> list[ServerAddress]:
    """The addresses of a server: of each port its own, each followed by the floating IPs that stand for it."""
    found: list[ServerAddress] = []
    mirror = cloud.mirror
    floating_ips = mirror.all(FLOATING_IP)
    for port in server_ports(cloud, server_id):
        entry = mirror.get(NETWORK, port.network_id)
        name = entry.value.name if entry is not None else port.network_id
        floating = [floating_ips[key].value for key in floating_ips_by_port(mirror).keys(port.id)]
        for fixed in port.fixed_ips:
            version = 6 if ":" in fixed.ip_address else 4
            found.append(ServerAddress(name, fixed.ip_address, version, port.mac_address, "fixed"))
            found.extend(
                ServerAddress(name, one.address, version, port.mac_address, "floating")
                for one in floating
                if one.fixed_ip == fixed.ip_address
            )
    return found


def group_ids(cloud: Cloud, project_id: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """The ids of security groups by id or name; none wanted: the default one. Raises Fault 400 or 409."""
    if not wanted:
        return (default_group_id(project_id),)
    table = cloud.mirror.all(SECURITY_GROUP)
    own = by_project(cloud.mirror, SECURITY_GROUP).keys(project_id)
    found = []
    for name in dict.fromkeys(wanted):
        matches = [name] if name in own else [key for key in own if table[key].value.name == name]
        if not matches and name == "default":
            matches = [default_group_id(project_id)]
        if len(matches) > 1:
            raise Fault(409, f"Multiple security_groups found matching '{name}'. Use an ID to be more specific.")
        if not matches:
            raise Fault(400, f"Security group {name} not found.")
        found.append(matches[0])
    return tuple(found)


def _bound(cloud: Cloud, port: Port, host: str) -> Port:
    return bound_to(cloud, msgspec.structs.replace(port, updated_us=cloud.now_us(), version=port.version + 1), host)


def _shared(cloud: Cloud) -> list[str]:
    table = cloud.mirror.all(NETWORK)
    return [key for key in networks_open_to_all(cloud.mirror).keys(True) if table[key].value.shared]


def _network(cloud: Cloud, project_id: str, network_id: str, *, is_admin: bool) -> Network:
    entry = cloud.mirror.get(NETWORK, network_id)
    if entry is None or not (
        is_admin
        or entry.value.shared
        or project_id == entry.value.project_id
        or is_shared_with(entry.value, project_id)
    ):
        raise missing("Network", "Network", network_id)
    network: Network = entry.value
    return network


def _port(cloud: Cloud, project_id: str, port_id: str, *, is_admin: bool) -> Port:
    entry = cloud.mirror.get(PORT, port_id)
    if entry is None or not (is_admin or project_id == entry.value.project_id):
        raise missing("Port", "Port", port_id)
    port: Port = entry.value
    return port
