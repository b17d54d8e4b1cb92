"""Images as compute showed them before the image service did: to 2.35, their metadata to 2.38."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import timestamp
from kilonode.cloud.openstack.compute.delegated import ask
from kilonode.cloud.openstack.compute.filters import instant_of
from kilonode.cloud.openstack.compute.paging import bookmark, paginate, resource_links
from kilonode.cloud.openstack.compute.quotas import limits_of
from kilonode.cloud.openstack.image.model import COMMUNITY, IMAGE, Image, is_visible
from kilonode.cloud.openstack.image.service import IMAGE_SERVICE
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put

LAST_METADATA: Final = (2, 38)
_STATUSES: Final = {"active": "ACTIVE", "queued": "SAVING", "saving": "SAVING", "deleted": "DELETED", "killed": "ERROR"}
_PROGRESS: Final = {"queued": 25, "saving": 50, "active": 100}


async def list_images(request: Request) -> Response:
    """Names and ids."""
    page = paginate(request, _wanted(request), lambda image: image.id)
    return reply(page.body("images", lambda image: _in_list(request, image)), items=len(page.items))


async def list_images_detail(request: Request) -> Response:
    """Everything about each image."""
    page = paginate(request, _wanted(request), lambda image: image.id)
    return reply(page.body("images", lambda image: _details(request, image)), items=len(page.items))


async def show_image(request: Request) -> Response:
    """One image."""
    return reply({"image": _details(request, _find(request).value)})


async def delete_image(request: Request) -> Response:
    """Delete an image."""
    image = _find(request).value
    await ask(request, IMAGE_SERVICE, "DELETE", f"/images/{image.id}")
    return reply(None, 204)


async def list_metadata(request: Request) -> Response:
    """All properties of an image."""
    return reply({"metadata": _find(request).value.properties})


async def create_metadata(request: Request) -> Response:
    """Add properties."""
    entry = _find(request)
    return await _write(request, entry, {**entry.value.properties, **_body(request, "metadata")})


async def replace_metadata(request: Request) -> Response:
    """Replace all properties."""
    return await _write(request, _find(request), _body(request, "metadata"))


async def show_metadata_item(request: Request) -> Response:
    """One property."""
    key, properties = request.params["key"], _find(request).value.properties
    if key not in properties:
        raise Fault(404, "Metadata item was not found")
    return reply({"meta": {key: properties[key]}})


async def update_metadata_item(request: Request) -> Response:
    """Set one property."""
    entry, key, meta = _find(request), request.params["key"], _body(request, "meta")
    if list(meta) != [key]:
        raise Fault(400, "Request body and URI mismatch")
    await _write(request, entry, {**entry.value.properties, **meta})
    return reply({"meta": meta})


async def delete_metadata_item(request: Request) -> Response:
    """Forget one property."""
    entry, key = _find(request), request.params["key"]
    if key not in entry.value.properties:
        raise Fault(404, f"Invalid metadata key: {key} not found in {entry.value.id}")
    await _write(request, entry, {name: value for name, value in entry.value.properties.items() if name != key})
    return reply(None, 204)


def _wanted(request: Request) -> Iterator[Image]:
    """The images of a list, newest first. Raises Fault 400."""
    query, mirror, caller = request.query, request.cloud.mirror, request.caller
    name, status = query.one("name"), query.one("status").upper()
    server, kind = query.one("server").rstrip("/").rsplit("/", 1)[-1], query.one("type")
    since_us = instant_of(query.one("changes-since")) if query.one("changes-since") else 0
    sizes = {word: query.integer(word) for word in ("minRam", "minDisk")}
    found = sorted((entry.value for entry in mirror.all(IMAGE).values()), key=lambda image: -image.created_us)
    for image in found:
        mine = image.owner == caller.project_id
        if not is_visible(mirror, caller, image) or (image.visibility == COMMUNITY and not mine):
            continue
        if (name and image.name != name) or (status and _status(image) != status) or image.updated_us < since_us:
            continue
        if server and image.properties.get("instance_uuid") != server:
            continue
        if kind and image.properties.get("image_type", "base") != kind:
            continue
        if sizes["minRam"] not in (None, image.min_ram_mb) or sizes["minDisk"] not in (None, image.min_disk_gb):
            continue
        yield image


def _find(request: Request) -> Entry[Image]:
    key = request.params["image_id"]
    entry: Entry[Image] | None = request.cloud.mirror.get(IMAGE, key)
    if entry is None or not is_visible(request.cloud.mirror, request.caller, entry.value):
        raise Fault(404, "Image not found.")
    return entry


def _body(request: Request, name: str) -> dict[str, str]:
    """The properties in a body. Raises Fault 400."""
    wanted = request.json_object().get(name)
    if not isinstance(wanted, dict):
        raise Fault(400, f"Invalid input for field/attribute {name}. It is a required property")
    for key, value in wanted.items():
        if not isinstance(value, str) or not 1 <= len(key) <= 255 or len(value) > 255:
            raise Fault(400, f"Invalid input for field/attribute {name}: keys and values have at most 255 characters.")
    return wanted


async def _write(request: Request, entry: Entry[Image], properties: dict[str, str]) -> Response:
    image, cloud = entry.value, request.cloud
    if image.owner != request.caller.project_id and not request.caller.is_admin:
        raise Fault(403, f"You are not allowed to change image {image.id}.")
    limit = limits_of(cloud, request.caller.project_id)["metadata_items"]
    if 0 <= limit < len(properties):
        raise Fault(403, "Image metadata limit exceeded")
    changed = replace(image, properties=properties, updated_us=cloud.now_us())
    await cloud.mirror.commit([Put(IMAGE, changed, image.id, entry.revision)])
    return reply({"metadata": properties})


def _status(image: Image) -> str:
    return _STATUSES.get(image.status, "UNKNOWN")


def _in_list(request: Request, image: Image) -> dict[str, Any]:
    return {"id": image.id, "name": image.name, "links": _links(request, image)}


def _details(request: Request, image: Image) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": image.id,
        "name": image.name,
        "status": _status(image),
        "progress": _PROGRESS.get(image.status, 0),
        "created": timestamp(image.created_us),
        "updated": timestamp(image.updated_us),
        "minDisk": image.min_disk_gb,
        "minRam": image.min_ram_mb,
        "metadata": image.properties,
        "links": _links(request, image),
        "OS-EXT-IMG-SIZE:size": image.size_bytes or 0,
    }
    server_id = image.properties.get("instance_uuid")
    if server_id:
        view["server"] = {"id": server_id, "links": resource_links(request, "servers", server_id)}
    return view


def _links(request: Request, image: Image) -> list[dict[str, str]]:
    place = f"{request.cloud.settings.public_url}/image/images/{image.id}"
    alternate = {"rel": "alternate", "type": "application/vnd.openstack.image", "href": place}
    return [
        resource_links(request, "images", image.id)[0],
        bookmark(request, "images", image.id)[0],
        alternate,
    ]
