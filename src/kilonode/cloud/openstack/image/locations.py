"""Where the data of an image is: `locations` in patches, and `/images/{id}/locations`.

Users may name places of the web that the settings allow, and nothing else: no file of a host. Images are registered so
without copying anything; a digest is worked out where it was asked for.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.image.background import Background
from kilonode.cloud.openstack.image.fetching import FetchError, announced_size_bytes, fetch, may_fetch
from kilonode.cloud.openstack.image.lookup import find_image, find_own_image
from kilonode.cloud.openstack.image.model import (
    ACTIVE,
    IMAGE,
    IMAGE_TASK,
    IMPORTING,
    QUEUED,
    Image,
    ImageTask,
    Location,
)
from kilonode.cloud.openstack.image.stores import stores_of
from kilonode.cloud.openstack.image.tasks import LOCATION_IMPORT, end_task, new_task
from kilonode.cloud.openstack.image.wishes import Operation
from kilonode.cloud.openstack.image.writing import write_facts
from kilonode.cloud.openstack.web.access import Access, Caller
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.cloud.service_settings import WEB_STORE, ImageSettings
from kilonode.control.mirror import Put

PATH: Final = "/locations"
ALGORITHM: Final = "sha512"
_ALGORITHMS: Final = ("sha256", "sha384", "sha512")
_CHECKSUM_DIGITS: Final = 32


class Validation(msgspec.Struct, frozen=True):
    """What whoever names a place says of the data there."""

    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None


class GivenLocation(msgspec.Struct, frozen=True):
    """A location as patches write it."""

    url: str
    metadata: dict[str, Any] = {}
    validation_data: Validation | None = None


class _AddLocation(msgspec.Struct, frozen=True):
    url: str
    validation_data: Validation | None = None


def shown_locations(settings: ImageSettings, image: Image) -> list[dict[str, Any]]:
    """All places of an image's data: the stores that keep it, then the web."""
    kept = [name for name in stores_of(settings, image) if name != WEB_STORE]
    found: list[dict[str, Any]] = [
        {"url": f"file:///images/{name}/{image.id}", "metadata": {"store": name}} for name in kept
    ]
    found += [
        {"url": location.url, "metadata": {**location.metadata, "store": WEB_STORE}} for location in image.locations
    ]
    return found


async def look_up(settings: ImageSettings, operations: list[Operation]) -> dict[str, int | None]:
    """The sizes of what the operations of a patch name on the web. Raises Fault 400 and 403."""
    sizes: dict[str, int | None] = {}
    for operation in operations:
        if not is_about_locations(operation) or operation.op == "remove":
            continue
        if not settings.locations:
            raise Fault(403, f"It's not allowed to {operation.op} locations if locations are invisible.")
        for given in _given(operation):
            if given.url.startswith("file:///images/"):
                continue  # a store's own, which may stay but not come
            if not may_fetch(settings.fetch_from, given.url):
                raise Fault(400, "Invalid location")
            try:
                sizes[given.url] = await announced_size_bytes(given.url)
            except FetchError as error:
                raise Fault(400, f"Invalid location: {error}") from error
    return sizes


def with_locations(
    caller: Caller, settings: ImageSettings, image: Image, operation: Operation, sizes: Mapping[str, int | None]
) -> Image:
    """The image after an operation on its locations. Raises Fault 400, 403 and 409."""
    if image.status not in (ACTIVE, QUEUED):
        raise Fault(409, f"It's not allowed to {operation.op} locations if image status is {image.status}.")
    if operation.op == "remove":
        return _without(caller, settings, image, operation)
    given = _given(operation)
    known = [one["url"] for one in shown_locations(settings, image)]
    if operation.op == "replace":
        if known and sorted(one.url for one in given) != sorted(known):
            raise Fault(400, f"Original locations is not empty: {known}")
        web = tuple(_kept(one) for one in given if not one.url.startswith("file:///images/"))
    else:
        (one,) = given
        if one.url in known:
            raise Fault(400, f"The location {one.url} already exists")
        if one.url not in sizes:
            raise Fault(400, "Invalid location")
        place = _place(operation, len(known), last=True) - (len(known) - len(image.locations))
        web = (*image.locations[: max(0, place)], _kept(one), *image.locations[max(0, place) :])
    facts = _facts(image, given)
    if image.size_bytes is None and web:
        facts["size_bytes"] = sizes.get(web[0].url)
    return replace(image, locations=web, status=ACTIVE if web or known else image.status, **facts)


async def add_location(request: Request) -> Response:
    """`POST /images/{image_id}/locations`: an image whose data stays where it is."""
    entry = find_own_image(request, "add location for")
    image, cloud = entry.value, request.cloud
    wanted = request.json(_AddLocation)
    if image.status != QUEUED:
        raise Fault(409, f"It's not allowed to add locations if image status is {image.status}.")
    allowed = cloud.settings.services.image.fetch_from
    if not allowed or not wanted.url.startswith("http"):
        raise Fault(403, "http store must be enabled to use location API by normal user.")
    _check_hashing(wanted.validation_data)
    if not may_fetch(allowed, wanted.url):
        raise Fault(400, f"URI for add location does not pass filtering: {wanted.url}")
    given = {"image_id": image.id, "loc_url": wanted.url, "validation_data": wanted.validation_data}
    task = new_task(request, LOCATION_IMPORT, image.id, msgspec.to_builtins(given))
    begun = replace(image, status=IMPORTING, locations=(Location(wanted.url),), updated_us=cloud.now_us())
    await cloud.mirror.commit([Put(IMAGE, begun, image.id, entry.revision), Put(IMAGE_TASK, task, task.id, 0)])
    cloud.part(Background).start(register(cloud, image.id, wanted.url, wanted.validation_data, task))
    return reply(None, 202)


async def list_locations(request: Request) -> Response:
    """`GET /images/{image_id}/locations`: for other services."""
    image = find_image(request).value
    if not request.caller.is_admin and "service" not in request.caller.roles:
        raise Fault(403, "You are not authorized to complete fetch_image_location action.")
    return reply(shown_locations(request.cloud.settings.services.image, image))


async def register(cloud: Cloud, image_id: str, url: str, validation: Validation | None, task: ImageTask) -> None:
    """Make the image active, with its digests: worked out before that when they were said, and after it when not; or,
    where the settings say so, just as they were said.
    """
    said = validation.os_hash_value if validation is not None else None
    algorithm = (validation.os_hash_algo if validation is not None and said else None) or ALGORITHM
    failure = ""
    try:
        if not cloud.settings.services.image.secure_hash:
            believed = {"hash_value": said, "hash_algorithm": algorithm} if said is not None else {}
            size = await announced_size_bytes(url)
            await write_facts(cloud, image_id, status=ACTIVE, size_bytes=size, **believed)
            await end_task(cloud, task, "", f"Registered {url}")
            return
        if said is None and not _is_registered(cloud, image_id):
            size = await announced_size_bytes(url)
            await write_facts(cloud, image_id, status=ACTIVE, size_bytes=size, hash_algorithm=algorithm)
        facts = await _digests(cloud, image_id, url, algorithm)
        if facts is None:
            return  # deleted meanwhile, and its tasks with it
        if said is not None and facts["hash_value"] != said.lower():
            failure = "The digest of the data is not the one that was given."
        elif said is None:
            await write_facts(cloud, image_id, **facts)  # somebody may have deactivated it meanwhile
        else:
            await write_facts(cloud, image_id, status=ACTIVE, **facts)
    except FetchError as error:
        failure = f"The data cannot be read: {error}"
    if failure and not _is_registered(cloud, image_id):
        # The location stays until there is another, as Glance's store of the web deletes none (Launchpad 2076648).
        await write_facts(cloud, image_id, status=QUEUED, size_bytes=None, hash_algorithm="")
    await end_task(cloud, task, failure, f"Registered {url}")


def _is_registered(cloud: Cloud, image_id: str) -> bool:
    entry = cloud.mirror.get(IMAGE, image_id)
    return entry is None or entry.value.status != IMPORTING


async def _digests(cloud: Cloud, image_id: str, url: str, algorithm: str) -> dict[str, Any] | None:
    """Size and digests of what is at an address; None: the image is gone, and nobody wants to know."""
    checksum, digest, size = hashlib.md5(usedforsecurity=False), hashlib.new(algorithm), 0
    async for piece in fetch(url):
        if cloud.mirror.get(IMAGE, image_id) is None:
            return None
        size += len(piece)
        checksum.update(piece)
        digest.update(piece)
    return {
        "size_bytes": size,
        "checksum": checksum.hexdigest(),
        "hash_value": digest.hexdigest(),
        "hash_algorithm": algorithm,
    }


def is_about_locations(operation: Operation) -> bool:
    """Whether an operation of a patch is about them."""
    return operation.path == PATH or operation.path.startswith(f"{PATH}/")


def _given(operation: Operation) -> list[GivenLocation]:
    """The locations that an operation writes. Raises Fault 400."""
    whole = operation.op == "replace"
    if whole != (operation.path == PATH):
        raise Fault(400, f"Invalid JSON pointer for this resource: '{operation.path}'")
    try:
        return msgspec.convert(operation.value if whole else [operation.value], list[GivenLocation])
    except msgspec.ValidationError as error:
        raise Fault(400, f"Invalid location: {error}") from error


def _kept(given: GivenLocation) -> Location:
    return Location(given.url, {name: value for name, value in given.metadata.items() if name != "store"})


def _place(operation: Operation, number: int, *, last: bool) -> int:
    """Which of `number` locations an operation is about. Raises Fault 400."""
    text = operation.path.removeprefix(f"{PATH}/")
    place = number if last and text == "-" else int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= place < number + last:
        raise Fault(400, "Invalid position for adding a location." if last else
                    "Invalid position for removing a location.")  # fmt: skip
    return place


def _without(caller: Caller, settings: ImageSettings, image: Image, operation: Operation) -> Image:
    if not settings.locations:
        raise Fault(403, "It's not allowed to remove locations if locations are invisible.")
    if not caller.is_admin:
        raise Fault(403, "You are not authorized to complete delete_image_location action.")
    known = shown_locations(settings, image)
    if len(known) <= 1:
        raise Fault(403, "Cannot remove last location in the image.")
    place = _place(operation, len(known), last=False)
    kept = [name for name in stores_of(settings, image) if name != WEB_STORE]
    if place < len(kept):
        raise Fault(403, "What a store keeps is deleted from the store.")
    at = place - len(kept)
    return replace(image, stores=tuple(kept), locations=image.locations[:at] + image.locations[at + 1 :])


def _facts(image: Image, given: list[GivenLocation]) -> dict[str, Any]:
    """What was said of the data, where it was not known. Raises Fault 409 where it contradicts."""
    said = [one.validation_data for one in given if one.validation_data is not None]
    known = {
        "checksum": image.checksum,
        "os_hash_value": image.hash_value,
        "os_hash_algo": (image.hash_algorithm or ALGORITHM) if image.hash_value else None,
    }
    new: dict[str, str] = {}
    for one in said:
        for name, before in known.items():
            value = getattr(one, name)
            if value is None or value == before:
                continue
            if before or new.get(name, value) != value:
                raise Fault(409, f"{name} is already set with a different value")
            new[name] = value
    if not new:
        return {}
    if image.status != QUEUED:
        raise Fault(409, f"New value(s) for {', '.join(new)} may only be provided when image status is 'queued'")
    if not _is_hexadecimal(new.get("checksum", "0" * _CHECKSUM_DIGITS), _CHECKSUM_DIGITS):
        raise Fault(409, f"checksum ({new['checksum']}) is not a valid hexadecimal value of 16 bytes")
    if new.get("os_hash_algo") != ALGORITHM:
        raise Fault(409, f"os_hash_algo must be {ALGORITHM}, not {new.get('os_hash_algo')}")
    if not _is_hexadecimal(new.get("os_hash_value", ""), _digits(ALGORITHM)):
        raise Fault(409, f"os_hash_value ({new.get('os_hash_value')}) is not the correct size for {ALGORITHM}")
    return {"checksum": new.get("checksum"), "hash_value": new["os_hash_value"]}


def _check_hashing(validation: Validation | None) -> None:
    """Raises Fault 400 unless a digest comes with its algorithm and has its size."""
    if validation is None or (validation.os_hash_algo is None and validation.os_hash_value is None):
        return
    algorithm, value = validation.os_hash_algo, validation.os_hash_value
    if algorithm is None or value is None:
        raise Fault(400, "os_hash_algo and os_hash_value have to be given together")
    if algorithm not in _ALGORITHMS:
        raise Fault(400, f"os_hash_algo must be one of {', '.join(_ALGORITHMS)}, not {algorithm}")
    if not _is_hexadecimal(value, _digits(algorithm)):
        raise Fault(400, f"os_hash_value ({value}) is not the correct size for {algorithm}")


def _digits(algorithm: str) -> int:
    return hashlib.new(algorithm).digest_size * 2


def _is_hexadecimal(text: str, digits: int) -> bool:
    return len(text) == digits and all(letter in "0123456789abcdefABCDEF" for letter in text)


_PLACE: Final = "/images/{image_id}/locations"
ROUTES: Final = (
    Route("POST", _PLACE, add_location, Access.MEMBER),
    Route("GET", _PLACE, list_locations, Access.AUTHENTICATED),
)
