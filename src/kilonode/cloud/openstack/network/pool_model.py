"""What the network service keeps of pools of ranges and address scopes."""

from typing import Final

from kilonode.cloud.kinds import document
from kilonode.cloud.openstack.network.model import SUBNET, Resource
from kilonode.control.index import Index
from kilonode.control.mirror import Mirror

SUBNET_POOL: Final = "subnet_pool"
ADDRESS_SCOPE: Final = "address_scope"


@document(SUBNET_POOL)
class SubnetPool(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """Ranges that subnets are cut from. It is written with every subnet that comes from it, so two never overlap."""

    prefixes: tuple[str, ...]
    ip_version: int
    default_prefixlen: int
    min_prefixlen: int
    max_prefixlen: int
    default_quota: int | None = None
    shared: bool = False
    is_default: bool = False
    address_scope_id: str = ""
    subnets_made: int = 0
    """How many subnets were cut from it: what makes two requests at one instant conflict."""


@document(ADDRESS_SCOPE)
class AddressScope(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """Pools whose ranges do not overlap, so that networks of one scope can be routed."""

    ip_version: int
    shared: bool = False


def subnets_by_pool(mirror: Mirror) -> Index:
    """The subnets that were cut from a pool."""
    return mirror.index(SUBNET, "pool", lambda subnet: subnet.pool_id or None)


def pools_by_scope(mirror: Mirror) -> Index:
    """The pools of an address scope."""
    return mirror.index(SUBNET_POOL, "scope", lambda pool: pool.address_scope_id or None)
