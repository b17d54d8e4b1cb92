"""Cutting ranges for subnets from pools: which range, and what has to be written with it. No HTTP, no policies."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.model import SUBNET, is_shared_with
from kilonode.cloud.openstack.network.pool_model import SUBNET_POOL, SubnetPool, subnets_by_pool
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.mirror import Entry, Put

CUTS_TRIED: Final = 65_536
"""How many places of a pool are looked at before it counts as used up."""
Range = IPv4Network | IPv6Network


def default_pool(cloud: Cloud, project_id: str, ip_version: int) -> Entry[SubnetPool] | None:
    """The default pool of an IP version, if there is one that the project may use."""
    for entry in cloud.mirror.all(SUBNET_POOL).values():
        pool = entry.value
        if pool.is_default and pool.ip_version == ip_version:
            return entry if pool.shared or pool.project_id == project_id or is_shared_with(pool, project_id) else None
    return None


def cut(cloud: Cloud, pool: SubnetPool, project_id: str, length: int | None, wanted: Range | None) -> Range:
    """A range of the pool that no subnet has: the one that is wanted, or the first of a length. Raises Fault."""
    length = wanted.prefixlen if wanted is not None else pool.default_prefixlen if length is None else length
    if length < pool.min_prefixlen or length > pool.max_prefixlen:
        bound, name = (pool.min_prefixlen, "Min") if length < pool.min_prefixlen else (pool.max_prefixlen, "Max")
        raise Fault(
            400,
            f"Unable to allocate subnet with prefix length {length}, {name.lower()}imum allowed prefix is {bound}.",
            type=f"{name}PrefixSubnetAllocationError",
        )
    mirror = cloud.mirror
    subnets = [mirror.all(SUBNET)[key].value for key in subnets_by_pool(mirror).keys(pool.id)]
    taken = [ip_network(subnet.cidr) for subnet in subnets]
    _check_pool_quota(pool, project_id, subnets, length)
    if wanted is not None:
        inside = any(is_inside(wanted, ip_network(prefix)) for prefix in pool.prefixes)
        if not inside or any(wanted.overlaps(one) for one in taken):
            raise Fault(400, f"Failed to allocate subnet: Cannot allocate requested subnet {wanted} "
                        "from the available set of prefixes.", type="SubnetAllocationError")  # fmt: skip
        return wanted
    tried = 0
    for prefix in pool.prefixes:
        space = ip_network(prefix)
        if space.prefixlen > length:
            continue
        place = int(space.network_address)
        step = 1 << (space.max_prefixlen - length)
        while place <= int(space.broadcast_address) and tried < CUTS_TRIED:
            candidate = ip_network((place, length))
            blocking = next((one for one in taken if one.overlaps(candidate)), None)
            if blocking is None:
                return candidate
            after = int(blocking.broadcast_address) + 1
            place = max(place + step, -(-after // step) * step)
            tried += 1
    raise Fault(
        400,
        f"Failed to allocate subnet: Insufficient prefix space to allocate subnet size /{length}.",
        type="SubnetAllocationError",
    )


def taken_from(pool: Entry[SubnetPool]) -> Put:
    """What to write with a subnet from the pool, so that two requests at one instant do not get the same range."""
    value = pool.value
    return Put(
        SUBNET_POOL, msgspec.structs.replace(value, subnets_made=value.subnets_made + 1), value.id, pool.revision
    )


def _check_pool_quota(pool: SubnetPool, project_id: str, subnets: Sequence[Any], length: int) -> None:
    """The quota of a pool: addresses of IPv4, /64s of IPv6, for each project."""
    if pool.default_quota is None:
        return
    unit = 32 if pool.ip_version == 4 else 64

    def size(prefixlen: int) -> int:
        return 1 << max(0, unit - prefixlen)

    used = sum(size(ip_network(one.cidr).prefixlen) for one in subnets if one.project_id == project_id)
    if used + size(length) > pool.default_quota:
        raise Fault(409, "Per-tenant subnet pool prefix quota exceeded.", type="SubnetPoolQuotaExceeded")


def is_inside(small: Range, large: Range) -> bool:
    """Whether a range is part of another one."""
    return small.version == large.version and small.subnet_of(large)  # type: ignore[arg-type]
