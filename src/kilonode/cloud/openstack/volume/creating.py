"""Making volumes: of nothing, an image, a snapshot, another volume or a backup."""

from typing import Any

import msgspec

from kilonode.cloud.openstack.image.model import ACTIVE as IMAGE_ACTIVE
from kilonode.cloud.openstack.image.model import IMAGE, Image, is_visible
from kilonode.cloud.openstack.volume.bodies import TEXT_LIMIT, invalid, texts_of
from kilonode.cloud.openstack.volume.default_types import default_type_of
from kilonode.cloud.openstack.volume.group_model import GROUP, Group
from kilonode.cloud.openstack.volume.model import (
    AVAILABLE,
    BACKUP,
    CREATING,
    IN_USE,
    SNAPSHOT,
    VOLUME,
    VOLUME_TYPE,
    Volume,
    VolumeType,
)
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.volume.views import volume_view
from kilonode.cloud.openstack.volume.volumes import find_volume
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Put

GIBIBYTE = 2**30


class WantedVolume(msgspec.Struct, frozen=True):
    """The `volume` of a create request."""

    size: int | str | None = None
    name: str | None = None
    display_name: str | None = None
    description: str | None = None
    display_description: str | None = None
    volume_type: str | None = None
    availability_zone: str | None = None
    metadata: dict[str, Any] | None = None
    image_ref: str | None = msgspec.field(default=None, name="imageRef")
    image_id: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    backup_id: str | None = None
    group_id: str | None = None
    multiattach: bool | None = None


class CreateVolume(msgspec.Struct, frozen=True):
    """The body of `POST /volumes`."""

    volume: WantedVolume


async def create_volume(request: Request) -> Response:
    """Begin to make a volume."""
    wanted = request.json(CreateVolume).volume
    cloud, caller = request.cloud, request.caller
    sources = [wanted.image_ref or wanted.image_id, wanted.snapshot_id, wanted.source_volid, wanted.backup_id]
    if sum(bool(source) for source in sources) > 1:
        raise Fault(400, "Invalid input received: A volume is made of one source, and several were given.")
    copied, size_gb = _source(request, wanted)
    kind = _type(request, wanted, copied)
    zone = wanted.availability_zone or cloud.settings.zones[0]
    if zone not in cloud.settings.zones:
        raise Fault(400, f"Invalid input received: Availability zone '{zone}' is invalid.")
    check_room(cloud, caller.project_id, "volumes", size_gb, type_name=kind.name)
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
        name=_text(wanted.name or wanted.display_name, "name"),
        description=_text(wanted.description or wanted.display_description, "description"),
        metadata=texts_of(wanted.metadata, "metadata"),
        zone=zone,
        group_id=_group(request, wanted, kind),
        multiattach=kind.multiattach or bool(wanted.multiattach),
        encrypted=kind.encryption is not None,
        **copied,
    )
    await cloud.mirror.commit([Put(VOLUME, volume, volume.id, 0)])
    return reply({"volume": volume_view(request, volume, whole=False)}, 202)


def find_type(request: Request, wanted: str | None) -> VolumeType:
    """The type of this name or id that the caller may use; None: the default one. Raises Fault 404."""
    name = wanted or default_type_of(request.cloud, request.caller.project_id)
    table = request.cloud.mirror.all(VOLUME_TYPE)
    candidates = (
        [table[name].value] if name in table else [one.value for one in table.values() if one.value.name == name]
    )
    for kind in candidates:
        if kind.serves(request.caller.project_id) or request.caller.is_admin:
            found: VolumeType = kind
            return found
    raise Fault(404, f"Volume type with name {name} could not be found.")


def _source(request: Request, wanted: WantedVolume) -> tuple[dict[str, Any], int]:
    """What the volume has of its source, and its size. Raises Fault 400 and 404."""
    mirror = request.cloud.mirror
    copied: dict[str, Any] = {}
    least_gb, what = 0, ""
    if wanted.snapshot_id:
        snapshot = mirror.get(SNAPSHOT, wanted.snapshot_id)
        if snapshot is None or not request.caller.may_see(snapshot.value.project_id):
            raise Fault(404, f"Snapshot {wanted.snapshot_id} could not be found.")
        if snapshot.value.status != AVAILABLE:
            raise Fault(400, "Invalid snapshot: Originating snapshot status must be one of 'available' values")
        copied = {"snapshot_id": wanted.snapshot_id, **_image_of(mirror.get(VOLUME, snapshot.value.volume_id))}
        least_gb, what = snapshot.value.size_gb, "snapshot"
    elif wanted.source_volid:
        source = find_volume(request, wanted.source_volid)
        if source.value.status not in (AVAILABLE, IN_USE):
            raise Fault(400, "Invalid volume: Originating volume status must be one of 'available, in-use' values")
        copied = {"source_id": wanted.source_volid, **_image_of(source)}
        least_gb, what = source.value.size_gb, "source volume"
    elif wanted.backup_id:
        if request.microversion < (3, 47):
            raise invalid("backup_id", wanted.backup_id)
        backup = mirror.get(BACKUP, wanted.backup_id)
        if backup is None or not request.caller.may_see(backup.value.project_id):
            raise Fault(404, f"Backup {wanted.backup_id} could not be found.")
        if backup.value.status != AVAILABLE:
            raise Fault(400, "Invalid backup: Backup status must be available")
        copied = {"backup_id": wanted.backup_id}
        least_gb, what = backup.value.size_gb, "backup"
    elif wanted.image_ref or wanted.image_id:
        image = _image(request, str(wanted.image_ref or wanted.image_id))
        copied = {"image_id": image.id, "bootable": True, "image_metadata": image_facts(image)}
        least_gb, what = max(image.min_disk_gb, -(-(image.size_bytes or 0) // GIBIBYTE)), "image"
    size_gb = _size(wanted.size if wanted.size is not None else (least_gb or None))
    if size_gb < least_gb:
        raise Fault(
            400,
            f"Invalid input received: Volume size '{size_gb}GB' cannot be smaller than the {what} size {least_gb}GB.",
        )
    return copied, size_gb


def image_facts(image: Image) -> dict[str, str]:
    """What a volume keeps of its image: the image's own facts and properties, as texts."""
    facts = {
        "image_name": image.name,
        "checksum": image.checksum,
        "container_format": image.container_format,
        "disk_format": image.disk_format,
        "min_disk": str(image.min_disk_gb),
        "min_ram": str(image.min_ram_mb),
        "size": str(image.size_bytes or 0),
    }
    return {**{name: text for name, text in facts.items() if text is not None}, **image.properties}


def _image_of(source: Any) -> dict[str, Any]:
    if source is None:
        return {}
    volume: Volume = source.value
    return {"image_id": volume.image_id, "bootable": volume.bootable, "image_metadata": volume.image_metadata}


def _image(request: Request, image_id: str) -> Image:
    entry = request.cloud.mirror.get(IMAGE, image_id)
    if entry is None or not is_visible(request.cloud.mirror, request.caller, entry.value):
        raise Fault(400, "Invalid image identifier or unable to access requested image.")
    image: Image = entry.value
    if image.status != IMAGE_ACTIVE:
        raise Fault(400, f"Invalid input received: Image {image_id} is not active.")
    return image


def _type(request: Request, wanted: WantedVolume, copied: dict[str, Any]) -> VolumeType:
    """The type that was asked for, or that of the source. Raises Fault 404."""
    if wanted.volume_type:
        return find_type(request, wanted.volume_type)
    mirror = request.cloud.mirror
    source_id = copied.get("source_id")
    if "snapshot_id" in copied:
        source_id = mirror.all(SNAPSHOT)[copied["snapshot_id"]].value.volume_id
    source = mirror.get(VOLUME, source_id) if source_id else None
    kind = mirror.get(VOLUME_TYPE, source.value.type_id) if source is not None else None
    return kind.value if kind is not None else find_type(request, None)


def _group(request: Request, wanted: WantedVolume, kind: VolumeType) -> str:
    if not wanted.group_id:
        return ""
    if request.microversion < (3, 13):
        raise invalid("group_id", wanted.group_id)
    entry = request.cloud.mirror.get(GROUP, wanted.group_id)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Group {wanted.group_id} could not be found.")
    group: Group = entry.value
    if kind.id not in group.volume_type_ids:
        raise Fault(400, f"Invalid input received: Invalid volume_type provided: {kind.name} (requested type must be "
                         f"supported by this group).")  # fmt: skip
    return group.id


def _size(size: int | str | None) -> int:
    try:
        size_gb = int(size)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        size_gb = 0
    if size_gb < 1:
        raise Fault(400, f"Invalid input received: Volume size '{size}' must be an integer and greater than 0")
    return size_gb


def _text(value: str | None, field: str) -> str:
    if value is not None and len(value) > TEXT_LIMIT:
        raise invalid(field, value, "It is too long.")
    return (value or "").strip()
