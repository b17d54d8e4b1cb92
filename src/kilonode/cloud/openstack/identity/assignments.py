"""Who has which role where: `/projects/{id}/users/{id}/roles/{id}` and its like, and `/role_assignments`.

The paths of users and groups on projects, domains and the system, and of inherited roles on projects and domains, are
ten times the same four operations; they are made from one table. How assignments are listed is `assignment_lists`.
"""

from typing import Final

from kilonode.cloud.openstack.identity.answers import find, listing, require, require_manager
from kilonode.cloud.openstack.identity.assignment_lists import INHERITED, TARGETS
from kilonode.cloud.openstack.identity.model import (
    ASSIGNMENT,
    GROUP,
    PROJECT,
    ROLE,
    SYSTEM,
    USER,
    Assignment,
    Role,
    assignments_by_actor,
)
from kilonode.cloud.openstack.identity.roles import ROLE_FIELDS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

MANAGED_ROLES: Final = ("manager", "member", "reader")
"""What the manager of a domain may give and take."""
_INHERIT: Final = "/OS-INHERIT"
_PLACES: Final = ("/projects/{project_id}", "/domains/{domain_id}")


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
        and assignment.inherited == wanted.inherited
        and assignment.role_id in mirror.all(ROLE)
    ]
    return listing(request, "roles", ROLE_FIELDS, roles)


async def assign_role(request: Request) -> Response:
    """`PUT …/roles/{role_id}`."""
    assignment = _assignment(request)
    _require_grant(request, "create_grant", assignment)
    find(request, GROUP if assignment.group else USER, "group" if assignment.group else "user", assignment.actor_id)
    role: Role = find(request, ROLE, "role", assignment.role_id).value
    if assignment.target_kind in TARGETS:
        target = find(request, TARGETS[assignment.target_kind], assignment.target_kind, assignment.target_id).value
        domain_id = target.id if assignment.target_kind == "domain" else target.domain_id
        if role.domain_id and role.domain_id != domain_id:
            raise Fault(403, f"Project {target.id} must be in the same domain as the role {role.id} being assigned.")
    elif role.domain_id:
        raise Fault(400, f"Role {role.id} is a domain-specific role. Unable to use one in a system assignment.")
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
    _require_grant(request, "revoke_grant", wanted)
    _find_assignment(request, wanted)
    await request.cloud.mirror.commit([Delete(ASSIGNMENT, wanted.key)])
    return reply(None, 204)


def _assignment(request: Request) -> Assignment:
    """The assignment that the path names; without a role where the path has none."""
    params = request.params
    role_id = params.get("role_id", "")
    group = "group_id" in params
    actor_id = params["group_id"] if group else params["user_id"]
    inherited = request.path.rstrip("/").endswith(INHERITED)
    for kind in TARGETS:
        if f"{kind}_id" in params:
            return Assignment(actor_id, kind, params[f"{kind}_id"], role_id, group, inherited)
    return Assignment(actor_id, "system", SYSTEM, role_id, group)


def _require_grant(request: Request, action: str, assignment: Assignment) -> None:
    """Let administrators pass, and managers of the domain of actor and target, for roles up to their own.

    Raises Fault 403.
    """
    mirror = request.cloud.mirror
    actor = mirror.get(GROUP if assignment.group else USER, assignment.actor_id)
    role = mirror.get(ROLE, assignment.role_id)
    domain_id = _domain_of(assignment)
    if assignment.target_kind == "project":
        project = mirror.get(PROJECT, assignment.target_id)
        domain_id = project.value.domain_id if project is not None else ""
    within = actor is not None and actor.value.domain_id == domain_id and role is not None
    allowed = within and role is not None and role.value.name in MANAGED_ROLES
    require_manager(request, action, domain_id if allowed else None)


def _domain_of(assignment: Assignment) -> str:
    return assignment.target_id if assignment.target_kind == "domain" else ""


def _find_assignment(request: Request, wanted: Assignment) -> None:
    if request.cloud.mirror.get(ASSIGNMENT, wanted.key) is None:
        raise Fault(
            404,
            f"Could not find role assignment with role: {wanted.role_id}, user or group: {wanted.actor_id}, project, "
            f"domain, or system: {wanted.target_id}.",
        )


def _routes_of(target: str, actor: str) -> tuple[Route, ...]:
    inherited = target.startswith(_INHERIT)
    end = f"/{INHERITED}" if inherited else ""
    place = f"{target}/{actor}s/{{{actor}_id}}/roles"
    return (
        Route("GET", f"{place}{end}", list_assigned_roles, Access.AUTHENTICATED),
        Route("PUT", f"{place}/{{role_id}}{end}", assign_role, Access.MANAGER),
        Route("GET", f"{place}/{{role_id}}{end}", check_role, Access.AUTHENTICATED),
        Route("DELETE", f"{place}/{{role_id}}{end}", unassign_role, Access.MANAGER),
    )


ROUTES = tuple(
    route
    for target in (*_PLACES, "/system", *(f"{_INHERIT}{place}" for place in _PLACES))
    for actor in ("user", "group")
    for route in _routes_of(target, actor)
)
