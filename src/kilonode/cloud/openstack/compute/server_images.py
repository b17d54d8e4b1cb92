"""The images that are made of servers: what compute writes of the image service's documents while it makes one.

Each call gives changes for the caller's own commit, so an image and the server it is made of always agree. The data is
made up when it is read. Reading the request is `imaging`, when each step ends is `lifecycle`.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.openstack.compute.model import Server
from kilonode.cloud.openstack.image.model import ACTIVE, IMAGE, PRIVATE, QUEUED, SAVING, Image
from kilonode.control.mirror import Delete, Entry, Put

GIBIBYTE: Final = 2**30
_PART_OF_DISK: Final = 4
"""An image is this part of the disk it was made of: disks are rarely full."""
_NOT_INHERITED: Final = frozenset({"cache_in_nova", "bittorrent"})


def new_image(cloud: Cloud, server: Server, owner: str, name: str, kind: str, properties: Mapping[str, str]) -> Image:
    """The image that a server's disk will be, still without data. `kind`: snapshot or backup."""
    now_us = cloud.now_us()
    base: Entry[Image] | None = cloud.mirror.get(IMAGE, server.image_id) if server.image_id else None
    inherited = base.value.properties if base is not None else {}
    own = {
        "base_image_ref": server.image_id,
        "instance_uuid": server.id,
        "image_type": kind,
        "user_id": server.user_id,
    }
    return Image(
        id=cloud.new_id(),
        owner=owner,
        created_us=now_us,
        updated_us=now_us,
        name=name,
        status=QUEUED,
        visibility=PRIVATE,
        disk_format=base.value.disk_format if base is not None else "qcow2",
        container_format="bare",
        min_disk_gb=server.flavor.disk_gb,
        min_ram_mb=base.value.min_ram_mb if base is not None else 0,
        properties={
            **{key: value for key, value in inherited.items() if key not in _NOT_INHERITED},
            **{key: value for key, value in own.items() if value},
            **properties,
        },
    )


def begin_saving(cloud: Cloud, server: Server) -> Changes:
    """The image takes data. Nothing when it was deleted meanwhile."""
    entry = _image(cloud, server)
    if entry is None:
        return ()
    saving = replace(entry.value, status=SAVING, updated_us=cloud.now_us())
    return (Put(IMAGE, saving, saving.id, entry.revision),)


def finish(cloud: Cloud, server: Server) -> Changes:
    """The image is whole; of backups the oldest go, down to the rotation."""
    entry = _image(cloud, server)
    if entry is None or server.new_image is None:
        return ()
    image = replace(
        entry.value,
        status=ACTIVE,
        updated_us=cloud.now_us(),
        size_bytes=max(1, server.flavor.disk_gb) * GIBIBYTE // _PART_OF_DISK,
        made_up=True,
    )
    changes: list[Put | Delete] = [Put(IMAGE, image, image.id, entry.revision)]
    if server.new_image.backup_type:
        kept = server.new_image.rotation - 1  # the one just made is the newest
        older = _backups(cloud, server, server.new_image.backup_type, but=image.id)
        changes += [Delete(IMAGE, one.id) for one in older[: max(0, len(older) - kept)]]
    return changes


def discard(cloud: Cloud, image_id: str) -> Changes:
    """The image goes, if it is there: a server that is taken from the shelf or deleted has no more use for it."""
    return (Delete(IMAGE, image_id),) if image_id and cloud.mirror.get(IMAGE, image_id) is not None else ()


def _image(cloud: Cloud, server: Server) -> Entry[Image] | None:
    if server.new_image is None:
        return None
    entry: Entry[Image] | None = cloud.mirror.get(IMAGE, server.new_image.image_id)
    return entry


def _backups(cloud: Cloud, server: Server, backup_type: str, *, but: str) -> list[Image]:
    """The server's whole backups of a type, oldest first."""
    found = [
        entry.value
        for entry in cloud.mirror.all(IMAGE).values()
        if entry.value.properties.get("instance_uuid") == server.id
        and entry.value.properties.get("backup_type") == backup_type
        and entry.value.status == ACTIVE
        and entry.value.id != but
    ]
    return sorted(found, key=lambda image: image.created_us)
