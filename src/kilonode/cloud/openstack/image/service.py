"""The image service as data: its routes."""

from typing import Final

from kilonode.cloud.openstack.image import definitions, images, importing, members, namespaces, surroundings
from kilonode.cloud.openstack.image.surroundings import image_fault_format
from kilonode.cloud.openstack.web.service import ServiceApp

IMAGE_SERVICE: Final = ServiceApp(
    name="image",
    prefix="/image/v2",
    root="/image",
    fault_format=image_fault_format,
    discovery=surroundings.DISCOVERY,
    exact_paths=True,
    routes=(
        *images.ROUTES,
        *importing.ROUTES,
        *members.ROUTES,
        *namespaces.ROUTES,
        *definitions.ROUTES,
        *surroundings.ROUTES,
    ),
)
