"""What compute asks of the other services when a server comes, goes or moves: ports, volumes and images.

Each call gives changes for the caller's own commit, so a server never has half of what belongs to it.
"""

from typing import Final

from kilonode.base.errors import KilonodeError
from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.openstack.compute.model import BlockDevice, Server

KINDS: Final[tuple[str, ...]] = ()


class RefusedError(KilonodeError):
    """Another service will not do what the server needs; the message is for the server's fault."""


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
