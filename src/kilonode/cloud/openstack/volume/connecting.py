"""The older actions by which compute services took and gave up volumes, for whoever still calls them by hand.

Kilonode's own compute writes documents instead (`attachments`). A volume that a server has through compute is given
up through compute alone.
"""

from typing import Any, Final

from kilonode.cloud.openstack.compute.model import SERVER
from kilonode.cloud.openstack.volume.bodies import text_of
from kilonode.cloud.openstack.volume.model import (
    ATTACHING,
    AVAILABLE,
    DETACHING,
    ERROR,
    IN_USE,
    RESERVED,
    Attachment,
    Volume,
)
from kilonode.cloud.openstack.volume.volumes import move_volume, write_volume
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry

_TAKEABLE: Final = (AVAILABLE, ATTACHING, RESERVED)


async def reserve(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    """Say that the volume will be attached; it stays so until it is, or is given back."""
    _require(entry.value, (AVAILABLE,), "reserve")
    await write_volume(request, entry, status=ATTACHING, status_since_us=0)


async def give_back(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    """Say that the volume will not be attached after all."""
    if entry.value.status == ATTACHING:
        status = IN_USE if entry.value.attachments else AVAILABLE
        await write_volume(request, entry, status=status, status_since_us=0)


async def begin_detaching(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    """Say that the volume will be detached; it stays so until it is, or is rolled back."""
    _require(entry.value, (IN_USE,), "begin detaching")
    await write_volume(request, entry, status=DETACHING, status_since_us=0)


async def roll_detaching(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    """Say that the volume will not be detached after all."""
    if entry.value.status == DETACHING:
        await write_volume(request, entry, status=IN_USE, status_since_us=0)


async def take_by_hand(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    """Attach the volume to a server or host."""
    volume = entry.value
    server_id, host = text_of(wanted, "instance_uuid"), text_of(wanted, "host_name")
    if not server_id and not host:
        raise Fault(400, "Invalid request to attach volume to an instance and/or a host.")
    mode = text_of(wanted, "mode") or "rw"
    if mode not in ("rw", "ro"):
        raise Fault(
            400, "Invalid request to attach volume with an invalid mode. Attaching mode should be 'rw' or 'ro'."
        )
    if not (volume.multiattach and volume.status == IN_USE):
        _require(volume, _TAKEABLE, "attach")
    cloud = request.cloud
    attachment = Attachment(
        cloud.new_id(), server_id, text_of(wanted, "mountpoint", needed=True), host, cloud.now_us(), mode
    )
    await move_volume(request, entry, ATTACHING, attachments=(*volume.attachments, attachment))


async def detach_by_hand(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    """Detach the volume: the attachment that is named, or all. Nothing happens when there is none."""
    volume = entry.value
    key = text_of(wanted, "attachment_id")
    gone = [one for one in volume.attachments if key in ("", one.id)]
    if key and not gone and volume.attachments:
        raise Fault(404, f"Volume attachment could not be found with filter: attachment_id = {key}.")
    for one in gone:
        refuse_while_compute_has_it(request, volume, one)
    if not gone and volume.status not in (DETACHING, ERROR):
        return
    kept = tuple(one for one in volume.attachments if one not in gone)
    await move_volume(request, entry, IN_USE if kept else DETACHING, attachments=kept)


async def connect(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> Response:
    """Where a host finds the volume."""
    if not isinstance(wanted.get("connector"), dict):
        raise Fault(400, "Must specify 'connector'.")
    data = {
        "target_discovered": False,
        "target_portal": "127.0.0.1:3260",
        "target_iqn": f"iqn.2010-10.org.openstack:volume-{entry.value.id}",
        "target_lun": 0,
        "volume_id": entry.value.id,
        "access_mode": "ro" if entry.value.readonly == "True" else "rw",
    }
    return reply({"connection_info": {"driver_volume_type": "iscsi", "data": data}})


async def disconnect(request: Request, entry: Entry[Volume], wanted: dict[str, Any]) -> None:
    """A host no longer looks for the volume: nothing was kept of it."""
    if not isinstance(wanted.get("connector"), dict):
        raise Fault(400, "Must specify 'connector'.")


def refuse_while_compute_has_it(request: Request, volume: Volume, attachment: Attachment) -> None:
    """What compute has attached, compute detaches. Raises Fault 409."""
    server = request.cloud.mirror.get(SERVER, attachment.server_id)
    if server is not None and any(device.volume_id == volume.id for device in server.value.devices):
        raise Fault(409, f"Detach volume from instance {attachment.server_id} using the Compute API")


def _require(volume: Volume, statuses: tuple[str, ...], what: str) -> None:
    if volume.status not in statuses:
        raise Fault(
            400, f"Invalid volume: Unable to {what} volume {volume.id}. Its status must be {' or '.join(statuses)}, "
                 f"but is {volume.status}."
        )  # fmt: skip
