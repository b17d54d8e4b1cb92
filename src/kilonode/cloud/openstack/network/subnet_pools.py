"""`/subnetpools`: ranges that subnets are cut from."""

from collections.abc import Sequence
from ipaddress import collapse_addresses, ip_network
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.address_scopes import SCOPES
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, standard_fields, touched
from kilonode.cloud.openstack.network.cutting import Range, is_inside
from kilonode.cloud.openstack.network.faults import disallowed, invalid
from kilonode.cloud.openstack.network.model import SUBNET, by_project
from kilonode.cloud.openstack.network.networks import NETWORKS
from kilonode.cloud.openstack.network.pool_model import (
    SUBNET_POOL,
    SubnetPool,
    pools_by_scope,
    subnets_by_pool,
)
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put


class WantedPool(msgspec.Struct, frozen=True):
    """The `subnetpool` of a create or update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    prefixes: tuple[str, ...] | UnsetType = UNSET
    default_prefixlen: int | str | UnsetType = UNSET
    min_prefixlen: int | str | UnsetType = UNSET
    max_prefixlen: int | str | UnsetType = UNSET
    default_quota: int | UnsetType | None = UNSET
    shared: bool | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET
    address_scope_id: str | UnsetType | None = UNSET
    project_id: str | None = None
    tenant_id: str | None = None
    tags: tuple[str, ...] = ()


def make_pool_fields(cloud: Cloud) -> Fields[SubnetPool]:
    """The fields of a subnet pool."""
    return Fields(
        {
            "id": lambda pool: pool.id,
            "name": lambda pool: pool.name,
            "prefixes": lambda pool: pool.prefixes,
            "ip_version": lambda pool: pool.ip_version,
            "default_prefixlen": lambda pool: pool.default_prefixlen,
            "min_prefixlen": lambda pool: pool.min_prefixlen,
            "max_prefixlen": lambda pool: pool.max_prefixlen,
            "default_quota": lambda pool: pool.default_quota,
            "shared": lambda pool: pool.shared or "*" in pool.shared_with,
            "is_default": lambda pool: pool.is_default,
            "address_scope_id": lambda pool: pool.address_scope_id or None,
            **standard_fields(),
        }
    )


POOLS: Final[Collection[SubnetPool]] = Collection(
    kind=SUBNET_POOL,
    noun="subnetpool",
    plural="subnetpools",
    type_noun="SubnetPool",
    title="Subnet pool",
    make_fields=make_pool_fields,
    sees=lambda request, pool: pool.shared,
    seen=lambda request: [key for key, one in request.cloud.mirror.all(SUBNET_POOL).items() if one.value.shared],
    indexes=(("project_id", lambda mirror: by_project(mirror, SUBNET_POOL)),),
)


async def list_subnet_pools(request: Request) -> Response:
    """`GET /subnetpools`."""
    return POOLS.listing(request)


async def create_subnet_pool(request: Request) -> Response:
    """`POST /subnetpools`."""
    return await POOLS.create(request, WantedPool, _new_pool)


async def show_subnet_pool(request: Request) -> Response:
    """`GET /subnetpools/{id}`."""
    return POOLS.show(request, POOLS.find(request, request.params["id"]).value)


async def update_subnet_pool(request: Request) -> Response:
    """`PUT /subnetpools/{id}`."""
    return await POOLS.update(request, WantedPool, _changed_pool)


async def delete_subnet_pool(request: Request) -> Response:
    """`DELETE /subnetpools/{id}`: not while a subnet is from it."""
    entry = POOLS.find_own(request, request.params["id"], "delete")
    if subnets_by_pool(request.cloud.mirror).count(entry.value.id):
        raise Fault(
            409, "Unable to delete subnet pool: Subnet pool has existing allocations.", type="SubnetPoolDeleteError"
        )
    await request.cloud.mirror.commit([Delete(SUBNET_POOL, entry.value.id, entry.revision)])
    return reply(None, 204)


async def change_prefixes(request: Request) -> Response:
    """`PUT /subnetpools/{id}/add_prefixes` and `…/remove_prefixes`."""
    entry = POOLS.find_own(request, request.params["id"], "update")
    wanted = request.json_object().get("prefixes")
    if not isinstance(wanted, list) or not wanted:
        raise invalid("Invalid input for prefixes.")
    pool = entry.value
    given = [_range(str(prefix)) for prefix in wanted]
    have = [ip_network(prefix) for prefix in pool.prefixes]
    if request.path.endswith("/add_prefixes"):
        left = [*have, *given]
    else:
        left = [one for one in have if one not in given]
        if not left:
            raise Fault(
                400, "Illegal update to prefixes: a pool keeps one prefix.", type="IllegalSubnetPoolPrefixUpdate"
            )
        _refuse_uncovered(request.cloud, pool, left)
    changed = touched(request.cloud, msgspec.structs.replace(pool, prefixes=_prefixes(left)[0]))
    await request.cloud.mirror.commit([Put(SUBNET_POOL, changed, pool.id, entry.revision)])
    return reply({"prefixes": changed.prefixes})


async def onboard_network_subnets(request: Request) -> Response:
    """`PUT /subnetpools/{id}/onboard_network_subnets`: the subnets of a network become the pool's, all or none."""
    entry = POOLS.find_own(request, request.params["id"], "onboard_network_subnets")
    network_id = request.json_object().get("network_id")
    if not isinstance(network_id, str) or not network_id:
        raise invalid("Invalid input for operation: network_id must be specified.")
    network = NETWORKS.find_own(request, network_id, "onboard_network_subnets").value
    pool, mirror = entry.value, request.cloud.mirror
    table = mirror.all(SUBNET)
    given = [
        table[key] for key in network.subnet_ids if key in table and table[key].value.ip_version == pool.ip_version
    ]
    taken = [ip_network(table[key].value.cidr) for key in subnets_by_pool(mirror).keys(pool.id)]
    for subnet in given:
        cidr = subnet.value.cidr
        if any(ip_network(cidr).overlaps(one) for one in taken):
            words = f"{subnet.value.id}: {cidr} conflicts with allocated prefixes in subnet pool {pool.id}"
            raise Fault(400, f"Illegal subnetpool update : Onboarding subnet {words}.", type="IllegalSubnetPoolUpdate")
    ranges = [ip_network(text) for text in (*pool.prefixes, *(one.value.cidr for one in given))]
    grown = touched(request.cloud, msgspec.structs.replace(pool, prefixes=_prefixes(ranges)[0]))
    if grown.address_scope_id:
        _check_scope(request, grown)
    changes: Changes = [Put(SUBNET_POOL, grown, pool.id, entry.revision)]
    for subnet in given:
        moved = touched(request.cloud, msgspec.structs.replace(subnet.value, pool_id=pool.id))
        changes.append(Put(SUBNET, moved, moved.id, subnet.revision))
    await mirror.commit(changes)
    return reply([{"id": subnet.value.id, "cidr": subnet.value.cidr} for subnet in given])


def _new_pool(request: Request, wanted: WantedPool) -> tuple[SubnetPool, Changes]:
    cloud = request.cloud
    if wanted.prefixes is UNSET or not wanted.prefixes:
        raise invalid("Invalid input for prefixes. Reason: a subnet pool needs at least one prefix.")
    prefixes, version = _prefixes([_range(prefix) for prefix in wanted.prefixes])
    whole = 32 if version == 4 else 128
    least = _length(wanted.min_prefixlen, 8 if version == 4 else 64, whole)
    most = _length(wanted.max_prefixlen, whole, whole)
    pool = SubnetPool(
        id=cloud.new_id(),
        project_id=owner(request, wanted.project_id or wanted.tenant_id),
        prefixes=prefixes,
        ip_version=version,
        min_prefixlen=least,
        max_prefixlen=most,
        default_prefixlen=_length(wanted.default_prefixlen, least, whole),
        created_us=cloud.now_us(),
        updated_us=cloud.now_us(),
        tags=wanted.tags,
    )
    pool = _with_wishes(request, pool, wanted)
    return pool, [Put(SUBNET_POOL, pool, pool.id, 0)]


def _changed_pool(request: Request, pool: SubnetPool, wanted: WantedPool) -> tuple[SubnetPool, Changes]:
    changed = pool
    if wanted.prefixes is not UNSET:
        given = [_range(prefix) for prefix in wanted.prefixes]
        prefixes, version = _prefixes(given)
        if version != pool.ip_version:
            raise Fault(400, "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", type="PrefixVersionMismatch")
        for old in pool.prefixes:
            if not any(is_inside(ip_network(old), ip_network(new)) for new in prefixes):
                raise Fault(
                    400,
                    f"Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes: {old}.",
                    type="IllegalSubnetPoolPrefixUpdate",
                )
        changed = msgspec.structs.replace(changed, prefixes=prefixes)
    whole = 32 if pool.ip_version == 4 else 128
    changed = msgspec.structs.replace(
        changed,
        min_prefixlen=_length(wanted.min_prefixlen, pool.min_prefixlen, whole),
        max_prefixlen=_length(wanted.max_prefixlen, pool.max_prefixlen, whole),
        default_prefixlen=_length(wanted.default_prefixlen, pool.default_prefixlen, whole),
    )
    return _with_wishes(request, changed, wanted), []


def _with_wishes(request: Request, pool: SubnetPool, wanted: WantedPool) -> SubnetPool:
    for name in ("shared", "is_default"):
        if getattr(wanted, name) is True and not request.caller.is_admin:
            raise disallowed(f"create_subnetpool:{name}")
    names = ("name", "description", "shared", "is_default", "default_quota")
    wishes = {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not UNSET}
    if wanted.address_scope_id is not UNSET:
        wishes["address_scope_id"] = wanted.address_scope_id or ""
    changed = msgspec.structs.replace(pool, **wishes)
    if not changed.min_prefixlen <= changed.default_prefixlen <= changed.max_prefixlen:
        raise Fault(
            400,
            f"Illegal prefix bounds: min_prefixlen={changed.min_prefixlen}, default_prefixlen="
            f"{changed.default_prefixlen}, max_prefixlen={changed.max_prefixlen}",
            type="IllegalSubnetPoolPrefixBounds",
        )
    if changed.is_default:
        for other in request.cloud.mirror.all(SUBNET_POOL).values():
            if other.value.is_default and other.value.ip_version == changed.ip_version and other.value.id != pool.id:
                raise Fault(409, "A default subnetpool for this IP family has already been set. "
                                 "Only one default may exist per IP family",
                            type="DefaultSubnetPoolExists")  # fmt: skip
    if changed.address_scope_id:
        _check_scope(request, changed)
    return changed


def _check_scope(request: Request, pool: SubnetPool) -> None:
    """The scope exists, is of the same IP version, and no other pool of it overlaps. Raises Fault."""
    scope = SCOPES.find(request, pool.address_scope_id).value
    if scope.ip_version != pool.ip_version:
        raise Fault(
            400,
            f"Illegal subnetpool update: subnetpool {pool.id} cannot be associated with address scope {scope.id}: "
            "subnetpool and address scope have different IP versions.",
            type="IllegalSubnetPoolIpVersionAssociationToAddressScope",
        )
    mirror = request.cloud.mirror
    own = [ip_network(prefix) for prefix in pool.prefixes]
    for key in pools_by_scope(mirror).keys(scope.id):
        other = mirror.all(SUBNET_POOL)[key].value
        if key != pool.id and any(one.overlaps(ip_network(prefix)) for one in own for prefix in other.prefixes):
            raise Fault(
                409,
                f"Address scope {scope.id} has a subnet pool {key} whose prefixes overlap.",
                type="AddressScopePrefixConflict",
            )


def _refuse_uncovered(cloud: Cloud, pool: SubnetPool, left: Sequence[Range]) -> None:
    for key in subnets_by_pool(cloud.mirror).keys(pool.id):
        cidr = ip_network(cloud.mirror.all(SUBNET)[key].value.cidr)
        if not any(is_inside(cidr, one) for one in left):
            raise Fault(400, f"Illegal update to prefixes: {cidr} is in use.", type="IllegalSubnetPoolPrefixUpdate")


def _prefixes(ranges: Sequence[Range]) -> tuple[tuple[str, ...], int]:
    versions = {one.version for one in ranges}
    if len(versions) != 1:
        raise Fault(400, "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", type="PrefixVersionMismatch")
    collapsed: Sequence[Range] = list(collapse_addresses(ranges))  # type: ignore[type-var]
    return tuple(str(one) for one in collapsed), versions.pop()


def _range(text: str) -> Range:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise invalid(f"Invalid input for prefixes. Reason: '{text}' is not a valid IP subnet.") from error


def _length(value: int | str | UnsetType, default: int, whole: int) -> int:
    if value is UNSET:
        return default
    try:
        length = int(value)
    except ValueError as error:
        raise invalid(f"Invalid input for a prefix length: {value!r}.") from error
    if not 0 <= length <= whole:
        raise invalid(f"Invalid input for a prefix length: {length} is not between 0 and {whole}.")
    return length


ROUTES: Final = (
    Route("GET", "/subnetpools", list_subnet_pools, Access.READER),
    Route("POST", "/subnetpools", create_subnet_pool, Access.MEMBER),
    Route("GET", "/subnetpools/{id}", show_subnet_pool, Access.READER),
    Route("PUT", "/subnetpools/{id}", update_subnet_pool, Access.MEMBER),
    Route("DELETE", "/subnetpools/{id}", delete_subnet_pool, Access.MEMBER),
    Route("PUT", "/subnetpools/{id}/add_prefixes", change_prefixes, Access.MEMBER, "add_prefixes"),
    Route("PUT", "/subnetpools/{id}/onboard_network_subnets", onboard_network_subnets, Access.MEMBER),
    Route("PUT", "/subnetpools/{id}/remove_prefixes", change_prefixes, Access.MEMBER, "remove_prefixes"),
)
