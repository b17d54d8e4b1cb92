"""How images look, and how lists of them are filtered and sorted."""

from collections.abc import Callable
from typing import Any, Final

from kilonode.cloud.context import Cloud, timestamp
from kilonode.cloud.openstack.image.locations import shown_locations
from kilonode.cloud.openstack.image.model import (
    ACCEPTED,
    COMMUNITY,
    IMAGE,
    IMAGE_MEMBER,
    MEMBER_STATUSES,
    PUBLIC,
    SHARED,
    VISIBILITIES,
    Image,
    members_by_project,
)
from kilonode.cloud.openstack.image.stores import stores_of
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request

HASH_ALGORITHM: Final = "sha512"
DEFAULT_LIMIT: Final = 25
LARGEST_LIMIT: Final = 1_000
_CONTROLS: Final = frozenset(
    {"limit", "marker", "sort", "sort_key", "sort_dir", "visibility", "tag", "member_status", "size_min", "size_max"}
)
_DIRECTIONS: Final = {"asc": False, "desc": True}

Test = Callable[[Image], bool]

FIELDS: Final[Fields[Image]] = Fields(
    {
        "id": lambda image: image.id,
        "name": lambda image: image.name,
        "status": lambda image: image.status,
        "visibility": lambda image: image.visibility,
        "protected": lambda image: image.protected,
        "os_hidden": lambda image: image.hidden,
        "owner": lambda image: image.owner,
        "disk_format": lambda image: image.disk_format,
        "container_format": lambda image: image.container_format,
        "min_disk": lambda image: image.min_disk_gb,
        "min_ram": lambda image: image.min_ram_mb,
        "size": lambda image: image.size_bytes,
        "virtual_size": lambda image: image.virtual_size_bytes,
        "checksum": lambda image: image.checksum,
        "os_hash_algo": lambda image: image.hash_algorithm or (HASH_ALGORITHM if image.hash_value else None),
        "os_hash_value": lambda image: image.hash_value,
        "created_at": lambda image: timestamp(image.created_us),
        "updated_at": lambda image: timestamp(image.updated_us),
        "tags": lambda image: image.tags,
    }
)


def show(cloud: Cloud, image: Image) -> dict[str, Any]:
    """An image as Glance shows it: its own properties stand beside the known ones."""
    place = f"/v2/images/{image.id}"
    links = {"self": place, "file": f"{place}/file", "schema": "/v2/schemas/image"}
    settings = cloud.settings.services.image
    having = stores_of(settings, image)
    stores: dict[str, Any] = {"stores": ",".join(having)} if having else {}
    if image.imported or image.failed_stores:
        failed = ",".join(image.failed_stores)
        stores |= {"os_glance_importing_to_stores": "", "os_glance_failed_import": failed}
    if settings.locations:
        stores["locations"] = shown_locations(settings, image)
    return {**image.properties, **stores, **FIELDS.show(image), **links}


def visible_images(request: Request) -> list[Image]:
    """The images of the list that the caller's `visibility` and `member_status` ask for. Raises Fault 400."""
    caller, query = request.caller, request.query
    mirror = request.cloud.mirror
    images = [entry.value for entry in mirror.all(IMAGE).values()]
    member_status = query.one("member_status", ACCEPTED)
    if member_status not in (*MEMBER_STATUSES, "all"):
        raise Fault(400, f"Invalid status: {member_status}")
    memberships = mirror.all(IMAGE_MEMBER)
    shared_with_caller = {
        memberships[key].value.image_id
        for key in members_by_project(mirror).keys(caller.project_id)
        if member_status in ("all", memberships[key].value.status)
    }
    wanted = query.one("visibility")
    if wanted and wanted not in (*VISIBILITIES, "all"):
        raise Fault(400, f"Invalid visibility value: {wanted}")
    if wanted and wanted != "all":
        images = [image for image in images if image.visibility == wanted]

    def listed(image: Image) -> bool:
        if image.visibility == PUBLIC or image.owner == caller.project_id:
            return True
        if caller.is_admin and (image.visibility != COMMUNITY or wanted in (COMMUNITY, "all")):
            return True
        if image.visibility == COMMUNITY:
            return wanted in (COMMUNITY, "all")
        return image.visibility == SHARED and image.id in shared_with_caller

    return [image for image in images if listed(image)]


def tests(request: Request) -> list[Test]:
    """What the query asks of an image. A field may be asked as `in:a,b`; unknown names are properties."""
    query = request.query
    found: list[Test] = []
    tags = frozenset(query.all("tag"))
    if tags:
        found.append(lambda image: tags <= frozenset(image.tags))
    least, most = query.integer("size_min"), query.integer("size_max")
    if least is not None:
        found.append(lambda image: (image.size_bytes or 0) >= least)
    if most is not None:
        found.append(lambda image: (image.size_bytes or 0) <= most)
    if "os_hidden" not in query:
        found.append(lambda image: not image.hidden)
    if query.one("protected") not in ("", "true", "false", "True", "False"):
        words = "filter. Valid values are 'true' or 'false'."
        raise Fault(400, f"Invalid value '{query.one('protected')}' for 'protected' {words}")
    for name, text in query:
        if name in _CONTROLS:
            continue
        if name in FIELDS:
            texts = _words(text.removeprefix("in:")) if text.startswith("in:") else [text]
            found.append(FIELDS.test(name, texts))
        else:
            found.append(_property_test(name, text))
    return found


def sort(request: Request, images: list[Image]) -> None:
    """Sort as the query asks; newest first when it does not. Raises Fault 400."""
    query = request.query
    keys: list[tuple[str, bool]] = []
    for part in query.one("sort").split(",") if "sort" in query else []:
        name, _, direction = part.partition(":")
        keys.append((name.strip(), _descending(direction.strip() or "desc")))
    directions = query.all("sort_dir")
    for number, name in enumerate(query.all("sort_key")):
        direction = directions[min(number, len(directions) - 1)] if directions else "desc"
        keys.append((name, _descending(direction)))
    if not keys and directions:
        keys.append(("created_at", _descending(directions[0])))
    for name, _ in keys:
        if name not in FIELDS:
            raise Fault(400, f"Invalid sort key: {name}.")
    # What was made in one second differs only here: the fields show whole seconds.
    oldest_first = bool(keys) and keys[0] == ("created_at", False)
    images.sort(key=lambda image: (image.created_us, image.id), reverse=not oldest_first)
    FIELDS.sort(images, keys)


def page(request: Request, images: list[Image]) -> tuple[list[Image], str]:
    """The images of the page, and the path of the next one (empty: there is none). Raises Fault 400."""
    query = request.query
    limit = query.integer("limit")
    limit = DEFAULT_LIMIT if limit is None else min(limit, LARGEST_LIMIT)
    marker = query.one("marker")
    if marker:
        place = next((number for number, image in enumerate(images) if image.id == marker), None)
        if place is None:
            raise Fault(400, "Invalid marker. Image could not be found.")
        images = images[place + 1 :]
    found = images[:limit]
    if not found or len(images) <= limit:
        return found, ""
    return found, f"/v2/images?{query.changed(marker=found[-1].id)}"


def _descending(direction: str) -> bool:
    if direction not in _DIRECTIONS:
        raise Fault(400, f"Invalid sort direction: {direction}")
    return _DIRECTIONS[direction]


def _property_test(name: str, text: str) -> Test:
    return lambda image: image.properties.get(name) == text


def _words(text: str) -> list[str]:
    return [word.strip().strip('"') for word in text.split(",")]
