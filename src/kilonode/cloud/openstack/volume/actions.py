"""`POST /volumes/{id}/action`: what moves a volume between statuses, and what administrators set by hand."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.compute.model import SERVER
from kilonode.cloud.openstack.compute.servers import instant_action, new_action
from kilonode.cloud.openstack.image.model import COMMUNITY, IMAGE, PRIVATE, PUBLIC, QUEUED, SHARED, Image
from kilonode.cloud.openstack.volume.bodies import invalid, number_of, text_of, texts_of, truth_of
from kilonode.cloud.openstack.volume.connecting import (
    begin_detaching,
    connect,
    detach_by_hand,
    disconnect,
    give_back,
    reserve,
    roll_detaching,
    take_by_hand,
)
from kilonode.cloud.openstack.volume.creating import find_type
from kilonode.cloud.openstack.volume.managing import left_volume
from kilonode.cloud.openstack.volume.model import (
    AVAILABLE,
    BACKEND_HOST,
    DELETING,
    ERROR,
    EXTENDING,
    HOST,
    IN_USE,
    RETYPING,
    REVERTING,
    SNAPSHOT,
    UPLOADING,
    VOLUME,
    VOLUME_TYPE,
    Volume,
)
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.volume.views import image_metadata
from kilonode.cloud.openstack.volume.volumes import (
    find_volume,
    move_volume,
    moved_volume,
    snapshots_by_volume,
    write_volume,
)
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

Action = Callable[[Request, Entry[Volume], dict[str, Any]], Awaitable[Response | None]]
"""Does it, and answers if there is more to say than 202."""

STATUSES: Final = frozenset(
    {"creating", "available", "deleting", "error", "error_deleting", "in-use", "attaching", "detaching", "maintenance",
     "reserved", "error_extending", "error_restoring", "uploading", "retyping"}
)  # fmt: skip
"""What an administrator may set."""
_VISIBILITIES: Final = (PUBLIC, COMMUNITY, SHARED, PRIVATE)


async def act_on_volume(request: Request) -> Response:
    """Do the one action that the body names."""
    entry = find_volume(request)
    body = request.json_object()
    if len(body) != 1:
        raise Fault(400, "Invalid request body: exactly one action is wanted")
    name, given = next(iter(body.items()))
    if name not in ACTIONS:
        raise Fault(400, f"There is no such action: {name}")
    if name in FOR_ADMINISTRATORS and not request.caller.is_admin:
        raise Fault(403, f"Policy doesn't allow volume_extension:volume_admin_actions:{name[3:]} to be performed.")
    answer = await ACTIONS[name](request, entry, given if isinstance(given, dict) else {})
    return reply(None, 202) if answer is None else answer


async def _extend(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    volume = entry.value
    size_gb = number_of(wanted, "new_size")
    if volume.status != AVAILABLE and not (volume.status == IN_USE and request.microversion >= (3, 42)):
        raise Fault(400, f"Invalid volume: Volume {volume.id} status must be '{{'available'}}' to extend.")
    if size_gb <= volume.size_gb:
        raise Fault(
            400,
            f"Invalid input received: New size for extend must be greater than current size. "
            f"(current: {volume.size_gb}, extended: {size_gb}).",
        )
    kind = request.cloud.mirror.get(VOLUME_TYPE, volume.type_id)
    type_name = kind.value.name if kind is not None else ""
    check_room(
        request.cloud, volume.project_id, "volumes", size_gb - volume.size_gb, more=0, size_gb=size_gb,
        type_name=type_name,
    )  # fmt: skip
    moved = moved_volume(
        volume, EXTENDING, request.cloud.now_us(), wanted_size_gb=size_gb, previous_status=volume.status
    )
    await request.cloud.mirror.commit([Put(VOLUME, moved, moved.id, entry.revision), *_told_servers(request, volume)])


def _told_servers(request: Request, volume: Volume) -> list[Put]:
    """What to write so that the servers that have the volume show that it was extended."""
    servers = [request.cloud.mirror.get(SERVER, one.server_id) for one in volume.attachments]
    action = new_action(request, "extend_volume")
    return [
        Put(SERVER, instant_action(server.value, action), server.value.id, server.revision)
        for server in servers
        if server is not None
    ]


async def _reset_status(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    status = text_of(wanted, "status")
    if not status and not wanted.get("attach_status") and "migration_status" not in wanted:
        raise Fault(400, "Must specify 'status', 'attach_status' or 'migration_status' for update.")
    changes: dict[str, Any] = {}
    if status:
        if status.lower() not in STATUSES:
            raise invalid("status", status)
        changes |= {"status": status.lower(), "status_since_us": 0, "turn": entry.value.turn + 1}
    if wanted.get("attach_status") == "detached":
        changes["attachments"] = ()
    if "migration_status" in wanted:
        migration = text_of(wanted, "migration_status")
        changes["migration_status"] = "" if migration == "none" else migration
    await write_volume(request, entry, **changes)


async def _force_delete(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    if snapshots_by_volume(request.cloud.mirror).count(entry.value.id):
        raise Fault(400, "Invalid volume: Volume still has one or more dependent snapshots.")
    await move_volume(request, entry, DELETING, attachments=())


async def _set_bootable(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> Response:
    if "bootable" not in wanted:
        raise invalid("bootable", None)
    await write_volume(request, entry, bootable=truth_of(wanted, "bootable"))
    return reply(None, 200)


async def _set_readonly(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    if "readonly" not in wanted:
        raise invalid("readonly", None)
    if entry.value.status != AVAILABLE:
        raise Fault(400, f"Invalid volume: Volume {entry.value.id} status must be available to update readonly flag, "
                         f"but current status is: {entry.value.status}.")  # fmt: skip
    await write_volume(request, entry, readonly=str(truth_of(wanted, "readonly")))


async def _retype(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    volume = entry.value
    kind = find_type(request, text_of(wanted, "new_type", needed=True))
    if text_of(wanted, "migration_policy") not in ("", "never", "on-demand"):
        raise invalid("migration_policy", wanted["migration_policy"])
    if volume.status not in (AVAILABLE, IN_USE):
        raise Fault(400, f"Invalid volume: Unable to retype: volume status is {volume.status}.")
    if kind.id == volume.type_id:
        raise Fault(400, "Invalid input received: New volume_type same as original: " + kind.name)
    await move_volume(request, entry, RETYPING, wanted_type_id=kind.id, previous_status=volume.status)


async def _migrate(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    host = text_of(wanted, "host")
    if host and host.partition("#")[0] != BACKEND_HOST:
        raise Fault(400, f"Invalid host: No available service named '{host}'")
    if not host or entry.value.host == HOST:
        raise Fault(400, "Invalid input received: Destination host must be different from the current host.")
    await write_volume(request, entry, host=HOST, migration_status="success")


async def _revert(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    volume, mirror = entry.value, request.cloud.mirror
    if request.microversion < (3, 40):
        raise Fault(400, "There is no such action: revert")
    key = text_of(wanted, "snapshot_id", needed=True)
    snapshot = mirror.get(SNAPSHOT, key)
    if snapshot is None or not request.caller.may_see(snapshot.value.project_id):
        raise Fault(404, f"Snapshot {key} could not be found.")
    newest = max(
        (mirror.all(SNAPSHOT)[one].value for one in snapshots_by_volume(mirror).keys(volume.id)),
        key=lambda one: (one.created_us, one.id),
        default=None,
    )
    if newest is None or newest.id != key:
        raise Fault(400, f"Invalid snapshot: Specified snapshot {key} is not the latest one of volume {volume.id}.")
    if volume.status not in (AVAILABLE, IN_USE):
        raise Fault(409, f"Volume {volume.id} is not available to be reverted: its status is {volume.status}.")
    await move_volume(request, entry, REVERTING, previous_status=volume.status)


async def _upload(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> Response:
    """Make an image of the volume: queued at once, active when the upload ends."""
    volume, cloud = entry.value, request.cloud
    name = text_of(wanted, "image_name", needed=True)
    if volume.status != AVAILABLE and not (volume.status == IN_USE and truth_of(wanted, "force")):
        raise Fault(400, f"Invalid volume: Volume {volume.id} status must be available, but current status is: "
                         f"{volume.status}.")  # fmt: skip
    visibility = text_of(wanted, "visibility") or PRIVATE
    if visibility not in _VISIBILITIES:
        raise invalid("visibility", visibility)
    now_us = cloud.now_us()
    container, disk = text_of(wanted, "container_format") or "bare", text_of(wanted, "disk_format") or "raw"
    known = ("image_name", "checksum", "container_format", "disk_format", "min_disk", "min_ram", "size")
    image = Image(
        id=cloud.new_id(),
        owner=request.caller.project_id,
        created_us=now_us,
        updated_us=now_us,
        name=name,
        status=QUEUED,
        visibility=visibility,
        protected=truth_of(wanted, "protected"),
        disk_format=disk,
        container_format=container,
        properties={key: text for key, text in volume.image_metadata.items() if key not in known},
    )
    moved = moved_volume(volume, UPLOADING, now_us, upload_image_id=image.id, previous_status=volume.status)
    await cloud.mirror.commit([Put(VOLUME, moved, moved.id, entry.revision), Put(IMAGE, image, image.id, 0)])
    kind = cloud.mirror.get(VOLUME_TYPE, volume.type_id)
    shown: dict[str, Any] = {
        "id": volume.id,
        "updated_at": timestamp_with_microseconds(moved.updated_us),
        "status": UPLOADING,
        "display_description": volume.description or None,
        "size": volume.size_gb,
        "volume_type": None if kind is None else {"id": kind.value.id, "name": kind.value.name},
        "image_id": image.id,
        "container_format": container,
        "disk_format": disk,
        "image_name": name,
    }
    if request.microversion >= (3, 1):
        shown |= {"visibility": visibility, "protected": image.protected}
    return reply({"os-volume_upload_image": shown}, 202)


async def _set_image_metadata(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> Response:
    kept = {**entry.value.image_metadata, **texts_of(wanted.get("metadata"), "metadata")}
    volume = await write_volume(request, entry, image_metadata=kept)
    return reply({"metadata": image_metadata(volume)})


async def _unset_image_metadata(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> Response:
    key = text_of(wanted, "key", needed=True)
    if key not in entry.value.image_metadata:
        raise Fault(404, "Metadata does not exist.")
    kept = {name: text for name, text in entry.value.image_metadata.items() if name != key}
    await write_volume(request, entry, image_metadata=kept)
    return reply(None, 200)


async def _show_image_metadata(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> Response:
    return reply({"metadata": image_metadata(entry.value)})


async def _unmanage(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    """Forget the volume; its data stays on the backend, from where it can be managed again."""
    if entry.value.status not in (AVAILABLE, ERROR) or entry.value.attachments:
        raise Fault(400, f"Invalid volume: Volume status is {entry.value.status}: it cannot be unmanaged.")
    if snapshots_by_volume(request.cloud.mirror).count(entry.value.id):
        raise Fault(400, "Invalid volume: Volume still has one or more dependent snapshots.")
    await request.cloud.mirror.commit([Delete(VOLUME, entry.value.id, entry.revision), left_volume(entry.value)])


ACTIONS: Final[dict[str, Action]] = {
    "os-extend": _extend,
    "os-reset_status": _reset_status,
    "os-force_delete": _force_delete,
    "os-set_bootable": _set_bootable,
    "os-update_readonly_flag": _set_readonly,
    "os-retype": _retype,
    "os-migrate_volume": _migrate,
    "os-unmanage": _unmanage,
    "revert": _revert,
    "os-volume_upload_image": _upload,
    "os-set_image_metadata": _set_image_metadata,
    "os-unset_image_metadata": _unset_image_metadata,
    "os-show_image_metadata": _show_image_metadata,
    "os-attach": take_by_hand,
    "os-detach": detach_by_hand,
    "os-force_detach": detach_by_hand,
    "os-reserve": reserve,
    "os-unreserve": give_back,
    "os-begin_detaching": begin_detaching,
    "os-roll_detaching": roll_detaching,
    "os-initialize_connection": connect,
    "os-terminate_connection": disconnect,
}
FOR_ADMINISTRATORS: Final = frozenset(
    {"os-reset_status", "os-force_delete", "os-force_detach", "os-migrate_volume", "os-unmanage"}
)
