"""Volumes: list, show, change, delete, and finding the one that a request names. Making them is in `creating`."""

from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.openstack.volume.bodies import body_of, invalid, text_of, texts_of
from kilonode.cloud.openstack.volume.listing import all_visible, filtered, ordered, page
from kilonode.cloud.openstack.volume.model import AVAILABLE, DELETING, ERROR, SNAPSHOT, VOLUME, Volume
from kilonode.cloud.openstack.volume.views import volume_summary, volume_view
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.index import Index
from kilonode.control.mirror import Entry, Mirror, Put

DELETABLE: Final = frozenset(
    {AVAILABLE, ERROR, "error_deleting", "error_extending", "error_restoring", "error_managing"}
)
FILTERS: Final = {
    "name": lambda volume: volume.name,
    "display_name": lambda volume: volume.name,
    "status": lambda volume: volume.status,
    "availability_zone": lambda volume: volume.zone,
    "bootable": lambda volume: "true" if volume.bootable else "false",
    "group_id": lambda volume: volume.group_id,
    "volume_type_id": lambda volume: volume.type_id,
    "snapshot_id": lambda volume: volume.snapshot_id,
    "source_volid": lambda volume: volume.source_id,
    "id": lambda volume: volume.id,
}
_SORT_KEYS: Final = {
    "created_at": lambda volume: volume.created_us,
    "updated_at": lambda volume: volume.updated_us,
    "name": lambda volume: volume.name,
    "size": lambda volume: volume.size_gb,
    "status": lambda volume: volume.status,
    "bootable": lambda volume: volume.bootable,
    "availability_zone": lambda volume: volume.zone,
    "id": lambda volume: volume.id,
}


async def list_volumes(request: Request) -> Response:
    """Volumes in short."""
    return page(request, _chosen(request), "volumes", partial(volume_summary, request))


async def list_volumes_detail(request: Request) -> Response:
    """Volumes whole."""
    return page(request, _chosen(request), "volumes", partial(volume_view, request))


async def show_volume_summary(request: Request) -> Response:
    """How many volumes, how large they are together, and what metadata they have."""
    chosen = _chosen(request)
    total: dict[str, Any] = {"total_count": len(chosen), "total_size": sum(volume.size_gb for volume in chosen)}
    if request.microversion >= (3, 36):
        values: dict[str, dict[str, None]] = {}
        for volume in chosen:
            for name, value in volume.metadata.items():
                values.setdefault(name, {})[value] = None
        total["metadata"] = {name: list(found) for name, found in values.items()}
    return reply({"volume-summary": total})


async def show_volume(request: Request) -> Response:
    """One volume."""
    return reply({"volume": volume_view(request, find_volume(request).value)})


async def update_volume(request: Request) -> Response:
    """Change name, description or metadata."""
    entry = find_volume(request)
    wanted = body_of(request, "volume")
    if not wanted:
        raise invalid("volume", wanted)
    changes: dict[str, Any] = {}
    for name in ("name", "description"):
        shown = f"display_{name}" if f"display_{name}" in wanted else name
        if shown in wanted:
            changes[name] = text_of(wanted, shown)
    if wanted.get("metadata") is not None:
        changes["metadata"] = texts_of(wanted["metadata"], "metadata")
    volume = await write_volume(request, entry, **changes)
    return reply({"volume": volume_view(request, volume, whole=False)})


async def delete_volume(request: Request) -> Response:
    """Begin to delete a volume; with `cascade`, its snapshots too."""
    entry = find_volume(request)
    volume = entry.value
    force = request.query.flag("force") and request.caller.is_admin
    if volume.attachments or volume.group_id or (volume.status not in DELETABLE and not force):
        raise Fault(
            400,
            "Invalid volume: Volume status must be available or error or error_restoring or error_extending or "
            "error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a "
            "transfer, or be disassociated from snapshots after volume transfer.",
        )
    mirror, now_us = request.cloud.mirror, request.cloud.now_us()
    changes = []
    snapshots = snapshots_by_volume(mirror)
    if snapshots.count(volume.id):
        if not request.query.flag("cascade"):
            raise Fault(400, "Invalid volume: Volume still has one or more dependent snapshots.")
        for key in snapshots.keys(volume.id):
            one = mirror.all(SNAPSHOT)[key]
            gone = replace(one.value, status=DELETING, status_since_us=now_us, turn=one.value.turn + 1)
            changes.append(Put(SNAPSHOT, gone, key, one.revision))
    moved = moved_volume(volume, DELETING, now_us)
    await mirror.commit([Put(VOLUME, moved, moved.id, entry.revision), *changes])
    return reply(None, 202)


def find_volume(request: Request, volume_id: str | None = None) -> Entry[Volume]:
    """The volume the path names, if the caller may see it. Raises Fault 404."""
    key = volume_id or request.params["volume_id"]
    entry: Entry[Volume] | None = request.cloud.mirror.get(VOLUME, key)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Volume {key} could not be found.")
    return entry


def moved_volume(volume: Volume, status: str, now_us: int, **changes: Any) -> Volume:
    """A volume in another status, from which its controller takes it on."""
    return replace(volume, status=status, status_since_us=now_us, turn=volume.turn + 1, updated_us=now_us, **changes)


async def move_volume(request: Request, entry: Entry[Volume], status: str, **changes: Any) -> Volume:
    """Put a volume into another status, from which its controller takes it on."""
    volume = moved_volume(entry.value, status, request.cloud.now_us(), **changes)
    await request.cloud.mirror.commit([Put(VOLUME, volume, volume.id, entry.revision)])
    return volume


async def write_volume(request: Request, entry: Entry[Volume], **changes: Any) -> Volume:
    """Change a volume without moving it on."""
    volume = replace(entry.value, updated_us=request.cloud.now_us(), **changes)
    await request.cloud.mirror.commit([Put(VOLUME, volume, volume.id, entry.revision)])
    return volume


def snapshots_by_volume(mirror: Mirror) -> Index:
    """The snapshots of a volume."""
    return mirror.index(SNAPSHOT, "volume", lambda snapshot: snapshot.volume_id)


def _chosen(request: Request) -> list[Volume]:
    found = filtered(request, all_visible(request, VOLUME), FILTERS)
    return ordered(request, found, _SORT_KEYS)
