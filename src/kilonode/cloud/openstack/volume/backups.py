"""`/backups`: copies of volumes that outlive them. Nothing is copied: a backup is a document with a size."""

import base64
import binascii
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.volume.bodies import body_of, invalid, text_of, texts_of, truth_of
from kilonode.cloud.openstack.volume.listing import all_visible, filtered, ordered, page
from kilonode.cloud.openstack.volume.model import (
    AVAILABLE,
    BACKING_UP,
    BACKUP,
    CREATING,
    DEFAULT_TYPE_NAME,
    DELETING,
    ERROR,
    IN_USE,
    RESTORING,
    RESTORING_BACKUP,
    SNAPSHOT,
    VOLUME,
    VOLUME_TYPE,
    Backup,
    Volume,
)
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.volume.views import backup_view, summary
from kilonode.cloud.openstack.volume.volumes import find_volume, moved_volume
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.index import Index
from kilonode.control.mirror import Entry, Mirror, Put

SERVICE: Final = "cinder.backup.drivers.swift.SwiftBackupDriver"
_STATUSES: Final = frozenset({AVAILABLE, ERROR, CREATING, DELETING, RESTORING, "error_deleting"})
FILTERS: Final = {
    "name": lambda backup: backup.name,
    "status": lambda backup: backup.status,
    "volume_id": lambda backup: backup.volume_id,
}
_SORT_KEYS: Final = {
    "created_at": lambda backup: backup.created_us,
    "name": lambda backup: backup.name,
    "status": lambda backup: backup.status,
    "id": lambda backup: backup.id,
}


async def list_backups(request: Request) -> Response:
    """Backups in short."""
    return page(request, _chosen(request), "backups", partial(_short, request))


async def list_backups_detail(request: Request) -> Response:
    """Backups whole."""
    return page(request, _chosen(request), "backups", partial(_whole, request))


async def show_backup(request: Request) -> Response:
    """One backup."""
    return reply({"backup": _whole(request, find_backup(request).value)})


async def create_backup(request: Request) -> Response:
    """Begin to back a volume up; `incremental` adds to its newest backup."""
    wanted = body_of(request, "backup")
    cloud = request.cloud
    entry = find_volume(request, text_of(wanted, "volume_id", needed=True))
    volume = entry.value
    snapshot_id = text_of(wanted, "snapshot_id")
    force = truth_of(wanted, "force")
    now_us = cloud.now_us()
    data_us = now_us
    if snapshot_id:
        snapshot = cloud.mirror.get(SNAPSHOT, snapshot_id)
        if snapshot is None or snapshot.value.volume_id != volume.id:
            raise Fault(404, f"Snapshot {snapshot_id} could not be found.")
        data_us = snapshot.value.created_us
    elif volume.status != AVAILABLE and not (volume.status == IN_USE and force):
        raise Fault(400, f"Invalid volume: Volume to be backed up must be available or in-use, but the current status "
                         f'is "{volume.status}".')  # fmt: skip
    parent_id = _parent(cloud.mirror, volume) if truth_of(wanted, "incremental") else ""
    check_room(cloud, volume.project_id, "backups", volume.size_gb, gigabytes_noun="backup_gigabytes")
    backup = Backup(
        id=cloud.new_id(),
        project_id=volume.project_id,
        user_id=request.caller.user_id,
        volume_id=volume.id,
        size_gb=volume.size_gb,
        status=CREATING,
        status_since_us=now_us,
        created_us=now_us,
        name=text_of(wanted, "name"),
        description=text_of(wanted, "description"),
        container=text_of(wanted, "container"),
        snapshot_id=snapshot_id,
        parent_id=parent_id,
        metadata=texts_of(wanted.get("metadata"), "metadata"),
        zone=text_of(wanted, "availability_zone") or volume.zone,
        data_us=data_us,
        volume_metadata=volume.metadata,
    )
    busy = volume if snapshot_id else moved_volume(volume, BACKING_UP, now_us, previous_status=volume.status)
    await cloud.mirror.commit([Put(BACKUP, backup, backup.id, 0), Put(VOLUME, busy, busy.id, entry.revision)])
    return reply({"backup": _made(request, backup)}, 202)


async def update_backup(request: Request) -> Response:
    """Change name, description or metadata."""
    entry = find_backup(request)
    wanted = body_of(request, "backup")
    if not wanted:
        raise Fault(400, "Missing required element 'backup' in request body.")
    changes: dict[str, Any] = {name: text_of(wanted, name) for name in ("name", "description") if name in wanted}
    if wanted.get("metadata") is not None:
        changes["metadata"] = texts_of(wanted["metadata"], "metadata")
    backup = await _write(request, entry, **changes)
    return reply({"backup": _made(request, backup)})


async def delete_backup(request: Request) -> Response:
    """Begin to delete a backup that no other adds to."""
    entry = find_backup(request)
    _refuse_needed(request, entry.value)
    if entry.value.status not in (AVAILABLE, ERROR):
        raise Fault(400, "Invalid backup: Backup status must be available or error")
    await _move(request, entry, DELETING)
    return reply(None, 202)


ACTIONS: Final = dict.fromkeys(("os-reset_status", "os-force_delete"))


async def act_on_backup(request: Request) -> Response:
    """What administrators may do by hand: set the status, delete by force."""
    entry = find_backup(request)
    name, given = next(iter(request.json_object().items()), ("", None))
    wanted = given if isinstance(given, dict) else {}
    if name == "os-reset_status":
        status = text_of(wanted, "status", needed=True).lower()
        if status not in _STATUSES:
            raise invalid("status", status)
        await _write(request, entry, status=status, status_since_us=0)
    elif name == "os-force_delete":
        _refuse_needed(request, entry.value)
        await _move(request, entry, DELETING)
    else:
        raise Fault(400, f"There is no such action: {name}")
    return reply(None, 202)


async def restore_backup(request: Request) -> Response:
    """Begin to restore a backup to a volume: the one that is named, or a new one."""
    entry = find_backup(request)
    backup, cloud = entry.value, request.cloud
    wanted = body_of(request, "restore")
    if backup.status != AVAILABLE:
        raise Fault(400, "Invalid backup: Backup status must be available")
    now_us = cloud.now_us()
    volume_id = text_of(wanted, "volume_id")
    if volume_id:
        target = find_volume(request, volume_id)
        if target.value.status != AVAILABLE:
            raise Fault(400, "Invalid volume: Volume to be restored to must be available")
        if target.value.size_gb < backup.size_gb:
            raise Fault(400, f"Invalid volume: volume size {target.value.size_gb} is too small to restore backup of "
                             f"size {backup.size_gb}.")  # fmt: skip
        volume = moved_volume(target.value, RESTORING_BACKUP, now_us, backup_id=backup.id)
        change = Put(VOLUME, volume, volume.id, target.revision)
    else:
        volume = _new_volume(request, backup, text_of(wanted, "name") or f"restore_backup_{backup.id}", now_us)
        change = Put(VOLUME, volume, volume.id, 0)
    busy = replace(backup, status=RESTORING, status_since_us=now_us, turn=backup.turn + 1, updated_us=now_us)
    await cloud.mirror.commit([change, Put(BACKUP, busy, busy.id, entry.revision)])
    return reply({"restore": {"backup_id": backup.id, "volume_id": volume.id, "volume_name": volume.name}}, 202)


async def export_backup(request: Request) -> Response:
    """What another installation needs to know of the backup."""
    backup = find_backup(request).value
    if backup.status != AVAILABLE:
        raise Fault(400, f"Invalid backup: Backup status must be available and not {backup.status}.")
    url = base64.b64encode(msgspec.json.encode(backup)).decode()
    return reply({"backup-record": {"backup_service": SERVICE, "backup_url": url}})


async def import_backup(request: Request) -> Response:
    """A backup from what `export_backup` said of it. The id stays: the same backup is not imported beside itself."""
    wanted = body_of(request, "backup-record")
    text_of(wanted, "backup_service", needed=True)
    try:
        data = base64.b64decode(text_of(wanted, "backup_url", needed=True, limit=65_535), validate=True)
        found = msgspec.json.decode(data, type=Backup)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise Fault(400, "Invalid input received: Can't parse backup record.") from error
    cloud = request.cloud
    if cloud.mirror.get(BACKUP, found.id) is not None:
        raise Fault(400, f"Invalid backup: Backup already exists in database: {found.id}")
    now_us = cloud.now_us()
    backup = replace(
        found,
        project_id=request.caller.project_id,
        user_id=request.caller.user_id,
        status=CREATING,
        status_since_us=now_us,
        parent_id="",
    )
    await cloud.mirror.commit([Put(BACKUP, backup, backup.id, 0)])
    return reply({"backup": _short(request, backup)}, 201)


def find_backup(request: Request) -> Entry[Backup]:
    """The backup that the path names, if the caller may see it. Raises Fault 404."""
    key = request.params["backup_id"]
    entry: Entry[Backup] | None = request.cloud.mirror.get(BACKUP, key)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Backup {key} could not be found.")
    return entry


def backups_by_parent(mirror: Mirror) -> Index:
    """The backups that add to a backup."""
    return mirror.index(BACKUP, "parent", lambda backup: backup.parent_id or None)


def _parent(mirror: Mirror, volume: Volume) -> str:
    backups = (mirror.all(BACKUP)[key].value for key in mirror.index(BACKUP, "volume", _volume_id).keys(volume.id))
    whole = [backup for backup in backups if backup.status == AVAILABLE]
    if not whole:
        raise Fault(400, "Invalid backup: No backups available to do an incremental backup.")
    return str(max(whole, key=lambda backup: backup.data_us).id)


def _volume_id(backup: Backup) -> str:
    return backup.volume_id


def _new_volume(request: Request, backup: Backup, name: str, now_us: int) -> Volume:
    cloud = request.cloud
    check_room(cloud, request.caller.project_id, "volumes", backup.size_gb)
    types = cloud.mirror.all(VOLUME_TYPE)
    default = [key for key, entry in types.items() if entry.value.name == DEFAULT_TYPE_NAME]
    return Volume(
        id=cloud.new_id(),
        project_id=request.caller.project_id,
        user_id=request.caller.user_id,
        size_gb=backup.size_gb,
        status=RESTORING_BACKUP,
        status_since_us=now_us,
        created_us=now_us,
        type_id=next(iter(default or types), ""),
        name=name,
        description=f"auto-created_from_restore_from_backup_{backup.id}",
        zone=backup.zone,
        backup_id=backup.id,
        metadata=backup.volume_metadata,
    )


def _refuse_needed(request: Request, backup: Backup) -> None:
    if backups_by_parent(request.cloud.mirror).count(backup.id):
        raise Fault(400, "Invalid backup: Incremental backups exist for this backup.")


def _chosen(request: Request) -> list[Backup]:
    return ordered(request, filtered(request, all_visible(request, BACKUP), FILTERS), _SORT_KEYS)


def _short(request: Request, backup: Backup) -> dict[str, Any]:
    return summary(request, "backups", backup.id, backup.name)


def _made(request: Request, backup: Backup) -> dict[str, Any]:
    more = {"metadata": backup.metadata} if request.microversion >= (3, 43) else {}
    return {**_short(request, backup), **more}


def _whole(request: Request, backup: Backup) -> dict[str, Any]:
    dependent = backups_by_parent(request.cloud.mirror).count(backup.id) > 0
    return backup_view(request, backup, dependent=dependent)


async def _move(request: Request, entry: Entry[Backup], status: str) -> None:
    await _write(request, entry, status=status, status_since_us=request.cloud.now_us(), turn=entry.value.turn + 1)


async def _write(request: Request, entry: Entry[Backup], **changes: Any) -> Backup:
    backup = replace(entry.value, updated_us=request.cloud.now_us(), **changes)
    await request.cloud.mirror.commit([Put(BACKUP, backup, backup.id, entry.revision)])
    return backup
