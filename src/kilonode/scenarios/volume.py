"""The library's scenarios on the volume service."""

from typing import Annotated

from msgspec import Meta

from kilonode.base.encoding import MORE_THAN_ZERO
from kilonode.base.units import Size
from kilonode.scenarios.actions import servers, volumes
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration
from kilonode.scenarios.references import FlavorName, ImageName, NetworkName, VolumeTypeName

VolumeSize = Annotated[Size, MORE_THAN_ZERO, Meta(description="How big the volume is, rounded up to whole GiB.")]
ONE_GIBIBYTE = Size(2**30)


@scenario("volume.create_and_delete_volume")
async def create_and_delete_volume(
    it: Iteration, *, size: VolumeSize = ONE_GIBIBYTE, volume_type: VolumeTypeName = ""
) -> None:
    """Create a volume, wait until it is available, delete it and wait until it is gone.

    Steps: create_volume, create_volume.accepted, create_volume.available, delete_volume, delete_volume.accepted,
    delete_volume.gone.
    """
    volume = await volumes.create(it, size=size, volume_type=volume_type)
    await volumes.delete(it, volume)


@scenario("volume.attach_and_detach_volume", services=("compute", "volume"))
async def attach_and_detach_volume(
    it: Iteration,
    *,
    flavor: FlavorName,
    image: ImageName,
    network: NetworkName = "",
    size: VolumeSize = ONE_GIBIBYTE,
    volume_type: VolumeTypeName = "",
) -> None:
    """Create a volume, boot a server, attach the one to the other, detach it, delete both.

    Steps: create_volume, create_volume.accepted, create_volume.available, boot, boot.accepted, boot.active,
    attach_volume, attach_volume.accepted, attach_volume.in_use, detach_volume, detach_volume.accepted,
    detach_volume.available, delete, delete.accepted, delete.gone, delete_volume, delete_volume.accepted,
    delete_volume.gone.
    """
    volume = await volumes.create(it, size=size, volume_type=volume_type)
    server = await servers.boot(it, flavor=flavor, image=image, network=network)
    await volumes.attach(it, volume, server)
    await volumes.detach(it, volume, server)
    await servers.delete(it, server)
    await volumes.delete(it, volume)


@scenario("volume.list_volumes")
async def list_volumes(it: Iteration) -> None:
    """List all volumes of the project, page by page.

    Steps: list_volumes.
    """
    await volumes.list_volumes(it)
