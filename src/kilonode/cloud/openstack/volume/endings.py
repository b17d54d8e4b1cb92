"""What is written when a status of the volume service ends: the document at rest, and what goes with it."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.image.model import ACTIVE, IMAGE, Image
from kilonode.cloud.openstack.volume.backend import has_room_for
from kilonode.cloud.openstack.volume.messages import NO_BACKEND, NOT_MADE, about_volume
from kilonode.cloud.openstack.volume.model import (
    ATTACHING,
    AVAILABLE,
    BACKING_UP,
    BACKUP,
    CREATING,
    DELETED,
    ERROR,
    EXTENDING,
    IN_USE,
    RESTORING,
    RESTORING_BACKUP,
    RETYPING,
    UPLOADING,
    VOLUME,
    VOLUME_TYPE,
    Volume,
)
from kilonode.control.mirror import Delete, Entry, Put

GIBIBYTE: Final = 2**30
_ERRORS: Final = {
    EXTENDING: "error_extending",
    RESTORING_BACKUP: "error_restoring",
    ATTACHING: "error_attaching",
    BACKING_UP: "error_backing-up",
}
"""What follows a status that failed, where that is not `error`."""

Changes = list[Put | Delete]


def ended(cloud: Cloud, kind: str, entry: Entry[Any], following: str) -> Changes:
    """The changes when a status has ended well; `following` is what its stage says comes next."""
    value = entry.value
    if following == DELETED:
        return [Delete(kind, value.id, entry.revision)]
    if kind != VOLUME:
        return [Put(kind, _at_rest(cloud, value, following), value.id, entry.revision)]
    if value.status == CREATING and not _can_be_had(cloud, value):
        return [
            Put(VOLUME, _at_rest(cloud, value, ERROR), value.id, entry.revision),
            about_volume(cloud, value, NO_BACKEND),
        ]
    return _volume_ended(cloud, entry, following)


def failed(cloud: Cloud, kind: str, entry: Entry[Any]) -> Changes:
    """The changes when a status has ended badly."""
    value = entry.value
    status = _ERRORS.get(value.status, ERROR) if kind == VOLUME else ERROR
    facts = {"previous_status": "", "backup_id": ""} if kind == VOLUME else {}
    changes: Changes = [Put(kind, _at_rest(cloud, value, status, **facts), value.id, entry.revision)]
    if kind == VOLUME and value.status == CREATING:
        changes.append(about_volume(cloud, value, NOT_MADE))
    if kind == VOLUME and value.backup_id:
        changes += _backup_restored(cloud, value.backup_id)
    return changes


def _volume_ended(cloud: Cloud, entry: Entry[Volume], following: str) -> Changes:
    volume = entry.value
    more: Changes = []
    facts: dict[str, Any] = {"previous_status": ""}
    status = volume.previous_status or (following or AVAILABLE)
    if volume.status == EXTENDING:
        facts |= {"size_gb": volume.wanted_size_gb, "wanted_size_gb": 0}
        if volume.attachments:
            status = IN_USE
    elif volume.status == RETYPING:
        facts |= {"type_id": volume.wanted_type_id, "wanted_type_id": ""}
        kind = cloud.mirror.get(VOLUME_TYPE, volume.wanted_type_id)
        if kind is not None:
            facts |= {"multiattach": kind.value.multiattach, "encrypted": kind.value.encryption is not None}
    elif volume.status == UPLOADING:
        more = _image_uploaded(cloud, volume)
        facts["upload_image_id"] = ""
    elif volume.status == RESTORING_BACKUP:
        more = _backup_restored(cloud, volume.backup_id)
        facts["backup_id"] = ""
    elif volume.status == BACKING_UP:
        status = volume.previous_status or AVAILABLE
    return [Put(VOLUME, _at_rest(cloud, volume, status, **facts), volume.id, entry.revision), *more]


def _image_uploaded(cloud: Cloud, volume: Volume) -> Changes:
    """The image of an uploaded volume is active; its data is made up when it is read, so it has no checksum yet."""
    entry = cloud.mirror.get(IMAGE, volume.upload_image_id)
    if entry is None:
        return []
    image: Image = replace(
        entry.value, status=ACTIVE, size_bytes=volume.size_gb * GIBIBYTE, made_up=True, updated_us=cloud.now_us()
    )
    return [Put(IMAGE, image, image.id, entry.revision)]


def _backup_restored(cloud: Cloud, backup_id: str) -> Changes:
    entry = cloud.mirror.get(BACKUP, backup_id)
    if entry is None or entry.value.status != RESTORING:
        return []
    return [Put(BACKUP, _at_rest(cloud, entry.value, AVAILABLE), backup_id, entry.revision)]


def _can_be_had(cloud: Cloud, volume: Volume) -> bool:
    kind = cloud.mirror.get(VOLUME_TYPE, volume.type_id)
    return kind is None or has_room_for(kind.value.extra_specs)


def _at_rest(cloud: Cloud, value: Any, status: str, **facts: Any) -> Any:
    now_us = cloud.now_us()
    return replace(
        value, status=status or AVAILABLE, status_since_us=now_us, turn=value.turn + 1, updated_us=now_us, **facts
    )
