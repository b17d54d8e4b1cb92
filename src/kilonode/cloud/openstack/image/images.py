"""`/images`: the operations on images and their data."""

import uuid
from typing import Final

import msgspec

from kilonode.cloud.openstack.image.caching import forget_cached, note_download
from kilonode.cloud.openstack.image.data import ImageData, TooMuchDataError
from kilonode.cloud.openstack.image.fetching import FetchError
from kilonode.cloud.openstack.image.formats import Inspector, mismatch
from kilonode.cloud.openstack.image.importing import data_of, import_methods
from kilonode.cloud.openstack.image.locations import is_about_locations, look_up, with_locations
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
from kilonode.cloud.openstack.image.ranges import part, wanted_range
from kilonode.cloud.openstack.image.stores import WantedStores, chosen_stores, store_ids
from kilonode.cloud.openstack.image.views import page, show, sort, tests, visible_images
from kilonode.cloud.openstack.image.wishes import check_number, patched, read_operations, with_fields
from kilonode.cloud.openstack.image.writing import facts_of_data, write_facts
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import matching
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put
from kilonode.store.protocol import ConflictError

_OCTETS: Final = b"application/octet-stream"


async def list_images(request: Request) -> Response:
    """`GET /images`."""
    images = matching(visible_images(request), tests(request))
    sort(request, images)
    found, next_path = page(request, images)
    query = request.query.changed() if "marker" not in request.query else ""
    body = {
        "images": [show(request.cloud, image) for image in found],
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
    settings = cloud.settings.services.image
    methods = ("openstack-image-import-methods", ",".join(import_methods(settings)))
    stores = ("openstack-image-store-ids", ",".join(store_ids(settings)))
    return reply(show(cloud, image), 201, (("location", location), methods, stores))


async def show_image(request: Request) -> Response:
    """`GET /images/{image_id}`."""
    return reply(show(request.cloud, find_image(request).value))


async def update_image(request: Request) -> Response:
    """`PATCH /images/{image_id}`, by a JSON patch."""
    entry = find_own_image(request, "modify")
    image, cloud = entry.value, request.cloud
    operations = read_operations(request)
    check_number(operations)
    settings = cloud.settings.services.image
    sizes = await look_up(settings, operations)
    for operation in operations:
        if is_about_locations(operation):
            image = with_locations(request.caller, settings, image, operation, sizes)
        else:
            image = patched(request.caller, image, operation)
    image = msgspec.structs.replace(image, updated_us=cloud.now_us())
    await cloud.mirror.commit([Put(IMAGE, image, image.id, entry.revision)])
    return reply(show(cloud, image))


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
            *forget_cached(cloud, image.id),
        ]
    )
    cloud.part(ImageData).remove(image.id)
    return reply(None, 204)


async def upload_image(request: Request) -> Response:
    """`PUT /images/{image_id}/file`: store the data as it comes; the image is active when it is whole."""
    entry = find_own_image(request, "upload data for")
    cloud = request.cloud
    image: Image = entry.value
    kind = (request.header("content-type") or _OCTETS.decode()).partition(";")[0].strip()
    if kind != _OCTETS.decode():
        raise Fault(415, f"Invalid content type {kind}")
    if image.status != QUEUED:
        raise Fault(409, f"Image status transition from {image.status} to saving is not allowed")
    if not image.disk_format or not image.container_format:
        raise Fault(400, "Properties disk_format, container_format must be set prior to saving data.")
    assert request.stream is not None  # noqa: S101 - the route streams
    stores = chosen_stores(request, WantedStores())
    inspector = Inspector()
    try:
        await cloud.mirror.commit([Put(IMAGE, msgspec.structs.replace(image, status=SAVING), image.id, entry.revision)])
    except ConflictError as error:
        raise Fault(409, f"Image {image.id} is being changed by somebody else.") from error
    try:
        stored = await cloud.part(ImageData).store(image.id, inspector.watch(request.stream))
    except TooMuchDataError as error:
        await write_facts(cloud, image.id, status=QUEUED)
        raise Fault(413, f"Image storage media is full: {error}") from error
    except BaseException:
        await write_facts(cloud, image.id, status=QUEUED)
        raise
    finding = inspector.finding()
    refusal = mismatch(image.disk_format, image.container_format, finding)
    if refusal and cloud.settings.services.image.check_formats:
        cloud.part(ImageData).remove(image.id)
        await write_facts(cloud, image.id, status=QUEUED)
        raise Fault(400, refusal)
    if not await write_facts(cloud, image.id, status=ACTIVE, stores=stores, **facts_of_data(stored, finding)):
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
    wanted = wanted_range(request.header("range"), image.size_bytes)
    try:
        stream = data_of(request.cloud, image)
    except FetchError as error:
        raise Fault(503, f"The data of image {image.id} cannot be read: {error}") from error
    if stream is None:
        raise Fault(404, f"The data of image {image.id} is gone.")
    await note_download(request, image)
    headers = [("content-length", str(image.size_bytes))] if image.size_bytes is not None else []
    if wanted is not None:
        start, end = wanted
        length = ("content-length", str(end + 1 - start))
        place = ("content-range", f"bytes {start}-{end}/{image.size_bytes}")
        digest = [("content-md5", image.checksum)] if image.checksum else []
        return Response(206, headers=(length, place, *digest), content_type=_OCTETS, stream=part(stream, start, end))
    headers += [("content-md5", image.checksum)] if image.checksum else []
    return Response(200, headers=tuple(headers), content_type=_OCTETS, stream=stream)


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
