"""Images of servers: `createImage` and `createBackup`."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.openstack.compute.acting import (
    ACCEPTED,
    check_state,
    object_of,
    only_words,
    required_text,
    write,
)
from kilonode.cloud.openstack.compute.changes import begin
from kilonode.cloud.openstack.compute.model import NewImage, Server
from kilonode.cloud.openstack.compute.quotas import limits_of
from kilonode.cloud.openstack.compute.server_images import new_image
from kilonode.cloud.openstack.compute.servers import check_unlocked, new_action
from kilonode.cloud.openstack.compute.states import (
    ACTIVE,
    IMAGE_BACKUP,
    IMAGE_SNAPSHOT,
    PAUSED,
    STOPPED,
    SUSPENDED,
)
from kilonode.cloud.openstack.image.model import IMAGE, Image
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put

IMAGE_STATES: Final = frozenset({ACTIVE, STOPPED, PAUSED, SUSPENDED})
ID_IN_BODY_SINCE: Final = (2, 45)


async def create_image(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Make an image of the server's disk."""
    wanted = object_of(arguments, "createImage")
    only_words(wanted, "name", "metadata")
    name = required_text(wanted, "name")
    metadata = _metadata(request, wanted)
    server = entry.value
    check_state(request, server, "createImage", IMAGE_STATES, despite_lock=True)
    image = new_image(request.cloud, server, request.caller.project_id, name, "snapshot", metadata)
    return await _begin(request, entry, IMAGE_SNAPSHOT, "createImage", image, NewImage(image.id))


async def create_backup(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Make a backup, of which only the newest are kept."""
    wanted = object_of(arguments, "createBackup")
    only_words(wanted, "name", "backup_type", "rotation", "metadata")
    name, kind = required_text(wanted, "name"), required_text(wanted, "backup_type")
    rotation = str(wanted.get("rotation", ""))
    if not rotation.isdigit() or len(rotation) > 9:
        raise Fault(400, f"Invalid input for field/attribute rotation. Value: {rotation}. It is a number from 0.")
    metadata = _metadata(request, wanted)
    server = entry.value
    check_unlocked(request, server)
    check_state(request, server, "createBackup", IMAGE_STATES)
    if not server.image_id:
        raise Fault(400, "Backup is not supported for volume-backed instances.")
    properties = {**metadata, "backup_type": kind}
    image = new_image(request.cloud, server, request.caller.project_id, name, "backup", properties)
    making = NewImage(image.id, kind, int(rotation))
    if not making.rotation:
        # Nova makes the image, and the rotation takes it away at once: nothing stays.
        return reply(None, ACCEPTED)
    return await _begin(request, entry, IMAGE_BACKUP, "createBackup", image, making)


async def _begin(
    request: Request, entry: Entry[Server], task: str, word: str, image: Image, making: NewImage
) -> Response:
    server = replace(begin(entry.value, task, new_action(request, word)), new_image=making)
    await write(request, entry, server, Put(IMAGE, image, image.id, 0))
    if request.microversion >= ID_IN_BODY_SINCE:
        return reply({"image_id": image.id}, ACCEPTED)
    place = f"{request.cloud.settings.public_url}/compute/images/{image.id}"
    return reply(None, ACCEPTED, (("location", place),))


def _metadata(request: Request, wanted: dict[str, Any]) -> dict[str, str]:
    metadata = wanted.get("metadata", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Fault(400, "Invalid input for field/attribute metadata. It is an object of texts.")
    limit = limits_of(request.cloud, request.caller.project_id)["metadata_items"]
    if 0 <= limit < len(metadata):
        raise Fault(403, "Quota exceeded, too many metadata items.")
    if any(not 1 <= len(key) <= 255 or len(value) > 255 for key, value in metadata.items()):
        raise Fault(400, "Invalid input for field/attribute metadata: keys and values have at most 255 characters.")
    return metadata
