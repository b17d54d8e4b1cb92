"""Flavors and images made for a run.

An image's data is generated while it is sent, never held in memory whole. A raw image begins with zeros; a qcow2 image
with a header that says it is an empty disk of one GiB, so that services which look inside accept it.
"""

import struct
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

from kilonode.base.errors import InputError, OperationError
from kilonode.base.randomness import Randomness
from kilonode.base.units import Size
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.transport import BodyStream
from kilonode.clients.waiting import wait_until
from kilonode.run.actions import Actions
from kilonode.run.experiment import FlavorSpec, ImageSpec, Setup
from kilonode.run.naming import resource_name

MEBIBYTE: Final = 2**20
GIBIBYTE: Final = 2**30
CHUNK_BYTES: Final = 256 * 1024
IMAGE_TIMEOUT_S: Final = 300.0
FORBIDDEN: Final = 403
_QCOW2_HEADER: Final = struct.pack(
    ">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, 16, GIBIBYTE, 0, 2, 196_608, 65_536, 1, 0, 0, 0, 0, 0, 4, 104
)


async def make_flavors(admin: Connection, setup: Setup, run_id: str, actions: Actions) -> dict[str, str]:
    """Make the flavors of `setup`: their name in the experiment to their id. Raises InputError without the right to."""
    ids = await actions.each([partial(_flavor, admin, run_id, actions, *job) for job in _numbered(setup.flavors)])
    return dict(zip(setup.flavors, ids, strict=True))


async def make_images(
    owner: Connection, setup: Setup, run_id: str, actions: Actions, *, public: bool
) -> dict[str, str]:
    """Make and fill the images of `setup`: their name in the experiment to their id.

    `public` images can be used by every project, which takes an administrator. Raises InputError without the right to.
    """
    ids = await actions.each([partial(_image, owner, run_id, actions, public, *job) for job in _numbered(setup.images)])
    return dict(zip(setup.images, ids, strict=True))


def _numbered(specs: dict[str, Any]) -> list[tuple[int, str, Any]]:
    return [(number, name, spec) for number, (name, spec) in enumerate(specs.items())]


async def _flavor(admin: Connection, run_id: str, actions: Actions, number: int, name: str, spec: FlavorSpec) -> str:
    body = {
        "name": resource_name(run_id, name),
        "vcpus": spec.vcpus,
        "ram": int(spec.memory) // MEBIBYTE,
        "disk": int(spec.disk) // GIBIBYTE,
        "os-flavor-access:is_public": True,
    }
    action = admin.compute.post("/flavors", json={"flavor": body})
    try:
        flavor_id = str((await actions.do("flavors", "create", number, action))["flavor"]["id"])
    except OperationError as error:
        raise _may_not("make flavors", f"setup.flavors.{name}", error) from error
    if spec.properties:
        path = f"/flavors/{flavor_id}/os-extra_specs"
        action = admin.compute.post(path, json={"extra_specs": spec.properties})
        await actions.do("flavors", "set_properties", number, action)
    return flavor_id


async def _image(
    owner: Connection, run_id: str, actions: Actions, public: bool, number: int, name: str, spec: ImageSpec
) -> str:
    body = {
        "name": resource_name(run_id, name),
        "disk_format": spec.disk_format,
        "container_format": "bare",
        "visibility": "public" if public else "private",
    }
    try:
        answer = await actions.do("images", "create", number, owner.image.post("/images", json=body))
    except OperationError as error:
        raise _may_not("make images for all projects", f"setup.images.{name}", error) from error
    image_id = str(answer["id"])
    await actions.do("images", "upload", number, _upload(owner, image_id, spec))
    await actions.do("images", "activate", number, _active(owner, image_id, actions))
    return image_id


async def _upload(owner: Connection, image_id: str, spec: ImageSpec) -> None:
    await owner.image.request(
        "PUT",
        f"/images/{image_id}/file",
        headers=(("content-type", "application/octet-stream"),),
        body=BodyStream(partial(image_data, spec.disk_format, spec.size), int(spec.size)),
    )


async def _active(owner: Connection, image_id: str, actions: Actions) -> None:
    async def probe() -> str | None:
        status = str((await owner.image.get(f"/images/{image_id}"))["status"])
        return status if status in ("active", "killed", "deleted") else None

    await wait_until(actions.clock, probe, timeout_s=IMAGE_TIMEOUT_S, waiting_for="an active image")


async def image_data(disk_format: str, size: Size) -> AsyncIterator[bytes]:
    """Exactly `size` bytes in chunks: the same each time, and not compressible beyond the repeated chunk."""
    first = _QCOW2_HEADER.ljust(CHUNK_BYTES, b"\0") if disk_format == "qcow2" else bytes(CHUNK_BYTES)
    noise = Randomness(0, "image data").stream().randbytes(CHUNK_BYTES)
    left = int(size)
    while left > 0:
        chunk = first if left == size else noise
        yield chunk[:left]
        left -= len(chunk)


def _may_not(what: str, where: str, error: OperationError) -> InputError | OperationError:
    if error.status != FORBIDDEN:
        return error
    return InputError(
        f"this user of the cloud may not {what}",
        where=where,
        expected="an administrator",
        got=error.message,
        hint="use an administrator's cloud, or one of those that are there",
    )
