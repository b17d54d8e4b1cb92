"""What a subnet may be: its range, gateway, pools and IPv6 modes, checked as Neutron checks them."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise
from typing import Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.bodies import bad
from kilonode.cloud.openstack.network.faults import invalid
from kilonode.cloud.openstack.network.model import SUBNET, Network, Pool, Subnet
from kilonode.cloud.openstack.web.faults import Fault

_MODES: Final = ("slaac", "dhcpv6-stateful", "dhcpv6-stateless")


class WantedPool(msgspec.Struct, frozen=True):
    """One range of addresses that may be given."""

    start: str
    end: str


def space_of(cidr: str) -> IPv4Network | IPv6Network:
    """The range that is meant, with the host's bits left out. Raises Fault 400."""
    try:
        return ip_network(cidr, strict=False)
    except ValueError as error:
        raise invalid(f"Invalid input for operation: {cidr} is not in a CIDR format.") from error


def checked_gateway(gateway_ip: str | None) -> str | None:
    """The gateway's address as it is kept, or None for no gateway. Raises Fault 400."""
    if gateway_ip is None:
        return None
    try:
        gateway = ip_address(gateway_ip)
    except ValueError as error:
        raise bad(f"Invalid input for gateway_ip. Reason: '{gateway_ip}' is not a valid IP address.") from error
    return str(gateway)


def checked_pools(
    space: IPv4Network | IPv6Network, pools: tuple[WantedPool, ...], gateway_ip: str | None
) -> tuple[Pool, ...]:
    """Ranges inside the subnet that neither overlap nor hold the gateway. Raises Fault 400 or 409."""
    found: list[tuple[int, int, Pool]] = []
    for pool in pools:
        try:
            start, end = ip_address(pool.start), ip_address(pool.end)
        except ValueError as error:
            raise invalid(f"Invalid input for allocation_pools: {error}.") from error
        if int(start) > int(end):
            words = f"The allocation pool {{'start': '{start}', 'end': '{end}'}} is not valid."
            raise Fault(400, words, type="InvalidAllocationPool")
        if start not in space or end not in space:
            raise Fault(
                400,
                f"The allocation pool {start}-{end} spans beyond the subnet cidr {space}.",
                type="OutOfBoundsAllocationPool",
            )
        found.append((int(start), int(end), Pool(str(start), str(end))))
    ordered = sorted(found, key=lambda item: item[0])
    for first, second in pairwise(ordered):
        if first[1] >= second[0]:
            both = f"{first[2].start}-{first[2].end} {second[2].start}-{second[2].end}"
            words = f"Found overlapping allocation pools: {both} for subnet {space}."
            raise Fault(409, words, type="OverlappingAllocationPools")
    checked = tuple(pool for _, _, pool in found)
    refuse_gateway_in(checked, gateway_ip)
    return checked


def refuse_gateway_in(pools: Iterable[Pool], gateway_ip: str | None) -> None:
    """Raises Fault 409 when the gateway's address would be given to ports."""
    if gateway_ip is None:
        return
    gateway = ip_address(gateway_ip)
    for pool in pools:
        start, end = ip_address(pool.start), ip_address(pool.end)
        if start.version == gateway.version and int(start) <= int(gateway) <= int(end):
            raise Fault(
                409,
                f"Gateway ip {gateway_ip} conflicts with allocation pool {pool.start}-{pool.end}.",
                type="GatewayConflictWithAllocationPools",
            )


def refuse_overlap(cloud: Cloud, network: Network, space: IPv4Network | IPv6Network) -> None:
    """Raises Fault 400 when the network has a subnet in that range."""
    for key in network.subnet_ids:
        other = ip_network(cloud.mirror.all(SUBNET)[key].value.cidr)
        if space.version == other.version and space.overlaps(other):
            raise invalid(
                f"Invalid input for operation: Requested subnet with cidr: {space} for network: {network.id} overlaps "
                "with another subnet."
            )


def check_modes(subnet: Subnet) -> None:
    """How ports come to their IPv6 addresses makes sense. Raises Fault 400."""
    modes = (subnet.ipv6_ra_mode, subnet.ipv6_address_mode)
    if modes == (None, None):
        return
    if subnet.ip_version == 4:
        name = "ipv6_ra_mode" if subnet.ipv6_ra_mode else "ipv6_address_mode"
        raise invalid(f"Invalid input for operation: {name} is not valid when ip_version is 4.")
    for mode in modes:
        if mode not in (None, *_MODES):
            raise invalid(f"Invalid input for ipv6_address_mode. Reason: '{mode}' is not in {list(_MODES)}.")
    if not subnet.enable_dhcp:
        raise invalid("Invalid input for operation: ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp "
                      "is set to False.")  # fmt: skip
    if None not in modes and modes[0] != modes[1]:
        raise invalid(f"Invalid input for operation: ipv6_ra_mode set to '{modes[0]}' with ipv6_address_mode set to "
                      f"'{modes[1]}' is not valid. If both attributes are set, they must be the same "
                      "value.")  # fmt: skip
    if subnet.is_automatic and ip_network(subnet.cidr).prefixlen != 64:
        raise invalid("Invalid input for operation: Invalid CIDR for IPv6 address mode: the prefix length must be 64.")
