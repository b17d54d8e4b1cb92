"""The library's scenarios on the image service."""

from typing import Annotated, Literal

from msgspec import Meta

from kilonode.base.encoding import MORE_THAN_ZERO
from kilonode.base.units import Size
from kilonode.scenarios.actions import images
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration

ONE_MEBIBYTE = Size(2**20)


@scenario("image.list_images")
async def list_images(it: Iteration) -> None:
    """List all images that the user can see, page by page.

    Steps: list_images.
    """
    await images.list_images(it)


@scenario("image.create_and_delete_image")
async def create_and_delete_image(
    it: Iteration,
    *,
    size: Annotated[Size, MORE_THAN_ZERO, Meta(description="How much data is uploaded.")] = ONE_MEBIBYTE,
    disk_format: Literal["raw", "qcow2", "iso"] = "raw",
) -> None:
    """Register an image, upload its data, wait until it is active, delete it.

    The data is generated and is no real disk, whatever format it claims to have.

    Arguments:
        disk_format: The format that the image claims to have.

    Steps: create_image, create_image.registered, create_image.uploaded, create_image.active, delete_image.
    """
    image = await images.create(it, size=size, disk_format=disk_format)
    await images.delete(it, image)
