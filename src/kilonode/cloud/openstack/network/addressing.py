"""Giving addresses: which address of a subnet is free.

Truth is in the `Address` documents; this only proposes. Each view of the cloud goes round the pools of a subnet from a
place of its own, so an address that was proposed is not proposed again until the others had their turn, also while it
is not committed yet, and several processes rarely propose the same. If they do, the commit of one fails and it asks
again. A released address comes back when the round reaches it.
"""

import hashlib
import socket
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.model import ADDRESS, Pool, Subnet, address_key, addresses_by_subnet
from kilonode.control.mirror import Mirror

MAC_PREFIX: Final = "fa:16:3e"
"""OpenStack's own."""
TRIES_LIMIT: Final = 1_000_000
"""More addresses than any one network of a lab has in use; a wider subnet is only searched this far."""


class _Round:
    """The pools of one subnet, and where the round is."""

    __slots__ = ("pools", "position", "ranges", "size", "version")

    def __init__(self, subnet: Subnet, place: int) -> None:
        self.pools = subnet.allocation_pools
        self.version = subnet.ip_version
        self.ranges = [(int(ip_address(pool.start)), int(ip_address(pool.end))) for pool in subnet.allocation_pools]
        self.size = sum(last - first + 1 for first, last in self.ranges)
        self.position = place % self.size if self.size else 0

    def next(self) -> str:
        """The next address of the round."""
        offset = self.position
        self.position = (self.position + 1) % self.size
        for first, last in self.ranges:
            if offset <= last - first:
                return _text(first + offset, self.version)
            offset -= last - first + 1
        raise AssertionError("the position is below the size")


class Addressing:
    """Proposes free addresses. One per view: `cloud.part(Addressing)`."""

    def __init__(self, cloud: Cloud) -> None:
        self._mirror: Mirror = cloud.mirror
        self._role = cloud.role
        self._rounds: dict[str, _Round] = {}
        self._in_use = addresses_by_subnet(cloud.mirror)

    def free_address(self, subnet: Subnet) -> str:
        """An address of the subnet that nobody has, or an empty string when there is none."""
        round_ = self._rounds.get(subnet.id)
        if round_ is None or round_.pools != subnet.allocation_pools:
            # The first pools start at the beginning for one role only; a network of few addresses has few of them.
            round_ = self._rounds[subnet.id] = _Round(subnet, self._place(subnet.id))
        for _ in range(min(round_.size, TRIES_LIMIT)):
            address = round_.next()
            if self._mirror.get(ADDRESS, address_key(subnet.id, address)) is None:
                return address
        return ""

    def _place(self, subnet_id: str) -> int:
        if self._role == "api":
            return 0
        digest = hashlib.blake2b(f"{self._role}/{subnet_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big")


def mac_address(port_id: str, first_address: str, turn: int) -> str:
    """A MAC address for a port.

    The last 24 bits of its first IPv4 address, which no other port of the network has at the same time; without one, or
    when that is taken (`turn` above zero), bits of its id.
    """
    if first_address and ":" not in first_address and turn == 0:
        low = int.from_bytes(socket.inet_aton(first_address)[1:], "big")
    else:
        digest = hashlib.blake2b(f"{port_id}/{turn}".encode(), digest_size=3).digest()
        low = int.from_bytes(digest, "big")
    return f"{MAC_PREFIX}:{low >> 16:02x}:{low >> 8 & 255:02x}:{low & 255:02x}"


def automatic_address(cidr: str, mac: str) -> str:
    """The address that a port makes itself, of an IPv6 range and its MAC address (EUI-64)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    interface = bytes((octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]))
    return str(IPv6Address(int(ip_network(cidr).network_address) | int.from_bytes(interface, "big")))


def default_gateway(cidr: str) -> str | None:
    """The first address of a range, where routers are by custom; None in a range of one address."""
    network = ip_network(cidr)
    return str(network[1]) if network.num_addresses > 1 else None


def default_pools(cidr: str, gateway_ip: str | None) -> tuple[Pool, ...]:
    """Everything in a range but the network's own address, the broadcast address and the gateway."""
    network = ip_network(cidr)
    first, last = int(network[0]), int(network[-1])
    if isinstance(network, IPv6Network):
        first += network.prefixlen < 127
    elif network.prefixlen < 31:
        first, last = first + 1, last - 1
    pools = [(first, last)]
    if gateway_ip is not None:
        gateway = int(ip_address(gateway_ip))
        if first <= gateway <= last:
            pools = [(first, gateway - 1), (gateway + 1, last)]
    return tuple(
        Pool(_text(start, network.version), _text(end, network.version)) for start, end in pools if start <= end
    )


def _text(value: int, version: int) -> str:
    if version == 4:
        return socket.inet_ntoa(value.to_bytes(4, "big"))
    return str(IPv6Address(value))
