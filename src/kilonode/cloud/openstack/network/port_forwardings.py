"""`/floatingips/{id}/port_forwardings`: single ports of a floating IP that stand for ports of several servers.

They are kept in the floating IP's document, so no two of them ever have the same outer port. A floating IP either
stands for an address as a whole or has forwardings, never both.
"""

from typing import Final

from msgspec.structs import replace

from kilonode.cloud.openstack.network.collection import Changes
from kilonode.cloud.openstack.network.faults import invalid, missing
from kilonode.cloud.openstack.network.floating_ips import FLOATING_IPS, router_between
from kilonode.cloud.openstack.network.model import PORT, FloatingIp, Port
from kilonode.cloud.openstack.network.part_model import PortForwarding
from kilonode.cloud.openstack.network.parts import Parts
from kilonode.cloud.openstack.network.port_routes import PORTS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.control.mirror import Put

_PROTOCOLS: Final = frozenset({"tcp", "udp", "icmp", "dccp", "sctp", "6", "17", "1", "33", "132"})
_LARGEST: Final = 65_535
_NEVER: Final = (0, 0)


def _fit(request: Request, floating: FloatingIp, part: PortForwarding) -> tuple[FloatingIp, PortForwarding, Changes]:
    if floating.port_id:
        raise Fault(
            409,
            f"Cannot associate floating IP {floating.address} ({floating.id}) with port {part.internal_port_id} using "
            f"fixed IP {part.internal_ip_address or None}, as that fixed IP already has a floating IP on external "
            f"network {floating.network_id}.",
            type="FloatingIPPortAlreadyAssociated",
        )
    if part.protocol not in _PROTOCOLS:
        raise invalid(f"Invalid input for protocol. Reason: '{part.protocol}' is not in {sorted(_PROTOCOLS)}.")
    entry = PORTS.find_own(request, part.internal_port_id, "create_floatingip_port_forwarding")
    address, subnet_id = _inner_address(entry.value, part)
    router_id = router_between(request.cloud, floating.network_id, subnet_id)
    if not router_id:
        raise _bad(
            f"External network {floating.network_id} is not reachable from subnet {subnet_id}. Cannot set Port "
            f"forwarding for port {part.internal_port_id} with Floating IP {floating.id}"
        )
    if floating.port_forwardings and floating.router_id != router_id:
        raise _bad(
            f"The Floating IP {floating.id} had been set with router {floating.router_id}, the internal Neutron port "
            f"{part.internal_port_id} can not reach it"
        )
    inner, outer = _range(part, "internal"), _range(part, "external")
    if inner[1] - inner[0] not in (0, outer[1] - outer[0]):
        raise _bad(f"The internal range {inner} and the external range {outer} do not fit.")
    part = replace(part, internal_ip_address=address)
    for other in floating.port_forwardings:
        same_inside = (other.internal_port_id, other.internal_ip_address) == (part.internal_port_id, address)
        if other.protocol == part.protocol and (
            _overlap(_range(other, "external"), outer) or (same_inside and _overlap(_range(other, "internal"), inner))
        ):
            raise _bad(
                "A duplicate port forwarding entry with same attributes already exists, conflicting values are "
                f"{{'floatingip_id': '{floating.id}', 'protocol': '{part.protocol}'}}"
            )
    # The port is written too, so that it cannot go at the same instant.
    return replace(floating, router_id=router_id), part, [Put(PORT, entry.value, entry.value.id, entry.revision)]


def _inner_address(port: Port, part: PortForwarding) -> tuple[str, str]:
    """The address that is meant, and its subnet. Raises Fault 400."""
    fixed = [one for one in port.fixed_ips if ":" not in one.ip_address]
    if not fixed:
        raise _bad(f"Requested internal port {port.id} must allocate an IPv4 address at least.")
    for one in fixed:
        if part.internal_ip_address in ("", one.ip_address):
            return one.ip_address, one.subnet_id
    raise _bad(
        f"Requested internal IP address {part.internal_ip_address} is not suitable for internal neutron port {port.id}"
    )


def _range(part: PortForwarding, side: str) -> tuple[int, int]:
    """The first and the last port of one side. Raises Fault 400."""
    text: str = getattr(part, f"{side}_port_range")
    number: int | None = getattr(part, f"{side}_port")
    if number is not None:
        return number, number
    first, _, last = text.partition(":")
    try:
        found = (int(first), int(last or first)) if text else _NEVER
    except ValueError:
        found = _NEVER
    if not 1 <= found[0] <= found[1] <= _LARGEST:
        raise invalid(f"Invalid input for {side}_port_range. Reason: '{text}' is not a valid range of ports.")
    return found


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _bad(message: str) -> Fault:
    return Fault(400, f"Bad port_forwarding request: {message}.", type="BadRequest")


FORWARDINGS: Final[Parts[FloatingIp, PortForwarding]] = Parts(
    owner=FLOATING_IPS,
    field="port_forwardings",
    kind=PortForwarding,
    noun="port_forwarding",
    missing=lambda floating, key: missing("PortForwarding", "Port Forwarding", key),
    fit=_fit,
    without=lambda floating: floating if floating.port_forwardings else replace(floating, router_id=""),
)
ROUTES: Final = tuple(FORWARDINGS.routes("/floatingips/{id}", Access.MEMBER))
