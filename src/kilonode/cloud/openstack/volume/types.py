"""Volume types. Their extra specs, access and encryption are in `type_details`."""

from typing import Any

from msgspec.structs import replace

from kilonode.cloud.openstack.volume.bodies import body_of, invalid, text_of, texts_of, truth_of
from kilonode.cloud.openstack.volume.default_types import default_type_of
from kilonode.cloud.openstack.volume.group_model import GROUP
from kilonode.cloud.openstack.volume.listing import ordered, page
from kilonode.cloud.openstack.volume.model import VOLUME, VOLUME_TYPE, VolumeType
from kilonode.cloud.openstack.volume.views import KNOWN_TO_ALL, type_view
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

_PUBLIC = "os-volume-type-access:is_public"
_SORT_KEYS = {
    "created_at": lambda kind: kind.created_us,
    "name": lambda kind: kind.name,
    "id": lambda kind: kind.id,
}


async def list_types(request: Request) -> Response:
    """Every type the caller may use; `is_public` narrows them, for administrators."""
    kinds = [entry.value for entry in request.cloud.mirror.all(VOLUME_TYPE).values()]
    if request.caller.is_admin:
        asked = request.query.one("is_public").lower()
        if asked and asked != "none":
            kinds = [kind for kind in kinds if kind.public == request.query.flag("is_public")]
    else:
        kinds = [kind for kind in kinds if kind.serves(request.caller.project_id)]
    if request.query.one("name"):
        kinds = [kind for kind in kinds if kind.name == request.query.one("name")]
    kinds.sort(key=lambda kind: (kind.created_us, kind.id), reverse=True)
    return page(request, ordered(request, kinds, _SORT_KEYS), "volume_types", lambda kind: _shown(request, kind))


async def show_type(request: Request) -> Response:
    """One type; `default` names the one used when a request names none."""
    return reply({"volume_type": _shown(request, find_known_type(request).value)})


async def create_type(request: Request) -> Response:
    """Make a type."""
    wanted = body_of(request, "volume_type")
    cloud = request.cloud
    name = text_of(wanted, "name", needed=True)
    _refuse_twin(request, name, "")
    kind = VolumeType(
        cloud.new_id(),
        name,
        text_of(wanted, "description"),
        truth_of(wanted, _PUBLIC, default=True),
        texts_of(wanted.get("extra_specs"), "extra_specs"),
        created_us=cloud.now_us(),
    )
    await cloud.mirror.commit([Put(VOLUME_TYPE, kind, kind.id, 0)])
    return reply({"volume_type": {**type_view(request, kind, whole=False), _PUBLIC: kind.public}})


async def update_type(request: Request) -> Response:
    """Change name, description or whether everybody may use it."""
    entry = find_known_type(request)
    wanted = body_of(request, "volume_type")
    if not {"name", "description", "is_public"} & wanted.keys():
        raise Fault(400, "Specify volume type name, description, is_public or a combination thereof.")
    changes: dict[str, Any] = {}
    if wanted.get("name") is not None:
        changes["name"] = text_of(wanted, "name", needed=True)
        _refuse_twin(request, changes["name"], entry.value.id)
    if "description" in wanted:
        changes["description"] = text_of(wanted, "description")
    if wanted.get("is_public") is not None:
        changes["public"] = truth_of(wanted, "is_public")
    kind = replace(entry.value, **changes)
    await request.cloud.mirror.commit([Put(VOLUME_TYPE, kind, kind.id, entry.revision)])
    return reply({"volume_type": type_view(request, kind, whole=False)})


async def delete_type(request: Request) -> Response:
    """Delete a type that no volume and no group has."""
    entry = find_known_type(request)
    key, mirror = entry.value.id, request.cloud.mirror
    if any(one.value.type_id == key for one in mirror.all(VOLUME).values()) or any(
        key in one.value.volume_type_ids for one in mirror.all(GROUP).values()
    ):
        raise Fault(400, f"Target volume type is still in use: Volume Type {key} deletion is not allowed.")
    await mirror.commit([Delete(VOLUME_TYPE, key, entry.revision)])
    return reply(None, 202)


def find_known_type(request: Request) -> Entry[VolumeType]:
    """The type that the path names, if the caller may use it. Raises Fault 404."""
    key = request.params["type_id"]
    table = request.cloud.mirror.all(VOLUME_TYPE)
    if key == "default":
        name = default_type_of(request.cloud, request.caller.project_id)
        key = next((entry.value.id for entry in table.values() if name in (entry.value.id, entry.value.name)), key)
    entry: Entry[VolumeType] | None = table.get(key)
    if entry is None or not (entry.value.serves(request.caller.project_id) or request.caller.is_admin):
        raise Fault(404, f"Volume type {key} could not be found.")
    return entry


def visible_specs(request: Request, kind: VolumeType) -> dict[str, str]:
    """The extra specs that the caller may know."""
    if request.caller.is_admin:
        return kind.extra_specs
    return {name: kind.extra_specs[name] for name in KNOWN_TO_ALL if name in kind.extra_specs}


def _shown(request: Request, kind: VolumeType) -> dict[str, Any]:
    return {**type_view(request, kind), _PUBLIC: kind.public}


def _refuse_twin(request: Request, name: str, own_id: str) -> None:
    for entry in request.cloud.mirror.all(VOLUME_TYPE).values():
        if entry.value.name == name and entry.value.id != own_id:
            raise Fault(409, f"Volume Type {name} already exists.")
    if not name:
        raise invalid("name", name)
