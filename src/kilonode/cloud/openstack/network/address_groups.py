"""`/address-groups`: named sets of ranges that rules of security groups may name instead of one range."""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.kinds import document
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, standard_fields, touched
from kilonode.cloud.openstack.network.faults import invalid
from kilonode.cloud.openstack.network.model import SECURITY_GROUP_RULE, Resource, by_project
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.index import Index
from kilonode.control.mirror import Delete, Mirror, Put

ADDRESS_GROUP: Final = "address_group"


@document(ADDRESS_GROUP)
class AddressGroup(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """A set of ranges of addresses."""

    addresses: tuple[str, ...] = ()


class WantedAddressGroup(msgspec.Struct, frozen=True):
    """The `address_group` of a create or update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    addresses: tuple[str, ...] | None = None
    project_id: str | None = None
    tenant_id: str | None = None


class WantedAddresses(msgspec.Struct, frozen=True):
    """The `address_group` of a request to add or remove ranges."""

    addresses: tuple[str, ...]


class AddressesBody(msgspec.Struct, frozen=True):
    """The body of such a request."""

    address_group: WantedAddresses


def make_address_group_fields(cloud: Cloud) -> Fields[AddressGroup]:
    """The fields of an address group."""
    return Fields(
        {
            "id": lambda group: group.id,
            "name": lambda group: group.name,
            "addresses": lambda group: group.addresses,
            "shared": lambda group: "*" in group.shared_with,
            **standard_fields(),
        }
    )


ADDRESS_GROUPS: Final[Collection[AddressGroup]] = Collection(
    kind=ADDRESS_GROUP,
    noun="address_group",
    plural="address_groups",
    type_noun="AddressGroup",
    title="Address group",
    make_fields=make_address_group_fields,
    indexes=(("project_id", lambda mirror: by_project(mirror, ADDRESS_GROUP)),),
)


def rules_by_address_group(mirror: Mirror) -> Index:
    """The rules of security groups that name an address group."""
    return mirror.index(SECURITY_GROUP_RULE, "address_group", lambda rule: rule.remote_address_group_id)


async def list_address_groups(request: Request) -> Response:
    """`GET /address-groups`."""
    return ADDRESS_GROUPS.listing(request)


async def create_address_group(request: Request) -> Response:
    """`POST /address-groups`."""
    return await ADDRESS_GROUPS.create(request, WantedAddressGroup, _new_group)


async def show_address_group(request: Request) -> Response:
    """`GET /address-groups/{id}`."""
    return ADDRESS_GROUPS.show(request, ADDRESS_GROUPS.find(request, request.params["id"]).value)


async def update_address_group(request: Request) -> Response:
    """`PUT /address-groups/{id}`: its name and description; its ranges have operations of their own."""
    return await ADDRESS_GROUPS.update(request, WantedAddressGroup, _changed_group)


async def delete_address_group(request: Request) -> Response:
    """`DELETE /address-groups/{id}`: not while a rule names it."""
    entry = ADDRESS_GROUPS.find_own(request, request.params["id"], "delete")
    mirror = request.cloud.mirror
    if rules_by_address_group(mirror).count(entry.value.id):
        raise Fault(
            409,
            f"Address group {entry.value.id} is in use on one or more security group rules.",
            type="AddressGroupInUse",
        )
    await mirror.commit([Delete(ADDRESS_GROUP, entry.value.id, entry.revision)])
    return reply(None, 204)


async def add_addresses(request: Request) -> Response:
    """`PUT /address-groups/{id}/add_addresses`: ranges that it does not have yet."""
    entry = ADDRESS_GROUPS.find_own(request, request.params["id"], "update")
    wanted = _ranges(request.json(AddressesBody).address_group.addresses)
    known = [one for one in wanted if one in entry.value.addresses]
    if known:
        raise Fault(
            400, f"Addresses {known} already exist in the address group {entry.value.id}.", type="AddressesAlreadyExist"
        )
    group = touched(request.cloud, replace(entry.value, addresses=(*entry.value.addresses, *wanted)))
    await request.cloud.mirror.commit([Put(ADDRESS_GROUP, group, group.id, entry.revision)])
    return ADDRESS_GROUPS.show(request, group)


async def remove_addresses(request: Request) -> Response:
    """`PUT /address-groups/{id}/remove_addresses`: ranges that it has."""
    entry = ADDRESS_GROUPS.find_own(request, request.params["id"], "update")
    unwanted = _ranges(request.json(AddressesBody).address_group.addresses)
    unknown = [one for one in unwanted if one not in entry.value.addresses]
    if unknown:
        raise Fault(
            404, f"Addresses {unknown} not found in the address group {entry.value.id}.", type="AddressesNotFound"
        )
    kept = tuple(one for one in entry.value.addresses if one not in unwanted)
    group = touched(request.cloud, replace(entry.value, addresses=kept))
    await request.cloud.mirror.commit([Put(ADDRESS_GROUP, group, group.id, entry.revision)])
    return ADDRESS_GROUPS.show(request, group)


def _new_group(request: Request, wanted: WantedAddressGroup) -> tuple[AddressGroup, Changes]:
    now_us = request.cloud.now_us()
    group = AddressGroup(
        id=request.cloud.new_id(),
        project_id=owner(request, wanted.project_id or wanted.tenant_id),
        addresses=_ranges(wanted.addresses or ()),
        created_us=now_us,
        updated_us=now_us,
    )
    return _named(group, wanted), [Put(ADDRESS_GROUP, _named(group, wanted), group.id, 0)]


def _changed_group(request: Request, group: AddressGroup, wanted: WantedAddressGroup) -> tuple[AddressGroup, Changes]:
    if wanted.addresses is not None:
        raise invalid("Cannot update read-only attribute addresses")
    return _named(group, wanted), []


def _named(group: AddressGroup, wanted: WantedAddressGroup) -> AddressGroup:
    name = group.name if wanted.name is UNSET else wanted.name
    return replace(
        group, name=name, description=group.description if wanted.description is UNSET else wanted.description
    )


def _ranges(texts: Iterable[str]) -> tuple[str, ...]:
    """The ranges in the form they are kept in, each once. Raises Fault 400."""
    try:
        return tuple(dict.fromkeys(str(ip_network(text)) for text in texts))
    except ValueError as error:
        raise invalid(f"Invalid input for addresses. Reason: {error}.") from error


ROUTES: Final = (
    Route("GET", "/address-groups", list_address_groups, Access.READER),
    Route("POST", "/address-groups", create_address_group, Access.MEMBER),
    Route("GET", "/address-groups/{id}", show_address_group, Access.READER),
    Route("PUT", "/address-groups/{id}", update_address_group, Access.MEMBER),
    Route("DELETE", "/address-groups/{id}", delete_address_group, Access.MEMBER),
    Route("PUT", "/address-groups/{id}/add_addresses", add_addresses, Access.MEMBER),
    Route("PUT", "/address-groups/{id}/remove_addresses", remove_addresses, Access.MEMBER),
)
