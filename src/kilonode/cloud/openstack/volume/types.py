"""Volume types, and the service's own state: zones and services."""

from typing import Any

import msgspec
from msgspec.structs import replace

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.volume.model import DEFAULT_TYPE_NAME, VOLUME, VOLUME_TYPE, VolumeType
from kilonode.cloud.openstack.volume.views import type_view
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put


class WantedType(msgspec.Struct, frozen=True):
    """The `volume_type` of a create request."""

    name: str
    description: str | None = None
    extra_specs: dict[str, str] | None = None
    public: bool | None = msgspec.field(default=None, name="os-volume-type-access:is_public")


class CreateType(msgspec.Struct, frozen=True):
    """The body of `POST /types`."""

    volume_type: WantedType


async def list_types(request: Request) -> Response:
    """Every type the caller may use."""
    kinds = [entry.value for entry in request.cloud.mirror.all(VOLUME_TYPE).values()]
    shown = [type_view(kind) for kind in kinds if kind.public or request.caller.is_admin]
    return reply({"volume_types": shown}, items=len(shown))


async def show_type(request: Request) -> Response:
    """One type; `default` names the one used when a request names none."""
    return reply({"volume_type": type_view(_find(request).value)})


async def create_type(request: Request) -> Response:
    """Make a type."""
    wanted = request.json(CreateType).volume_type
    cloud = request.cloud
    if any(entry.value.name == wanted.name for entry in cloud.mirror.all(VOLUME_TYPE).values()):
        raise Fault(409, f"Volume Type {wanted.name} already exists.")
    public = wanted.public is not False
    kind = VolumeType(cloud.new_id(), wanted.name, wanted.description or "", public, wanted.extra_specs or {})
    await cloud.mirror.commit([Put(VOLUME_TYPE, kind, kind.id, 0)])
    return reply({"volume_type": type_view(kind)})


async def update_type(request: Request) -> Response:
    """Change name or description."""
    entry = _find(request)
    wanted = request.json_object().get("volume_type")
    if not isinstance(wanted, dict):
        raise Fault(400, "Invalid input for field/attribute volume_type.")
    changes: dict[str, Any] = {name: str(wanted[name] or "") for name in ("name", "description") if name in wanted}
    kind = replace(entry.value, **changes)
    await request.cloud.mirror.commit([Put(VOLUME_TYPE, kind, kind.id, entry.revision)])
    return reply({"volume_type": type_view(kind)})


async def delete_type(request: Request) -> Response:
    """Delete a type that no volume has."""
    entry = _find(request)
    if any(volume.value.type_id == entry.value.id for volume in request.cloud.mirror.all(VOLUME).values()):
        raise Fault(400, f"Target volume type is still in use: Volume Type {entry.value.id} deletion is not allowed.")
    await request.cloud.mirror.commit([Delete(VOLUME_TYPE, entry.value.id, entry.revision)])
    return reply(None, 202)


async def list_extra_specs(request: Request) -> Response:
    """A type's extra specs."""
    return reply({"extra_specs": _find(request).value.extra_specs})


async def create_extra_specs(request: Request) -> Response:
    """Add to a type's extra specs."""
    entry = _find(request)
    wanted = request.json_object().get("extra_specs")
    if not isinstance(wanted, dict):
        raise Fault(400, "Invalid input for field/attribute extra_specs.")
    specs = {**entry.value.extra_specs, **{str(key): str(value) for key, value in wanted.items()}}
    kind = replace(entry.value, extra_specs=specs)
    await request.cloud.mirror.commit([Put(VOLUME_TYPE, kind, kind.id, entry.revision)])
    return reply({"extra_specs": wanted})


async def list_services(request: Request) -> Response:
    """The service's processes as administrators see them."""
    now = timestamp_with_microseconds(request.cloud.now_us())
    zone = request.cloud.settings.zones[0]
    services = [
        {"binary": binary, "host": host, "zone": zone, "status": "enabled", "state": "up", "updated_at": now}
        for binary, host in (("cinder-scheduler", "kilonode"), ("cinder-volume", "kilonode@lvmdriver-1"))
    ]
    return reply({"services": [{**service, "disabled_reason": None} for service in services]})


async def list_zones(request: Request) -> Response:
    """The availability zones."""
    zones = [{"zoneName": name, "zoneState": {"available": True}} for name in request.cloud.settings.zones]
    return reply({"availabilityZoneInfo": zones})


async def list_extensions(request: Request) -> Response:
    """None: what was an extension is part of v3."""
    return reply({"extensions": []})


def _find(request: Request) -> Entry[VolumeType]:
    key = request.params["type_id"]
    table = request.cloud.mirror.all(VOLUME_TYPE)
    if key == "default":
        key = next((entry.value.id for entry in table.values() if entry.value.name == DEFAULT_TYPE_NAME), key)
    entry: Entry[VolumeType] | None = table.get(key)
    if entry is None or not (entry.value.public or request.caller.is_admin):
        raise Fault(404, f"Volume type {key} could not be found.")
    return entry
