"""The documents of the image service, and who may see an image. The data is not in them (see `data`)."""

from typing import Any, Final

import msgspec

from kilonode.cloud.kinds import document
from kilonode.cloud.openstack.image.formats import Finding
from kilonode.cloud.openstack.web.access import Caller
from kilonode.control.index import Index
from kilonode.control.mirror import Mirror

IMAGE: Final = "image"
IMAGE_MEMBER: Final = "image_member"
IMAGE_TASK: Final = "image_task"
CACHED_IMAGE: Final = "cached_image"

QUEUED: Final = "queued"
SAVING: Final = "saving"
UPLOADING: Final = "uploading"
IMPORTING: Final = "importing"
ACTIVE: Final = "active"
DEACTIVATED: Final = "deactivated"

PUBLIC: Final = "public"
COMMUNITY: Final = "community"
SHARED: Final = "shared"
PRIVATE: Final = "private"
VISIBILITIES: Final = (PUBLIC, COMMUNITY, SHARED, PRIVATE)

ACCEPTED: Final = "accepted"
MEMBER_STATUSES: Final = ("pending", ACCEPTED, "rejected")


class StagedData(msgspec.Struct, frozen=True):
    """Data that is whole but not yet the image's."""

    size_bytes: int
    checksum: str
    hash_value: str
    finding: Finding | None = None


class Location(msgspec.Struct, frozen=True):
    """A place on the web where the data of an image is."""

    url: str
    metadata: dict[str, Any] = {}


@document(IMAGE)
class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """One image; its key is `id`."""

    id: str
    owner: str
    created_us: int
    updated_us: int
    name: str | None = None
    status: str = QUEUED
    visibility: str = SHARED
    protected: bool = False
    hidden: bool = False
    disk_format: str | None = None
    container_format: str | None = None
    min_disk_gb: int = 0
    min_ram_mb: int = 0
    size_bytes: int | None = None
    virtual_size_bytes: int | None = None
    checksum: str | None = None
    """MD5 of the data, as Glance shows it."""
    hash_value: str | None = None
    """The digest of the data, SHA-512 unless `hash_algorithm` says otherwise."""
    hash_algorithm: str = ""
    """Said where the digest is not SHA-512, or is still being worked out."""
    stores: tuple[str, ...] = ()
    """The stores that keep the data; empty when there is data: the default store."""
    locations: tuple[Location, ...] = ()
    """Where else the data is, in the order of preference."""
    failed_stores: tuple[str, ...] = ()
    """The stores that the last import failed for."""
    found_format: str = ""
    """What the data was found to be; empty: nobody looked, since it is made up or elsewhere."""
    unsafe: str = ""
    """Why nothing may boot from the data; empty: nothing was found."""
    tags: tuple[str, ...] = ()
    properties: dict[str, str] = {}
    importing_us: int = 0
    """Since when its import is over but for the time that the profile gives it; 0: there is nothing to wait for."""
    imports: int = 0
    """How often it was imported where that takes time: tells repeated visits to a stage apart."""
    made_up: bool = False
    """The data is a pattern made when it is read; nothing is kept of it."""
    staged: StagedData | None = None
    """What is known of data that waits for its import."""
    imported: bool = False
    """Whether its data came by an import, which leaves a trace in what is shown."""


@document(IMAGE_TASK)
class ImageTask(msgspec.Struct, frozen=True, omit_defaults=True):
    """One import, and how it ended; its key is `id`."""

    id: str
    owner: str
    user_id: str
    request_id: str
    type: str
    input: dict[str, Any]
    status: str
    created_us: int
    updated_us: int
    image_id: str = ""
    message: str = ""
    result: dict[str, Any] | None = None
    worker: str = ""
    """The role that does it."""


@document(CACHED_IMAGE)
class CachedImage(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image in the cache of one endpoint; its key is `cached_key`."""

    endpoint: str
    image_id: str
    size_bytes: int
    cached_us: int
    read_us: int
    hits: int = 0


@document(IMAGE_MEMBER)
class ImageMember(msgspec.Struct, frozen=True, omit_defaults=True):
    """A project that a shared image is shared with; its key is `member_key`."""

    image_id: str
    project_id: str
    status: str
    created_us: int
    updated_us: int


def cached_key(endpoint: str, image_id: str) -> str:
    """The key of an image in a cache."""
    return f"{image_id}/{endpoint}"


def cached_by_image(mirror: Mirror) -> Index:
    """The caches that have an image."""
    return mirror.index(CACHED_IMAGE, "image", lambda cached: cached.image_id)


def member_key(image_id: str, project_id: str) -> str:
    """The key of a membership."""
    return f"{image_id}/{project_id}"


def members_by_image(mirror: Mirror) -> Index:
    """The memberships of an image."""
    return mirror.index(IMAGE_MEMBER, "image", lambda member: member.image_id)


def tasks_by_image(mirror: Mirror) -> Index:
    """The imports of an image."""
    return mirror.index(IMAGE_TASK, "image", lambda task: task.image_id or None)


def members_by_project(mirror: Mirror) -> Index:
    """The memberships of a project."""
    return mirror.index(IMAGE_MEMBER, "project", lambda member: member.project_id)


def is_visible(mirror: Mirror, caller: Caller, image: Image) -> bool:
    """Whether a caller may see and use an image when it names it."""
    if caller.is_admin or image.owner == caller.project_id or image.visibility in (PUBLIC, COMMUNITY):
        return True
    return image.visibility == SHARED and mirror.get(IMAGE_MEMBER, member_key(image.id, caller.project_id)) is not None
