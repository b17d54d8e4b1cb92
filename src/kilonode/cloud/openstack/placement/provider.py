"""A node as Placement sees it: a resource provider with inventories, usages and traits. Read from the documents."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.compute.model import AGGREGATE, SERVER, claims, servers_by_node
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.resources import NO_USAGE, NODE, NODE_USAGE, Node, NodeUsage, Resources
from kilonode.control.mirror import Entry

PREFIX: Final = "/placement"
VCPU: Final = "VCPU"
MEMORY_MB: Final = "MEMORY_MB"
DISK_GB: Final = "DISK_GB"
NODE_CLASSES: Final = (VCPU, MEMORY_MB, DISK_GB)
RESOURCE_CLASSES: Final = (
    *NODE_CLASSES,
    "PCI_DEVICE",
    "SRIOV_NET_VF",
    "NUMA_SOCKET",
    "NUMA_CORE",
    "NUMA_THREAD",
    "IPV4_ADDRESS",
    "VGPU",
    "VGPU_DISPLAY_HEAD",
    "NET_BW_EGR_KILOBIT_PER_SEC",
    "NET_BW_IGR_KILOBIT_PER_SEC",
    "PCPU",
    "MEM_ENCRYPTION_CONTEXT",
    "FPGA",
    "PGPU",
)
NODE_TRAITS: Final = (
    "COMPUTE_ACCELERATORS",
    "COMPUTE_DEVICE_TAGGING",
    "COMPUTE_IMAGE_TYPE_QCOW2",
    "COMPUTE_IMAGE_TYPE_RAW",
    "COMPUTE_NET_ATTACH_INTERFACE",
    "COMPUTE_NODE",
    "COMPUTE_VOLUME_ATTACH_WITH_TAG",
    "HW_CPU_X86_AVX2",
    "HW_CPU_X86_SSE42",
)
DISABLED_TRAIT: Final = "COMPUTE_STATUS_DISABLED"
_OTHER_TRAITS: Final = ("HW_CPU_X86_AVX512F", "HW_NIC_SRIOV", "STORAGE_DISK_HDD", "STORAGE_DISK_SSD")
_ENABLED: Final = frozenset(NODE_TRAITS)
_DISABLED: Final = _ENABLED | {DISABLED_TRAIT}


class Provider(msgspec.Struct, frozen=True):
    """One node with what is taken of it."""

    node: Node
    usage: NodeUsage
    generation: int
    """Grows with each change of the node or of what is taken of it."""

    @property
    def uuid(self) -> str:
        """The provider's id: that of the hypervisor."""
        return self.node.uuid

    @property
    def traits(self) -> frozenset[str]:
        """What the node can do."""
        return _ENABLED if self.node.enabled else _DISABLED

    def room(self, resource_class: str) -> int:
        """How much one consumer can have of a class; -1 where there is none at all."""
        capacity = by_class(self.node.capacity())
        if resource_class not in capacity:
            return -1
        left = capacity[resource_class] - by_class(self.usage.used)[resource_class]
        return min(left, by_class(self.node.size())[resource_class])


def by_class(amount: Resources) -> dict[str, int]:
    """An amount by resource class."""
    return {VCPU: amount.vcpus, MEMORY_MB: amount.memory_mb, DISK_GB: amount.disk_gb}


def some_by_class(amount: Resources) -> dict[str, int]:
    """An amount by resource class, without the classes it has nothing of."""
    return {name: value for name, value in by_class(amount).items() if value}


def providers(request: Request) -> Iterator[Provider]:
    """All nodes."""
    for entry in request.cloud.mirror.all(NODE).values():
        yield _provider(request, entry)


def find_provider(request: Request) -> Provider:
    """The provider the path names. Raises Fault 404."""
    uuid = request.params["uuid"]
    found = request.cloud.mirror.index(NODE, "uuid", lambda node: node.uuid).keys(uuid)
    for name in found:
        entry = request.cloud.mirror.get(NODE, name)
        if entry is not None:
            return _provider(request, entry)
    raise Fault(404, f"No resource provider with uuid {uuid} found : No resource provider with uuid {uuid} found")


def inventories(provider: Provider) -> dict[str, dict[str, Any]]:
    """What a node has of each class."""
    shape = provider.node.shape
    rows = (
        (VCPU, shape.vcpus, 0, shape.cpu_allocation_ratio),
        (MEMORY_MB, shape.memory_mb, shape.reserved_memory_mb, shape.memory_allocation_ratio),
        (DISK_GB, shape.disk_gb, 0, shape.disk_allocation_ratio),
    )
    return {
        name: {
            "total": total,
            "reserved": reserved,
            "min_unit": 1,
            "max_unit": total,
            "step_size": 1,
            "allocation_ratio": ratio,
        }
        for name, total, reserved, ratio in rows
    }


def allocations_on(request: Request, node: str) -> Iterator[tuple[str, Resources]]:
    """Who has taken what of a node: consumer and amount."""
    mirror = request.cloud.mirror
    for key in servers_by_node(mirror).keys(node):
        entry = mirror.get(SERVER, key)
        if entry is not None:
            for consumer, claim in consumers(entry.value):
                if claim.node == node:
                    yield consumer, claim.amount


def consumers(server: Any) -> Iterator[tuple[str, Any]]:
    """The claims of a server by consumer: during a move the source is held in the move's own name, as Nova does."""
    taken = claims(server)
    if len(taken) == 2:
        yield server.move.id, taken[0]
        yield server.id, taken[1]
    elif taken:
        yield server.id, taken[0]


def aggregates_of(request: Request, node: str) -> list[str]:
    """The aggregates a node is in."""
    return [entry.value.uuid for entry in request.cloud.mirror.all(AGGREGATE).values() if node in entry.value.nodes]


@cache
def known_traits() -> tuple[str, ...]:
    """All traits there are, ordered."""
    return tuple(sorted({*NODE_TRAITS, *_OTHER_TRAITS, DISABLED_TRAIT}))


def _provider(request: Request, node: Entry[Node]) -> Provider:
    usage = request.cloud.mirror.get(NODE_USAGE, node.value.name)
    if usage is None:
        return Provider(node.value, NO_USAGE, node.revision)
    return Provider(node.value, usage.value, max(node.revision, usage.revision))
