"""What the image service keeps of metadata definitions: a document for each namespace, with all that is in it."""

from typing import Any, Final

import msgspec

from kilonode.cloud.kinds import document

NAMESPACE: Final = "metadata_namespace"
PARTS_LIMIT: Final = 1_000
"""How many objects, properties, tags or resource types a namespace may have of each."""
RESOURCE_TYPES: Final = (
    "OS::Cinder::Volume",
    "OS::Glance::Image",
    "OS::Nova::Aggregate",
    "OS::Nova::Flavor",
    "OS::Nova::Server",
    "OS::Trove::Instance",
)
"""The kinds of resources that every cloud knows."""


class DefinedObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """A set of properties that belong together."""

    name: str
    created_us: int
    updated_us: int
    description: str | None = None
    required: tuple[str, ...] = ()
    properties: dict[str, Any] = {}


class DefinedTag(msgspec.Struct, frozen=True):
    """A word that resources may be given."""

    name: str
    created_us: int
    updated_us: int


class Association(msgspec.Struct, frozen=True, omit_defaults=True):
    """A kind of resources that the definitions are for."""

    name: str
    created_us: int
    updated_us: int
    prefix: str | None = None
    properties_target: str | None = None


@document(NAMESPACE)
class Namespace(msgspec.Struct, frozen=True, omit_defaults=True):
    """A namespace; its key is its name."""

    name: str
    owner: str
    created_us: int
    updated_us: int
    display_name: str | None = None
    description: str | None = None
    visibility: str = "private"
    protected: bool = False
    objects: dict[str, DefinedObject] = {}
    properties: dict[str, dict[str, Any]] = {}
    tags: dict[str, DefinedTag] = {}
    resource_types: dict[str, Association] = {}
