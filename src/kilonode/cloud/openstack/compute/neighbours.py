"""What compute asks of the other services when a server comes, goes or moves: ports, volumes and images.

Each call gives changes for the caller's own commit, so a server never has half of what belongs to it.
"""

from collections.abc import Sequence
from typing import Any, Final

from kilonode.base.errors import KilonodeError
from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.openstack.compute.model import BlockDevice, Flavor, RequestedNetwork, Server, ServerFlavor
from kilonode.cloud.openstack.web.access import Caller

KINDS: Final[tuple[str, ...]] = ()


class RefusedError(KilonodeError):
    """Another service will not do what the server needs; the message is for the server's fault."""


def check_image(
    cloud: Cloud, caller: Caller, image_id: str, flavor: Flavor | ServerFlavor, *, boots_from_volume: bool
) -> None:
    """Refuse an image that is not there, not ready or too large for the flavor. Raises Fault 400."""


def check_networks(cloud: Cloud, caller: Caller, networks: tuple[RequestedNetwork, ...] | None) -> None:
    """Refuse networks and ports that are not there. Raises Fault 400 or 409."""


def check_volumes(cloud: Cloud, caller: Caller, devices: Sequence[BlockDevice]) -> None:
    """Refuse volumes that are not there or not available. Raises Fault 400."""


def plug(cloud: Cloud, server: Server) -> Changes:
    """Give the server the ports it asked for, on its node. Raises RefusedError."""
    return ()


def release(cloud: Cloud, server: Server) -> Changes:
    """Let go of the server's ports and volumes."""
    return ()


def rebind(cloud: Cloud, server: Server, node: str) -> Changes:
    """Have the server's ports on another node."""
    return ()


def attach_all(cloud: Cloud, server: Server) -> tuple[Changes, tuple[BlockDevice, ...]]:
    """Attach the volumes of a new server; also its devices as they are then. Raises RefusedError."""
    return (), server.devices


def addresses(cloud: Cloud, server: Server) -> dict[str, list[dict[str, Any]]]:
    """The server's addresses by network name, as Nova shows them."""
    return {}
