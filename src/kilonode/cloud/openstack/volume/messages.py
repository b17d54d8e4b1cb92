"""`/messages`: what a user is told about something that failed after its request was answered."""

from typing import Any, Final

from kilonode.cloud.context import Cloud, timestamp_with_microseconds
from kilonode.cloud.openstack.volume.listing import all_visible, filtered, ordered, page
from kilonode.cloud.openstack.volume.model import MESSAGE, Message, Volume
from kilonode.cloud.openstack.volume.views import links
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

KEPT_US: Final = 30 * 24 * 3600 * 1_000_000
NO_BACKEND: Final = ("VOLUME_VOLUME_001_002", "schedule allocate volume:Could not find any available weighted backend.")
NOT_MADE: Final = ("VOLUME_VOLUME_003_001", "create volume:An unknown error occurred.")
FILTERS: Final = {
    "resource_type": lambda message: message.resource_type,
    "resource_uuid": lambda message: message.resource_id,
    "event_id": lambda message: message.event_id,
    "request_id": lambda message: message.request_id,
}
_SORT_KEYS: Final = {
    "created_at": lambda message: message.created_us,
    "guaranteed_until": lambda message: message.guaranteed_until_us,
    "event_id": lambda message: message.event_id,
    "id": lambda message: message.id,
}


def about_volume(cloud: Cloud, volume: Volume, event: tuple[str, str]) -> Put:
    """What to write so that the owner of a volume is told."""
    now_us = cloud.now_us()
    message = Message(
        cloud.new_id(), volume.project_id, f"req-{volume.id}", "VOLUME", volume.id, *event, now_us, now_us + KEPT_US
    )
    return Put(MESSAGE, message, message.id, 0)


async def list_messages(request: Request) -> Response:
    """The project's messages."""
    now_us = request.cloud.now_us()
    kept = [message for message in all_visible(request, MESSAGE) if message.guaranteed_until_us > now_us]
    found = ordered(request, filtered(request, kept, FILTERS), _SORT_KEYS)
    return page(request, found, "messages", lambda message: _view(request, message))


async def show_message(request: Request) -> Response:
    """One message."""
    return reply({"message": _view(request, _find(request).value)})


async def delete_message(request: Request) -> Response:
    """Forget a message."""
    entry = _find(request)
    await request.cloud.mirror.commit([Delete(MESSAGE, entry.value.id, entry.revision)])
    return reply(None, 204)


def _find(request: Request) -> Entry[Message]:
    key = request.params["message_id"]
    entry: Entry[Message] | None = request.cloud.mirror.get(MESSAGE, key)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Message {key} could not be found.")
    return entry


def _view(request: Request, message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "event_id": message.event_id,
        "user_message": message.text,
        "message_level": "ERROR",
        "created_at": timestamp_with_microseconds(message.created_us),
        "guaranteed_until": timestamp_with_microseconds(message.guaranteed_until_us),
        "request_id": message.request_id,
        "resource_type": message.resource_type,
        "resource_uuid": message.resource_id,
        "links": links(request, "messages", message.id),
    }
