"""A project as it is shown, with what is above and below it when that is asked for."""

from collections.abc import Iterator
from typing import Any, Final

from kilonode.cloud.openstack.identity.answers import link, shown
from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.model import PROJECT, Project, projects_by_parent
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request

PROJECT_FIELDS: Final[Fields[Project]] = Fields(
    {
        "id": lambda project: project.id,
        "name": lambda project: project.name,
        "domain_id": lambda project: project.domain_id or None,
        "description": lambda project: project.description,
        "enabled": lambda project: project.enabled,
        "parent_id": lambda project: project.parent_id or project.domain_id or None,
        "is_domain": lambda project: project.is_domain,
        "tags": lambda project: project.tags,
        "options": lambda project: project.options,
    }
)


def tree_parts(request: Request, project: Project) -> dict[str, Any]:
    """The links of a project, and `parents` and `subtree` as the query asks: as lists of projects, or as trees of ids.

    A list has the projects on which the caller has a role; a tree of ids has all.
    """
    query = request.query
    parts: dict[str, Any] = {"links": link(request, f"/projects/{project.id}")}
    table = request.cloud.mirror.all(PROJECT)
    above = request.cloud.part(Authority).above(project.id)
    for name in ("parents", "subtree"):
        if f"{name}_as_list" in query and f"{name}_as_ids" in query:
            raise Fault(400, f"{name}_as_list and {name}_as_ids are mutually exclusive.")
    if "parents_as_list" in query:
        parts["parents"] = _own(request, [table[key].value for key in above[:-1]])
    if "parents_as_ids" in query:
        tree: dict[str, Any] | None = None
        for key in reversed(above):
            tree = {key: tree}
        parts["parents"] = tree
    if "subtree_as_list" in query:
        parts["subtree"] = _own(request, list(_below(request, project.id)))
    if "subtree_as_ids" in query:
        parts["subtree"] = _ids_below(request, project.id)
    return parts


def _own(request: Request, projects: list[Project]) -> list[dict[str, Any]]:
    held = set(request.cloud.part(Authority).projects_of(request.caller.user_id))
    return [
        {"project": shown(request, "projects", PROJECT_FIELDS, project)} for project in projects if project.id in held
    ]


def _below(request: Request, project_id: str) -> Iterator[Project]:
    mirror = request.cloud.mirror
    for key in projects_by_parent(mirror).keys(project_id):
        yield mirror.all(PROJECT)[key].value
        yield from _below(request, key)


def _ids_below(request: Request, project_id: str) -> dict[str, Any] | None:
    keys = projects_by_parent(request.cloud.mirror).keys(project_id)
    return {key: _ids_below(request, key) for key in keys} or None
