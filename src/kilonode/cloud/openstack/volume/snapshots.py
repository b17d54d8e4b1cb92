"""Snapshots of volumes, and their actions."""

from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.openstack.volume.bodies import body_of, invalid, number_of, text_of, texts_of, truth_of
from kilonode.cloud.openstack.volume.listing import all_visible, filtered, ordered, page
from kilonode.cloud.openstack.volume.managing import left_snapshot
from kilonode.cloud.openstack.volume.model import (
    AVAILABLE,
    CREATING,
    DELETING,
    ERROR,
    IN_USE,
    SNAPSHOT,
    VOLUME,
    Snapshot,
)
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.volume.views import snapshot_view
from kilonode.cloud.openstack.volume.volumes import find_volume
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

STATUSES: Final = frozenset({"available", "creating", "deleting", "error", "error_deleting"})
_REPORTED: Final = {"creating": ("creating", "available", "error"), "deleting": ("deleting", "error_deleting")}
"""What may be reported of a snapshot, by what its status is."""
_ADMINISTRATORS: Final = frozenset({"os-reset_status", "os-force_delete", "os-unmanage"})
FILTERS: Final = {
    "name": lambda snapshot: snapshot.name,
    "display_name": lambda snapshot: snapshot.name,
    "status": lambda snapshot: snapshot.status,
    "volume_id": lambda snapshot: snapshot.volume_id,
    "id": lambda snapshot: snapshot.id,
}
_SORT_KEYS: Final = {
    "created_at": lambda snapshot: snapshot.created_us,
    "name": lambda snapshot: snapshot.name,
    "status": lambda snapshot: snapshot.status,
    "id": lambda snapshot: snapshot.id,
}


async def list_snapshots(request: Request) -> Response:
    """Snapshots in short, and with `/detail` whole."""
    found = ordered(request, filtered(request, all_visible(request, SNAPSHOT), FILTERS), _SORT_KEYS)
    whole = request.path.endswith("/detail")
    return page(request, found, "snapshots", partial(snapshot_view, request, whole=whole))


async def show_snapshot(request: Request) -> Response:
    """One snapshot."""
    return reply({"snapshot": snapshot_view(request, find_snapshot(request).value)})


async def create_snapshot(request: Request) -> Response:
    """Begin to make a snapshot."""
    wanted = body_of(request, "snapshot")
    cloud = request.cloud
    if "volume_id" not in wanted:
        raise invalid("volume_id", None, "'volume_id' is a required property")
    entry = find_volume(request, str(wanted["volume_id"]))
    volume = entry.value
    if "force" in wanted and request.microversion >= (3, 66) and not truth_of(wanted, "force"):
        raise invalid("force", wanted["force"], "Since microversion 3.66 it is invalid here.")
    forced = truth_of(wanted, "force") or request.microversion >= (3, 66)
    if volume.status not in ((AVAILABLE, IN_USE) if forced else (AVAILABLE,)):
        raise Fault(400, f"Invalid volume: Volume {volume.id} status must be available, but current status is: "
                         f"{volume.status}.")  # fmt: skip
    check_room(cloud, volume.project_id, "snapshots", volume.size_gb)
    snapshot = new_snapshot(
        request,
        volume,
        name=text_of(wanted, "name"),
        description=text_of(wanted, "description"),
        metadata=texts_of(wanted.get("metadata"), "metadata"),
    )
    # The volume is written too, so that it cannot be deleted at the same instant.
    await cloud.mirror.commit([Put(SNAPSHOT, snapshot, snapshot.id, 0), Put(VOLUME, volume, volume.id, entry.revision)])
    return reply({"snapshot": snapshot_view(request, snapshot, whole=False)}, 202)


def new_snapshot(request: Request, volume: Any, **facts: Any) -> Snapshot:
    """A snapshot of a volume that begins to be made now."""
    now_us = request.cloud.now_us()
    return Snapshot(
        id=request.cloud.new_id(),
        project_id=volume.project_id,
        user_id=request.caller.user_id,
        volume_id=volume.id,
        size_gb=volume.size_gb,
        status=CREATING,
        status_since_us=now_us,
        created_us=now_us,
        **facts,
    )


async def update_snapshot(request: Request) -> Response:
    """Change name or description."""
    entry = find_snapshot(request)
    wanted = body_of(request, "snapshot")
    changes: dict[str, Any] = {name: text_of(wanted, name) for name in ("name", "description") if name in wanted}
    snapshot = await _write(request, entry, **changes)
    return reply({"snapshot": snapshot_view(request, snapshot, whole=False)})


async def delete_snapshot(request: Request) -> Response:
    """Begin to delete a snapshot."""
    entry = find_snapshot(request)
    if entry.value.status not in (AVAILABLE, ERROR, "error_deleting") or entry.value.group_snapshot_id:
        raise Fault(400, "Invalid snapshot: Snapshot status must be available or error, and it must not belong to a "
                         f"group snapshot: it is {entry.value.status}.")  # fmt: skip
    await _move(request, entry, DELETING)
    return reply(None, 202)


ACTIONS: Final = dict.fromkeys(("os-reset_status", "os-update_snapshot_status", "os-force_delete", "os-unmanage"))


async def act_on_snapshot(request: Request) -> Response:
    """The actions: reset status, report status, force delete, let go of it."""
    entry = find_snapshot(request)
    body = request.json_object()
    name, given = next(iter(body.items()), ("", None))
    wanted = given if isinstance(given, dict) else {}
    if name in _ADMINISTRATORS and not request.caller.is_admin:
        raise Fault(403, f"Policy doesn't allow volume_extension:snapshot_admin_actions:{name[3:]} to be performed.")
    match name:
        case "os-reset_status":
            status = text_of(wanted, "status", needed=True).lower()
            if status not in STATUSES:
                raise invalid("status", status)
            await _write(request, entry, status=status, status_since_us=0)
        case "os-update_snapshot_status":
            await _report(request, entry, wanted)
        case "os-force_delete":
            await _move(request, entry, DELETING)
        case "os-unmanage":
            if entry.value.status not in (AVAILABLE, ERROR):
                raise Fault(400, f"Invalid snapshot: its status is {entry.value.status}: it cannot be unmanaged.")
            gone = entry.value
            await request.cloud.mirror.commit([Delete(SNAPSHOT, gone.id, entry.revision), left_snapshot(gone)])
        case _:
            raise Fault(400, f"There is no such action: {name}")
    return reply(None, 202)


def find_snapshot(request: Request) -> Entry[Snapshot]:
    """The snapshot that the path names, if the caller may see it. Raises Fault 404."""
    key = request.params["snapshot_id"]
    entry: Entry[Snapshot] | None = request.cloud.mirror.get(SNAPSHOT, key)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Snapshot {key} could not be found.")
    return entry


async def _report(request: Request, entry: Entry[Snapshot], wanted: dict[str, Any]) -> None:
    """What a compute service says of a snapshot that it makes or deletes."""
    status = text_of(wanted, "status", needed=True)
    if status not in _REPORTED.get(entry.value.status, ()):
        raise Fault(400, f"Provided snapshot status {status} not allowed for snapshot with status "
                         f"{entry.value.status}.")  # fmt: skip
    changes: dict[str, Any] = {"status": status, "status_since_us": 0}
    if wanted.get("progress") is not None:
        done = str(wanted["progress"])
        if not done.endswith("%") or not 0 <= number_of({"progress": done[:-1]}, "progress") <= 100:
            raise invalid("progress", done)
        changes["progress"] = done
    await _write(request, entry, **changes)


async def _move(request: Request, entry: Entry[Snapshot], status: str) -> None:
    await _write(request, entry, status=status, status_since_us=request.cloud.now_us(), turn=entry.value.turn + 1)


async def _write(request: Request, entry: Entry[Snapshot], **changes: Any) -> Snapshot:
    snapshot = replace(entry.value, updated_us=request.cloud.now_us(), **changes)
    await request.cloud.mirror.commit([Put(SNAPSHOT, snapshot, snapshot.id, entry.revision)])
    return snapshot
