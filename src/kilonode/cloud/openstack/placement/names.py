"""The names of traits and resource classes: the standard ones, and those that clients have made."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from kilonode.cloud.openstack.placement.model import RESOURCE_CLASS, TRAIT
from kilonode.control.mirror import Mirror

VCPU: Final = "VCPU"
MEMORY_MB: Final = "MEMORY_MB"
DISK_GB: Final = "DISK_GB"
STANDARD_CLASSES: Final = (
    VCPU,
    MEMORY_MB,
    DISK_GB,
    "PCI_DEVICE",
    "SRIOV_NET_VF",
    "NUMA_SOCKET",
    "NUMA_CORE",
    "NUMA_THREAD",
    "NUMA_MEMORY_MB",
    "IPV4_ADDRESS",
    "VGPU",
    "VGPU_DISPLAY_HEAD",
    "NET_BW_EGR_KILOBIT_PER_SEC",
    "NET_BW_IGR_KILOBIT_PER_SEC",
    "PCPU",
    "MEM_ENCRYPTION_CONTEXT",
    "FPGA",
    "PGPU",
    "NET_PACKET_RATE_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
)
_ORDER: Final = {name: number for number, name in enumerate(STANDARD_CLASSES)}


@cache
def standard_traits() -> frozenset[str]:
    """The traits every cloud has, by their agreed names."""
    return frozenset(Path(__file__).with_name("standard_traits.txt").read_text().split())


def is_standard_class(name: str) -> bool:
    """Whether every cloud has the class."""
    return name in _ORDER


def is_class(mirror: Mirror, name: str) -> bool:
    """Whether there is such a resource class."""
    return name in _ORDER or mirror.get(RESOURCE_CLASS, name) is not None


def is_trait(mirror: Mirror, name: str) -> bool:
    """Whether there is such a trait."""
    return name in standard_traits() or mirror.get(TRAIT, name) is not None


def all_traits(mirror: Mirror) -> list[str]:
    """All traits there are, ordered."""
    return in_order({*standard_traits(), *mirror.all(TRAIT)})


def in_order(traits: Iterable[str]) -> list[str]:
    """Traits by name, the standard ones first."""
    return sorted(traits, key=lambda name: (name.startswith("CUSTOM_"), name))


def all_classes(mirror: Mirror) -> list[str]:
    """All classes there are, the standard ones first."""
    return [*STANDARD_CLASSES, *mirror.all(RESOURCE_CLASS)]


def classes_in_order(names: Iterable[str]) -> list[str]:
    """Classes, the standard ones first and as they are always listed."""
    return sorted(names, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))


def unknown_traits(mirror: Mirror, names: Iterable[str]) -> list[str]:
    """Those of the names that no trait has, ordered."""
    return sorted(name for name in set(names) if not is_trait(mirror, name))
