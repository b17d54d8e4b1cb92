"""Nodes and what they have: the documents of the fleet, and the arithmetic of capacity.

A node is three documents, apart because different roles write them at different rates: `Node` (what it is; written when
it registers and by administrators), `NodeUsage` (what is taken; written with every placement, in the same commit as the
instance) and `Heartbeat` (who is alive; one for all nodes of a fleet, see docs/decisions/0023).
Capacity counts as Placement counts it: (size − reserved) × allocation ratio. Memory in MB, disk in GB.
"""

from typing import Final

import msgspec

from kilonode.base.randomness import Randomness, random_uuid
from kilonode.cloud.context import CloudSettings, NodeShape
from kilonode.cloud.kinds import document
from kilonode.cloud.role_counts import names_of

NODE: Final = "node"
NODE_USAGE: Final = "node_usage"
HEARTBEAT: Final = "heartbeat"

RUNNING: Final = "running"
OFF: Final = "off"


class Resources(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An amount of what a node has."""

    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.vcpus + other.vcpus, self.memory_mb + other.memory_mb, self.disk_gb + other.disk_gb)

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(self.vcpus - other.vcpus, self.memory_mb - other.memory_mb, self.disk_gb - other.disk_gb)

    def fits(self, capacity: "Resources") -> bool:
        """Whether each part is at most that of `capacity`."""
        return (
            self.vcpus <= capacity.vcpus and self.memory_mb <= capacity.memory_mb and self.disk_gb <= capacity.disk_gb
        )


@document(NODE)
class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """One compute node; its key is its name."""

    name: str
    number: int
    uuid: str
    zone: str
    shape: NodeShape
    registered_us: int
    service_uuid: str
    enabled: bool = True
    disabled_reason: str = ""
    forced_down: bool = False
    silent_since_us: int = 0
    """Since when the node does not answer although its fleet lives; 0: it answers."""
    state: str = RUNNING
    """RUNNING or OFF; see `kilonode.cloud.power`, which knows what goes with it."""
    task: str | None = None
    """What it is doing, until a stage of the profile ends it: booting, shutting down, rebooting."""
    task_since_us: int = 0
    turn: int = 0
    """How many tasks it was given: tells the random draws of equal stages apart."""

    @property
    def host_ip(self) -> str:
        """Its address on the management network."""
        return f"10.{64 + (self.number >> 16)}.{self.number >> 8 & 255}.{self.number & 255}"

    def size(self) -> Resources:
        """What it physically has: no one instance may take more."""
        return Resources(self.shape.vcpus, self.shape.memory_mb, self.shape.disk_gb)

    def capacity(self) -> Resources:
        """How much may be taken in all."""
        shape = self.shape
        return Resources(
            int((shape.vcpus - shape.reserved_vcpus) * shape.cpu_allocation_ratio),
            int((shape.memory_mb - shape.reserved_memory_mb) * shape.memory_allocation_ratio),
            int((shape.disk_gb - shape.reserved_disk_gb) * shape.disk_allocation_ratio),
        )


@document(NODE_USAGE)
class NodeUsage(msgspec.Struct, frozen=True, gc=False):
    """What is taken of one node, by how many instances; the key is the node's name. Absent: nothing was ever taken."""

    used: Resources = Resources()
    """What servers have taken."""
    instances: int = 0
    others: Resources = Resources()
    """What consumers that are no servers have taken, by allocations somebody wrote to Placement."""

    @property
    def taken(self) -> Resources:
        """All that is taken, by whomever."""
        return self.used + self.others


@document(HEARTBEAT)
class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """A role lived at `at_us`; the key is its name, such as `scheduler` or `fleet-2`."""

    at_us: int
    started_us: int
    beats: int = 0


NO_USAGE: Final = NodeUsage()


def node_name(number: int) -> str:
    """The name of the node with this number, from 0: `compute-0001` is the first."""
    return f"compute-{number + 1:04d}"


def fleet_of(settings: CloudSettings, number: int) -> str:
    """The role that lives for the node with this number; its heartbeat is this node's."""
    names = names_of("fleet", settings.roles.fleet)
    return names[number % len(names)]


def make_node(settings: CloudSettings, number: int, registered_us: int) -> Node:
    """The node with this number, the same each time but for `registered_us`."""
    ids = Randomness(settings.seed, "node", settings.name, number).stream()
    return Node(
        name=node_name(number),
        number=number,
        uuid=random_uuid(ids),
        service_uuid=random_uuid(ids),
        zone=settings.zones[number % len(settings.zones)],
        shape=settings.node_shape,
        registered_us=registered_us,
    )
