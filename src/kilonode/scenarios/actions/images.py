"""What can be done with an image: create with data, delete, list.

The data is one random block again and again, the same for every image, generated while it is sent: nothing large is
held in memory, and a store that compresses gains little within a block.
"""

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.randomness import Randomness
from kilonode.base.units import Size
from kilonode.clients.transport import BodyStream
from kilonode.scenarios.actions.answers import delete_if_there, wait_in
from kilonode.scenarios.iteration import Iteration

_NOUN: Final = "image"
_BLOCK: Final = Randomness(0, "image data").stream().randbytes(65_536)
_FAILED: Final = ("killed", "deleted", "pending_delete", "deactivated")


class _Image(msgspec.Struct, frozen=True):
    id: str
    status: str


async def create(it: Iteration, *, size: Size, disk_format: str) -> str:
    """Register an image, upload its data and wait until it is active; gives its id.

    Steps: create_image, create_image.registered, create_image.uploaded, create_image.active.
    """
    with it.step("create_image") as whole:
        with it.step("registered"):
            body = {"name": it.name(_NOUN), "disk_format": disk_format, "container_format": "bare"}
            response = await it.cloud.image.request("POST", "/images", json=body, expect=(201,))
            image = response.json(_Image).id
        it.made(_NOUN, image, lambda: delete_if_there(it.cloud.image, f"/images/{image}"))
        with it.step("uploaded"):
            data = BodyStream(lambda: blocks(size), size)
            headers = (("Content-Type", "application/octet-stream"),)
            await it.cloud.image.request("PUT", f"/images/{image}/file", body=data, headers=headers, expect=(204,))
        await wait_in(it, whole, "active", lambda _: _active(it, image), "the image to be active")
    return image


async def delete(it: Iteration, image: str) -> None:
    """Delete an image. Step: delete_image."""
    with it.step("delete_image"):
        await it.cloud.image.delete(f"/images/{image}")
    it.unmade(_NOUN, image)


async def list_images(it: Iteration) -> int:
    """List all images that the user can see, page by page; gives how many. Step: list_images."""
    with it.step("list_images"):
        return len(await it.cloud.image.list_all("/images", "images"))


async def _active(it: Iteration, image: str) -> bool | None:
    status = (await it.cloud.image.request("GET", f"/images/{image}")).json(_Image).status
    if status in _FAILED:
        raise OperationError(Outcome.WRONG_STATE, f"the image is {status}, wanted active")
    return True if status == "active" else None


async def blocks(size: int) -> AsyncIterator[bytes]:
    """So many bytes of data, piece by piece."""
    for _ in range(size // len(_BLOCK)):
        yield _BLOCK
    if size % len(_BLOCK):
        yield _BLOCK[: size % len(_BLOCK)]
