"""The image service as data: its routes."""

from typing import Final

from kilonode.cloud.openstack.image import images, members, surroundings
from kilonode.cloud.openstack.image.surroundings import image_fault_format
from kilonode.cloud.openstack.web.service import ServiceApp

IMAGE_SERVICE: Final = ServiceApp(
    name="image",
    prefix="/image/v2",
    root="/image",
    fault_format=image_fault_format,
    discovery=surroundings.DISCOVERY,
    routes=(*images.ROUTES, *members.ROUTES, *surroundings.ROUTES),
)
