"""Rebuild and rescue: a server starts again from an image, for good or for a repair."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.openstack.compute import neighbours
from kilonode.cloud.openstack.compute.acting import (
    ACCEPTED,
    check_state,
    give_task,
    object_of,
    only_words,
    password,
    required_text,
    write,
)
from kilonode.cloud.openstack.compute.bodies import access_address, check_files, check_metadata, disk_config
from kilonode.cloud.openstack.compute.changes import begin
from kilonode.cloud.openstack.compute.model import KEYPAIR, Server, keypair_key
from kilonode.cloud.openstack.compute.servers import new_action
from kilonode.cloud.openstack.compute.states import ACTIVE, ERROR, RESCUED, RESCUING, STOPPED, UNRESCUING
from kilonode.cloud.openstack.compute.views import REBUILT, server_details
from kilonode.cloud.openstack.image.model import IMAGE, is_visible
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry

REBUILD_STATES: Final = frozenset({ACTIVE, STOPPED, ERROR})
RESCUE_STATES: Final = frozenset({ACTIVE, STOPPED, ERROR})
VOLUME_RESCUE_SINCE: Final = (2, 87)
VOLUME_REBUILD_SINCE: Final = (2, 93)


async def rebuild(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Start the server anew from an image; it keeps its node, addresses and volumes."""
    wanted = object_of(arguments, "rebuild")
    image_id, version = wanted.get("imageRef"), request.microversion
    if not isinstance(image_id, str) or not image_id:
        raise Fault(400, "Invalid input for field/attribute rebuild. 'imageRef' is a required property")
    server = entry.value
    check_state(request, server, "rebuild", REBUILD_STATES)
    on_volume = not server.image_id
    if on_volume and version < VOLUME_REBUILD_SINCE and image_id != _root_image(request, server):
        raise Fault(400, "Unable to rebuild with a different image for a volume-backed server.")
    neighbours.check_image(request.cloud, request.caller, image_id, server.flavor, boots_from_volume=on_volume)
    admin_password = password(request, wanted.get("adminPass"))
    rebuilt = begin(server, "rebuilding", new_action(request, "rebuild"))
    rebuilt = replace(rebuilt, image_id="" if on_volume else image_id)
    if "name" in wanted:
        rebuilt = replace(rebuilt, name=required_text(wanted, "name").strip())
    check_files(request, wanted.get("personality") or [])
    if "metadata" in wanted:
        metadata = object_of(wanted["metadata"], "metadata")
        check_metadata(request, metadata)
        rebuilt = replace(rebuilt, metadata=metadata)
    for word, field, family in (("accessIPv4", "access_ipv4", 4), ("accessIPv6", "access_ipv6", 6)):
        if word in wanted:
            rebuilt = replace(rebuilt, **{field: access_address(word, wanted[word], family)})
    if "OS-DCF:diskConfig" in wanted:
        rebuilt = replace(rebuilt, disk_config=disk_config(wanted["OS-DCF:diskConfig"]))
    if "description" in wanted and version >= (2, 19):
        rebuilt = replace(rebuilt, description=wanted["description"])
    if "key_name" in wanted and version >= (2, 54):
        rebuilt = replace(rebuilt, key_name=_key(request, wanted["key_name"]))
    if "user_data" in wanted and version >= (2, 57):
        rebuilt = replace(rebuilt, user_data=wanted["user_data"])
    if "trusted_image_certificates" in wanted and version >= (2, 63):
        rebuilt = replace(rebuilt, trusted_certificates=tuple(wanted["trusted_image_certificates"] or ()))
    if "hostname" in wanted and version >= (2, 90):
        rebuilt = replace(rebuilt, hostname=required_text(wanted, "hostname"))
    await write(request, entry, rebuilt)
    view = server_details(request, rebuilt, REBUILT)
    view["adminPass"] = admin_password
    place = f"{request.cloud.settings.public_url}/compute/v2.1/servers/{server.id}"
    return reply({"server": view}, ACCEPTED, (("location", place),))


async def rescue(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Start the server from a rescue image, its own disk beside it."""
    wanted = arguments if isinstance(arguments, dict) else {}
    only_words(wanted, "adminPass", "rescue_image_ref")
    server, image_id = entry.value, wanted.get("rescue_image_ref")
    if image_id is not None:
        found = request.cloud.mirror.get(IMAGE, str(image_id))
        if found is None or not is_visible(request.cloud.mirror, request.caller, found.value):
            raise Fault(400, f"Image {image_id} could not be found.")
    admin_password = password(request, wanted.get("adminPass"))
    check_state(request, server, "rescue", RESCUE_STATES)
    if not server.image_id and request.microversion < VOLUME_RESCUE_SINCE:
        raise Fault(
            400,
            f"Instance {server.id} cannot be rescued: Cannot rescue a volume-backed instance",
        )
    await write(request, entry, begin(server, RESCUING, new_action(request, "rescue")))
    return reply({"adminPass": admin_password})


async def unrescue(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Start the server from its own disk again."""
    return await give_task(request, entry, "unrescue", UNRESCUING, frozenset({RESCUED}))


def _root_image(request: Request, server: Server) -> str:
    """The image that a server's root volume was made of."""
    return neighbours.root_image(request.cloud, server)


def _key(request: Request, name: Any) -> str | None:
    if name is None:
        return None
    if request.cloud.mirror.get(KEYPAIR, keypair_key(request.caller.user_id, str(name))) is None:
        raise Fault(400, "Invalid key_name provided.")
    return str(name)
