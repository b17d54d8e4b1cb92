"""Who has which role where: `/projects/{id}/users/{id}/roles/{id}` and its like, and `/role_assignments`.

The paths of users and groups on projects, domains and the system are twelve times the same four operations; they are
made from one table. Inherited assignments are not emulated.
"""

from collections.abc import Iterable
from typing import Any, Final

from kilonode.cloud.openstack.identity.answers import find, items_reply, link, listing, require
from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.model import (
    ASSIGNMENT,
    DOMAIN,
    GROUP,
    PROJECT,
    ROLE,
    SYSTEM,
    USER,
    Assignment,
    assignments_by_actor,
    assignments_by_target,
)
from kilonode.cloud.openstack.identity.roles import ROLE_FIELDS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

_TARGETS: Final = {"project": PROJECT, "domain": DOMAIN}


async def list_assigned_roles(request: Request) -> Response:
    """`GET …/roles`: the roles of an actor on a target."""
    wanted = _assignment(request)
    require(request, "list_grants", user_id=wanted.actor_id, domain_id=_domain_of(wanted))
    mirror = request.cloud.mirror
    held = (mirror.all(ASSIGNMENT)[key].value for key in assignments_by_actor(mirror).keys(wanted.actor_id))
    roles = [
        mirror.all(ROLE)[assignment.role_id].value
        for assignment in held
        if assignment.target_kind == wanted.target_kind
        and assignment.target_id == wanted.target_id
        and assignment.role_id in mirror.all(ROLE)
    ]
    return listing(request, "roles", ROLE_FIELDS, roles)


async def assign_role(request: Request) -> Response:
    """`PUT …/roles/{role_id}`."""
    assignment = _assignment(request)
    find(request, GROUP if assignment.group else USER, "group" if assignment.group else "user", assignment.actor_id)
    find(request, ROLE, "role", assignment.role_id)
    if assignment.target_kind in _TARGETS:
        find(request, _TARGETS[assignment.target_kind], assignment.target_kind, assignment.target_id)
    if request.cloud.mirror.get(ASSIGNMENT, assignment.key) is None:
        await request.cloud.mirror.commit([Put(ASSIGNMENT, assignment, assignment.key)])
    return reply(None, 204)


async def check_role(request: Request) -> Response:
    """`HEAD …/roles/{role_id}`."""
    wanted = _assignment(request)
    require(request, "check_grant", domain_id=_domain_of(wanted))
    _find_assignment(request, wanted)
    return reply(None, 204)


async def unassign_role(request: Request) -> Response:
    """`DELETE …/roles/{role_id}`."""
    wanted = _assignment(request)
    _find_assignment(request, wanted)
    await request.cloud.mirror.commit([Delete(ASSIGNMENT, wanted.key)])
    return reply(None, 204)


async def list_role_assignments(request: Request) -> Response:
    """`GET /role_assignments`, with `effective` and `include_names`."""
    query = request.query
    require(request, "list_role_assignments", domain_id=query.one("scope.domain.id"), user_id=query.one("user.id"))
    effective = "effective" in query and query.one("effective") not in ("0", "false", "False")
    names = "include_names" in query and query.one("include_names") not in ("0", "false", "False")
    found = _effective(request, _candidates(request)) if effective else list(_candidates(request))
    wanted_user = query.one("user.id")
    wanted = {
        "role_id": query.one("role.id"),
        "target_id": query.one("scope.project.id") or query.one("scope.domain.id"),
        "target_kind": "system" if query.one("scope.system") else "",
    }
    items = []
    for assignment in found:
        if any(value and getattr(assignment, name) != value for name, value in wanted.items()):
            continue
        if wanted_user and (assignment.group or assignment.actor_id != wanted_user):
            continue
        items.append(_assignment_item(request, assignment, names=names))
    return items_reply(request, "role_assignments", items)


def _candidates(request: Request) -> Iterable[Assignment]:
    """The assignments that can be among those asked for, by the best index there is."""
    mirror, query = request.cloud.mirror, request.query
    user_id, group_id = query.one("user.id"), query.one("group.id")
    target_id = query.one("scope.project.id") or query.one("scope.domain.id")
    if user_id:
        return request.cloud.part(Authority).assignments(user_id)
    if group_id:
        keys: Iterable[str] = assignments_by_actor(mirror).keys(group_id)
    elif target_id:
        keys = assignments_by_target(mirror).keys(target_id)
    else:
        keys = mirror.all(ASSIGNMENT)
    return [mirror.all(ASSIGNMENT)[key].value for key in keys]


def _effective(request: Request, assignments: Iterable[Assignment]) -> list[Assignment]:
    """What the assignments come to: those of groups as their members', and implied roles; each once."""
    mirror = request.cloud.mirror
    authority = request.cloud.part(Authority)
    found: dict[str, Assignment] = {}
    for assignment in assignments:
        actors = [assignment.actor_id]
        if assignment.group:
            group = mirror.get(GROUP, assignment.actor_id)
            actors = list(group.value.user_ids) if group is not None else []
        for actor_id in actors:
            for role in authority.with_implied([assignment.role_id]):
                one = Assignment(actor_id, assignment.target_kind, assignment.target_id, role.id)
                found[one.key] = one
    return list(found.values())


def _assignment_item(request: Request, assignment: Assignment, *, names: bool) -> dict[str, Any]:
    actor_kind = "group" if assignment.group else "user"
    actor = _named(request, GROUP if assignment.group else USER, assignment.actor_id, names=names)
    scope: dict[str, Any] = {"system": {"all": True}}
    if assignment.target_kind in _TARGETS:
        named = _named(request, _TARGETS[assignment.target_kind], assignment.target_id, names=names)
        scope = {assignment.target_kind: named}
    return {
        actor_kind: actor,
        "role": _named(request, ROLE, assignment.role_id, names=names),
        "scope": scope,
        "links": {"assignment": link(request, _path(assignment))["self"]},
    }


def _named(request: Request, kind: str, key: str, *, names: bool) -> dict[str, Any]:
    entry = request.cloud.mirror.get(kind, key) if names else None
    if entry is None:
        return {"id": key}
    named: dict[str, Any] = {"id": key, "name": entry.value.name}
    domain = request.cloud.mirror.get(DOMAIN, getattr(entry.value, "domain_id", None) or "")
    if domain is not None:
        named["domain"] = {"id": domain.value.id, "name": domain.value.name}
    return named


def _path(assignment: Assignment) -> str:
    actors = "groups" if assignment.group else "users"
    place = "system" if assignment.target_kind == "system" else f"{assignment.target_kind}s/{assignment.target_id}"
    return f"/{place}/{actors}/{assignment.actor_id}/roles/{assignment.role_id}"


def _assignment(request: Request) -> Assignment:
    """The assignment that the path names; without a role where the path has none."""
    params = request.params
    role_id = params.get("role_id", "")
    group = "group_id" in params
    actor_id = params["group_id"] if group else params["user_id"]
    for kind in _TARGETS:
        if f"{kind}_id" in params:
            return Assignment(actor_id, kind, params[f"{kind}_id"], role_id, group)
    return Assignment(actor_id, "system", SYSTEM, role_id, group)


def _domain_of(assignment: Assignment) -> str:
    return assignment.target_id if assignment.target_kind == "domain" else ""


def _find_assignment(request: Request, wanted: Assignment) -> None:
    if request.cloud.mirror.get(ASSIGNMENT, wanted.key) is None:
        raise Fault(404, f"Could not find role assignment with role: {wanted.role_id}, actor: {wanted.actor_id}.")


def _routes_of(target: str, actor: str) -> tuple[Route, ...]:
    place = f"{target}/{actor}s/{{{actor}_id}}/roles"
    return (
        Route("GET", place, list_assigned_roles, Access.AUTHENTICATED),
        Route("PUT", f"{place}/{{role_id}}", assign_role, Access.ADMIN),
        Route("HEAD", f"{place}/{{role_id}}", check_role, Access.AUTHENTICATED),
        Route("DELETE", f"{place}/{{role_id}}", unassign_role, Access.ADMIN),
    )


ROUTES = (
    Route("GET", "/role_assignments", list_role_assignments, Access.AUTHENTICATED),
    *(
        route
        for target in ("/projects/{project_id}", "/domains/{domain_id}", "/system")
        for actor in ("user", "group")
        for route in _routes_of(target, actor)
    ),
)
