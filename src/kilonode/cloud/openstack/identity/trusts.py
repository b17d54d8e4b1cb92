"""`/OS-TRUST/trusts`: a user lets another one act with some of its roles on a project. See also `login`."""

from typing import Any, Final

import msgspec

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.identity.answers import find, forbidden, items_reply, link, shown
from kilonode.cloud.openstack.identity.application_credentials import NamedRole
from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.delegated import caller_token, refuse_token_of_credential
from kilonode.cloud.openstack.identity.delegation_model import TRUST, Trust, trusts_by_user
from kilonode.cloud.openstack.identity.instants import future_us
from kilonode.cloud.openstack.identity.model import PROJECT, ROLE, USER, find_by_name
from kilonode.cloud.openstack.identity.roles import ROLE_FIELDS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put

REDELEGATIONS_LIMIT: Final = 3
TRUST_FIELDS: Final[Fields[Trust]] = Fields(
    {
        "id": lambda trust: trust.id,
        "trustor_user_id": lambda trust: trust.trustor_user_id,
        "trustee_user_id": lambda trust: trust.trustee_user_id,
        "project_id": lambda trust: trust.project_id,
        "impersonation": lambda trust: trust.impersonation,
        "expires_at": lambda trust: timestamp_with_microseconds(trust.expires_us) + "Z" if trust.expires_us else None,
        "remaining_uses": lambda trust: trust.remaining_uses,
        "redelegation_count": lambda trust: trust.redelegation_count,
        "redelegated_trust_id": lambda trust: trust.redelegated_trust_id,
        "deleted_at": lambda trust: None,
    }
)


class WantedTrust(msgspec.Struct, frozen=True):
    """The `trust` of a create request."""

    trustor_user_id: str
    trustee_user_id: str
    impersonation: bool
    project_id: str | None = None
    roles: tuple[NamedRole, ...] = ()
    expires_at: str | None = None
    remaining_uses: int | None = None
    allow_redelegation: bool = False
    redelegation_count: int | None = None


class CreateTrust(msgspec.Struct, frozen=True):
    """The body of `POST /OS-TRUST/trusts`."""

    trust: WantedTrust


async def list_trusts(request: Request) -> Response:
    """`GET /OS-TRUST/trusts`: all to administrators, else those in which the caller is whom it asks for."""
    refuse_token_of_credential(request)
    mirror, caller, query = request.cloud.mirror, request.caller, request.query
    trustor_id, trustee_id = query.one("trustor_user_id"), query.one("trustee_user_id")
    all_readable = caller.is_admin or (caller.system and caller.access >= Access.READER)
    asked = [user_id for user_id in (trustor_id, trustee_id) if user_id]
    if not all_readable and (not asked or any(user_id != caller.user_id for user_id in asked)):
        raise forbidden(request, "list_trusts")
    keys = trusts_by_user(mirror).keys(asked[0]) if asked else mirror.all(TRUST)
    authority = request.cloud.part(Authority)
    found = [trust for key in list(keys) if (trust := authority.open_trust(key)) is not None]
    items = [
        shown(request, "OS-TRUST/trusts", TRUST_FIELDS, trust)
        for trust in found
        if (not trustor_id or trust.trustor_user_id == trustor_id)
        and (not trustee_id or trust.trustee_user_id == trustee_id)
    ]
    return items_reply(request, "trusts", items)


async def create_trust(request: Request) -> Response:
    """`POST /OS-TRUST/trusts`: by the trustor alone, with roles it has."""
    cloud, caller = request.cloud, request.caller
    wanted = request.json(CreateTrust).trust
    authority = cloud.part(Authority)
    if caller.user_id != wanted.trustor_user_id:
        raise Fault(403, "You are not authorized to perform the requested action: The trustor must be the caller.")
    refuse_token_of_credential(request)
    made_from = caller_token(request).trust_id
    source = authority.open_trust(made_from) if made_from else None
    if made_from and (source is None or source.redelegation_count == 0):
        raise Fault(403, "Redelegation allowed for delegated by trust only.")
    find(request, USER, "user", wanted.trustee_user_id)
    if not wanted.project_id or not wanted.roles:
        raise Fault(400, "A trust needs a project and at least one role.")
    find(request, PROJECT, "project", wanted.project_id)
    if wanted.remaining_uses is not None and wanted.remaining_uses < 1:
        raise Fault(400, "remaining_uses must be a positive integer or null.")
    if wanted.remaining_uses is not None and wanted.allow_redelegation:
        raise Fault(400, "remaining_uses must not be set if redelegation is allowed.")
    expires_us = future_us(request, wanted.expires_at, "trust") if wanted.expires_at else 0
    trust = Trust(
        cloud.new_hexadecimal_id(),
        wanted.trustor_user_id,
        wanted.trustee_user_id,
        wanted.project_id,
        wanted.impersonation,
        _roles(request, wanted, source),
        min(expires_us or source.expires_us, source.expires_us) if source and source.expires_us else expires_us,
        wanted.remaining_uses,
        _redelegations(wanted, source),
        source.id if source is not None else None,
    )
    await cloud.mirror.commit([Put(TRUST, trust, trust.id, 0)])
    return reply({"trust": _shown(request, trust)}, 201)


async def show_trust(request: Request) -> Response:
    """`GET /OS-TRUST/trusts/{trust_id}`."""
    return reply({"trust": _shown(request, _readable(request).value)})


async def delete_trust(request: Request) -> Response:
    """`DELETE /OS-TRUST/trusts/{trust_id}`, with the trusts that hand it on."""
    entry = _readable(request)
    trust = entry.value
    if request.caller.user_id != trust.trustor_user_id and not request.caller.is_admin:
        raise forbidden(request, "delete_trust")
    table = request.cloud.mirror.all(TRUST)
    changes = [Delete(TRUST, trust.id, entry.revision)]
    waiting = [trust.id]
    while waiting:
        source = waiting.pop()
        below = [key for key, other in table.items() if other.value.redelegated_trust_id == source]
        changes += [Delete(TRUST, key) for key in below]
        waiting += below
    await request.cloud.mirror.commit(changes)
    return reply(None, 204)


async def list_trust_roles(request: Request) -> Response:
    """`GET /OS-TRUST/trusts/{trust_id}/roles`."""
    trust = _readable(request).value
    return items_reply(request, "roles", _shown_roles(request, trust))


async def show_trust_role(request: Request) -> Response:
    """`GET /OS-TRUST/trusts/{trust_id}/roles/{role_id}` (and HEAD)."""
    trust = _readable(request).value
    role_id = request.params["role_id"]
    if role_id not in trust.role_ids:
        raise Fault(404, f"Could not find role: {role_id}.")
    if request.method == "HEAD":
        return reply(None, 200)
    role = find(request, ROLE, "role", role_id).value
    return reply({"role": shown(request, "roles", ROLE_FIELDS, role)})


def _readable(request: Request) -> Entry[Trust]:
    """The trust, if the caller is one of its two users, or may see all. Raises Fault."""
    refuse_token_of_credential(request)
    caller = request.caller
    trust = request.cloud.part(Authority).open_trust(request.params["trust_id"])
    if trust is None:
        raise Fault(404, f"Could not find trust: {request.params['trust_id']}.")
    reader = caller.is_admin or (caller.system and caller.access >= Access.READER)
    if not reader and caller.user_id not in (trust.trustor_user_id, trust.trustee_user_id):
        raise forbidden(request, "get_trust")
    return find(request, TRUST, "trust", trust.id)


def _roles(request: Request, wanted: WantedTrust, source: Trust | None) -> tuple[str, ...]:
    """The ids of the roles to give, all of which the trustor has. Raises Fault 403, or 404 for one there is not."""
    authority = request.cloud.part(Authority)
    had = {role.id for role in authority.roles(wanted.trustor_user_id, "project", wanted.project_id or "")}
    if source is not None:
        had &= {role.id for role in authority.with_implied(list(source.role_ids))}
        if source.project_id != wanted.project_id:
            raise Fault(403, "A trust can be handed on only for its own project.")
    ids = []
    for named in wanted.roles:
        role_id = named.id or find_by_name(request.cloud, ROLE, "", named.name or "")
        if not role_id or request.cloud.mirror.get(ROLE, role_id) is None:
            raise Fault(404, f"Could not find role: {named.id or named.name}.")
        if role_id not in had:
            raise Fault(403, f"The trustor does not have the role {named.name or role_id} on the project.")
        ids.append(role_id)
    return tuple(dict.fromkeys(ids))


def _redelegations(wanted: WantedTrust, source: Trust | None) -> int:
    """How many times the trust may be handed on. Raises Fault 403."""
    if not wanted.allow_redelegation or wanted.redelegation_count == 0:
        return 0
    most = source.redelegation_count - 1 if source is not None else REDELEGATIONS_LIMIT
    count = most if wanted.redelegation_count is None else wanted.redelegation_count
    if not 0 <= count <= most:
        raise Fault(403, f"Requested redelegation depth of {count} is greater than allowed {most}")
    return count


def _shown(request: Request, trust: Trust) -> dict[str, Any]:
    roles_links = {**link(request, f"/OS-TRUST/trusts/{trust.id}/roles"), "next": None, "previous": None}
    body = shown(request, "OS-TRUST/trusts", TRUST_FIELDS, trust)
    return {**body, "roles": _shown_roles(request, trust), "roles_links": roles_links}


def _shown_roles(request: Request, trust: Trust) -> list[dict[str, Any]]:
    table = request.cloud.mirror.all(ROLE)
    return [shown(request, "roles", ROLE_FIELDS, table[key].value) for key in trust.role_ids if key in table]


_PLACE: Final = "/OS-TRUST/trusts"
ROUTES = (
    Route("GET", _PLACE, list_trusts, Access.AUTHENTICATED),
    Route("POST", _PLACE, create_trust, Access.AUTHENTICATED),
    Route("GET", f"{_PLACE}/{{trust_id}}", show_trust, Access.AUTHENTICATED),
    Route("DELETE", f"{_PLACE}/{{trust_id}}", delete_trust, Access.AUTHENTICATED),
    Route("GET", f"{_PLACE}/{{trust_id}}/roles", list_trust_roles, Access.AUTHENTICATED),
    Route("GET", f"{_PLACE}/{{trust_id}}/roles/{{role_id}}", show_trust_role, Access.AUTHENTICATED),
)
