"""`/OS-EP-FILTER`: which endpoints a project's catalog has: by themselves, or by groups with something in common.

A project without any filter sees every endpoint.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import checked_name, find, items_reply, link, show, shown
from kilonode.cloud.openstack.identity.catalog import absolute, endpoints_of_group, filtered_endpoints
from kilonode.cloud.openstack.identity.catalog_routes import ENDPOINT_FIELDS
from kilonode.cloud.openstack.identity.model import ENDPOINT, INTERFACES, PROJECT, Endpoint
from kilonode.cloud.openstack.identity.operator_model import (
    ENDPOINT_FILTER,
    ENDPOINT_GROUP,
    EndpointFilter,
    EndpointGroup,
)
from kilonode.cloud.openstack.identity.project_trees import PROJECT_FIELDS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

GROUP_FIELDS: Final[Fields[EndpointGroup]] = Fields(
    {
        "id": lambda group: group.id,
        "name": lambda group: group.name,
        "description": lambda group: group.description,
        "filters": lambda group: group.filters,
    }
)
FILTERS: Final = ("service_id", "region_id", "interface", "enabled")
_ROOT: Final = "OS-EP-FILTER"
_GROUPS: Final = f"{_ROOT}/endpoint_groups"


class WantedGroup(msgspec.Struct, frozen=True):
    """The `endpoint_group` of a request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    filters: dict[str, Any] | UnsetType = UNSET


class GroupBody(msgspec.Struct, frozen=True):
    """The body of `POST /OS-EP-FILTER/endpoint_groups` and `PATCH /OS-EP-FILTER/endpoint_groups/{group_id}`."""

    endpoint_group: WantedGroup


async def list_endpoint_groups(request: Request) -> Response:
    """`GET /OS-EP-FILTER/endpoint_groups`, by `name` if wanted."""
    name = request.query.one("name")
    values = [entry.value for entry in request.cloud.mirror.all(ENDPOINT_GROUP).values()]
    items = [shown(request, _GROUPS, GROUP_FIELDS, value) for value in values if not name or value.name == name]
    return items_reply(request, "endpoint_groups", items)


async def create_endpoint_group(request: Request) -> Response:
    """`POST /OS-EP-FILTER/endpoint_groups`."""
    wanted = request.json(GroupBody).endpoint_group
    if wanted.name is UNSET or wanted.filters is UNSET:
        raise Fault(400, "'name' and 'filters' are required properties of an endpoint group.")
    group = _changed(EndpointGroup(request.cloud.new_hexadecimal_id(), "", {}), wanted)
    await request.cloud.mirror.commit([Put(ENDPOINT_GROUP, group, group.id, 0)])
    return show(request, "endpoint_group", _GROUPS, GROUP_FIELDS, group, 201)


async def show_endpoint_group(request: Request) -> Response:
    """`GET /OS-EP-FILTER/endpoint_groups/{group_id}` (and HEAD)."""
    return show(request, "endpoint_group", _GROUPS, GROUP_FIELDS, _group(request))


async def update_endpoint_group(request: Request) -> Response:
    """`PATCH /OS-EP-FILTER/endpoint_groups/{group_id}`."""
    entry = find(request, ENDPOINT_GROUP, "endpoint group", request.params["group_id"])
    group = _changed(entry.value, request.json(GroupBody).endpoint_group)
    await request.cloud.mirror.commit([Put(ENDPOINT_GROUP, group, group.id, entry.revision)])
    return show(request, "endpoint_group", _GROUPS, GROUP_FIELDS, group)


async def delete_endpoint_group(request: Request) -> Response:
    """`DELETE /OS-EP-FILTER/endpoint_groups/{group_id}`, with its filters."""
    entry = find(request, ENDPOINT_GROUP, "endpoint group", request.params["group_id"])
    filters = request.cloud.mirror.all(ENDPOINT_FILTER).items()
    held = [Delete(ENDPOINT_FILTER, key) for key, one in filters if one.value.group_id == entry.value.id]
    await request.cloud.mirror.commit([Delete(ENDPOINT_GROUP, entry.value.id, entry.revision), *held])
    return reply(None, 204)


async def list_group_endpoints(request: Request) -> Response:
    """`GET /OS-EP-FILTER/endpoint_groups/{group_id}/endpoints`."""
    return _endpoints(request, endpoints_of_group(request.cloud.mirror, _group(request)))


async def list_filter_projects(request: Request) -> Response:
    """`GET …/endpoints/{endpoint_id}/projects` and `GET …/endpoint_groups/{group_id}/projects`."""
    wanted = _filter(request)
    projects = request.cloud.mirror.all(PROJECT)
    found = [
        entry.value.project_id
        for entry in request.cloud.mirror.all(ENDPOINT_FILTER).values()
        if (entry.value.endpoint_id, entry.value.group_id) == (wanted.endpoint_id, wanted.group_id)
    ]
    items = [shown(request, "projects", PROJECT_FIELDS, projects[key].value) for key in found if key in projects]
    return items_reply(request, "projects", items)


async def list_project_endpoints(request: Request) -> Response:
    """`GET /OS-EP-FILTER/projects/{project_id}/endpoints`: with those of its groups."""
    project_id = find(request, PROJECT, "project", request.params["project_id"]).value.id
    return _endpoints(request, list((filtered_endpoints(request.cloud.mirror, project_id) or {}).values()))


async def list_project_groups(request: Request) -> Response:
    """`GET /OS-EP-FILTER/projects/{project_id}/endpoint_groups`."""
    project_id = find(request, PROJECT, "project", request.params["project_id"]).value.id
    mirror = request.cloud.mirror
    keys = [
        entry.value.group_id for entry in mirror.all(ENDPOINT_FILTER).values() if entry.value.project_id == project_id
    ]
    groups = mirror.all(ENDPOINT_GROUP)
    items = [shown(request, _GROUPS, GROUP_FIELDS, groups[key].value) for key in keys if key in groups]
    return items_reply(request, "endpoint_groups", items)


async def add_filter(request: Request) -> Response:
    """`PUT` of an endpoint, or of a group of them, for a project."""
    wanted = _filter(request)
    await request.cloud.mirror.commit([Put(ENDPOINT_FILTER, wanted, wanted.key)])
    return reply(None, 204)


async def check_filter(request: Request) -> Response:
    """`GET` (and HEAD) of an endpoint, or of a group of them, for a project."""
    wanted = _had(request)
    if wanted.group_id:
        place = f"/{_GROUPS}/{wanted.group_id}/projects/{wanted.project_id}"
        body = {"id": wanted.project_id, "links": link(request, place)}
        return reply({"project": body}, 200)
    return reply(None, 204)


async def remove_filter(request: Request) -> Response:
    """`DELETE` of an endpoint, or of a group of them, for a project."""
    await request.cloud.mirror.commit([Delete(ENDPOINT_FILTER, _had(request).key)])
    return reply(None, 204)


def _group(request: Request) -> EndpointGroup:
    group: EndpointGroup = find(request, ENDPOINT_GROUP, "endpoint group", request.params["group_id"]).value
    return group


def _filter(request: Request) -> EndpointFilter:
    """What the path names, if it is there. Raises Fault 404."""
    params = request.params
    for name, kind in (("project_id", PROJECT), ("endpoint_id", ENDPOINT), ("group_id", ENDPOINT_GROUP)):
        if name in params:
            find(request, kind, name.removesuffix("_id"), params[name])
    return EndpointFilter(params.get("project_id", ""), params.get("endpoint_id", ""), params.get("group_id", ""))


def _had(request: Request) -> EndpointFilter:
    wanted = _filter(request)
    if request.cloud.mirror.get(ENDPOINT_FILTER, wanted.key) is None:
        raise Fault(404, f"Could not find an endpoint filter of project {wanted.project_id} for it.")
    return wanted


def _changed(group: EndpointGroup, wanted: WantedGroup) -> EndpointGroup:
    filters = group.filters
    if wanted.filters is not UNSET:
        filters = {name: str(value) for name, value in wanted.filters.items()}
        wrong = [name for name in filters if name not in FILTERS]
        if wrong or filters.get("interface", INTERFACES[0]) not in INTERFACES:
            raise Fault(400, f"Invalid input for field 'filters': expected some of {', '.join(FILTERS)}.")
    return EndpointGroup(
        group.id,
        group.name if wanted.name is UNSET else checked_name("endpoint_group", wanted.name),
        filters,
        group.description if wanted.description is UNSET else wanted.description,
    )


def _endpoints(request: Request, endpoints: list[Endpoint]) -> Response:
    items = [shown(request, "endpoints", ENDPOINT_FIELDS, absolute(request.cloud, one)) for one in endpoints]
    return items_reply(request, "endpoints", items)


_OF_PROJECT: Final = f"/{_ROOT}/projects/{{project_id}}/endpoints"
_OF_GROUP: Final = f"/{_GROUPS}/{{group_id}}"
ROUTES = (
    Route("GET", f"/{_GROUPS}", list_endpoint_groups, Access.ADMIN),
    Route("POST", f"/{_GROUPS}", create_endpoint_group, Access.ADMIN),
    Route("GET", _OF_GROUP, show_endpoint_group, Access.ADMIN),
    Route("PATCH", _OF_GROUP, update_endpoint_group, Access.ADMIN),
    Route("DELETE", _OF_GROUP, delete_endpoint_group, Access.ADMIN),
    Route("GET", f"{_OF_GROUP}/endpoints", list_group_endpoints, Access.ADMIN),
    Route("GET", f"{_OF_GROUP}/projects", list_filter_projects, Access.ADMIN),
    Route("GET", f"/{_ROOT}/endpoints/{{endpoint_id}}/projects", list_filter_projects, Access.ADMIN),
    Route("GET", _OF_PROJECT, list_project_endpoints, Access.ADMIN),
    Route("GET", f"/{_ROOT}/projects/{{project_id}}/endpoint_groups", list_project_groups, Access.ADMIN),
    *(
        Route(method, place, handler, Access.ADMIN)
        for place in (f"{_OF_PROJECT}/{{endpoint_id}}", f"{_OF_GROUP}/projects/{{project_id}}")
        for method, handler in (("PUT", add_filter), ("GET", check_filter), ("DELETE", remove_filter))
    ),
)
