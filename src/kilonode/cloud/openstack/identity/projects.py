"""`/projects`: what owns resources. They stand in trees below their domain; a domain is a project too."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import (
    SHORT_NAME_LIMIT,
    checked_name,
    extra_of,
    find,
    is_domain_reader,
    listing,
    name_taken,
    require,
    require_manager,
    show,
)
from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.domains import (
    ChangedDomain,
    WantedDomain,
    change_domain,
    new_domain,
    remove_domain,
)
from kilonode.cloud.openstack.identity.model import (
    DEFAULT_DOMAIN,
    DOMAIN,
    PROJECT,
    Domain,
    Project,
    find_by_name,
    free_name,
    projects_by_parent,
    take_name,
)
from kilonode.cloud.openstack.identity.options import RESOURCE_OPTIONS, changed_options, refuse_immutable
from kilonode.cloud.openstack.identity.project_trees import PROJECT_FIELDS, tree_parts
from kilonode.cloud.openstack.identity.removal import of_project
from kilonode.cloud.openstack.identity.tags import checked_tags, fit_tags
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

DEPTH_LIMIT: Final = 5
"""How many projects may stand above one another below a domain, as in Keystone."""


class WantedProject(msgspec.Struct, frozen=True):
    """The `project` of a create request."""

    name: str
    domain_id: str | None = None
    description: str | None = None
    enabled: bool = True
    parent_id: str | None = None
    is_domain: bool = False
    tags: tuple[str, ...] = ()
    options: dict[str, Any] = {}


class CreateProject(msgspec.Struct, frozen=True):
    """The body of `POST /projects`."""

    project: WantedProject


class ChangedProject(msgspec.Struct, frozen=True):
    """The `project` of an update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    options: dict[str, Any] = {}
    domain_id: str | UnsetType | None = UNSET
    parent_id: str | UnsetType | None = UNSET
    is_domain: bool | UnsetType = UNSET


class UpdateProject(msgspec.Struct, frozen=True):
    """The body of `PATCH /projects/{project_id}`."""

    project: ChangedProject


async def list_projects(request: Request) -> Response:
    """`GET /projects`: all to administrators, those of its domain to a reader of a domain."""
    mirror, caller = request.cloud.mirror, request.caller
    values: Iterable[Project] = (entry.value for entry in mirror.all(PROJECT).values())
    if request.query.flag("is_domain"):
        values = (_as_project(entry.value) for entry in mirror.all(DOMAIN).values())
    if is_domain_reader(caller) and not caller.is_admin:
        values = (project for project in values if caller.domain_id in (project.domain_id, project.id))
    else:
        require(request, "list_projects")
    tagged = (value for value in values if fit_tags(request.query, value.tags))
    return listing(request, "projects", PROJECT_FIELDS, tagged, apart="tags")


async def list_user_projects(request: Request) -> Response:
    """`GET /users/{user_id}/projects`: the projects a user has a role on."""
    user_id = request.params["user_id"]
    require(request, "list_user_projects", user_id=user_id)
    table = request.cloud.mirror.all(PROJECT)
    ids = request.cloud.part(Authority).projects_of(user_id)
    return listing(request, "projects", PROJECT_FIELDS, (table[key].value for key in ids if key in table))


async def create_project(request: Request) -> Response:
    """`POST /projects`."""
    wanted = request.json(CreateProject).project
    cloud = request.cloud
    extra = extra_of(request, "project", WantedProject, PROJECT_FIELDS)
    if wanted.is_domain:
        require_manager(request, "create_project", None)
        asked = WantedDomain(wanted.name, wanted.description, wanted.enabled, wanted.tags, wanted.options)
        domain = await new_domain(request, asked, extra)
        return show(request, "project", "projects", PROJECT_FIELDS, _as_project(domain), 201)
    parent_id, domain_id = _place(request, wanted)
    require_manager(request, "create_project", domain_id)
    name = checked_name("project", wanted.name, SHORT_NAME_LIMIT)
    other = find_by_name(cloud, PROJECT, domain_id, name)
    if other:
        raise name_taken("project", name, domain_id, other)
    project = Project(
        cloud.new_hexadecimal_id(),
        name,
        domain_id,
        wanted.description or "",
        wanted.enabled,
        parent_id,
        checked_tags(wanted.tags),
        changed_options({}, wanted.options, RESOURCE_OPTIONS),
        extra,
    )
    await cloud.mirror.commit([Put(PROJECT, project, project.id, 0), take_name(PROJECT, domain_id, name, project.id)])
    return show(request, "project", "projects", PROJECT_FIELDS, project, 201)


async def show_project(request: Request) -> Response:
    """`GET /projects/{project_id}`: to administrators, and to whoever has a token for it."""
    project_id = request.params["project_id"]
    mirror = request.cloud.mirror
    entry = mirror.get(PROJECT, project_id)
    if request.caller.project_id != project_id:
        require(request, "get_project", domain_id=entry.value.domain_id if entry is not None else project_id)
    domain = mirror.get(DOMAIN, project_id) if entry is None else None
    if domain is not None:
        return show(request, "project", "projects", PROJECT_FIELDS, _as_project(domain.value))
    project = find(request, PROJECT, "project", project_id).value
    response = {**PROJECT_FIELDS.show(project), **project.extra, **tree_parts(request, project)}
    return reply({"project": response})


async def update_project(request: Request) -> Response:
    """`PATCH /projects/{project_id}`."""
    project_id = request.params["project_id"]
    changed = request.json(UpdateProject).project
    extra = extra_of(request, "project", ChangedProject, PROJECT_FIELDS)
    mirror = request.cloud.mirror
    domain = mirror.get(DOMAIN, project_id)
    if domain is not None:
        require_manager(request, "update_project", None)
        asked = ChangedDomain(changed.name, changed.description, changed.enabled, changed.tags, changed.options)
        shown = _as_project(await change_domain(request, domain, asked, extra))
        return show(request, "project", "projects", PROJECT_FIELDS, shown)
    entry = mirror.get(PROJECT, project_id)
    require_manager(request, "update_project", entry.value.domain_id if entry is not None else None)
    entry = find(request, PROJECT, "project", project_id)
    old: Project = entry.value
    refuse_immutable("project", old.id, old.options, changed.options)
    for field, now in (
        ("domain_id", old.domain_id),
        ("parent_id", old.parent_id or old.domain_id),
        ("is_domain", False),
    ):
        if getattr(changed, field) not in (UNSET, now):
            if field == "domain_id":
                raise Fault(400, "Cannot change Domain ID")
            raise Fault(403, f"Update of `{field}` is not allowed.")
    name = old.name if changed.name is UNSET else checked_name("project", changed.name, SHORT_NAME_LIMIT)
    project = msgspec.structs.replace(
        old,
        name=name,
        description=old.description if changed.description is UNSET else changed.description or "",
        enabled=old.enabled if changed.enabled is UNSET else changed.enabled,
        tags=old.tags if changed.tags is UNSET else checked_tags(changed.tags),
        options=changed_options(old.options, changed.options, RESOURCE_OPTIONS),
        extra={**old.extra, **extra},
    )
    if project.enabled != old.enabled:
        _refuse_half_a_tree(request, project)
    changes: list[Put | Delete] = [Put(PROJECT, project, project.id, entry.revision)]
    if name != old.name:
        other = find_by_name(request.cloud, PROJECT, old.domain_id, name)
        if other:
            raise name_taken("project", name, old.domain_id, other)
        changes += [free_name(PROJECT, old.domain_id, old.name), take_name(PROJECT, old.domain_id, name, old.id)]
    await mirror.commit(changes)
    return show(request, "project", "projects", PROJECT_FIELDS, project)


async def delete_project(request: Request) -> Response:
    """`DELETE /projects/{project_id}`. What it owns in other services stays there, as in a real cloud."""
    project_id = request.params["project_id"]
    mirror = request.cloud.mirror
    domain = mirror.get(DOMAIN, project_id)
    if domain is not None:
        require_manager(request, "delete_project", None)
        await remove_domain(request, domain)
        return reply(None, 204)
    entry = mirror.get(PROJECT, project_id)
    require_manager(request, "delete_project", entry.value.domain_id if entry is not None else None)
    entry = find(request, PROJECT, "project", project_id)
    project: Project = entry.value
    refuse_immutable("project", project.id, project.options)
    if projects_by_parent(mirror).keys(project.id):
        raise Fault(
            403,
            f"Cannot delete the project {project.id} since it is not a leaf in the hierarchy. Use the cascade option "
            "if you want to delete a whole subtree.",
        )
    await mirror.commit(
        [
            Delete(PROJECT, project.id, entry.revision),
            free_name(PROJECT, project.domain_id, project.name),
            *of_project(mirror, project.id),
        ]
    )
    return reply(None, 204)


def _as_project(domain: Domain) -> Project:
    return Project(
        domain.id,
        domain.name,
        "",
        domain.description,
        domain.enabled,
        "",
        domain.tags,
        domain.options,
        domain.extra,
        True,
    )


def _place(request: Request, wanted: WantedProject) -> tuple[str, str]:
    """The parent (empty: the domain) and domain of a new project. Raises Fault."""
    mirror = request.cloud.mirror
    parent = mirror.get(PROJECT, wanted.parent_id or "")
    if parent is None:
        default = request.caller.domain_id or DEFAULT_DOMAIN
        domain_id = wanted.domain_id or wanted.parent_id or default
        if (wanted.parent_id is not None and wanted.parent_id != domain_id) or (
            wanted.domain_id is None and wanted.parent_id is not None and mirror.get(DOMAIN, domain_id) is None
        ):
            raise Fault(400, f"Could not find project: {wanted.parent_id}.")
        if mirror.get(DOMAIN, domain_id) is None:
            raise Fault(400, f"Could not find domain: {domain_id}.")
        return "", domain_id
    if wanted.domain_id not in (None, parent.value.domain_id):
        raise Fault(400, "Cannot create project, since its domain is not the domain of its parent.")
    if not parent.value.enabled:
        raise Fault(403, f"Cannot create project in a branch containing a disabled project: {parent.value.id}.")
    if len(request.cloud.part(Authority).above(parent.value.id)) >= DEPTH_LIMIT:
        raise Fault(403, "Max hierarchy depth reached for the branch of this project.")
    return parent.value.id, parent.value.domain_id


def _refuse_half_a_tree(request: Request, project: Project) -> None:
    """Raises Fault 403 when a project would be enabled below a disabled one, or disabled above an enabled one."""
    mirror = request.cloud.mirror
    if project.enabled:
        parent = mirror.get(PROJECT, project.parent_id)
        if parent is not None and not parent.value.enabled:
            raise Fault(403, f"Cannot enable project {project.id} since it has disabled parents.")
    elif any(mirror.all(PROJECT)[key].value.enabled for key in projects_by_parent(mirror).keys(project.id)):
        raise Fault(403, f"Cannot disable project {project.id} since its subtree contains enabled projects.")


ROUTES = (
    Route("GET", "/projects", list_projects, Access.AUTHENTICATED),
    Route("POST", "/projects", create_project, Access.MANAGER),
    Route("GET", "/projects/{project_id}", show_project, Access.AUTHENTICATED),
    Route("PATCH", "/projects/{project_id}", update_project, Access.MANAGER),
    Route("DELETE", "/projects/{project_id}", delete_project, Access.MANAGER),
    Route("GET", "/users/{user_id}/projects", list_user_projects, Access.AUTHENTICATED),
)
