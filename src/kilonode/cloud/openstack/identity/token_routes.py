"""`/auth/…`: make, show and revoke tokens; what the caller could have a token for."""

from typing import Any

from kilonode.cloud.context import Cloud, timestamp_with_microseconds
from kilonode.cloud.openstack.identity.answers import forbidden, link, listing
from kilonode.cloud.openstack.identity.authority import Authority, Session
from kilonode.cloud.openstack.identity.catalog import Catalog
from kilonode.cloud.openstack.identity.delegation_model import TRUST, Trust
from kilonode.cloud.openstack.identity.domains import DOMAIN_FIELDS
from kilonode.cloud.openstack.identity.login import LoginRequest, WrongPasswordError, log_in, subject
from kilonode.cloud.openstack.identity.model import (
    APPLICATION_CREDENTIAL,
    DOMAIN,
    PROJECT,
    REVOCATION,
    USER,
    Revocation,
)
from kilonode.cloud.openstack.identity.password_rules import password_expires_at
from kilonode.cloud.openstack.identity.project_trees import PROJECT_FIELDS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

PURGED_AT_ONCE = 100


async def issue_token(request: Request) -> Response:
    """`POST /auth/tokens`."""
    cloud = request.cloud
    try:
        token, changes = log_in(cloud, request.json(LoginRequest).auth)
    except WrongPasswordError as fault:
        if fault.changes:
            await cloud.mirror.commit(fault.changes)
        raise
    authority = cloud.part(Authority)
    session = authority.open(token)
    if changes:
        await cloud.mirror.commit(changes)
    body = _token_body(cloud, session, with_catalog="nocatalog" not in request.query)
    headers = (("x-subject-token", authority.signer.sign(token)),)
    return reply({"token": body}, 201, headers)


async def validate_token(request: Request) -> Response:
    """`GET /auth/tokens` (and HEAD): what a token says, to its owner and to administrators."""
    text = request.header("x-subject-token") or ""
    session = _subject(request, text, "validate_token")
    body = _token_body(request.cloud, session, with_catalog="nocatalog" not in request.query)
    return reply({"token": body}, 200, (("x-subject-token", text),))


async def revoke_token(request: Request) -> Response:
    """`DELETE /auth/tokens`. Revocations that time has overtaken are removed on the way."""
    session = _subject(request, request.header("x-subject-token") or "", "revoke_token")
    cloud = request.cloud
    now_us = cloud.now_us()
    old = [key for key, entry in cloud.mirror.all(REVOCATION).items() if entry.value.expires_us < now_us]
    revoked = Revocation(session.token.expires_us)
    changes: list[Put | Delete] = [Put(REVOCATION, revoked, session.token.audit_ids[0])]
    changes += [Delete(REVOCATION, key) for key in old[:PURGED_AT_ONCE]]
    await cloud.mirror.commit(changes)
    return reply(None, 204)


async def show_catalog(request: Request) -> Response:
    """`GET /auth/catalog`: the catalog of the caller's own token."""
    caller = request.caller
    if not (caller.project_id or caller.domain_id or caller.system):
        raise Fault(403, "You are not authorized to perform the requested action.")
    catalog = request.cloud.part(Catalog).for_project(request.caller.project_id)
    return reply({"catalog": catalog, "links": link(request, "/auth/catalog")})


async def list_own_projects(request: Request) -> Response:
    """`GET /auth/projects`: the projects the caller has a role on."""
    authority = request.cloud.part(Authority)
    found = [authority.enabled_project(key) for key in authority.projects_of(request.caller.user_id)]
    return listing(request, "projects", PROJECT_FIELDS, [project for project in found if project is not None])


async def list_own_domains(request: Request) -> Response:
    """`GET /auth/domains`: the domains the caller has a role on."""
    table = request.cloud.mirror.all(DOMAIN)
    found = [table[key].value for key in _targets(request, "domain") if key in table]
    return listing(request, "domains", DOMAIN_FIELDS, [domain for domain in found if domain.enabled])


async def list_own_systems(request: Request) -> Response:
    """`GET /auth/system`: whether the caller has a role on the whole system."""
    items: list[dict[str, Any]] = [{"all": True}] if _targets(request, "system") else []
    return reply({"system": items, "links": link(request, "/auth/system")}, items=len(items))


def _targets(request: Request, kind: str) -> list[str]:
    assignments = request.cloud.part(Authority).assignments(request.caller.user_id)
    return list(
        dict.fromkeys(
            assignment.target_id
            for assignment in assignments
            if assignment.target_kind == kind and not assignment.inherited
        )
    )


def _subject(request: Request, text: str, action: str) -> Session:
    """The token that the request is about. Raises Fault 404 when it does not hold, 403 when it is someone else's."""
    session = subject(request.cloud.part(Authority), text)
    caller = request.caller
    service = "service" in caller.roles or (caller.system and caller.access >= Access.READER)
    if not (caller.is_admin or service or caller.user_id == session.token.user_id):
        raise forbidden(request, action)
    return session


def _token_body(cloud: Cloud, session: Session, *, with_catalog: bool) -> dict[str, Any]:
    mirror = cloud.mirror
    token = session.token
    user = mirror.all(USER)[token.user_id].value
    body: dict[str, Any] = {
        "methods": token.methods,
        "user": {
            "id": user.id,
            "name": user.name,
            "domain": _named_domain(cloud, user.domain_id),
            "password_expires_at": password_expires_at(user),
        },
        "audit_ids": token.audit_ids,
        "issued_at": timestamp_with_microseconds(token.issued_us) + "Z",
        "expires_at": timestamp_with_microseconds(token.expires_us) + "Z",
    }
    if token.project_id:
        project = mirror.all(PROJECT)[token.project_id].value
        domain = _named_domain(cloud, project.domain_id)
        body["project"] = {"id": project.id, "name": project.name, "domain": domain}
        body["is_domain"] = False
    elif token.domain_id:
        body["domain"] = _named_domain(cloud, token.domain_id)
    elif token.system:
        body["system"] = {"all": True}
    if token.is_scoped:
        body["roles"] = [{"id": role.id, "name": role.name} for role in session.roles]
        if with_catalog:
            body["catalog"] = cloud.part(Catalog).for_project(token.project_id)
    if token.trust_id:
        trust: Trust = mirror.all(TRUST)[token.trust_id].value
        body["OS-TRUST:trust"] = {
            "id": trust.id,
            "trustor_user": {"id": trust.trustor_user_id},
            "trustee_user": {"id": trust.trustee_user_id},
            "impersonation": trust.impersonation,
        }
    if token.credential_id:
        credential = mirror.all(APPLICATION_CREDENTIAL)[token.credential_id].value
        body["application_credential"] = {
            "id": credential.id,
            "name": credential.name,
            "restricted": not credential.unrestricted,
        }
    return body


def _named_domain(cloud: Cloud, domain_id: str) -> dict[str, str]:
    return {"id": domain_id, "name": cloud.mirror.all(DOMAIN)[domain_id].value.name}


ROUTES = (
    Route("POST", "/auth/tokens", issue_token, Access.PUBLIC),
    Route("GET", "/auth/tokens", validate_token, Access.AUTHENTICATED),
    Route("DELETE", "/auth/tokens", revoke_token, Access.AUTHENTICATED),
    Route("GET", "/auth/catalog", show_catalog, Access.AUTHENTICATED),
    Route("GET", "/auth/projects", list_own_projects, Access.AUTHENTICATED),
    Route("GET", "/auth/domains", list_own_domains, Access.AUTHENTICATED),
    Route("GET", "/auth/system", list_own_systems, Access.AUTHENTICATED),
)
