"""Compute's documents as Placement shows them: a node as a provider, a server as a consumer.

They are the truth, and Placement never contradicts them. What clients write about a node is either kept beside it
(further traits, aggregates and classes, see `model`), or becomes part of the node itself: the totals, reservations and
ratios of vCPUs, memory and disk are the node's own shape.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from kilonode.cloud.context import NodeShape
from kilonode.cloud.ledger import Claim
from kilonode.cloud.openstack.compute.model import SERVER, Server, claims, servers_by_node
from kilonode.cloud.openstack.placement.model import Inventory
from kilonode.cloud.openstack.placement.names import DISK_GB, MEMORY_MB, VCPU
from kilonode.cloud.resources import Node, Resources
from kilonode.control.mirror import Entry, Mirror

NODE_CLASSES: Final = (VCPU, MEMORY_MB, DISK_GB)
"""What every node has, in the order of `Resources`."""
NODE_TRAITS: Final = frozenset(
    {
        "COMPUTE_ACCELERATORS",
        "COMPUTE_DEVICE_TAGGING",
        "COMPUTE_IMAGE_TYPE_QCOW2",
        "COMPUTE_IMAGE_TYPE_RAW",
        "COMPUTE_NET_ATTACH_INTERFACE",
        "COMPUTE_NODE",
        "COMPUTE_VOLUME_ATTACH_WITH_TAG",
        "HW_CPU_X86_AVX2",
        "HW_CPU_X86_SSE42",
    }
)
DISABLED_TRAIT: Final = "COMPUTE_STATUS_DISABLED"
_DISABLED: Final = NODE_TRAITS | {DISABLED_TRAIT}
SERVER_GENERATION: Final = 1
"""A server's allocations change only with the server, so nobody needs to tell their states apart."""
_TYPES: Final = ("INSTANCE", "MIGRATION")


def node_traits(node: Node) -> frozenset[str]:
    """What a node can do by itself."""
    return NODE_TRAITS if node.enabled else _DISABLED


@lru_cache(maxsize=1024)
def node_inventories(shape: NodeShape) -> Mapping[str, Inventory]:
    """What a node of a shape has. Nodes are alike, so it is made once for all of one shape; not to be changed."""
    rows = (
        (VCPU, shape.vcpus, shape.reserved_vcpus, shape.cpu_allocation_ratio),
        (MEMORY_MB, shape.memory_mb, shape.reserved_memory_mb, shape.memory_allocation_ratio),
        (DISK_GB, shape.disk_gb, shape.reserved_disk_gb, shape.disk_allocation_ratio),
    )
    return {
        name: Inventory(total, reserved, max_unit=total, allocation_ratio=ratio)
        for name, total, reserved, ratio in rows
    }


def shape_of(shape: NodeShape, inventories: Mapping[str, Inventory]) -> NodeShape:
    """The shape of a node that has these inventories of its own three classes."""
    vcpus, memory_mb, disk_gb = (inventories[name] for name in NODE_CLASSES)
    return replace(
        shape,
        vcpus=vcpus.total,
        memory_mb=memory_mb.total,
        disk_gb=disk_gb.total,
        reserved_vcpus=vcpus.reserved,
        reserved_memory_mb=memory_mb.reserved,
        reserved_disk_gb=disk_gb.reserved,
        cpu_allocation_ratio=vcpus.allocation_ratio,
        memory_allocation_ratio=memory_mb.allocation_ratio,
        disk_allocation_ratio=disk_gb.allocation_ratio,
    )


def by_class(amount: Resources) -> dict[str, int]:
    """An amount by resource class."""
    return {VCPU: amount.vcpus, MEMORY_MB: amount.memory_mb, DISK_GB: amount.disk_gb}


def some_by_class(amount: Resources) -> dict[str, int]:
    """An amount by resource class, without the classes it has nothing of."""
    return {name: value for name, value in by_class(amount).items() if value}


def of_classes(used: Mapping[str, int]) -> Resources:
    """The part of amounts by class that is of a node's own classes."""
    return Resources(*(used.get(name, 0) for name in NODE_CLASSES))


def claims_by_consumer(server: Server) -> Iterator[tuple[str, str, Claim]]:
    """The claims of a server with consumer and type: during a move the source is held in the move's own name."""
    taken = claims(server)
    if len(taken) == 2 and server.move is not None:
        yield server.move.id, _TYPES[1], taken[0]
        yield server.id, _TYPES[0], taken[1]
    elif taken:
        yield server.id, _TYPES[0], taken[0]


def server_of(mirror: Mirror, consumer: str) -> Server | None:
    """The server that a consumer is, or whose move it is."""
    entry: Entry[Server] | None = mirror.get(SERVER, consumer)
    if entry is None:
        moving = mirror.index(SERVER, "move", lambda server: server.move.id if server.move is not None else None)
        entry = next((mirror.get(SERVER, key) for key in moving.keys(consumer)), None)
    return entry.value if entry is not None else None


def servers_on(mirror: Mirror, node: str) -> Iterator[tuple[str, Resources]]:
    """Which servers and moves have taken what of a node."""
    for key in servers_by_node(mirror).keys(node):
        entry = mirror.get(SERVER, key)
        if entry is not None:
            for consumer, _, claim in claims_by_consumer(entry.value):
                if claim.node == node:
                    yield consumer, claim.amount
