"""Volume snapshots that a server's node helps with, for volume services whose volumes are files; they ask, not users.

The snapshot itself is the volume service's; here it is checked that the volume is on a server that can help.
"""

from typing import Any

import msgspec

from kilonode.cloud.openstack.compute.model import SERVER, Server
from kilonode.cloud.openstack.volume.model import VOLUME, Attachment
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply


async def create_assisted_snapshot(request: Request) -> Response:
    """Begin a snapshot of a volume that is on a server."""
    wanted = request.json_object().get("snapshot")
    info: Any = wanted.get("create_info") if isinstance(wanted, dict) else None
    if not isinstance(wanted, dict) or not isinstance(info, dict) or info.get("type") != "qcow2":
        raise Fault(400, "Invalid input for field/attribute create_info. Its type is qcow2.")
    if not all(isinstance(info.get(name), str) and info[name] for name in ("snapshot_id", "new_file")):
        raise Fault(400, "Invalid input for field/attribute create_info. It has a snapshot_id and a new_file.")
    volume_id = str(wanted.get("volume_id", ""))
    _server_with(request, volume_id)
    return reply({"snapshot": {"id": info.get("id"), "volumeId": volume_id}})


async def delete_assisted_snapshot(request: Request) -> Response:
    """End a snapshot."""
    try:
        info = msgspec.json.decode(request.query.one("delete_info"), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Fault(400, f"Invalid input for query parameter delete_info: {error}") from error
    _server_with(request, str(info.get("volume_id", "")))
    return reply(None, 204)


def _server_with(request: Request, volume_id: str) -> Server:
    """The one server that has a volume. Raises Fault 400."""
    mirror = request.cloud.mirror
    volume = mirror.get(VOLUME, volume_id)
    attachments: tuple[Attachment, ...] = volume.value.attachments if volume is not None else ()
    if len(attachments) != 1:
        raise Fault(400, f"No volume Block Device Mapping with id {volume_id}, or several.")
    entry = mirror.get(SERVER, attachments[0].server_id)
    if entry is None or not entry.value.node or entry.value.task is not None:
        raise Fault(400, f"Instance {attachments[0].server_id} is not ready")
    server: Server = entry.value
    return server
