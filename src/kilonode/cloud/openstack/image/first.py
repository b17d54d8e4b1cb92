"""The image of a new cloud: `cirros`, whose data is made up when it is read."""

from typing import Final

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.image.data import describe_made_up_data
from kilonode.cloud.openstack.image.model import ACTIVE, IMAGE, PUBLIC, Image
from kilonode.control.mirror import Put

NAME: Final = "cirros"
DISK_FORMAT: Final = "qcow2"
SIZE_BYTES: Final = 1024 * 1024


def first_image(cloud: Cloud, project_id: str) -> Put:
    """The change that makes the image, for everybody."""
    data = describe_made_up_data(SIZE_BYTES, DISK_FORMAT)
    now_us = cloud.now_us()
    image = Image(
        cloud.new_id(),
        project_id,
        now_us,
        now_us,
        name=NAME,
        status=ACTIVE,
        visibility=PUBLIC,
        disk_format=DISK_FORMAT,
        container_format="bare",
        size_bytes=data.size_bytes,
        virtual_size_bytes=data.size_bytes,
        checksum=data.checksum,
        hash_value=data.hash_value,
        made_up=True,
    )
    return Put(IMAGE, image, image.id, 0)
