"""`/projects`: what owns resources."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import (
    checked_name,
    find,
    forbidden,
    is_domain_reader,
    listing,
    name_taken,
    require,
    show,
)
from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.model import (
    APPLICATION_CREDENTIAL,
    DEFAULT_DOMAIN,
    DOMAIN,
    PROJECT,
    Project,
    assignments_by_target,
    find_by_name,
    free_name,
    take_name,
)
from kilonode.cloud.openstack.identity.removal import assignments_on
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

PROJECT_FIELDS: Final[Fields[Project]] = Fields(
    {
        "id": lambda project: project.id,
        "name": lambda project: project.name,
        "domain_id": lambda project: project.domain_id,
        "description": lambda project: project.description,
        "enabled": lambda project: project.enabled,
        "parent_id": lambda project: project.parent_id or project.domain_id,
        "is_domain": lambda project: False,
        "tags": lambda project: project.tags,
        "options": lambda project: {},
    }
)


class WantedProject(msgspec.Struct, frozen=True):
    """The `project` of a create request."""

    name: str
    domain_id: str | None = None
    description: str | None = None
    enabled: bool = True
    parent_id: str | None = None
    tags: tuple[str, ...] = ()


class CreateProject(msgspec.Struct, frozen=True):
    """The body of `POST /projects`."""

    project: WantedProject


class ChangedProject(msgspec.Struct, frozen=True):
    """The `project` of an update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


class UpdateProject(msgspec.Struct, frozen=True):
    """The body of `PATCH /projects/{project_id}`."""

    project: ChangedProject


async def list_projects(request: Request) -> Response:
    """`GET /projects`: all to administrators, those of its domain to a reader of a domain."""
    values = (entry.value for entry in request.cloud.mirror.all(PROJECT).values())
    if is_domain_reader(request.caller) and not request.caller.is_admin:
        values = (project for project in values if project.domain_id == request.caller.domain_id)
    else:
        require(request, "list_projects")
    return listing(request, "projects", PROJECT_FIELDS, values)


async def list_user_projects(request: Request) -> Response:
    """`GET /users/{user_id}/projects`: the projects a user has a role on."""
    user_id = request.params["user_id"]
    require(request, "list_user_projects", user_id=user_id)
    table = request.cloud.mirror.all(PROJECT)
    assignments = request.cloud.part(Authority).assignments(user_id)
    ids = dict.fromkeys(assignment.target_id for assignment in assignments if assignment.target_kind == "project")
    return listing(request, "projects", PROJECT_FIELDS, (table[key].value for key in ids if key in table))


async def create_project(request: Request) -> Response:
    """`POST /projects`."""
    wanted = request.json(CreateProject).project
    cloud = request.cloud
    name = checked_name("project", wanted.name)
    domain_id = wanted.domain_id or request.caller.domain_id or DEFAULT_DOMAIN
    find(request, DOMAIN, "domain", domain_id)
    parent_id = "" if wanted.parent_id in (None, domain_id) else wanted.parent_id or ""
    if parent_id:
        find(request, PROJECT, "project", parent_id)
    if find_by_name(cloud, PROJECT, domain_id, name):
        raise name_taken("project", name)
    project = Project(
        cloud.new_hexadecimal_id(),
        name,
        domain_id,
        wanted.description or "",
        wanted.enabled,
        parent_id,
        wanted.tags,
    )
    await cloud.mirror.commit([Put(PROJECT, project, project.id, 0), take_name(PROJECT, domain_id, name, project.id)])
    return show(request, "project", "projects", PROJECT_FIELDS, project, 201)


async def show_project(request: Request) -> Response:
    """`GET /projects/{project_id}`: to administrators, and to whoever has a token for it."""
    project_id = request.params["project_id"]
    if request.caller.project_id != project_id:
        entry = request.cloud.mirror.get(PROJECT, project_id)
        require(request, "get_project", domain_id=entry.value.domain_id if entry is not None else "")
    return show(request, "project", "projects", PROJECT_FIELDS, find(request, PROJECT, "project", project_id).value)


async def update_project(request: Request) -> Response:
    """`PATCH /projects/{project_id}`."""
    entry = find(request, PROJECT, "project", request.params["project_id"])
    changed = request.json(UpdateProject).project
    old: Project = entry.value
    name = old.name if changed.name is UNSET else checked_name("project", changed.name)
    project = msgspec.structs.replace(
        old,
        name=name,
        description=old.description if changed.description is UNSET else changed.description or "",
        enabled=old.enabled if changed.enabled is UNSET else changed.enabled,
        tags=old.tags if changed.tags is UNSET else changed.tags,
    )
    changes: list[Put | Delete] = [Put(PROJECT, project, project.id, entry.revision)]
    if name != old.name:
        if find_by_name(request.cloud, PROJECT, old.domain_id, name):
            raise name_taken("project", name)
        changes += [free_name(PROJECT, old.domain_id, old.name), take_name(PROJECT, old.domain_id, name, old.id)]
    await request.cloud.mirror.commit(changes)
    return show(request, "project", "projects", PROJECT_FIELDS, project)


async def delete_project(request: Request) -> Response:
    """`DELETE /projects/{project_id}`. What it owns in other services stays there, as in a real cloud."""
    entry = find(request, PROJECT, "project", request.params["project_id"])
    project: Project = entry.value
    mirror = request.cloud.mirror
    if any(other.value.parent_id == project.id for other in mirror.all(PROJECT).values()):
        raise forbidden(request, "delete_project, since it has projects below it")
    credentials = [
        Delete(APPLICATION_CREDENTIAL, key)
        for key, credential in mirror.all(APPLICATION_CREDENTIAL).items()
        if credential.value.project_id == project.id
    ]
    await mirror.commit(
        [
            Delete(PROJECT, project.id, entry.revision),
            free_name(PROJECT, project.domain_id, project.name),
            *assignments_on(assignments_by_target(mirror).keys(project.id)),
            *credentials,
        ]
    )
    return reply(None, 204)


ROUTES = (
    Route("GET", "/projects", list_projects, Access.AUTHENTICATED),
    Route("POST", "/projects", create_project, Access.ADMIN),
    Route("GET", "/projects/{project_id}", show_project, Access.AUTHENTICATED),
    Route("PATCH", "/projects/{project_id}", update_project, Access.ADMIN),
    Route("DELETE", "/projects/{project_id}", delete_project, Access.ADMIN),
    Route("GET", "/users/{user_id}/projects", list_user_projects, Access.AUTHENTICATED),
)
