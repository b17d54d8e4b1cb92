"""Volumes, snapshots and types as Cinder shows them."""

from typing import Any

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.volume.listing import PREFIX
from kilonode.cloud.openstack.volume.model import HOST, VOLUME_TYPE, Attachment, Snapshot, Volume, VolumeType
from kilonode.cloud.openstack.web.request import Request


def volume_summary(request: Request, volume: Volume) -> dict[str, Any]:
    """A volume in a short list."""
    return {"id": volume.id, "name": volume.name, "links": links(request, "volumes", volume.id)}


def volume_view(request: Request, volume: Volume) -> dict[str, Any]:
    """A whole volume."""
    kind = request.cloud.mirror.get(VOLUME_TYPE, volume.type_id)
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
        "metadata": volume.metadata,
        "user_id": volume.user_id,
        "bootable": "true" if volume.bootable else "false",
        "encrypted": False,
        "multiattach": volume.multiattach,
        "replication_status": None,
        "consistencygroup_id": None,
        "os-vol-tenant-attr:tenant_id": volume.project_id,
    }
    if volume.image_id:
        view["volume_image_metadata"] = {"image_id": volume.image_id}
    if request.caller.is_admin:
        view |= {
            "os-vol-host-attr:host": HOST,
            "os-vol-mig-status-attr:migstat": None,
            "os-vol-mig-status-attr:name_id": None,
            "migration_status": None,
        }
    if request.microversion >= (3, 13):
        view["group_id"] = None
    if request.microversion >= (3, 48):
        view |= {"shared_targets": False, "service_uuid": None}
    if request.microversion >= (3, 61):
        view["cluster_name"] = None
    if request.microversion >= (3, 63):
        view["volume_type_id"] = volume.type_id
    if request.microversion >= (3, 65):
        view["consumes_quota"] = True
    return view


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
    return {
        "id": attachment.id,
        "volume_id": volume.id,
        "instance": attachment.server_id or None,
        "status": "attached" if volume.status == "in-use" else volume.status,
        "attach_mode": "rw",
        "attached_at": timestamp_with_microseconds(attachment.attached_us),
        "detached_at": None,
        "connection_info": {"attachment_id": attachment.id},
    }


def snapshot_view(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot."""
    return {
        "id": snapshot.id,
        "name": snapshot.name,
        "description": snapshot.description or None,
        "volume_id": snapshot.volume_id,
        "status": snapshot.status,
        "size": snapshot.size_gb,
        "created_at": timestamp_with_microseconds(snapshot.created_us),
        "updated_at": timestamp_with_microseconds(snapshot.updated_us) if snapshot.updated_us else None,
        "metadata": snapshot.metadata,
        "user_id": snapshot.user_id,
        "os-extended-snapshot-attributes:project_id": snapshot.project_id,
        "os-extended-snapshot-attributes:progress": "100%" if snapshot.status == "available" else "0%",
    }


def type_view(kind: VolumeType) -> dict[str, Any]:
    """A volume type."""
    return {
        "id": kind.id,
        "name": kind.name,
        "description": kind.description or None,
        "is_public": kind.public,
        "os-volume-type-access:is_public": kind.public,
        "extra_specs": kind.extra_specs,
        "qos_specs_id": None,
    }


def links(request: Request, collection: str, key: str) -> list[dict[str, str]]:
    """The two links that every resource carries."""
    url = f"{request.cloud.settings.public_url}/volume"
    project = request.params.get("project_id", "")
    return [
        {"rel": "self", "href": f"{request.cloud.settings.public_url}{PREFIX}/{project}/{collection}/{key}"},
        {"rel": "bookmark", "href": f"{url}/{project}/{collection}/{key}"},
    ]
