"""`/images`: the operations on images and their data."""

import uuid
from typing import Final

import msgspec

from kilonode.cloud.openstack.image.data import ImageData, StoredData, TooMuchDataError, read_made_up
from kilonode.cloud.openstack.image.importing import IMPORT_METHODS
from kilonode.cloud.openstack.image.lookup import find_image, find_own_image
from kilonode.cloud.openstack.image.model import (
    ACTIVE,
    DEACTIVATED,
    IMAGE,
    IMAGE_MEMBER,
    IMAGE_TASK,
    QUEUED,
    SAVING,
    Image,
    members_by_image,
    tasks_by_image,
)
from kilonode.cloud.openstack.image.views import STORE, page, show, sort, tests, visible_images
from kilonode.cloud.openstack.image.wishes import patched, read_operations, with_fields
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import matching
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put
from kilonode.store.protocol import ConflictError

WRITES_TRIED: Final = 10
_OCTETS: Final = b"application/octet-stream"


async def list_images(request: Request) -> Response:
    """`GET /images`."""
    images = matching(visible_images(request), tests(request))
    sort(request, images)
    found, next_path = page(request, images)
    query = request.query.changed() if "marker" not in request.query else ""
    body = {
        "images": [show(image) for image in found],
        "first": "/v2/images" + (f"?{query}" if query else ""),
        "schema": "/v2/schemas/images",
    }
    if next_path:
        body["next"] = next_path
    return reply(body, items=len(found))


async def create_image(request: Request) -> Response:
    """`POST /images`: an image without data."""
    cloud = request.cloud
    wanted = request.json_object()
    image_id = str(wanted.pop("id", None) or cloud.new_id())
    try:
        image_id = str(uuid.UUID(image_id))
    except ValueError as error:
        raise Fault(400, f"Invalid image id format: {image_id}") from error
    if cloud.mirror.get(IMAGE, image_id) is not None:
        raise Fault(409, f"Image ID {image_id} already exists!")
    now_us = cloud.now_us()
    image = Image(image_id, request.caller.project_id, now_us, now_us)
    image = with_fields(request.caller, image, wanted)
    await cloud.mirror.commit([Put(IMAGE, image, image.id, 0)])
    location = f"{cloud.settings.public_url}/image/v2/images/{image.id}"
    methods = ("openstack-image-import-methods", ",".join(IMPORT_METHODS))
    return reply(show(image), 201, (("location", location), methods, ("openstack-image-store-ids", STORE)))


async def show_image(request: Request) -> Response:
    """`GET /images/{image_id}`."""
    return reply(show(find_image(request).value))


async def update_image(request: Request) -> Response:
    """`PATCH /images/{image_id}`, by a JSON patch."""
    entry = find_own_image(request, "modify")
    image = patched(request.caller, entry.value, read_operations(request))
    image = msgspec.structs.replace(image, updated_us=request.cloud.now_us())
    await request.cloud.mirror.commit([Put(IMAGE, image, image.id, entry.revision)])
    return reply(show(image))


async def delete_image(request: Request) -> Response:
    """`DELETE /images/{image_id}`, with its data: not a protected one."""
    entry = find_own_image(request, "delete")
    image, cloud = entry.value, request.cloud
    if image.protected:
        raise Fault(403, f"Image {image.id} is protected and cannot be deleted.")
    members = members_by_image(cloud.mirror).keys(image.id)
    tasks = tasks_by_image(cloud.mirror).keys(image.id)
    await cloud.mirror.commit(
        [
            Delete(IMAGE, image.id, entry.revision),
            *(Delete(IMAGE_MEMBER, key) for key in members),
            *(Delete(IMAGE_TASK, key) for key in tasks),
        ]
    )
    cloud.part(ImageData).remove(image.id)
    return reply(None, 204)


async def upload_image(request: Request) -> Response:
    """`PUT /images/{image_id}/file`: store the data as it comes; the image is active when it is whole."""
    entry = find_own_image(request, "upload data for")
    cloud = request.cloud
    image: Image = entry.value
    if image.status != QUEUED:
        raise Fault(409, f"Image status transition from {image.status} to saving is not allowed")
    if not image.disk_format or not image.container_format:
        raise Fault(400, "Properties disk_format, container_format must be set prior to saving data.")
    assert request.stream is not None  # noqa: S101 - the route streams
    try:
        await cloud.mirror.commit([Put(IMAGE, msgspec.structs.replace(image, status=SAVING), image.id, entry.revision)])
    except ConflictError as error:
        raise Fault(409, f"Image {image.id} is being changed by somebody else.") from error
    try:
        stored = await cloud.part(ImageData).store(image.id, request.stream)
    except TooMuchDataError as error:
        await _write_status(request, image.id, QUEUED)
        raise Fault(413, f"Image storage media is full: {error}") from error
    except BaseException:
        await _write_status(request, image.id, QUEUED)
        raise
    if not await _write_status(request, image.id, ACTIVE, stored):
        cloud.part(ImageData).remove(image.id)
        raise Fault(410, f"Image {image.id} could not be found after upload. It may have been deleted meanwhile.")
    return reply(None, 204)


async def download_image(request: Request) -> Response:
    """`GET /images/{image_id}/file`: the data, if there is any."""
    image: Image = find_image(request).value
    if image.status == DEACTIVATED and not request.caller.is_admin:
        raise Fault(403, "The requested image has been deactivated. Image data download is forbidden.")
    if image.status not in (ACTIVE, DEACTIVATED):
        return reply(None, 204)
    size = image.size_bytes or 0
    stream = read_made_up(size) if image.made_up else request.cloud.part(ImageData).read(image.id)
    if stream is None:
        raise Fault(404, f"The data of image {image.id} is gone.")
    headers = (("content-length", str(size)), ("content-md5", image.checksum or ""))
    return Response(200, headers=headers, content_type=_OCTETS, stream=stream)


async def deactivate_image(request: Request) -> Response:
    """`POST /images/{image_id}/actions/deactivate`."""
    return await _switch(request, ACTIVE, DEACTIVATED)


async def reactivate_image(request: Request) -> Response:
    """`POST /images/{image_id}/actions/reactivate`."""
    return await _switch(request, DEACTIVATED, ACTIVE)


async def add_image_tag(request: Request) -> Response:
    """`PUT /images/{image_id}/tags/{tag}`."""
    entry = find_own_image(request, "modify")
    tags = tuple(dict.fromkeys([*entry.value.tags, request.params["tag"]]))
    image = msgspec.structs.replace(entry.value, tags=tags, updated_us=request.cloud.now_us())
    await request.cloud.mirror.commit([Put(IMAGE, image, image.id, entry.revision)])
    return reply(None, 204)


async def remove_image_tag(request: Request) -> Response:
    """`DELETE /images/{image_id}/tags/{tag}`."""
    entry = find_own_image(request, "modify")
    tag = request.params["tag"]
    if tag not in entry.value.tags:
        raise Fault(404, f"Failed to find tag {tag} on image {entry.value.id}.")
    tags = tuple(known for known in entry.value.tags if known != tag)
    image = msgspec.structs.replace(entry.value, tags=tags, updated_us=request.cloud.now_us())
    await request.cloud.mirror.commit([Put(IMAGE, image, image.id, entry.revision)])
    return reply(None, 204)


async def _switch(request: Request, before: str, after: str) -> Response:
    entry = find_own_image(request, "modify")
    image = entry.value
    if image.status not in (before, after):
        raise Fault(403, f"Not allowed to turn an image of status {image.status} to {after}.")
    image = msgspec.structs.replace(image, status=after, updated_us=request.cloud.now_us())
    await request.cloud.mirror.commit([Put(IMAGE, image, image.id, entry.revision)])
    return reply(None, 204)


async def _write_status(request: Request, image_id: str, status: str, stored: StoredData | None = None) -> bool:
    """Give an image that is being saved its next status, whatever else was changed meanwhile. False: it is gone."""
    cloud = request.cloud
    for _ in range(WRITES_TRIED):
        entry = cloud.mirror.get(IMAGE, image_id)
        if entry is None:
            return False
        image = msgspec.structs.replace(entry.value, status=status, updated_us=cloud.now_us())
        if stored is not None:
            image = msgspec.structs.replace(
                image, size_bytes=stored.size_bytes, checksum=stored.checksum, hash_value=stored.hash_value
            )
        try:
            await cloud.mirror.commit([Put(IMAGE, image, image_id, entry.revision)])
        except ConflictError:
            continue
        return True
    raise Fault(409, f"Image {image_id} is being changed by too many requests at once.")


_IMAGE: Final = "/images/{image_id}"
ROUTES: Final = (
    Route("GET", "/images", list_images, Access.READER),
    Route("POST", "/images", create_image, Access.MEMBER),
    Route("GET", _IMAGE, show_image, Access.READER),
    Route("PATCH", _IMAGE, update_image, Access.MEMBER),
    Route("DELETE", _IMAGE, delete_image, Access.MEMBER),
    Route("PUT", f"{_IMAGE}/file", upload_image, Access.MEMBER, streams=True),
    Route("GET", f"{_IMAGE}/file", download_image, Access.READER),
    Route("POST", f"{_IMAGE}/actions/deactivate", deactivate_image, Access.MEMBER),
    Route("POST", f"{_IMAGE}/actions/reactivate", reactivate_image, Access.MEMBER),
    Route("PUT", f"{_IMAGE}/tags/{{tag}}", add_image_tag, Access.MEMBER),
    Route("DELETE", f"{_IMAGE}/tags/{{tag}}", remove_image_tag, Access.MEMBER),
)
