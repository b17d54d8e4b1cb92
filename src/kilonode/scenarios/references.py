"""Arguments that name something in the cloud. The file says a name, the scenario gets an id.

The run resolves names once, before the load, so that no iteration spends a request on it. A scenario says in its
signature what an argument names: `flavor: FlavorName`. An argument with the default `""` may be left out, and is then
not resolved. To describe such an argument otherwise, wrap its type:
`Annotated[NetworkName, Meta(description="…")]`.
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, inspect

_KEY: Final = "reference"


class ReferenceKind(StrEnum):
    """What an argument can name."""

    FLAVOR = "flavor"
    IMAGE = "image"
    NETWORK = "network"
    VOLUME_TYPE = "volume_type"


FlavorName = Annotated[str, Meta(description="A flavor, by name or id.", extra={_KEY: ReferenceKind.FLAVOR})]
ImageName = Annotated[str, Meta(description="An image, by name or id.", extra={_KEY: ReferenceKind.IMAGE})]
NetworkName = Annotated[
    str,
    Meta(
        description="A network, by name or id. Without it, the networks of the tenant are taken in turn.",
        extra={_KEY: ReferenceKind.NETWORK},
    ),
]
VolumeTypeName = Annotated[
    str,
    Meta(
        description="A volume type, by name or id. Without it, the cloud's default.",
        extra={_KEY: ReferenceKind.VOLUME_TYPE},
    ),
]


def reference_kind(argument: inspect.Type) -> ReferenceKind | None:
    """What an argument of this type names, or None when it is a plain value."""
    if not isinstance(argument, inspect.Metadata):
        return None
    return (argument.extra or {}).get(_KEY) or reference_kind(argument.type)
