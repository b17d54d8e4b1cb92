"""Making ports and letting go of them, as changes for somebody's commit. No HTTP, no policies: those are the callers'.

A new port gets the addresses that are asked for, or one of each IP version that its network has.
"""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.draws import may_wait
from kilonode.cloud.openstack.network.addressing import Addressing, automatic_address
from kilonode.cloud.openstack.network.addressing import mac_address as mac_address_of
from kilonode.cloud.openstack.network.bodies import bad
from kilonode.cloud.openstack.network.faults import address_in_use, addresses_exhausted, invalid, missing
from kilonode.cloud.openstack.network.model import (
    ACTIVE,
    ADDRESS,
    BUILD,
    DOWN,
    FLOATING_IP,
    PORT,
    SUBNET,
    Address,
    FixedIp,
    FloatingIp,
    Network,
    Port,
    Subnet,
    address_key,
    floating_ips_by_forwarded_port,
    floating_ips_by_port,
    ports_by_mac,
)
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.mirror import Delete, Put

FIXED_IPS_LIMIT = 16
ROUTER_OWNERS = ("network:router_", "network:floatingip")
"""How the owners of ports begin that never make addresses themselves."""
MAC_TRIES_LIMIT = 64


class WantedAddress(msgspec.Struct, frozen=True):
    """One address asked for: a subnet, an address, or both."""

    subnet_id: str | None = None
    ip_address: str | None = None


def choose_addresses(
    cloud: Cloud,
    network: Network,
    wanted: Sequence[WantedAddress] | None,
    *,
    kept: Sequence[FixedIp] = (),
    owner: str = "",
) -> tuple[FixedIp, ...]:
    """The addresses for a port on a network. None: whatever the network has. `kept` are the port's already.

    Those that a port makes itself (`automatic_addresses`) are not among them. `owner` is the port's device owner.
    Raises Fault 400 for what makes no sense, 409 for what somebody has or when there is nothing left.
    """
    if wanted is None:
        return _any_addresses(cloud, network, owner)
    if len(wanted) > FIXED_IPS_LIMIT:
        raise invalid(f"Exceeded maximum amount of fixed ips per port: {FIXED_IPS_LIMIT}.")
    chosen: list[FixedIp] = []
    for one in wanted:
        subnet = _subnet_for(cloud, network, one)
        if subnet.is_automatic and (one.ip_address is None or not owner.startswith(ROUTER_OWNERS)):
            if one.ip_address is not None and FixedIp(subnet.id, str(ip_address(one.ip_address))) not in kept:
                raise Fault(
                    400,
                    f"IPv6 address {one.ip_address} can not be directly assigned to a port on subnet {subnet.id} since "
                    "the subnet is configured for automatic addresses",
                    type="AllocationOnAutoAddressSubnet",
                )
            continue
        if one.ip_address is None:
            address = cloud.part(Addressing).free_address(subnet)
            if not address:
                raise addresses_exhausted(network.id)
            chosen.append(FixedIp(subnet.id, address))
            continue
        fixed = FixedIp(subnet.id, str(ip_address(one.ip_address)))
        taken = cloud.mirror.get(ADDRESS, address_key(fixed.subnet_id, fixed.ip_address)) is not None
        if (taken and fixed not in kept) or fixed in chosen:
            raise address_in_use(fixed.ip_address, subnet.id)
        chosen.append(fixed)
    return tuple(chosen)


def new_port(
    cloud: Cloud, network: Network, port: Port, *, addresses: Sequence[WantedAddress] | None, mac: str | None = None
) -> tuple[Port, list[Put | Delete]]:
    """A port on a network, from what is known of it (its MAC and addresses are chosen here), and its changes.

    Raises Fault as `choose_addresses`, and 409 for a MAC address that the network has.
    """
    fixed_ips = choose_addresses(cloud, network, addresses, owner=port.device_owner)
    now_us = cloud.now_us()
    mac_address = _choose_mac(cloud, network, port.id, fixed_ips, mac)
    if addresses is None or addresses:
        fixed_ips += automatic_addresses(cloud, network, mac_address, port.device_owner)
    port = msgspec.structs.replace(
        port,
        network_id=network.id,
        mac_address=mac_address,
        fixed_ips=fixed_ips,
        created_us=now_us,
        updated_us=now_us,
    )
    return port, [Put(PORT, port, port.id, 0), *take_addresses(port, fixed_ips)]


def bound_to(cloud: Cloud, port: Port, host: str) -> Port:
    """The port on a node, where it is active once it is plugged: at once, unless the profile says that takes time.

    Without a node it is down.
    """
    if port.waiting_bindings:
        waiting = tuple(one for one in port.waiting_bindings if one.host != host)
        port = msgspec.structs.replace(port, waiting_bindings=waiting)
    if not host:
        return msgspec.structs.replace(port, host="", status=DOWN, building_us=0)
    if not may_wait(cloud, PORT, BUILD):
        return msgspec.structs.replace(port, host=host, status=ACTIVE)
    return msgspec.structs.replace(
        port, host=host, status=BUILD, building_us=cloud.now_us(), bindings=port.bindings + 1
    )


def automatic_addresses(cloud: Cloud, network: Network, mac: str, owner: str) -> tuple[FixedIp, ...]:
    """The addresses that a port makes itself: one on each subnet of its network where ports do so."""
    if owner.startswith(ROUTER_OWNERS):
        return ()
    found = [cloud.mirror.get(SUBNET, key) for key in network.subnet_ids]
    subnets = [entry.value for entry in found if entry is not None and entry.value.is_automatic]
    return tuple(FixedIp(subnet.id, automatic_address(subnet.cidr, mac)) for subnet in subnets)


def take_addresses(port: Port, fixed_ips: Sequence[FixedIp]) -> list[Put]:
    """The changes that make addresses the port's; they fail when somebody has one."""
    return [
        Put(ADDRESS, Address(fixed.subnet_id, port.id), address_key(fixed.subnet_id, fixed.ip_address), 0)
        for fixed in fixed_ips
    ]


def free_addresses(fixed_ips: Sequence[FixedIp]) -> list[Delete]:
    """The changes that give addresses back."""
    return [Delete(ADDRESS, address_key(fixed.subnet_id, fixed.ip_address)) for fixed in fixed_ips]


def remove_port(cloud: Cloud, port: Port) -> list[Put | Delete]:
    """The changes that delete a port, give its addresses back and free the floating IPs that stand for them.

    They fail when the port is changed meanwhile: it may have other addresses then, or a floating IP.
    """
    entry = cloud.mirror.get(PORT, port.id)
    seen = entry.revision if entry is not None else None
    changes: list[Put | Delete] = [Delete(PORT, port.id, seen), *free_addresses(port.fixed_ips)]
    for key in floating_ips_by_port(cloud.mirror).keys(port.id):
        entry = cloud.mirror.all(FLOATING_IP)[key]
        freed = dissociated(cloud, entry.value)
        changes.append(Put(FLOATING_IP, freed, key, entry.revision))
    for key in floating_ips_by_forwarded_port(cloud.mirror).keys(port.id):
        entry = cloud.mirror.all(FLOATING_IP)[key]
        changes.append(Put(FLOATING_IP, _without_forwardings(cloud, entry.value, port.id), key, entry.revision))
    return changes


def _without_forwardings(cloud: Cloud, floating_ip: FloatingIp, port_id: str) -> FloatingIp:
    kept = tuple(part for part in floating_ip.port_forwardings if part.internal_port_id != port_id)
    return msgspec.structs.replace(
        floating_ip,
        port_forwardings=kept,
        router_id=floating_ip.router_id if kept else "",
        updated_us=cloud.now_us(),
        version=floating_ip.version + 1,
    )


def dissociated(cloud: Cloud, floating_ip: FloatingIp) -> FloatingIp:
    """A floating IP that stands for nothing."""
    return msgspec.structs.replace(
        floating_ip, port_id="", fixed_ip="", router_id="", updated_us=cloud.now_us(), version=floating_ip.version + 1
    )


def _any_addresses(cloud: Cloud, network: Network, owner: str) -> tuple[FixedIp, ...]:
    """One address of each IP version of which the network has subnets. Raises Fault 409 when one has none left.

    Subnets for other kinds of ports than the `owner` says are left out.
    """
    addressing = cloud.part(Addressing)
    found: dict[int, FixedIp | None] = {}
    for subnet_id in network.subnet_ids:
        entry = cloud.mirror.get(SUBNET, subnet_id)
        if entry is None or entry.value.is_automatic or found.get(entry.value.ip_version) is not None:
            continue
        if entry.value.service_types and owner not in entry.value.service_types:
            continue
        address = addressing.free_address(entry.value)
        found[entry.value.ip_version] = FixedIp(subnet_id, address) if address else None
    if any(fixed is None for fixed in found.values()):
        raise addresses_exhausted(network.id)
    return tuple(fixed for fixed in found.values() if fixed is not None)


def _subnet_for(cloud: Cloud, network: Network, wanted: WantedAddress) -> Subnet:
    if wanted.ip_address is not None:
        try:
            address = ip_address(wanted.ip_address)
        except ValueError as error:
            raise bad(
                f"Invalid input for fixed_ips. Reason: '{wanted.ip_address}' is not a valid IP address."
            ) from error
    else:
        address = None
    ids = network.subnet_ids if wanted.subnet_id is None else (wanted.subnet_id,)
    for subnet_id in ids:
        entry = cloud.mirror.get(SUBNET, subnet_id)
        if entry is None:
            raise missing("Subnet", "Subnet", subnet_id)
        if entry.value.network_id != network.id:
            raise invalid(
                f"Invalid input for operation: Failed to create port on network {network.id}, because fixed_ips "
                f"included invalid subnet {subnet_id}."
            )
        if address is None or address in ip_network(entry.value.cidr):
            subnet: Subnet = entry.value
            return subnet
    if wanted.subnet_id is not None:
        raise Fault(
            400,
            f"IP address {wanted.ip_address} is not a valid IP for the specified subnet.",
            type="InvalidIpForSubnet",
        )
    raise Fault(
        400,
        f"IP address {wanted.ip_address} is not a valid IP for any of the subnets on the specified network.",
        type="InvalidIpForNetwork",
    )


def _choose_mac(cloud: Cloud, network: Network, port_id: str, fixed_ips: Sequence[FixedIp], wanted: str | None) -> str:
    if wanted is not None:
        mac = wanted.lower()
        if _has_mac(cloud, network, mac):
            message = f"Unable to complete operation for network {network.id}. The mac address {mac} is in use."
            raise Fault(409, message, type="MacAddressInUse")
        return mac
    first = fixed_ips[0].ip_address if fixed_ips else ""
    for turn in range(MAC_TRIES_LIMIT):
        mac = mac_address_of(port_id, first, turn)
        if not _has_mac(cloud, network, mac):
            return mac
    raise Fault(503, f"Unable to generate unique mac on network {network.id}.", type="MacAddressGenerationFailure")


def _has_mac(cloud: Cloud, network: Network, mac: str) -> bool:
    ports = cloud.mirror.all(PORT)
    return any(ports[key].value.network_id == network.id for key in ports_by_mac(cloud.mirror).keys(mac))
