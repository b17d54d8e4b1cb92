"""Finding the image that a request names, or the fault that Glance gives when the caller may not know of it."""

from kilonode.cloud.openstack.image.model import IMAGE, Image, is_visible
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.control.mirror import Entry


def find_image(request: Request) -> Entry[Image]:
    """The image that the path names, if the caller may see it. Raises Fault 404."""
    key = request.params["image_id"]
    entry: Entry[Image] | None = request.cloud.mirror.get(IMAGE, key)
    if entry is None or not is_visible(request.cloud.mirror, request.caller, entry.value):
        raise Fault(404, f"No image found with ID {key}")
    return entry


def find_own_image(request: Request, action: str) -> Entry[Image]:
    """The image that the path names, if the caller may change it. Raises Fault 404 or 403."""
    entry = find_image(request)
    if not request.caller.may_see(entry.value.owner):
        raise Fault(403, f"You are not permitted to {action} this image.")
    return entry
