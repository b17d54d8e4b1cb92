"""Snapshots of volumes."""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.volume.listing import all_visible, filtered, ordered, page
from kilonode.cloud.openstack.volume.model import AVAILABLE, CREATING, DELETING, ERROR, IN_USE, SNAPSHOT, Snapshot
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.volume.views import snapshot_view
from kilonode.cloud.openstack.volume.volumes import find_volume
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put

_FILTERS: Final = {
    "name": lambda snapshot: snapshot.name,
    "status": lambda snapshot: snapshot.status,
    "volume_id": lambda snapshot: snapshot.volume_id,
}
_SORT_KEYS: Final = {
    "created_at": lambda snapshot: snapshot.created_us,
    "name": lambda snapshot: snapshot.name,
    "id": lambda snapshot: snapshot.id,
}


class WantedSnapshot(msgspec.Struct, frozen=True):
    """The `snapshot` of a create request."""

    volume_id: str
    name: str | None = None
    description: str | None = None
    force: bool | str | None = None
    metadata: dict[str, str] | None = None


class CreateSnapshot(msgspec.Struct, frozen=True):
    """The body of `POST /snapshots`."""

    snapshot: WantedSnapshot


async def list_snapshots(request: Request) -> Response:
    """Snapshots; the short and the long list are the same."""
    found = ordered(request, filtered(request, all_visible(request, SNAPSHOT), _FILTERS), _SORT_KEYS)
    return page(request, found, "snapshots", snapshot_view)


async def show_snapshot(request: Request) -> Response:
    """One snapshot."""
    return reply({"snapshot": snapshot_view(_find(request).value)})


async def create_snapshot(request: Request) -> Response:
    """Begin to make a snapshot."""
    wanted = request.json(CreateSnapshot).snapshot
    cloud = request.cloud
    volume = find_volume(request, wanted.volume_id).value
    forced = str(wanted.force).lower() in ("true", "1") or request.microversion >= (3, 66)
    if volume.status not in ((AVAILABLE, IN_USE) if forced else (AVAILABLE,)):
        raise Fault(400, f"Invalid volume: Volume {volume.id} status must be available, but current status is: "
                         f"{volume.status}.")  # fmt: skip
    check_room(cloud, volume.project_id, "snapshots", volume.size_gb)
    now_us = cloud.now_us()
    snapshot = Snapshot(
        id=cloud.new_id(),
        project_id=volume.project_id,
        user_id=request.caller.user_id,
        volume_id=volume.id,
        size_gb=volume.size_gb,
        status=CREATING,
        status_since_us=now_us,
        created_us=now_us,
        name=wanted.name or "",
        description=wanted.description or "",
        metadata=wanted.metadata or {},
    )
    await cloud.mirror.commit([Put(SNAPSHOT, snapshot, snapshot.id, 0)])
    return reply({"snapshot": snapshot_view(snapshot)}, 202)


async def update_snapshot(request: Request) -> Response:
    """Change name or description."""
    entry = _find(request)
    wanted = request.json_object().get("snapshot")
    if not isinstance(wanted, dict):
        raise Fault(400, "Invalid input for field/attribute snapshot.")
    changes: dict[str, Any] = {name: str(wanted[name] or "") for name in ("name", "description") if name in wanted}
    snapshot = replace(entry.value, updated_us=request.cloud.now_us(), **changes)
    await request.cloud.mirror.commit([Put(SNAPSHOT, snapshot, snapshot.id, entry.revision)])
    return reply({"snapshot": snapshot_view(snapshot)})


async def delete_snapshot(request: Request) -> Response:
    """Begin to delete a snapshot."""
    entry = _find(request)
    snapshot = entry.value
    if snapshot.status not in (AVAILABLE, ERROR):
        raise Fault(400, f"Invalid snapshot: Snapshot status must be available or error, but is {snapshot.status}.")
    now_us = request.cloud.now_us()
    moved = replace(snapshot, status=DELETING, status_since_us=now_us, turn=snapshot.turn + 1, updated_us=now_us)
    await request.cloud.mirror.commit([Put(SNAPSHOT, moved, moved.id, entry.revision)])
    return reply(None, 202)


def _find(request: Request) -> Entry[Snapshot]:
    key = request.params["snapshot_id"]
    entry: Entry[Snapshot] | None = request.cloud.mirror.get(SNAPSHOT, key)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Snapshot {key} could not be found.")
    return entry
