"""What a rule of a security group may say: direction, IP version, protocol, ports, as Neutron checks them.

For rules of groups and for those that new groups begin with. What a rule names is looked up by whoever has it.
"""

from ipaddress import ip_network
from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.network.bodies import bad
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Getter

_PORT_LIMIT: Final = 65_535
_DIRECTIONS: Final = ("ingress", "egress")
_PROTOCOL_LIMIT: Final = 255
_ICMP_LIMIT: Final = 255
_ICMP: Final = ("icmp", "icmpv6", "ipv6-icmp", "1", "58")
_WITH_PORTS: Final = ("tcp", "udp", "dccp", "sctp", "udplite")
_PROTOCOLS: Final = frozenset(
    {"ah", "any", "dccp", "egp", "esp", "gre", "hopopt", "icmp", "icmpv6", "igmp", "ip", "ipip", "ipv6-encap",
     "ipv6-frag", "ipv6-icmp", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "ospf", "pgm", "rsvp", "sctp", "tcp", "udp",
     "udplite", "vrrp"}
)  # fmt: skip
_ETHERTYPES: Final = {"ipv4": "IPv4", "ipv6": "IPv6"}


class WantedForm(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a rule, before it is checked."""

    direction: str
    ethertype: str | None = "IPv4"
    protocol: str | int | None = None
    port_range_min: int | str | None = None
    port_range_max: int | str | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None


class Form(msgspec.Struct, frozen=True):
    """What a rule says, checked."""

    direction: str
    ethertype: str
    protocol: str | None
    low: int | None
    high: int | None


def form_fields() -> dict[str, Getter[Any]]:
    """The fields that both sorts of rules show alike."""
    return {
        "direction": lambda rule: rule.direction,
        "ethertype": lambda rule: rule.ethertype,
        "protocol": lambda rule: rule.protocol,
        "port_range_min": lambda rule: rule.port_range_min,
        "port_range_max": lambda rule: rule.port_range_max,
        "remote_ip_prefix": lambda rule: rule.remote_ip_prefix,
        "remote_group_id": lambda rule: rule.remote_group_id,
        "remote_address_group_id": lambda rule: rule.remote_address_group_id,
    }


def check_remotes(wanted: WantedForm) -> None:
    """The other side is named in one way at most. Raises Fault 400."""
    if sum(map(bool, (wanted.remote_ip_prefix, wanted.remote_group_id, wanted.remote_address_group_id))) > 1:
        raise Fault(
            400,
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
            type="SecurityGroupMultipleRemoteEntites",
        )


def form_of(wanted: WantedForm) -> Form:
    """What a rule says. Raises Fault 400 for what makes no sense."""
    ethertype = _ETHERTYPES.get((wanted.ethertype or "IPv4").lower())
    if wanted.direction not in _DIRECTIONS:
        raise bad(f"Invalid input for direction. Reason: {wanted.direction} is not in valid_values.")
    if ethertype is None:
        words = f"Security group rule for ethertype '{wanted.ethertype}' not supported."
        kinds = list(_ETHERTYPES.values())
        raise Fault(400, f"{words} Allowed values are {kinds}.", type="SecurityGroupRuleInvalidEtherType")
    _check_protocol(wanted.protocol)
    _check_prefix(wanted.remote_ip_prefix, ethertype)
    low, high = _port(wanted.port_range_min), _port(wanted.port_range_max)
    protocol = None if wanted.protocol in (None, "", "any") else str(wanted.protocol).lower()
    if (low is not None or high is not None) and protocol is None:
        raise Fault(
            400, "Must also specify protocol if port range is given.", type="SecurityGroupProtocolRequiredWithPorts"
        )
    _check_ports(protocol, low, high)
    return Form(wanted.direction, ethertype, protocol, low, high)


def _check_ports(protocol: str | None, low: int | None, high: int | None) -> None:
    """The two ends of a range of ports, or type and code of ICMP, fit together. Raises Fault 400."""
    if protocol in _WITH_PORTS or protocol in ("6", "17", "33", "132", "136"):
        for port in (low, high):
            if port == 0:
                raise Fault(400, "Invalid value for port 0", type="SecurityGroupInvalidPortValue")
        if (low is None) != (high is None) or (low or 0) > (high or 0):
            raise Fault(
                400,
                "For TCP/UDP protocols, port_range_min must be <= port_range_max",
                type="SecurityGroupInvalidPortRange",
            )
    elif protocol in _ICMP:
        for name, value in (("type", low), ("code", high)):
            if value is not None and value > _ICMP_LIMIT:
                raise Fault(
                    400,
                    f"Invalid value for ICMP {name} (port_range_{'min' if name == 'type' else 'max'}) {value}. It must "
                    f"be 0 to {_ICMP_LIMIT}.",
                    type="SecurityGroupInvalidIcmpValue",
                )
        if low is None and high is not None:
            raise Fault(
                400, f"ICMP code (port-range-max) {high} is provided but ICMP type (port-range-min) is missing.",
                type="SecurityGroupMissingIcmpType",
            )  # fmt: skip


def _check_protocol(protocol: str | int | None) -> None:
    """A name that the service knows, or a number of a protocol. Raises Fault 400."""
    text = str(protocol or "any").lower()
    if text in _PROTOCOLS or (text.isascii() and text.isdigit() and int(text) <= _PROTOCOL_LIMIT):
        return
    raise Fault(
        400,
        f"Security group rule protocol {protocol} not supported. Only protocol values {sorted(_PROTOCOLS)} and integer "
        f"representations [0 to {_PROTOCOL_LIMIT}] are supported.",
        type="SecurityGroupRuleInvalidProtocol",
    )


def _check_prefix(prefix: str | None, ethertype: str) -> None:
    """A range of the rule's own IP version. Raises Fault 400."""
    if not prefix:
        return
    try:
        version = ip_network(prefix, strict=False).version
    except ValueError as error:
        raise Fault(400, f"Invalid CIDR {prefix} given as IP prefix.", type="InvalidCIDR") from error
    if f"IPv{version}" != ethertype:
        raise Fault(
            400,
            f"Conflicting value ethertype {ethertype} for CIDR {prefix}",
            type="SecurityGroupRuleParameterConflict",
        )


def _port(value: int | str | None) -> int | None:
    if value is None or value == "":
        return None
    try:
        port = int(value)
    except ValueError as error:
        raise Fault(400, f"Invalid value for port {value}", type="SecurityGroupInvalidPortValue") from error
    if not 0 <= port <= _PORT_LIMIT:
        raise Fault(400, f"Invalid value for port {port}", type="SecurityGroupInvalidPortValue")
    return port
