"""`/attachments`: how compute services take and give up volumes since microversion 3.27, and what they have.

Kilonode's own compute writes documents instead (`attachments`); these routes are for other callers, and for looking.
"""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.openstack.volume.attachments import by_attachment
from kilonode.cloud.openstack.volume.bodies import body_of, text_of
from kilonode.cloud.openstack.volume.connecting import refuse_while_compute_has_it
from kilonode.cloud.openstack.volume.model import (
    ATTACHING,
    AVAILABLE,
    DETACHING,
    IN_USE,
    RESERVED,
    VOLUME,
    Attachment,
    Volume,
)
from kilonode.cloud.openstack.volume.quotas import by_project
from kilonode.cloud.openstack.volume.views import attachment_view
from kilonode.cloud.openstack.volume.volumes import find_volume, move_volume, write_volume
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry

ATTACHED: Final = "attached"


async def list_attachments(request: Request) -> Response:
    """The attachments of the project's volumes; `instance_id`, `volume_id` and `status` narrow them."""
    query, mirror = request.query, request.cloud.mirror
    server_id, volume_id, status = query.one("instance_id"), query.one("volume_id"), query.one("status")
    table = mirror.all(VOLUME)
    everything = request.caller.is_admin and query.flag("all_tenants")
    keys = table if everything else by_project(request.cloud, VOLUME).keys(request.caller.project_id)
    shown = [
        attachment_view(volume, one)
        for volume in (table[key].value for key in keys)
        if volume_id in ("", volume.id)
        for one in volume.attachments
        if server_id in ("", one.server_id)
    ]
    shown = [one for one in shown if status in ("", one["status"])]
    if request.path.endswith("/attachments"):
        shown = [{name: one[name] for name in ("id", "volume_id", "instance", "status")} for one in shown]
    return reply({"attachments": shown}, items=len(shown))


async def show_attachment(request: Request) -> Response:
    """One attachment."""
    entry, attachment = _find(request)
    return reply({"attachment": attachment_view(entry.value, attachment)})


async def create_attachment(request: Request) -> Response:
    """Reserve a volume for a server; with a connector, begin to attach it."""
    wanted = body_of(request, "attachment")
    cloud = request.cloud
    entry = find_volume(request, text_of(wanted, "volume_uuid", needed=True))
    volume: Volume = entry.value
    if volume.status not in (AVAILABLE, RESERVED) and not (volume.multiattach and volume.status == IN_USE):
        raise Fault(400, f"Invalid volume: Volume {volume.id} status must be available or downloading to reserve, but "
                         f"the current status is {volume.status}.")  # fmt: skip
    if volume.status == RESERVED and volume.attachments and not volume.multiattach:
        raise Fault(400, f"Invalid volume: Volume {volume.id} is reserved already.")
    mode = text_of(wanted, "mode") or "rw"
    if mode not in ("rw", "ro", "null"):
        raise Fault(400, f"Invalid input for field/attribute mode. Value: {mode}.")
    connector = _connector(wanted)
    attachment = Attachment(
        cloud.new_id(),
        text_of(wanted, "instance_uuid"),
        str(connector.get("mountpoint") or ""),
        str(connector.get("host") or ""),
        mode=mode,
        status=ATTACHING if connector else RESERVED,
        connector=connector,
    )
    changed = await write_volume(
        request, entry, status=IN_USE if volume.status == IN_USE else attachment.status, status_since_us=0,
        attachments=(*volume.attachments, attachment),
    )  # fmt: skip
    return reply({"attachment": attachment_view(changed, attachment)})


async def update_attachment(request: Request) -> Response:
    """Say where the volume is connected to."""
    entry, attachment = _find(request)
    connector = _connector(body_of(request, "attachment"))
    if not connector:
        raise Fault(400, "Invalid input received: a connector is needed.")
    connected = replace(
        attachment,
        connector=connector,
        status=ATTACHING,
        host=str(connector.get("host") or ""),
        device=str(connector.get("mountpoint") or ""),
    )
    status = IN_USE if entry.value.status == IN_USE else ATTACHING
    volume = await write_volume(
        request, entry, status=status, status_since_us=0, attachments=_exchanged(entry.value, connected)
    )
    return reply({"attachment": attachment_view(volume, connected)})


async def act_on_attachment(request: Request) -> Response:
    """Say that the volume is attached now."""
    entry, attachment = _find(request)
    if "os-complete" not in request.json_object():
        raise Fault(400, "There is no such action")
    complete = replace(attachment, status=ATTACHED, attached_us=request.cloud.now_us())
    await write_volume(request, entry, status=IN_USE, status_since_us=0, attachments=_exchanged(entry.value, complete))
    return reply(None, 204)


async def delete_attachment(request: Request) -> Response:
    """Give the volume up; answers with the attachments that are left."""
    entry, attachment = _find(request)
    refuse_while_compute_has_it(request, entry.value, attachment)
    kept = tuple(one for one in entry.value.attachments if one.id != attachment.id)
    volume = await move_volume(request, entry, IN_USE if kept else DETACHING, attachments=kept)
    return reply({"attachments": [attachment_view(volume, one) for one in kept]})


def _find(request: Request) -> tuple[Entry[Volume], Attachment]:
    key = request.params["attachment_id"]
    table = request.cloud.mirror.all(VOLUME)
    for volume_id in by_attachment(request.cloud).keys(key):
        entry = table[volume_id]
        if request.caller.may_see(entry.value.project_id):
            return entry, next(one for one in entry.value.attachments if one.id == key)
    raise Fault(404, f"Volume attachment could not be found with filter: attachment_id = {key}.")


def _connector(wanted: dict[str, Any]) -> dict[str, Any]:
    connector = wanted.get("connector")
    return connector if isinstance(connector, dict) else {}


def _exchanged(volume: Volume, attachment: Attachment) -> tuple[Attachment, ...]:
    return tuple(attachment if one.id == attachment.id else one for one in volume.attachments)
