"""`/role_assignments`: who has which role where, as it was written, or as what it comes to (`effective`)."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from kilonode.cloud.openstack.identity.answers import items_reply, link, require
from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.model import (
    ASSIGNMENT,
    DOMAIN,
    GROUP,
    PROJECT,
    ROLE,
    USER,
    Assignment,
    assignments_by_actor,
    assignments_by_target,
)
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response
from kilonode.cloud.openstack.web.service import Route

TARGETS: Final = {"project": PROJECT, "domain": DOMAIN}
INHERITED: Final = "inherited_to_projects"
_INHERITED_TO: Final = "OS-INHERIT:inherited_to"


async def list_role_assignments(request: Request) -> Response:
    """`GET /role_assignments`, with `effective`, `include_names` and `include_subtree`."""
    query = request.query
    project_id, domain_id = query.one("scope.project.id"), query.one("scope.domain.id")
    _require_list(request, project_id, domain_id)
    effective, names, subtree = (query.flag(name) for name in ("effective", "include_names", "include_subtree"))
    if subtree and not project_id:
        raise Fault(400, "'scope.project.id' is a dependency of 'include_subtree'")
    if effective and query.one("group.id"):
        raise Fault(400, "Combining effective and group filter will always result in an empty list.")
    above = request.cloud.part(Authority).above
    targets = {project_id or domain_id} - {""}
    if subtree:
        targets |= {key for key in request.cloud.mirror.all(PROJECT) if project_id in above(key)}
    found = list(_candidates(request, targets, effective=effective))
    if effective:
        found = _effective(request, found, targets)
    user_id, group_id, role_id = query.one("user.id"), query.one("group.id"), query.one("role.id")
    inherited_to = query.one(f"scope.{_INHERITED_TO}")
    items = [
        _assignment_item(request, assignment, names=names)
        for assignment in found
        if (not targets or assignment.target_id in targets)
        and (not role_id or assignment.role_id == role_id)
        and (not user_id or (not assignment.group and assignment.actor_id == user_id))
        and (not group_id or (assignment.group and assignment.actor_id == group_id))
        and (not query.one("scope.system") or assignment.target_kind == "system")
        and (not inherited_to or effective or assignment.inherited)
    ]
    return items_reply(request, "role_assignments", items)


def _require_list(request: Request, project_id: str, domain_id: str) -> None:
    """Readers of a domain see what is on it and on its projects; administrators of a project, its tree."""
    project = request.cloud.mirror.get(PROJECT, project_id)
    domain_id = domain_id or (project.value.domain_id if project is not None else "")
    require(request, "list_role_assignments", domain_id=domain_id, user_id=request.query.one("user.id"))


def _candidates(request: Request, targets: set[str], *, effective: bool) -> Iterable[Assignment]:
    """The assignments that can be among those asked for, by the best index there is."""
    mirror, query = request.cloud.mirror, request.query
    user_id, group_id = query.one("user.id"), query.one("group.id")
    authority = request.cloud.part(Authority)
    if user_id:
        return authority.assignments(user_id)
    if group_id:
        keys: Iterable[str] = assignments_by_actor(mirror).keys(group_id)
    elif targets:
        places = set(targets)
        if effective:
            places.update(place for target in targets for place in authority.above(target))
        keys = [key for place in sorted(places) for key in assignments_by_target(mirror).keys(place)]
    else:
        keys = mirror.all(ASSIGNMENT)
    return [mirror.all(ASSIGNMENT)[key].value for key in keys]


def _effective(request: Request, assignments: Iterable[Assignment], targets: set[str]) -> list[Assignment]:
    """What the assignments come to: those of groups as their members', inherited and implied roles; each once."""
    mirror = request.cloud.mirror
    authority = request.cloud.part(Authority)
    found: dict[str, Assignment] = {}
    for assignment in assignments:
        actors = [assignment.actor_id]
        if assignment.group:
            group = mirror.get(GROUP, assignment.actor_id)
            actors = list(group.value.user_ids) if group is not None else []
        for kind, target_id in _places(request, assignment, targets):
            for actor_id in actors:
                for role in authority.with_implied([assignment.role_id]):
                    one = Assignment(actor_id, kind, target_id, role.id)
                    found[one.key] = one
    return list(found.values())


def _places(request: Request, assignment: Assignment, targets: set[str]) -> Iterator[tuple[str, str]]:
    """Where an assignment takes effect: on its target, or when it is inherited on all projects below."""
    if not assignment.inherited:
        yield assignment.target_kind, assignment.target_id
        return
    authority = request.cloud.part(Authority)
    for key in targets or list(request.cloud.mirror.all(PROJECT)):
        if assignment.target_id in authority.above(key):
            yield "project", key


def _assignment_item(request: Request, assignment: Assignment, *, names: bool) -> dict[str, Any]:
    actor_kind = "group" if assignment.group else "user"
    actor = _named(request, GROUP if assignment.group else USER, assignment.actor_id, names=names)
    scope: dict[str, Any] = {"system": {"all": True}}
    if assignment.target_kind in TARGETS:
        named = _named(request, TARGETS[assignment.target_kind], assignment.target_id, names=names)
        scope = {assignment.target_kind: named}
        if assignment.inherited:
            scope[_INHERITED_TO] = "projects"
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
    path = f"/{place}/{actors}/{assignment.actor_id}/roles/{assignment.role_id}"
    return f"/OS-INHERIT{path}/{INHERITED}" if assignment.inherited else path


ROUTES = (Route("GET", "/role_assignments", list_role_assignments, Access.AUTHENTICATED),)
