"""The stores of the image service: `file`, those that the settings name, and `web` for what is elsewhere.

The data of an image is kept once, whichever stores have it; which do is in its document (decision 0122). Nothing is
ever written to `web`: what it has is the images' locations.
"""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.image.data import PIECE_BYTES, ImageData
from kilonode.cloud.openstack.image.model import ACTIVE, IMAGE, QUEUED, Image
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.cloud.service_settings import FILE_STORE, WEB_STORE, ImageSettings, ImageStore
from kilonode.control.mirror import Entry, Put

STORE_HEADER: Final = "x-image-meta-store"


class WantedStores(msgspec.Struct, frozen=True):
    """Where an import is to put the data."""

    stores: tuple[str, ...] | None = None
    all_stores: bool = False


def writable_stores(settings: ImageSettings) -> list[ImageStore]:
    """The stores that data can be put into, the heaviest first."""
    known = [*settings.stores, ImageStore(FILE_STORE, description="Files in the state folder")]
    return sorted(known, key=lambda store: -store.weight)


def store_ids(settings: ImageSettings) -> tuple[str, ...]:
    """All stores, as clients are told of them."""
    web = (WEB_STORE,) if settings.fetch_from else ()
    return (*(store.id for store in writable_stores(settings)), *web)


def stores_of(settings: ImageSettings, image: Image) -> tuple[str, ...]:
    """The stores that have the data of an image, the heaviest first."""
    kept = image.stores
    if not kept and image.size_bytes is not None and image.status != QUEUED and not image.locations:
        kept = (FILE_STORE,)
    order = {store.id: place for place, store in enumerate(writable_stores(settings))}
    web = (WEB_STORE,) if image.locations else ()
    return (*sorted(kept, key=lambda name: order.get(name, len(order))), *web)


def chosen_stores(request: Request, wanted: WantedStores) -> tuple[str, ...]:
    """The stores that a request names, or the default one. Raises Fault 400 and 409."""
    settings = request.cloud.settings.services.image
    known = [store.id for store in writable_stores(settings)]
    named = request.header(STORE_HEADER)
    if wanted.all_stores:
        if wanted.stores is not None or named is not None:
            raise Fault(400, "All_stores parameter can't be used with x-image-meta-store header or stores parameter")
        return tuple(known)
    if wanted.stores is not None and named is not None:
        raise Fault(400, "Stores parameter and x-image-meta-store header can't be both specified")
    stores = wanted.stores if wanted.stores is not None else (named or FILE_STORE,)
    if not stores:
        raise Fault(400, "At least one store has to be named.")
    for name in stores:
        if name not in known:
            raise Fault(409, f"Unknown store {name}: there is no such store, or nothing can be written to it.")
    return tuple(dict.fromkeys(stores))


async def list_stores(request: Request) -> Response:
    """`GET /info/stores`."""
    return reply({"stores": _shown(request.cloud)})


async def list_store_details(request: Request) -> Response:
    """`GET /info/stores/detail`."""
    properties = {"data_dir": "images", "chunk_size": PIECE_BYTES, "thin_provisioning": False}
    kinds = {WEB_STORE: {"type": "http", "properties": {}}}
    stores = [{**one, **kinds.get(one["id"], {"type": "file", "properties": properties})} for one in
              _shown(request.cloud, weights=True)]  # fmt: skip
    return reply({"stores": stores})


async def delete_from_store(request: Request) -> Response:
    """`DELETE /stores/{store_id}/{image_id}`: one store less; the last one keeps the data."""
    cloud, store, image_id = request.cloud, request.params["store_id"], request.params["image_id"]
    settings = cloud.settings.services.image
    if store not in store_ids(settings):
        raise Fault(409, f"The selected store {store} is not available on this node.")
    entry: Entry[Image] | None = cloud.mirror.get(IMAGE, image_id)
    if entry is None:
        raise Fault(404, f"Failed to find image {image_id}")
    image = entry.value
    if image.status != ACTIVE:
        raise Fault(409, "It's not allowed to remove image data from store if image status is not 'active'")
    having = stores_of(settings, image)
    if store not in having:
        raise Fault(404, f"Image {image_id} is not stored in store {store}.")
    left = tuple(name for name in having if name != store)
    if not left:
        raise Fault(
            403,
            "Cannot delete image data from the only store containing it. Consider deleting the image instead.",
        )
    kept = tuple(name for name in left if name != WEB_STORE)
    changed = replace(
        image,
        stores=kept,
        locations=() if store == WEB_STORE else image.locations,
        updated_us=cloud.now_us(),
    )
    await cloud.mirror.commit([Put(IMAGE, changed, image_id, entry.revision)])
    if not kept:
        cloud.part(ImageData).remove(image_id)
    return reply(None, 204)


def _shown(cloud: Cloud, *, weights: bool = False) -> list[dict[str, Any]]:
    settings = cloud.settings.services.image
    found: list[dict[str, Any]] = []
    for store in writable_stores(settings):
        shown: dict[str, Any] = {"id": store.id}
        if store.description:
            shown["description"] = store.description
        if store.id == FILE_STORE:
            shown["default"] = True if weights else "true"
        if weights:
            shown["weight"] = store.weight
        found.append(shown)
    if settings.fetch_from:
        web: dict[str, Any] = {"id": WEB_STORE, "description": "What stays where it is", "read-only": "true"}
        found.append({**web, "weight": 0} if weights else web)
    return found


ROUTES: Final = (
    Route("GET", "/info/stores/detail", list_store_details, Access.ADMIN),
    Route("GET", "/info/stores", list_stores, Access.AUTHENTICATED),
    Route("DELETE", "/stores/{store_id}/{image_id}", delete_from_store, Access.ADMIN),
)
