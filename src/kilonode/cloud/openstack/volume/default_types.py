"""`/default-types`: the volume type of a project's volumes that name none."""

from typing import Any, Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.kinds import document
from kilonode.cloud.openstack.identity.model import PROJECT
from kilonode.cloud.openstack.volume.bodies import body_of, text_of
from kilonode.cloud.openstack.volume.model import DEFAULT_TYPE_NAME, VOLUME_TYPE
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

DEFAULT_VOLUME_TYPE: Final = "default_volume_type"


@document(DEFAULT_VOLUME_TYPE)
class DefaultVolumeType(msgspec.Struct, frozen=True):
    """The type of a project's volumes that name none; its key is the project's id."""

    project_id: str
    volume_type_id: str


def default_type_of(cloud: Cloud, project_id: str) -> str:
    """The name or id of the type that a project's volumes have when they name none."""
    entry = cloud.mirror.get(DEFAULT_VOLUME_TYPE, project_id)
    if entry is not None and entry.value.volume_type_id in cloud.mirror.all(VOLUME_TYPE):
        return str(entry.value.volume_type_id)
    return DEFAULT_TYPE_NAME


async def list_default_types(request: Request) -> Response:
    """`GET /default-types`: of all projects that have one of their own."""
    found = [entry.value for entry in request.cloud.mirror.all(DEFAULT_VOLUME_TYPE).values()]
    return reply({"default_types": found}, items=len(found))


async def show_default_type(request: Request) -> Response:
    """`GET /default-types/{target}`."""
    entry = request.cloud.mirror.get(DEFAULT_VOLUME_TYPE, _project(request))
    if entry is None:
        raise Fault(404, f"Default type for project {request.params['target']} not found.")
    return reply({"default_type": entry.value})


async def set_default_type(request: Request) -> Response:
    """`PUT /default-types/{target}`: by the name or id of the type."""
    project_id = _project(request)
    wanted = text_of(body_of(request, "default_type"), "volume_type", needed=True)
    types: Any = request.cloud.mirror.all(VOLUME_TYPE)
    found = [wanted] if wanted in types else [key for key, one in types.items() if one.value.name == wanted]
    if not found:
        raise Fault(400, f"Volume type {wanted} could not be found.")
    default = DefaultVolumeType(project_id, found[0])
    await request.cloud.mirror.commit([Put(DEFAULT_VOLUME_TYPE, default, project_id)])
    return reply({"default_type": default})


async def unset_default_type(request: Request) -> Response:
    """`DELETE /default-types/{target}`; also of a project that is gone."""
    await request.cloud.mirror.commit([Delete(DEFAULT_VOLUME_TYPE, request.params["target"])])
    return reply(None, 204)


def _project(request: Request) -> str:
    key = request.params["target"]
    if request.cloud.mirror.get(PROJECT, key) is None:
        raise Fault(404, f"Project with id {key} not found.")
    return key


ROUTES: Final = tuple(
    Route(method, path, handler, Access.ADMIN, since=(3, 62))
    for method, path, handler in (
        ("GET", "/default-types", list_default_types),
        ("GET", "/default-types/{target}", show_default_type),
        ("PUT", "/default-types/{target}", set_default_type),
        ("DELETE", "/default-types/{target}", unset_default_type),
    )
)
"""Not below a project's id, unlike the service's others."""
