"""`/address-scopes`."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, standard_fields
from kilonode.cloud.openstack.network.faults import disallowed, invalid
from kilonode.cloud.openstack.network.model import by_project
from kilonode.cloud.openstack.network.pool_model import ADDRESS_SCOPE, AddressScope, pools_by_scope
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put


class WantedScope(msgspec.Struct, frozen=True):
    """The `address_scope` of a create or update request."""

    name: str | UnsetType = UNSET
    ip_version: int | UnsetType = UNSET
    shared: bool | UnsetType = UNSET
    project_id: str | None = None
    tenant_id: str | None = None


def make_scope_fields(cloud: Cloud) -> Fields[AddressScope]:
    """The fields of an address scope."""
    plain = ("tenant_id", "project_id")
    return Fields(
        {
            "id": lambda scope: scope.id,
            "name": lambda scope: scope.name,
            "ip_version": lambda scope: scope.ip_version,
            "shared": lambda scope: scope.shared or "*" in scope.shared_with,
            **{name: getter for name, getter in standard_fields().items() if name in plain},
        }
    )


SCOPES: Final[Collection[AddressScope]] = Collection(
    kind=ADDRESS_SCOPE,
    noun="address_scope",
    plural="address_scopes",
    type_noun="AddressScope",
    title="Address scope",
    make_fields=make_scope_fields,
    sees=lambda request, scope: scope.shared,
    seen=lambda request: [key for key, one in request.cloud.mirror.all(ADDRESS_SCOPE).items() if one.value.shared],
    indexes=(("project_id", lambda mirror: by_project(mirror, ADDRESS_SCOPE)),),
)


async def list_address_scopes(request: Request) -> Response:
    """`GET /address-scopes`."""
    return SCOPES.listing(request)


async def create_address_scope(request: Request) -> Response:
    """`POST /address-scopes`."""
    return await SCOPES.create(request, WantedScope, _new_scope)


async def show_address_scope(request: Request) -> Response:
    """`GET /address-scopes/{id}`."""
    return SCOPES.show(request, SCOPES.find(request, request.params["id"]).value)


async def update_address_scope(request: Request) -> Response:
    """`PUT /address-scopes/{id}`."""
    return await SCOPES.update(request, WantedScope, _changed_scope)


async def delete_address_scope(request: Request) -> Response:
    """`DELETE /address-scopes/{id}`: not while a pool is in it."""
    entry = SCOPES.find_own(request, request.params["id"], "delete")
    if pools_by_scope(request.cloud.mirror).count(entry.value.id):
        raise Fault(
            409,
            f"Unable to complete operation on address scope {entry.value.id}. There are one or more subnet pools in "
            "use on the address scope.",
            type="AddressScopeInUse",
        )
    await request.cloud.mirror.commit([Delete(ADDRESS_SCOPE, entry.value.id, entry.revision)])
    return reply(None, 204)


def _new_scope(request: Request, wanted: WantedScope) -> tuple[AddressScope, Changes]:
    if wanted.ip_version not in (4, 6):
        raise invalid(f"Invalid input for ip_version. Reason: '{wanted.ip_version}' is not in [4, 6].")
    cloud = request.cloud
    shared = _may_share(request, wanted)
    scope = AddressScope(
        id=cloud.new_id(),
        project_id=owner(request, wanted.project_id or wanted.tenant_id),
        name="" if wanted.name is UNSET else wanted.name,
        ip_version=int(wanted.ip_version),
        shared=bool(shared),
        created_us=cloud.now_us(),
        updated_us=cloud.now_us(),
    )
    return scope, [Put(ADDRESS_SCOPE, scope, scope.id, 0)]


def _changed_scope(request: Request, scope: AddressScope, wanted: WantedScope) -> tuple[AddressScope, Changes]:
    shared = _may_share(request, wanted)
    if scope.shared and shared is False:
        raise Fault(
            409,
            f"Unable to update address scope {scope.id} : Shared address scope can't be unshared.",
            type="AddressScopeUpdateError",
        )
    return msgspec.structs.replace(
        scope,
        name=scope.name if wanted.name is UNSET else wanted.name,
        shared=scope.shared if shared is None else shared,
    ), []


def _may_share(request: Request, wanted: WantedScope) -> bool | None:
    if wanted.shared is UNSET:
        return None
    if wanted.shared and not request.caller.is_admin:
        raise disallowed("create_address_scope:shared")
    return bool(wanted.shared)


ROUTES: Final = (
    Route("GET", "/address-scopes", list_address_scopes, Access.READER),
    Route("POST", "/address-scopes", create_address_scope, Access.MEMBER),
    Route("GET", "/address-scopes/{id}", show_address_scope, Access.READER),
    Route("PUT", "/address-scopes/{id}", update_address_scope, Access.MEMBER),
    Route("DELETE", "/address-scopes/{id}", delete_address_scope, Access.MEMBER),
)
