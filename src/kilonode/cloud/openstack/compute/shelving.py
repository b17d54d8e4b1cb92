"""Shelve, offload, unshelve: a server is put aside as an image, and later runs again where there is room."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.openstack.compute.acting import (
    ACCEPTED,
    check_state,
    give_task,
    only_words,
    write,
)
from kilonode.cloud.openstack.compute.changes import begin
from kilonode.cloud.openstack.compute.lookup import check_zone, find_node
from kilonode.cloud.openstack.compute.model import NewImage, Server
from kilonode.cloud.openstack.compute.server_images import new_image
from kilonode.cloud.openstack.compute.servers import new_action
from kilonode.cloud.openstack.compute.states import (
    ACTIVE,
    PAUSED,
    SHELVED,
    SHELVED_OFFLOADED,
    SHELVING,
    SHELVING_OFFLOADING,
    STOPPED,
    SUSPENDED,
    UNSHELVING,
)
from kilonode.cloud.openstack.image.model import IMAGE
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put

ZONE_SINCE: Final = (2, 77)
HOST_SINCE: Final = (2, 91)
_SHELVE_STATES: Final = frozenset({ACTIVE, STOPPED, PAUSED, SUSPENDED})
_UNSHELVE_STATES: Final = frozenset({SHELVED, SHELVED_OFFLOADED})


async def shelve(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Put the server aside. One that boots from a volume needs no image and leaves its node at once."""
    server, cloud = entry.value, request.cloud
    check_state(request, server, "shelve", _SHELVE_STATES)
    action = new_action(request, "shelve")
    if not server.image_id:
        aside = replace(begin(server, SHELVING_OFFLOADING, action), shelved_us=cloud.now_us())
        await write(request, entry, aside)
        return reply(None, ACCEPTED)
    image = new_image(cloud, server, server.project_id, f"{server.name}-shelved", "snapshot", {})
    aside = replace(
        begin(server, SHELVING, action),
        new_image=NewImage(image.id),
        shelved_image_id=image.id,
        shelved_us=cloud.now_us(),
    )
    await write(request, entry, aside, Put(IMAGE, image, image.id, 0))
    return reply(None, ACCEPTED)


async def shelve_offload(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Have a shelved server leave its node."""
    return await give_task(request, entry, "shelveOffload", SHELVING_OFFLOADING, frozenset({SHELVED}))


async def unshelve(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Have a shelved server run again: on its node while it still has one, else where there is room."""
    server = entry.value
    wanted = arguments if arguments is not None and request.microversion >= ZONE_SINCE else {}
    if not isinstance(wanted, dict) or (arguments == {} and request.microversion >= ZONE_SINCE):
        raise Fault(400, f"Invalid input for field/attribute unshelve. Value: {arguments}.")
    only_words(wanted, "availability_zone", *(("host",) if request.microversion >= HOST_SINCE else ()))
    check_state(request, server, "unshelve", _UNSHELVE_STATES)
    zone, host = server.zone, ""
    if "availability_zone" in wanted:
        if wanted["availability_zone"] is None and request.microversion < HOST_SINCE:
            raise Fault(400, "Invalid input for field/attribute availability_zone. Value: None.")
        zone = str(wanted["availability_zone"] or "")
        check_zone(request, zone)
    if wanted and server.state != SHELVED_OFFLOADED:
        words = "The server status must be SHELVED_OFFLOADED to unshelve it to an availability zone or host."
        raise Fault(409, words)
    if "host" in wanted:
        if not request.caller.is_admin:
            raise Fault(403, "Policy doesn't allow os_compute_api:os-shelve:unshelve_to_host to be performed.")
        host = find_node(request, str(wanted["host"]), status=400).name
    again = replace(begin(server, UNSHELVING, new_action(request, "unshelve")), zone=zone, wanted_node=host)
    await write(request, entry, again)
    return reply(None, ACCEPTED)
