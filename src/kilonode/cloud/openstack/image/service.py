"""The image service as data: its routes."""

from typing import Final

from msgspec.structs import replace

from kilonode.cloud.openstack.image import (
    caching,
    definitions,
    images,
    importing,
    locations,
    members,
    namespaces,
    stores,
    surroundings,
    tasks,
)
from kilonode.cloud.openstack.image.faults import image_fault_as_json, image_fault_format, image_refusal
from kilonode.cloud.openstack.web.service import ServiceApp

IMAGE_SERVICE: Final = ServiceApp(
    name="image",
    prefix="/image/v2",
    root="/image",
    fault_format=image_fault_format,
    by_accepted_type={"application/json": image_fault_as_json},
    refusal="You are not authorized to complete {} action.",
    unauthorized=image_refusal,
    discovery=surroundings.DISCOVERY,
    exact_paths=True,
    routes=(
        *images.ROUTES,
        *importing.ROUTES,
        *tasks.ROUTES,
        *locations.ROUTES,
        *stores.ROUTES,
        *caching.ROUTES,
        *members.ROUTES,
        *namespaces.ROUTES,
        *definitions.ROUTES,
        *surroundings.ROUTES,
    ),
)

SECOND_IMAGE_SERVICE: Final = replace(
    IMAGE_SERVICE, name="image_remote", prefix="/image-remote/v2", root="/image-remote", types=("image",)
)
"""Another endpoint over the same images, with a cache of its own; served where the settings ask for it."""
