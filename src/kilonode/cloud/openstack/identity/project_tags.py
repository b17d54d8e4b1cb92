"""`/projects/{id}/tags`: words on a project."""

import msgspec

from kilonode.cloud.openstack.identity.answers import find, link, require, require_manager
from kilonode.cloud.openstack.identity.model import PROJECT, Project
from kilonode.cloud.openstack.identity.options import refuse_immutable
from kilonode.cloud.openstack.identity.tags import checked_tags
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Entry, Put


class Tags(msgspec.Struct, frozen=True):
    """The body of `PUT /projects/{project_id}/tags`."""

    tags: tuple[str, ...]


async def list_project_tags(request: Request) -> Response:
    """`GET /projects/{project_id}/tags`."""
    project = _readable(request)
    return reply({"tags": project.tags, "links": link(request, f"/projects/{project.id}/tags")})


async def replace_project_tags(request: Request) -> Response:
    """`PUT /projects/{project_id}/tags`."""
    entry = _writable(request)
    tags = checked_tags(request.json(Tags).tags)
    await _write(request, entry, tags)
    return reply({"tags": tags, "links": link(request, f"/projects/{entry.value.id}/tags")})


async def delete_project_tags(request: Request) -> Response:
    """`DELETE /projects/{project_id}/tags`."""
    await _write(request, _writable(request), ())
    return reply(None, 204)


async def check_project_tag(request: Request) -> Response:
    """`GET /projects/{project_id}/tags/{tag}` (and HEAD)."""
    _had(_readable(request), request.params["tag"])
    return reply(None, 204)


async def add_project_tag(request: Request) -> Response:
    """`PUT /projects/{project_id}/tags/{tag}`."""
    entry = _writable(request)
    tag = request.params["tag"]
    if tag not in entry.value.tags:
        await _write(request, entry, checked_tags((*entry.value.tags, tag)))
    return reply(None, 201, (("location", link(request, f"/projects/{entry.value.id}/tags/{tag}")["self"]),))


async def delete_project_tag(request: Request) -> Response:
    """`DELETE /projects/{project_id}/tags/{tag}`."""
    entry = _writable(request)
    tag = _had(entry.value, request.params["tag"])
    await _write(request, entry, tuple(one for one in entry.value.tags if one != tag))
    return reply(None, 204)


def _readable(request: Request) -> Project:
    project_id = request.params["project_id"]
    entry = request.cloud.mirror.get(PROJECT, project_id)
    if request.caller.project_id != project_id:
        require(request, "get_project_tag", domain_id=entry.value.domain_id if entry is not None else "")
    project: Project = find(request, PROJECT, "project", project_id).value
    return project


def _writable(request: Request) -> Entry[Project]:
    entry = request.cloud.mirror.get(PROJECT, request.params["project_id"])
    require_manager(request, "update_project_tags", entry.value.domain_id if entry is not None else None)
    found = find(request, PROJECT, "project", request.params["project_id"])
    refuse_immutable("project", found.value.id, found.value.options, {})
    return found


def _had(project: Project, tag: str) -> str:
    if tag not in project.tags:
        raise Fault(404, f"Could not find project tag: {tag}.")
    return tag


async def _write(request: Request, entry: Entry[Project], tags: tuple[str, ...]) -> None:
    changed = msgspec.structs.replace(entry.value, tags=tags)
    await request.cloud.mirror.commit([Put(PROJECT, changed, changed.id, entry.revision)])


_PLACE = "/projects/{project_id}/tags"
ROUTES = (
    Route("GET", _PLACE, list_project_tags, Access.AUTHENTICATED),
    Route("PUT", _PLACE, replace_project_tags, Access.MANAGER),
    Route("DELETE", _PLACE, delete_project_tags, Access.MANAGER),
    Route("GET", f"{_PLACE}/{{tag}}", check_project_tag, Access.AUTHENTICATED),
    Route("PUT", f"{_PLACE}/{{tag}}", add_project_tag, Access.MANAGER),
    Route("DELETE", f"{_PLACE}/{{tag}}", delete_project_tag, Access.MANAGER),
)
