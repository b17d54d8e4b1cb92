"""Volumes, snapshots, backups and types as Cinder shows them, by microversion."""

from typing import Any, Final

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.volume.listing import PREFIX
from kilonode.cloud.openstack.volume.model import VOLUME_TYPE, Attachment, Backup, Snapshot, Volume, VolumeType
from kilonode.cloud.openstack.web.request import Request

KNOWN_TO_ALL: Final = ("multiattach", "replication_enabled", "RESKEY:availability_zones")
"""The extra specs that users see too."""


def volume_summary(request: Request, volume: Volume) -> dict[str, Any]:
    """A volume in a short list."""
    return summary(request, "volumes", volume.id, volume.name)


def volume_view(request: Request, volume: Volume, *, whole: bool = True) -> dict[str, Any]:
    """A volume; not `whole`, as it is shown when it was made or changed."""
    mirror, caller, version = request.cloud.mirror, request.caller, request.microversion
    kind = mirror.get(VOLUME_TYPE, volume.type_id)
    view = {
        **volume_summary(request, volume),
        "status": volume.status,
        "size": volume.size_gb,
        "description": volume.description or None,
        "availability_zone": volume.zone,
        "created_at": timestamp_with_microseconds(volume.created_us),
        "updated_at": timestamp_with_microseconds(volume.updated_us) if volume.updated_us else None,
        "attachments": [attachment_in_volume(volume, one) for one in volume.attachments],
        "volume_type": kind.value.name if kind is not None else None,
        "snapshot_id": volume.snapshot_id or None,
        "source_volid": volume.source_id or None,
        "metadata": volume_metadata(volume),
        "user_id": volume.user_id,
        "bootable": "true" if volume.bootable else "false",
        "encrypted": volume.encrypted,
        "multiattach": volume.multiattach,
        "replication_status": None,
        "consistencygroup_id": None,
    }
    if caller.is_admin:
        view["migration_status"] = volume.migration_status or None
    if whole:
        view["os-vol-tenant-attr:tenant_id"] = volume.project_id
        if volume.image_id or volume.image_metadata:
            view["volume_image_metadata"] = image_metadata(volume)
        if caller.is_admin:
            view |= {
                "os-vol-host-attr:host": volume.host,
                "os-vol-mig-status-attr:migstat": volume.migration_status or None,
                "os-vol-mig-status-attr:name_id": None,
            }
    if version >= (3, 13):
        view["group_id"] = volume.group_id or None
    if version >= (3, 21) and caller.is_admin:
        view["provider_id"] = None
    if version >= (3, 48):
        view |= {"shared_targets": None if version >= (3, 69) else False, "service_uuid": None}
    if version >= (3, 61) and caller.is_admin:
        view["cluster_name"] = None
    if version >= (3, 63):
        view["volume_type_id"] = volume.type_id
    if version >= (3, 64) and volume.encrypted:
        view["encryption_key_id"] = volume.id
    if version >= (3, 65):
        view["consumes_quota"] = True
    return view


def volume_metadata(volume: Volume) -> dict[str, str]:
    """A volume's metadata; a flag of its own stands among them, as with Cinder."""
    return {**volume.metadata, "readonly": volume.readonly} if volume.readonly else volume.metadata


def image_metadata(volume: Volume) -> dict[str, str]:
    """What a volume has of its image."""
    return {"image_id": volume.image_id, **volume.image_metadata} if volume.image_id else volume.image_metadata


def attachment_in_volume(volume: Volume, attachment: Attachment) -> dict[str, Any]:
    """An attachment as part of its volume."""
    return {
        "id": volume.id,
        "attachment_id": attachment.id,
        "volume_id": volume.id,
        "server_id": attachment.server_id,
        "host_name": attachment.host or None,
        "device": attachment.device,
        "attached_at": timestamp_with_microseconds(attachment.attached_us),
    }


def attachment_view(volume: Volume, attachment: Attachment) -> dict[str, Any]:
    """An attachment of its own."""
    attached = {"in-use": "attached"}.get(volume.status, volume.status)
    connected = bool(attachment.connector) or not attachment.status
    return {
        "id": attachment.id,
        "volume_id": volume.id,
        "instance": attachment.server_id or None,
        "status": attachment.status or attached,
        "attach_mode": attachment.mode,
        "attached_at": timestamp_with_microseconds(attachment.attached_us) if attachment.attached_us else None,
        "detached_at": None,
        "connection_info": {"attachment_id": attachment.id, **attachment.connector} if connected else {},
    }


def snapshot_view(request: Request, snapshot: Snapshot, *, whole: bool = True) -> dict[str, Any]:
    """A snapshot; not `whole`, as in a short list and when it was made or changed."""
    view = {
        "id": snapshot.id,
        "name": snapshot.name,
        "description": snapshot.description or None,
        "volume_id": snapshot.volume_id,
        "status": snapshot.status,
        "size": snapshot.size_gb,
        "created_at": timestamp_with_microseconds(snapshot.created_us),
        "updated_at": timestamp_with_microseconds(snapshot.updated_us) if snapshot.updated_us else None,
        "metadata": snapshot.metadata,
    }
    if request.microversion >= (3, 14) and whole:
        view["group_snapshot_id"] = snapshot.group_snapshot_id or None
    if request.microversion >= (3, 41):
        view["user_id"] = snapshot.user_id
    if request.microversion >= (3, 65):
        view["consumes_quota"] = True
    if whole:
        done = "100%" if snapshot.status == "available" else "0%"
        view["os-extended-snapshot-attributes:project_id"] = snapshot.project_id
        view["os-extended-snapshot-attributes:progress"] = snapshot.progress or done
    return view


def type_view(request: Request, kind: VolumeType, *, whole: bool = True) -> dict[str, Any]:
    """A volume type; what administrators made it of is for them alone, but for the specs that everybody may know."""
    view: dict[str, Any] = {
        "id": kind.id,
        "name": kind.name,
        "description": kind.description or None,
        "is_public": kind.public,
    }
    if request.caller.is_admin:
        view["extra_specs"] = kind.extra_specs
        if whole:
            view["qos_specs_id"] = kind.qos_specs_id or None
    else:
        view["extra_specs"] = {name: kind.extra_specs[name] for name in KNOWN_TO_ALL if name in kind.extra_specs}
    return view


def backup_view(request: Request, backup: Backup, *, dependent: bool) -> dict[str, Any]:
    """A whole backup; `dependent`: whether others add to it."""
    view = {
        **summary(request, "backups", backup.id, backup.name),
        "status": backup.status,
        "size": backup.size_gb,
        "object_count": 22 * backup.size_gb,
        "availability_zone": backup.zone,
        "container": backup.container or "volumebackups",
        "created_at": timestamp_with_microseconds(backup.created_us),
        "updated_at": timestamp_with_microseconds(backup.updated_us) if backup.updated_us else None,
        "description": backup.description or None,
        "fail_reason": None,
        "volume_id": backup.volume_id,
        "is_incremental": bool(backup.parent_id),
        "has_dependent_backups": dependent,
        "snapshot_id": backup.snapshot_id or None,
        "data_timestamp": timestamp_with_microseconds(backup.data_us),
    }
    if request.microversion >= (3, 18) and request.caller.is_admin:
        view["os-backup-project-attr:project_id"] = backup.project_id
    if request.microversion >= (3, 43):
        view["metadata"] = backup.metadata
    if request.microversion >= (3, 56):
        view["user_id"] = backup.user_id
    if request.microversion >= (3, 64):
        view["encryption_key_id"] = None
    return view


def summary(request: Request, collection: str, key: str, name: str) -> dict[str, Any]:
    """What a short list says of anything."""
    return {"id": key, "name": name, "links": links(request, collection, key)}


def links(request: Request, collection: str, key: str) -> list[dict[str, str]]:
    """The two links that every resource carries."""
    url = f"{request.cloud.settings.public_url}/volume"
    project = request.params.get("project_id", "")
    return [
        {"rel": "self", "href": f"{request.cloud.settings.public_url}{PREFIX}/{project}/{collection}/{key}"},
        {"rel": "bookmark", "href": f"{url}/{project}/{collection}/{key}"},
    ]
