"""The documents of the network service, and who is found by what.

Every address in use is an `Address` document, written in the same commit as its port and expected not to exist: so no
address is ever given twice, whichever processes give them. Instants are `_us`.
"""

from typing import Any, Final

import msgspec

from kilonode.cloud.kinds import document
from kilonode.cloud.openstack.network.part_model import ConntrackHelper, NetworkSegment, PortForwarding
from kilonode.control.index import Index
from kilonode.control.mirror import Mirror

NETWORK: Final = "network"
SUBNET: Final = "subnet"
PORT: Final = "port"
ADDRESS: Final = "address"
ROUTER: Final = "router"
FLOATING_IP: Final = "floating_ip"
SECURITY_GROUP: Final = "security_group"
SECURITY_GROUP_RULE: Final = "security_group_rule"
NETWORK_QUOTA: Final = "network_quota"
RBAC_POLICY: Final = "rbac_policy"

ROUTER_INTERFACE: Final = "network:router_interface"
ROUTER_GATEWAY: Final = "network:router_gateway"
FLOATING_IP_OWNER: Final = "network:floatingip"
COMPUTE_OWNER: Final = "compute:"

ACTIVE: Final = "ACTIVE"
DOWN: Final = "DOWN"
BUILD: Final = "BUILD"
"""Of a port that is bound to a node and not yet plugged there."""
PORT_ERROR: Final = "ERROR"
_SEGMENTS: Final = 65_535


class Resource(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What all resources of the service have; the key of each document is `id`."""

    id: str
    project_id: str
    name: str = ""
    description: str = ""
    created_us: int = 0
    updated_us: int = 0
    version: int = 1
    """How often it was written: the API's `revision_number`."""
    tags: tuple[str, ...] = ()
    shared_with: tuple[str, ...] = ()
    """Projects that a policy shares it with; `*`: with all."""


@document(NETWORK)
class Network(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """A network. Its document is written with every subnet that comes or goes, which keeps subnets from overlapping."""

    admin_state_up: bool = True
    shared: bool = False
    external: bool = False
    is_default: bool = False
    mtu: int = 1442
    port_security_enabled: bool = True
    dns_domain: str = ""
    segmentation_id: int = 0
    network_type: str = "geneve"
    physical_network: str | None = None
    availability_zone_hints: tuple[str, ...] = ()
    qos_policy_id: str = ""
    subnet_ids: tuple[str, ...] = ()
    segments: tuple[NetworkSegment, ...] = ()
    """Those that somebody made or named; none: the one that it began with (`segments`)."""
    external_for: tuple[str, ...] = ()
    """Projects that a policy makes it external for; all, when it is external."""
    dhcp_agents: tuple[str, ...] | None = None
    """The agents that an administrator chose; None: one that follows from its id."""


class Pool(msgspec.Struct, frozen=True, array_like=True):
    """A range of addresses that may be given, both ends included."""

    start: str
    end: str


class HostRoute(msgspec.Struct, frozen=True):
    """A route for the hosts of a subnet, or of a router."""

    destination: str
    nexthop: str


@document(SUBNET)
class Subnet(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """A range of addresses on a network."""

    network_id: str
    ip_version: int
    cidr: str
    gateway_ip: str | None
    allocation_pools: tuple[Pool, ...]
    enable_dhcp: bool = True
    dns_nameservers: tuple[str, ...] = ()
    host_routes: tuple[HostRoute, ...] = ()
    ipv6_address_mode: str | None = None
    ipv6_ra_mode: str | None = None
    service_types: tuple[str, ...] = ()
    pool_id: str = ""
    """The subnet pool that its range is from."""

    @property
    def is_automatic(self) -> bool:
        """Whether ports make their addresses themselves, of the range and their MAC address."""
        return self.ipv6_address_mode in ("slaac", "dhcpv6-stateless")


class FixedIp(msgspec.Struct, frozen=True):
    """One address of a port."""

    subnet_id: str
    ip_address: str


class DhcpOption(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a port is told by DHCP besides its address."""

    opt_name: str
    opt_value: str | None
    ip_version: int = 4


class AddressPair(msgspec.Struct, frozen=True, omit_defaults=True):
    """An address that a port may also speak for."""

    ip_address: str
    mac_address: str | None = None


class WaitingBinding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A binding of a port to a node that is not active: one that a migration will activate, or the one it left."""

    host: str
    vnic_type: str = "normal"
    profile: dict[str, Any] = {}
    bound: bool = True
    """False: what was plugged there is gone."""


@document(PORT)
class Port(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """Where something is plugged into a network."""

    network_id: str
    mac_address: str
    fixed_ips: tuple[FixedIp, ...] = ()
    device_id: str = ""
    device_owner: str = ""
    host: str = ""
    """The node it is bound to; empty: to none."""
    status: str = "DOWN"
    admin_state_up: bool = True
    security_groups: tuple[str, ...] = ()
    port_security_enabled: bool = True
    allowed_address_pairs: tuple[AddressPair, ...] = ()
    vnic_type: str = "normal"
    qos_policy_id: str = ""
    dns_name: str = ""
    profile: dict[str, Any] = {}
    waiting_bindings: tuple[WaitingBinding, ...] = ()
    """Bindings to other nodes than `host`."""
    dhcp_options: tuple[DhcpOption, ...] = ()
    made_for_server: bool = False
    """Made when its server was, and deleted with it."""
    turn: int = 0
    """Its place among the ports of its server."""
    bindings: int = 0
    """How often it was bound where that takes time: tells repeated visits to a stage apart."""
    building_us: int = 0
    """Since when it is being plugged."""


@document(ADDRESS)
class Address(msgspec.Struct, frozen=True, gc=False):
    """An address in use; its key is `address_key`."""

    subnet_id: str
    port_id: str


@document(ROUTER)
class Router(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """Joins the subnets of its interfaces, which are ports, and an external network."""

    admin_state_up: bool = True
    gateway_network_id: str = ""
    gateway_port_id: str = ""
    enable_snat: bool = True
    distributed: bool = False
    ha: bool = False
    routes: tuple[HostRoute, ...] = ()
    conntrack_helpers: tuple[ConntrackHelper, ...] = ()
    l3_agents: tuple[str, ...] | None = None
    """The agents that an administrator chose; None: one that follows from its id."""
    availability_zone_hints: tuple[str, ...] = ()


@document(FLOATING_IP)
class FloatingIp(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """An address of an external network that stands for one of a port."""

    network_id: str
    address: str
    own_port_id: str
    """The port that holds the address on the external network."""
    port_id: str = ""
    fixed_ip: str = ""
    router_id: str = ""
    port_forwardings: tuple[PortForwarding, ...] = ()
    """Single ports that stand for others, while it stands for no port as a whole."""
    qos_policy_id: str = ""
    dns_name: str = ""
    dns_domain: str = ""


@document(SECURITY_GROUP)
class SecurityGroup(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """A named set of rules; each project has one named `default`."""

    stateful: bool = True


@document(SECURITY_GROUP_RULE)
class SecurityGroupRule(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """What a group lets in or out."""

    group_id: str
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None


@document(NETWORK_QUOTA)
class NetworkQuota(msgspec.Struct, frozen=True, omit_defaults=True):
    """The limits of a project that differ from the defaults; its key is the project's id."""

    limits: dict[str, int] = {}


def segmentation_id_of(network_id: str) -> int:
    """The number that a network's traffic would carry, of its id."""
    return 1 + int(network_id[:8], 16) % _SEGMENTS


def address_key(subnet_id: str, ip_address: str) -> str:
    """The key of the document of an address."""
    return f"{subnet_id}/{ip_address}"


def by_project(mirror: Mirror, kind: str) -> Index:
    """The resources of a project."""
    return mirror.index(kind, "project", lambda resource: resource.project_id or None)


def networks_open_to_all(mirror: Mirror) -> Index:
    """Networks that every project sees, under True."""
    return mirror.index(NETWORK, "open", lambda network: True if network.shared or network.external else None)


def shared_with_project(mirror: Mirror, kind: str) -> Index:
    """What a policy shares with a project; with all projects, under `*`."""
    return mirror.index(kind, "shared_with", _sharers)


def _sharers(resource: Any) -> tuple[str, ...]:
    return (*resource.shared_with, *getattr(resource, "external_for", ()))


def is_shared_with(resource: Any, project_id: str) -> bool:
    """Whether a policy shares it with the project."""
    return bool(resource.shared_with) and ("*" in resource.shared_with or project_id in resource.shared_with)


def subnets_by_network(mirror: Mirror) -> Index:
    """The subnets of a network."""
    return mirror.index(SUBNET, "network", lambda subnet: subnet.network_id)


def ports_by_network(mirror: Mirror) -> Index:
    """The ports of a network."""
    return mirror.index(PORT, "network", lambda port: port.network_id)


def ports_by_device(mirror: Mirror) -> Index:
    """The ports of a server, router or floating IP."""
    return mirror.index(PORT, "device", lambda port: port.device_id or None)


def ports_by_group(mirror: Mirror) -> Index:
    """The ports that use a security group."""
    return mirror.index(PORT, "group", lambda port: port.security_groups)


def ports_by_mac(mirror: Mirror) -> Index:
    """The ports with a MAC address."""
    return mirror.index(PORT, "mac", lambda port: port.mac_address)


def addresses_by_subnet(mirror: Mirror) -> Index:
    """The addresses in use of a subnet."""
    return mirror.index(ADDRESS, "subnet", lambda address: address.subnet_id)


def rules_by_group(mirror: Mirror) -> Index:
    """The rules of a security group."""
    return mirror.index(SECURITY_GROUP_RULE, "group", lambda rule: rule.group_id)


def floating_ips_by_port(mirror: Mirror) -> Index:
    """The floating IPs that stand for an address of a port."""
    return mirror.index(FLOATING_IP, "port", lambda floating_ip: floating_ip.port_id or None)


def floating_ips_by_forwarded_port(mirror: Mirror) -> Index:
    """The floating IPs that forward some of their ports to a port."""
    return mirror.index(
        FLOATING_IP, "forwarded", lambda one: tuple({part.internal_port_id for part in one.port_forwardings})
    )


def floating_ips_by_router(mirror: Mirror) -> Index:
    """The floating IPs that go through a router."""
    return mirror.index(FLOATING_IP, "router", lambda floating_ip: floating_ip.router_id or None)


def routers_by_gateway(mirror: Mirror) -> Index:
    """The routers with a gateway on a network."""
    return mirror.index(ROUTER, "gateway", lambda router: router.gateway_network_id or None)
