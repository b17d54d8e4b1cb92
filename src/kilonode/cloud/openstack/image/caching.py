"""`/cache`: which images the endpoint has in its cache, and what is put there or taken out by administrators.

An image comes into the cache when it is asked to, or when it is downloaded. The data itself lies beside the store in
any case, so a cache holds no bytes of its own: what is kept is what Glance tells of it (decision 0123).
"""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.image.model import (
    ACTIVE,
    CACHED_IMAGE,
    IMAGE,
    CachedImage,
    Image,
    cached_by_image,
    cached_key,
)
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put
from kilonode.store.protocol import ConflictError

TARGET_HEADER: Final = "x-image-cache-clear-target"
_SECOND_US: Final = 1e6


async def list_cache(request: Request) -> Response:
    """`GET /cache`."""
    _need_cache(request.cloud)
    images = [_view(cached) for cached in _cached(request)]
    return reply({"cached_images": images, "queued_images": []}, items=len(images))


async def queue_image(request: Request) -> Response:
    """`PUT /cache/{image_id}`: into the cache, at once."""
    image_id = request.params["image_id"]
    entry = request.cloud.mirror.get(IMAGE, image_id)
    if entry is None:
        raise Fault(404, f"Image {image_id} not found.")
    _need_cache(request.cloud)
    if entry.value.status != ACTIVE:
        raise Fault(400, "Only images with status active can be targeted for queueing")
    await _note(request, entry.value, hits=0)
    return reply(None, 202)


async def delete_cached_image(request: Request) -> Response:
    """`DELETE /cache/{image_id}`."""
    image_id, mirror = request.params["image_id"], request.cloud.mirror
    key = cached_key(endpoint_of(request), image_id)
    entry = mirror.get(CACHED_IMAGE, key)
    if entry is None and mirror.get(IMAGE, image_id) is None:
        raise Fault(404, f"Image {image_id} not found.")
    _need_cache(request.cloud)
    if entry is not None:
        await mirror.commit([Delete(CACHED_IMAGE, key, entry.revision)])
    return reply(None, 204)


async def clear_cache(request: Request) -> Response:
    """`DELETE /cache`: all of it, or what the header names."""
    _need_cache(request.cloud)
    target = (request.header(TARGET_HEADER) or "").lower()
    if target not in ("", "cache", "queue"):
        raise Fault(400, f"If provided '{TARGET_HEADER}' must be 'cache', 'queue' or empty string.")
    found = [] if target == "queue" else _cached(request)
    if found:
        keys = [cached_key(cached.endpoint, cached.image_id) for cached in found]
        await request.cloud.mirror.commit([Delete(CACHED_IMAGE, key) for key in keys])
    return reply(None, 204)


async def note_download(request: Request, image: Image) -> None:
    """An image that is downloaded comes into the cache, or is one more hit there."""
    if not request.cloud.settings.services.image.cache:
        return
    entry = request.cloud.mirror.get(CACHED_IMAGE, cached_key(endpoint_of(request), image.id))
    try:
        await _note(request, image, hits=0 if entry is None else entry.value.hits + 1)
    except ConflictError:
        return  # somebody else downloads it at the same instant; one hit less is no harm


def forget_cached(cloud: Cloud, image_id: str) -> list[Delete]:
    """The changes that take an image out of all caches."""
    return [Delete(CACHED_IMAGE, key) for key in cached_by_image(cloud.mirror).keys(image_id)]


def endpoint_of(request: Request) -> str:
    """The name of the endpoint that was asked; each has a cache of its own."""
    return request.path.split("/", 2)[1]


async def _note(request: Request, image: Image, hits: int) -> None:
    cloud, now_us = request.cloud, request.cloud.now_us()
    key = cached_key(endpoint_of(request), image.id)
    entry = cloud.mirror.get(CACHED_IMAGE, key)
    if entry is None:
        cached = CachedImage(endpoint_of(request), image.id, image.size_bytes or 0, now_us, now_us, hits)
        await cloud.mirror.commit([Put(CACHED_IMAGE, cached, key, 0)])
    elif hits:
        await cloud.mirror.commit(
            [Put(CACHED_IMAGE, replace(entry.value, read_us=now_us, hits=hits), key, entry.revision)]
        )


def _cached(request: Request) -> list[CachedImage]:
    endpoint = endpoint_of(request)
    entries = request.cloud.mirror.all(CACHED_IMAGE).values()
    return [entry.value for entry in entries if entry.value.endpoint == endpoint]


def _need_cache(cloud: Cloud) -> None:
    if not cloud.settings.services.image.cache:
        raise Fault(404, "Caching via API is not supported at this site.")


def _view(cached: CachedImage) -> dict[str, Any]:
    return {
        "image_id": cached.image_id,
        "hits": cached.hits,
        "last_accessed": cached.read_us / _SECOND_US,
        "last_modified": cached.cached_us / _SECOND_US,
        "size": cached.size_bytes,
    }


ROUTES: Final = (
    Route("GET", "/cache", list_cache, Access.ADMIN),
    Route("DELETE", "/cache", clear_cache, Access.ADMIN),
    Route("PUT", "/cache/{image_id}", queue_image, Access.ADMIN),
    Route("DELETE", "/cache/{image_id}", delete_cached_image, Access.ADMIN),
)
