"""Volumes on servers: what compute writes in its own commit when a server takes or gives up a volume.

Compute and this service agree through documents alone: a volume is *attaching* from the commit in which the server took
it, and its controller makes it *in-use*; likewise *detaching*, then *available*.
"""

from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.volume.model import (
    ATTACHING,
    AVAILABLE,
    DELETING,
    DETACHING,
    IN_USE,
    VOLUME,
    Attachment,
    Volume,
)
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.index import Index
from kilonode.control.mirror import Delete, Entry, Put


def find_free_volume(cloud: Cloud, project_id: str, volume_id: str) -> Entry[Volume]:
    """A volume that a server of this project can take. Raises Fault 404 or 400."""
    entry: Entry[Volume] | None = cloud.mirror.get(VOLUME, volume_id)
    if entry is None or entry.value.project_id != project_id:
        raise Fault(404, f"Volume {volume_id} could not be found.")
    if entry.value.status != AVAILABLE and not (entry.value.multiattach and entry.value.status == IN_USE):
        raise Fault(
            400,
            f"Invalid volume: volume '{volume_id}' status must be 'available'. Currently in '{entry.value.status}'",
        )
    return entry


def attach_changes(
    cloud: Cloud, volume: Entry[Volume], server_id: str, host: str, device: str, attachment_id: str
) -> list[Put | Delete]:
    """What to write so that the server has the volume."""
    now_us = cloud.now_us()
    attachment = Attachment(attachment_id, server_id, device, host, now_us)
    taken = replace(
        volume.value,
        status=ATTACHING,
        status_since_us=now_us,
        attachments=(*volume.value.attachments, attachment),
        turn=volume.value.turn + 1,
        updated_us=now_us,
    )
    return [Put(VOLUME, taken, taken.id, volume.revision)]


def detach_changes(cloud: Cloud, volume_id: str, server_id: str, *, delete: bool = False) -> list[Put | Delete]:
    """What to write so that the server no longer has the volume; with `delete`, the volume goes too.

    Nothing when the server does not have it.
    """
    entry: Entry[Volume] | None = cloud.mirror.get(VOLUME, volume_id)
    if entry is None or not any(one.server_id == server_id for one in entry.value.attachments):
        return []
    now_us = cloud.now_us()
    kept = tuple(one for one in entry.value.attachments if one.server_id != server_id)
    status = IN_USE if kept else DELETING if delete else DETACHING
    let_go = replace(
        entry.value,
        status=status,
        status_since_us=now_us,
        attachments=kept,
        turn=entry.value.turn + 1,
        updated_us=now_us,
    )
    return [Put(VOLUME, let_go, let_go.id, entry.revision)]


def volumes_of(cloud: Cloud, server_id: str) -> list[Volume]:
    """The volumes a server has."""
    table = cloud.mirror.all(VOLUME)
    return [table[key].value for key in by_server(cloud).keys(server_id)]


def by_server(cloud: Cloud) -> Index:
    """Volumes by the servers that have them."""
    return cloud.mirror.index(VOLUME, "server", lambda volume: tuple(one.server_id for one in volume.attachments))


def by_attachment(cloud: Cloud) -> Index:
    """Volumes by their attachments."""
    return cloud.mirror.index(VOLUME, "attachment", lambda volume: tuple(one.id for one in volume.attachments))
