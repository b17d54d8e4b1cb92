"""`/users/{id}/application_credentials`: secrets of their own with which programs log in for a user."""

from typing import Any, Final

import msgspec

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.identity.access_rules import ACCESS_RULE_FIELDS, WantedRule, rules_for
from kilonode.cloud.openstack.identity.answers import (
    checked_name,
    find,
    forbidden,
    items_reply,
    link,
    require,
    shown,
)
from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.delegated import refuse_restricted, refuse_token_of_trust
from kilonode.cloud.openstack.identity.delegation_model import ACCESS_RULE, AccessRule
from kilonode.cloud.openstack.identity.instants import future_us
from kilonode.cloud.openstack.identity.model import (
    APPLICATION_CREDENTIAL,
    ROLE,
    ApplicationCredential,
    credentials_by_user,
    find_by_name,
)
from kilonode.cloud.openstack.identity.passwords import hash_password
from kilonode.cloud.openstack.identity.roles import ROLE_FIELDS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields, matching
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put

CREDENTIAL_FIELDS: Final[Fields[ApplicationCredential]] = Fields(
    {
        "id": lambda credential: credential.id,
        "name": lambda credential: credential.name,
        "description": lambda credential: credential.description,
        "project_id": lambda credential: credential.project_id,
        "user_id": lambda credential: credential.user_id,
        "unrestricted": lambda credential: credential.unrestricted,
        "expires_at": lambda credential: (
            timestamp_with_microseconds(credential.expires_us) if credential.expires_us else None
        ),
        "system": lambda credential: None,
    }
)
"""All but the roles, which are documents of their own."""


class NamedRole(msgspec.Struct, frozen=True):
    """A role by id or name."""

    id: str | None = None
    name: str | None = None


class WantedCredential(msgspec.Struct, frozen=True):
    """The `application_credential` of a create request."""

    name: str
    secret: str | None = None
    description: str | None = None
    expires_at: str | None = None
    roles: tuple[NamedRole, ...] | None = None
    unrestricted: bool | None = None
    access_rules: tuple[WantedRule, ...] | None = None


class CreateCredential(msgspec.Struct, frozen=True):
    """The body of `POST /users/{user_id}/application_credentials`."""

    application_credential: WantedCredential


async def list_application_credentials(request: Request) -> Response:
    """`GET /users/{user_id}/application_credentials`."""
    user_id = request.params["user_id"]
    require(request, "list_application_credentials", user_id=user_id)
    refuse_token_of_trust(request)
    mirror = request.cloud.mirror
    values = (mirror.all(APPLICATION_CREDENTIAL)[key].value for key in credentials_by_user(mirror).keys(user_id))
    collection = f"users/{user_id}/application_credentials"
    query = [(name, text) for name, text in request.query if name in CREDENTIAL_FIELDS]
    found = matching(values, CREDENTIAL_FIELDS.tests(query))
    items = [{**shown(request, collection, CREDENTIAL_FIELDS, one), **_shown_roles(request, one)} for one in found]
    return items_reply(request, "application_credentials", items)


async def create_application_credential(request: Request) -> Response:
    """`POST /users/{user_id}/application_credentials`: for the project of the user's token. Shows the secret, once."""
    cloud, caller = request.cloud, request.caller
    wanted = request.json(CreateCredential).application_credential
    if caller.user_id != request.params["user_id"] or not caller.project_id:
        raise forbidden(request, "create_application_credential")
    refuse_token_of_trust(request)
    refuse_restricted(request)
    name = checked_name("application_credential", wanted.name)
    table = cloud.mirror.all(APPLICATION_CREDENTIAL)
    if any(table[key].value.name == name for key in credentials_by_user(cloud.mirror).keys(caller.user_id)):
        raise Fault(
            409,
            f"Conflict occurred attempting to store application_credential - Duplicate entry found with name {name}.",
        )
    # The roles of the token, not of the user: a delegated token must not make what is worth more than itself.
    session = cloud.part(Authority).session(request.header("x-auth-token") or "")
    held = {role.name: role.id for role in session.roles}
    role_ids = tuple(held.values()) if wanted.roles is None else _role_ids(request, wanted.roles, held)
    rules, changes = rules_for(request, wanted.access_rules or ())
    secret = wanted.secret or f"{cloud.new_hexadecimal_id()}{cloud.new_hexadecimal_id()}"
    credential = ApplicationCredential(
        cloud.new_hexadecimal_id(),
        name,
        caller.user_id,
        caller.project_id,
        role_ids,
        hash_password(secret, cloud.new_hexadecimal_id()),
        wanted.description,
        future_us(request, wanted.expires_at, "application credential") if wanted.expires_at else 0,
        wanted.unrestricted,
        tuple(rule.id for rule in rules) if wanted.access_rules is not None else None,
    )
    await cloud.mirror.commit([Put(APPLICATION_CREDENTIAL, credential, credential.id, 0), *changes])
    links = link(request, f"/users/{caller.user_id}/application_credentials/{credential.id}")
    body = {
        **CREDENTIAL_FIELDS.show(credential),
        **_shown_roles(request, credential),
        **_shown_rules(credential, rules),
        "secret": secret,
        "links": links,
    }
    return reply({"application_credential": body}, 201)


async def show_application_credential(request: Request) -> Response:
    """`GET /users/{user_id}/application_credentials/{credential_id}`."""
    require(request, "get_application_credential", user_id=request.params["user_id"])
    refuse_token_of_trust(request)
    credential = _find_credential(request).value
    rules = request.cloud.mirror.all(ACCESS_RULE)
    held = [rules[key].value for key in credential.access_rule_ids or () if key in rules]
    body = shown(request, f"users/{credential.user_id}/application_credentials", CREDENTIAL_FIELDS, credential)
    return reply(
        {"application_credential": {**body, **_shown_roles(request, credential), **_shown_rules(credential, held)}}
    )


async def delete_application_credential(request: Request) -> Response:
    """`DELETE /users/{user_id}/application_credentials/{credential_id}`."""
    require(request, "delete_application_credential", user_id=request.params["user_id"])
    refuse_token_of_trust(request)
    refuse_restricted(request)
    entry = _find_credential(request)
    await request.cloud.mirror.commit([Delete(APPLICATION_CREDENTIAL, entry.value.id, entry.revision)])
    return reply(None, 204)


def _find_credential(request: Request) -> Entry[ApplicationCredential]:
    entry = find(request, APPLICATION_CREDENTIAL, "Application Credential", request.params["credential_id"])
    if entry.value.user_id != request.params["user_id"]:
        raise Fault(404, f"Could not find Application Credential: {entry.value.id}.")
    return entry


def _role_ids(request: Request, wanted: tuple[NamedRole, ...], held: dict[str, str]) -> tuple[str, ...]:
    ids = []
    for role in wanted:
        role_id = role.id or find_by_name(request.cloud, ROLE, "", role.name or "")
        if role_id not in held.values():
            raise Fault(
                400,
                "Invalid application credential: Cannot create an application credential with unassigned role",
            )
        ids.append(role_id)
    return tuple(ids)


def _shown_roles(request: Request, credential: ApplicationCredential) -> dict[str, Any]:
    """The roles it still has, as they are now."""
    roles = request.cloud.mirror.all(ROLE)
    held = (roles[key].value for key in credential.role_ids if key in roles)
    return {"roles": [ROLE_FIELDS.show(role) for role in held]}


def _shown_rules(credential: ApplicationCredential, rules: list[AccessRule]) -> dict[str, Any]:
    if credential.access_rule_ids is None:
        return {}
    return {"access_rules": [ACCESS_RULE_FIELDS.show(rule) for rule in rules]}


_COLLECTION: Final = "/users/{user_id}/application_credentials"
ROUTES = (
    Route("GET", _COLLECTION, list_application_credentials, Access.AUTHENTICATED),
    Route("POST", _COLLECTION, create_application_credential, Access.AUTHENTICATED),
    Route("GET", f"{_COLLECTION}/{{credential_id}}", show_application_credential, Access.AUTHENTICATED),
    Route("DELETE", f"{_COLLECTION}/{{credential_id}}", delete_application_credential, Access.AUTHENTICATED),
)
