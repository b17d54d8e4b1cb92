"""What the network service keeps of networks that it made by itself for projects: one document for each project.

It must not have existed when the network is made, and goes with the network: so a project never has two of them.
"""

from typing import Final

import msgspec

from kilonode.cloud.kinds import document
from kilonode.control.mirror import Delete, Mirror

TOPOLOGY: Final = "topology"


@document(TOPOLOGY)
class Topology(msgspec.Struct, frozen=True):
    """A project's network that nobody had to make, and the router between it and the outside. Its key: the project."""

    network_id: str
    router_id: str


def without_topology(mirror: Mirror, project_id: str, network_id: str) -> list[Delete]:
    """What is to be written when a network is deleted: nothing, unless it was made by itself."""
    entry = mirror.get(TOPOLOGY, project_id)
    if entry is None or entry.value.network_id != network_id:
        return []
    return [Delete(TOPOLOGY, project_id, entry.revision)]
