"""`/images/{id}/stage` and `/images/{id}/import`: data that comes in two steps, from another image, or from the web.

Methods: `glance-direct` (what was staged), `glance-download` (another image, of this cloud: other regions are not
reached), `copy-image` (to more stores), and `web-download` where whoever runs the cloud allows addresses. The first
three are over when they are answered: one that was begun when its process died can be asked for again. What is read
from the web goes on behind, and after a death of its process too (`resuming`).
"""

import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.image.background import Background
from kilonode.cloud.openstack.image.data import ImageData, StoredData, TooMuchDataError, read_made_up, staged_name
from kilonode.cloud.openstack.image.fetching import FetchError, fetch, may_fetch
from kilonode.cloud.openstack.image.formats import Finding, Inspector, mismatch
from kilonode.cloud.openstack.image.lookup import find_own_image
from kilonode.cloud.openstack.image.model import (
    ACTIVE,
    IMAGE,
    IMAGE_TASK,
    IMPORTING,
    QUEUED,
    UPLOADING,
    Image,
    ImageTask,
    StagedData,
    is_visible,
)
from kilonode.cloud.openstack.image.reconcile import facts_of_ending, is_importing
from kilonode.cloud.openstack.image.stores import WantedStores, chosen_stores, stores_of
from kilonode.cloud.openstack.image.tasks import end_task, new_task, say_of_task
from kilonode.cloud.openstack.image.writing import facts_of_data, write_facts
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.cloud.service_settings import WEB_STORE, ImageSettings
from kilonode.control.mirror import Put
from kilonode.store.protocol import ConflictError

DIRECT: Final = "glance-direct"
DOWNLOAD: Final = "glance-download"
COPY: Final = "copy-image"
WEB: Final = "web-download"
_COPIED: Final = ("hw_", "trait:")
_COPIED_WHOLE: Final = frozenset({"os_distro", "os_secure_boot", "os_type"})
"""What an image takes over from the image that its data is from."""


def import_methods(settings: ImageSettings) -> tuple[str, ...]:
    """The methods that there are."""
    return (DIRECT, DOWNLOAD, COPY, WEB) if settings.fetch_from else (DIRECT, DOWNLOAD, COPY)


async def stage_image(request: Request) -> Response:
    """`PUT /images/{image_id}/stage`: keep data for a later import."""
    entry = find_own_image(request, "upload data for")
    image, cloud = entry.value, request.cloud
    if image.status not in (QUEUED, UPLOADING):
        raise Fault(409, f"Image status transition from {image.status} to uploading is not allowed")
    if not image.disk_format or not image.container_format:
        raise Fault(400, "Properties disk_format, container_format must be set prior to saving data.")
    assert request.stream is not None  # noqa: S101 - the route streams
    inspector = Inspector()
    # While the data comes there is none to import: an import would take one's digest and the other's bytes.
    begun = replace(image, status=UPLOADING, staged=None)
    try:
        await cloud.mirror.commit([Put(IMAGE, begun, image.id, entry.revision)])
    except ConflictError as error:
        raise Fault(409, f"Image {image.id} is being changed by somebody else.") from error
    try:
        stored = await cloud.part(ImageData).store(staged_name(image.id), inspector.watch(request.stream))
    except BaseException as error:
        await write_facts(cloud, image.id, status=image.status, staged=image.staged)
        if isinstance(error, TooMuchDataError):
            raise Fault(413, f"Image storage media is full: {error}") from error
        raise
    staged = StagedData(stored.size_bytes, stored.checksum, stored.hash_value, inspector.finding())
    if not await write_facts(cloud, image.id, status=UPLOADING, staged=staged):
        cloud.part(ImageData).remove(image.id)
        raise Fault(410, f"Image {image.id} could not be found after upload. It may have been deleted meanwhile.")
    return reply(None, 204)


async def import_image(request: Request) -> Response:
    """`POST /images/{image_id}/import`."""
    entry = find_own_image(request, "import")
    image, cloud = entry.value, request.cloud
    wanted = request.json_object()
    method = wanted.get("method")
    name = method.get("name") if isinstance(method, dict) else None
    if not isinstance(method, dict) or name not in import_methods(cloud.settings.services.image):
        raise Fault(400, f"Unknown import method name '{name}'.")
    stores = _stores(request, wanted)
    _check_state(image, str(name))
    if name == DOWNLOAD:
        _check_source(method)
    elif name == WEB:
        _check_address(cloud, method)
    given = {"image_id": image.id, "import_req": wanted, "backend": list(stores)}
    task = new_task(request, "api_image_import", image.id, given)
    begun = image if name == COPY else replace(image, status=IMPORTING, failed_stores=(), updated_us=cloud.now_us())
    try:
        await cloud.mirror.commit([Put(IMAGE, begun, image.id, entry.revision), Put(IMAGE_TASK, task, task.id, 0)])
    except ConflictError as error:
        raise Fault(409, f"Image {image.id} is being changed by somebody else.") from error
    if name == WEB:
        cloud.part(Background).start(import_from_web(cloud, image, str(method["uri"]), stores, task))
        return reply(None, 202)
    if name == DIRECT:
        failure = await _adopt(cloud, image, stores)
    elif name == DOWNLOAD:
        failure = await _copy(request, image, method, stores)
    else:
        failure = await _copy_to(cloud, image, stores)
    await _end(cloud, image.id, task, failure, stores)
    return reply(None, 202)


def _stores(request: Request, wanted: dict[str, Any]) -> tuple[str, ...]:
    named = {name: wanted[name] for name in ("stores", "all_stores") if name in wanted}
    try:
        return chosen_stores(request, msgspec.convert(named, WantedStores))
    except msgspec.ValidationError as error:
        raise Fault(400, f"Invalid stores: {error}") from error


def _check_state(image: Image, method: str) -> None:
    wanted = {
        DIRECT: (UPLOADING, IMPORTING),
        DOWNLOAD: (QUEUED, IMPORTING),
        WEB: (QUEUED, IMPORTING),
        COPY: (ACTIVE,),
    }[method]
    if image.status not in wanted:
        raise Fault(409, f"Image needs to be in state {wanted[0]!r} to use {method} method, not {image.status!r}.")
    if method == DIRECT and image.staged is None:
        raise Fault(409, "There is no staged data to import.")
    if method != DOWNLOAD and not (image.disk_format and image.container_format):
        raise Fault(400, "'disk_format' and 'container_format' need to be set on image before import.")


def _check_source(method: dict[str, Any]) -> None:
    key = str(method.get("glance_image_id") or "")
    try:
        uuid.UUID(key)
    except ValueError as error:
        raise Fault(400, "image id does not look like a UUID") from error
    if not method.get("glance_region"):
        raise Fault(400, "Param 'glance_region' is required")


def _check_address(cloud: Cloud, method: dict[str, Any]) -> None:
    address = method.get("uri")
    if not isinstance(address, str):
        raise Fault(400, "URI is required for web-download.")
    if not may_fetch(cloud.settings.services.image.fetch_from, address):
        raise Fault(400, f"URI for web-download does not pass filtering: {address}")


async def _adopt(cloud: Cloud, image: Image, stores: tuple[str, ...]) -> str:
    """Make the staged data the image's. Returns why not, or nothing."""
    staged = image.staged
    refusal = _refusal(cloud, image, staged.finding) if staged is not None else ""
    if staged is None or refusal or not cloud.part(ImageData).adopt(image.id):
        await write_facts(cloud, image.id, status=QUEUED, staged=None)
        return refusal or "the staged data is gone"
    stored = StoredData(staged.size_bytes, staged.checksum, staged.hash_value)
    return await _active(cloud, image.id, stored, staged.finding, {"stores": stores})


async def _copy(request: Request, image: Image, method: dict[str, Any], stores: tuple[str, ...]) -> str:
    """Give the image the data and some properties of another. Returns why not, or nothing."""
    cloud = request.cloud
    message = ""
    entry = cloud.mirror.get(IMAGE, str(uuid.UUID(str(method["glance_image_id"]))))
    if method["glance_region"] != cloud.settings.region:
        message = f"region {method['glance_region']} has no image service"
    elif entry is None or not is_visible(cloud.mirror, request.caller, entry.value) or entry.value.status != ACTIVE:
        message = f"image {method['glance_image_id']} is not there"
    if message or entry is None:
        await write_facts(cloud, image.id, status=QUEUED)
        return message
    source: Image = entry.value
    stream = data_of(cloud, source)
    if stream is None:
        await write_facts(cloud, image.id, status=QUEUED)
        return f"the data of image {source.id} is gone"
    copied = {
        name: text for name, text in source.properties.items() if name.startswith(_COPIED) or name in _COPIED_WHOLE
    }
    facts: dict[str, Any] = {"disk_format": source.disk_format, "container_format": source.container_format}
    facts |= {"properties": {**image.properties, **copied}, "stores": stores}
    return await _take(cloud, replace(image, **facts), stream, facts, look=not source.made_up)


async def _copy_to(cloud: Cloud, image: Image, stores: tuple[str, ...]) -> str:
    """The stores that have an image, and these. Returns why not, or nothing."""
    before = tuple(name for name in stores_of(cloud.settings.services.image, image) if name != WEB_STORE)
    if not before:
        return "no store keeps the data of the image"
    both = tuple(dict.fromkeys([*before, *stores]))
    there = await write_facts(cloud, image.id, imported=True, stores=both, failed_stores=())
    return "" if there else "the image is gone"


async def import_from_web(cloud: Cloud, image: Image, address: str, stores: tuple[str, ...], task: ImageTask) -> None:
    """Give the image what is at an address, and end its task."""
    failure = await _take(cloud, image, fetch(address), {"stores": stores}, look=True)
    await _end(cloud, image.id, task, failure, stores)


async def _take(cloud: Cloud, image: Image, stream: AsyncIterator[bytes], facts: dict[str, Any], *, look: bool) -> str:
    """Store data and make it the image's. Returns why not, or nothing."""
    inspector = Inspector()
    try:
        stored = await cloud.part(ImageData).store(image.id, inspector.watch(stream))
    except TooMuchDataError as error:
        failure = f"image storage media is full: {error}"
    except FetchError as error:
        failure = f"the data cannot be read: {error}"
    else:
        finding = inspector.finding() if look else None
        failure = _refusal(cloud, image, finding)
        if not failure:
            return await _active(cloud, image.id, stored, finding, facts)
        cloud.part(ImageData).remove(image.id)
    await write_facts(cloud, image.id, status=QUEUED)
    return failure


def _refusal(cloud: Cloud, image: Image, finding: Finding | None) -> str:
    if finding is None or not cloud.settings.services.image.check_formats:
        return ""
    return mismatch(image.disk_format, image.container_format, finding)


async def _active(
    cloud: Cloud, image_id: str, stored: StoredData, finding: Finding | None, facts: dict[str, Any]
) -> str:
    data = facts_of_data(stored, finding)
    ending = facts_of_ending(cloud, image_id)
    if not await write_facts(cloud, image_id, **ending, staged=None, imported=True, **data, **facts):
        cloud.part(ImageData).remove(image_id)
        return "the image was deleted meanwhile"
    return ""


async def _end(cloud: Cloud, image_id: str, task: ImageTask, failure: str, stores: tuple[str, ...]) -> None:
    if failure:
        await write_facts(cloud, image_id, failed_stores=stores)
    message = f"Copied {image_id} to {','.join(stores)}"
    entry = cloud.mirror.get(IMAGE, image_id)
    if not failure and entry is not None and is_importing(entry.value):
        await say_of_task(cloud, task.id, message)  # the image role ends it, with the image
    else:
        await end_task(cloud, task, failure, message)


def data_of(cloud: Cloud, image: Image) -> AsyncIterator[bytes] | None:
    """The data of an image, wherever it is; None: it is gone."""
    if image.made_up:
        return read_made_up(image.size_bytes or 0, image.disk_format)
    kept = cloud.part(ImageData).read(image.id)
    if kept is not None or not image.locations:
        return kept
    allowed = cloud.settings.services.image.fetch_from
    url = next((place.url for place in image.locations if may_fetch(allowed, place.url)), None)
    return None if url is None else fetch(url)


ROUTES: Final = (
    Route("PUT", "/images/{image_id}/stage", stage_image, Access.MEMBER, streams=True),
    Route("POST", "/images/{image_id}/import", import_image, Access.MEMBER),
)
