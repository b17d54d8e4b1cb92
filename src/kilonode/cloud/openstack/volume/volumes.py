"""Volumes: create, list, show, change, extend, delete, and the actions that move them between statuses."""

from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.volume.listing import all_visible, filtered, ordered, page
from kilonode.cloud.openstack.volume.model import (
    AVAILABLE,
    CREATING,
    DEFAULT_TYPE_NAME,
    DELETING,
    ERROR,
    EXTENDING,
    SNAPSHOT,
    VOLUME,
    VOLUME_TYPE,
    Volume,
    VolumeType,
)
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.volume.views import volume_summary, volume_view
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put

DELETABLE: Final = frozenset({AVAILABLE, ERROR, "error_deleting", "error_extending", "error_restoring"})
NAME_LIMIT: Final = 255
_FILTERS: Final = {
    "name": lambda volume: volume.name,
    "status": lambda volume: volume.status,
    "availability_zone": lambda volume: volume.zone,
    "bootable": lambda volume: "true" if volume.bootable else "false",
}
_SORT_KEYS: Final = {
    "created_at": lambda volume: volume.created_us,
    "name": lambda volume: volume.name,
    "size": lambda volume: volume.size_gb,
    "status": lambda volume: volume.status,
    "id": lambda volume: volume.id,
}


class WantedVolume(msgspec.Struct, frozen=True):
    """The `volume` of a create request."""

    size: int | str | None = None
    name: str | None = None
    description: str | None = None
    volume_type: str | None = None
    availability_zone: str | None = None
    metadata: dict[str, str] | None = None
    image_ref: str | None = msgspec.field(default=None, name="imageRef")
    snapshot_id: str | None = None
    source_volid: str | None = None
    multiattach: bool | None = None


class CreateVolume(msgspec.Struct, frozen=True):
    """The body of `POST /volumes`."""

    volume: WantedVolume


async def list_volumes(request: Request) -> Response:
    """Volumes in short."""
    return page(request, _chosen(request), "volumes", partial(volume_summary, request))


async def list_volumes_detail(request: Request) -> Response:
    """Volumes whole."""
    return page(request, _chosen(request), "volumes", partial(volume_view, request))


async def show_volume_summary(request: Request) -> Response:
    """How many volumes, and how large they are together."""
    chosen = _chosen(request)
    total = {"total_count": len(chosen), "total_size": sum(volume.size_gb for volume in chosen)}
    return reply({"volume-summary": total})


async def show_volume(request: Request) -> Response:
    """One volume."""
    return reply({"volume": volume_view(request, find_volume(request).value)})


async def create_volume(request: Request) -> Response:
    """Begin to make a volume."""
    wanted = request.json(CreateVolume).volume
    cloud, caller = request.cloud, request.caller
    size_gb = _size_gb(request, wanted)
    kind = _find_type(request, wanted.volume_type)
    check_room(cloud, caller.project_id, "volumes", size_gb)
    now_us = cloud.now_us()
    volume = Volume(
        id=cloud.new_id(),
        project_id=caller.project_id,
        user_id=caller.user_id,
        size_gb=size_gb,
        status=CREATING,
        status_since_us=now_us,
        created_us=now_us,
        type_id=kind.id,
        name=_text(wanted.name, "name"),
        description=_text(wanted.description, "description"),
        metadata=wanted.metadata or {},
        zone=wanted.availability_zone or cloud.settings.zones[0],
        image_id=wanted.image_ref or "",
        bootable=bool(wanted.image_ref),
        snapshot_id=wanted.snapshot_id or "",
        source_id=wanted.source_volid or "",
        multiattach=bool(wanted.multiattach),
    )
    await cloud.mirror.commit([Put(VOLUME, volume, volume.id, 0)])
    return reply({"volume": volume_view(request, volume)}, 202)


async def update_volume(request: Request) -> Response:
    """Change name, description or metadata."""
    entry = find_volume(request)
    wanted = request.json_object().get("volume")
    if not isinstance(wanted, dict) or not wanted:
        raise Fault(400, "Invalid input for field/attribute volume. Value: {}.")
    changes: dict[str, Any] = {}
    for name in ("name", "description"):
        shown = f"display_{name}" if f"display_{name}" in wanted else name
        if shown in wanted:
            changes[name] = _text(wanted[shown], name)
    if isinstance(wanted.get("metadata"), dict):
        changes["metadata"] = {str(key): str(value) for key, value in wanted["metadata"].items()}
    volume = await _write(request, entry, **changes)
    return reply({"volume": volume_view(request, volume)})


async def delete_volume(request: Request) -> Response:
    """Begin to delete a volume."""
    entry = find_volume(request)
    volume = entry.value
    force = request.query.flag("force") and request.caller.is_admin
    if volume.attachments or (volume.status not in DELETABLE and not force):
        raise Fault(
            400,
            "Invalid volume: Volume status must be available or error or error_restoring or error_extending or "
            "error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a "
            "transfer, or be disassociated from snapshots after volume transfer.",
        )
    mirror = request.cloud.mirror
    by_volume = mirror.index(SNAPSHOT, "volume", lambda snapshot: snapshot.volume_id)
    if by_volume.count(volume.id):
        if not request.query.flag("cascade"):
            raise Fault(400, "Invalid volume: Volume still has one or more dependent snapshots.")
        now_us = request.cloud.now_us()
        snapshots = [mirror.all(SNAPSHOT)[key].value for key in by_volume.keys(volume.id)]
        await mirror.commit(
            [
                Put(SNAPSHOT, replace(one, status=DELETING, status_since_us=now_us, turn=one.turn + 1), one.id)
                for one in snapshots
            ]
        )
    await move_volume(request, entry, DELETING)
    return reply(None, 202)


async def act_on_volume(request: Request) -> Response:
    """The actions: extend, reset status, set bootable, metadata of images, read-only flag."""
    entry = find_volume(request)
    body = request.json_object()
    if len(body) != 1:
        raise Fault(400, "Invalid request body: exactly one action is wanted")
    name, given = next(iter(body.items()))
    wanted = given if isinstance(given, dict) else {}
    match name:
        case "os-extend":
            await _extend(request, entry, wanted)
        case "os-reset_status" if request.caller.is_admin:
            await _write(request, entry, status=str(wanted.get("status") or entry.value.status))
        case "os-force_delete" if request.caller.is_admin:
            await move_volume(request, replace_entry(entry, attachments=()), DELETING)
        case "os-set_bootable":
            await _write(request, entry, bootable=bool(wanted.get("bootable")))
            return reply(None, 200)
        case "os-update_readonly_flag":
            await _write(request, entry)
        case "os-reset_status" | "os-force_delete":
            raise Fault(403, f"Policy doesn't allow volume_extension:volume_admin_actions:{name} to be performed.")
        case _:
            raise Fault(400, f"There is no such action: {name}")
    return reply(None, 202)


async def show_metadata(request: Request) -> Response:
    """A volume's metadata."""
    return reply({"metadata": find_volume(request).value.metadata})


async def update_metadata(request: Request) -> Response:
    """Add to a volume's metadata (POST), or replace it (PUT)."""
    entry = find_volume(request)
    wanted = request.json_object().get("metadata")
    if not isinstance(wanted, dict):
        raise Fault(400, "Invalid input for field/attribute metadata.")
    kept = entry.value.metadata if request.method == "POST" else {}
    volume = await _write(request, entry, metadata={**kept, **{str(key): str(value) for key, value in wanted.items()}})
    return reply({"metadata": volume.metadata})


async def delete_metadata_item(request: Request) -> Response:
    """Forget one item of a volume's metadata."""
    entry = find_volume(request)
    key = request.params["key"]
    if key not in entry.value.metadata:
        raise Fault(404, f"Volume {entry.value.id} has no metadata with key {key}.")
    kept = {name: value for name, value in entry.value.metadata.items() if name != key}
    await _write(request, entry, metadata=kept)
    return reply(None, 200)


def find_volume(request: Request, volume_id: str | None = None) -> Entry[Volume]:
    """The volume the path names, if the caller may see it. Raises Fault 404."""
    key = volume_id or request.params["volume_id"]
    entry: Entry[Volume] | None = request.cloud.mirror.get(VOLUME, key)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Volume {key} could not be found.")
    return entry


async def move_volume(request: Request, entry: Entry[Volume], status: str, **changes: Any) -> Volume:
    """Put a volume into another status, from which its controller takes it on."""
    now_us = request.cloud.now_us()
    return await _write(request, entry, status=status, status_since_us=now_us, turn=entry.value.turn + 1, **changes)


def replace_entry(entry: Entry[Volume], **changes: Any) -> Entry[Volume]:
    """The same revision with another value."""
    return Entry(replace(entry.value, **changes), entry.revision)


async def _write(request: Request, entry: Entry[Volume], **changes: Any) -> Volume:
    volume = replace(entry.value, updated_us=request.cloud.now_us(), **changes)
    await request.cloud.mirror.commit([Put(VOLUME, volume, volume.id, entry.revision)])
    return volume


async def _extend(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    volume = entry.value
    try:
        size_gb = int(wanted["new_size"])
    except (KeyError, TypeError, ValueError):
        raise Fault(400, "Invalid input for field/attribute new_size.") from None
    if volume.status != AVAILABLE and not (volume.status == "in-use" and request.microversion >= (3, 42)):
        raise Fault(400, f"Invalid volume: Volume {volume.id} status must be '{{'available'}}' to extend.")
    if size_gb <= volume.size_gb:
        raise Fault(
            400,
            f"Invalid input received: New size for extend must be greater than current size. "
            f"(current: {volume.size_gb}, extended: {size_gb}).",
        )
    check_room(request.cloud, volume.project_id, "volumes", size_gb - volume.size_gb, more=0)
    await move_volume(request, entry, EXTENDING, wanted_size_gb=size_gb)


def _chosen(request: Request) -> list[Volume]:
    found = filtered(request, all_visible(request, VOLUME), _FILTERS)
    return ordered(request, found, _SORT_KEYS)


def _size_gb(request: Request, wanted: WantedVolume) -> int:
    size: int | str | None = wanted.size
    if size is None and wanted.snapshot_id:
        snapshot = request.cloud.mirror.get(SNAPSHOT, wanted.snapshot_id)
        if snapshot is None or not request.caller.may_see(snapshot.value.project_id):
            raise Fault(404, f"Snapshot {wanted.snapshot_id} could not be found.")
        size = snapshot.value.size_gb
    if size is None and wanted.source_volid:
        size = find_volume(request, wanted.source_volid).value.size_gb
    try:
        size_gb = int(size)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        size_gb = 0
    if size_gb < 1:
        raise Fault(
            400,
            f"Invalid input received: Volume size '{size}' must be an integer and greater than 0",
        )
    return size_gb


def _find_type(request: Request, wanted: str | None) -> VolumeType:
    name = wanted or DEFAULT_TYPE_NAME
    table = request.cloud.mirror.all(VOLUME_TYPE)
    if name in table:
        found: VolumeType = table[name].value
        return found
    for entry in table.values():
        if entry.value.name == name:
            named: VolumeType = entry.value
            return named
    raise Fault(404, f"Volume type with name {name} could not be found.")


def _text(value: Any, what: str) -> str:
    text = "" if value is None else str(value)
    if len(text) > NAME_LIMIT:
        raise Fault(400, f"Invalid input for field/attribute {what}. Value: {text[:30]}…. It is too long.")
    return text
