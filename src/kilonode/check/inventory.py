"""What there is on a cloud after the load, as its APIs show it: the records that a run's inventory is made of.

Plain facts, not judged: `kilonode.check.consistency` does that. Amounts are by resource class, as placement names them:
vCPUs, MiB of memory, GiB of disk.
"""

from typing import Final

import msgspec

VCPU: Final = "VCPU"
MEMORY_MB: Final = "MEMORY_MB"
DISK_GB: Final = "DISK_GB"
CLASSES: Final = (VCPU, MEMORY_MB, DISK_GB)
"""The classes that are held against servers; a class that it has nothing of is left out of an amount."""
FORMAT_VERSION: Final = 1


class Thing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One resource."""

    kind: str
    """`server`, `volume`, `port`, …"""
    id: str
    """Of a key pair, which has none: its name."""
    name: str = ""
    """Of a floating IP, which has none: its description."""
    project_id: str = ""
    status: str = ""
    task: str = ""
    """Of a server: what is under way."""
    flavor: str = ""
    """Of a server: the flavor's name."""
    amount: dict[str, int] = {}
    """Of a server: what its flavor takes of a node."""
    size_gib: int = 0
    """Of a volume or a snapshot."""
    node: str = ""
    """Of a server: the node it is on, by the name of the hypervisor; empty: on none, or not shown."""
    network_id: str = ""
    """Of a subnet or a port."""
    holder: str = ""
    """Of a port: its owner's kind of device, such as `compute:nova`."""
    holds: tuple[str, ...] = ()
    """Ids: of a port, its device; of a volume, the servers it is attached to; of a floating IP, its port; of a
    snapshot, its volume."""
    addresses: tuple[str, ...] = ()
    """Of a port and a floating IP: each `network address`."""


class NodeUse(msgspec.Struct, frozen=True, kw_only=True):
    """A node as placement accounts for it."""

    id: str
    name: str
    capacity: dict[str, int]
    """Size less what is reserved, times the allocation ratio."""
    used: dict[str, int]
    """What placement counts as used."""
    allocations: dict[str, dict[str, int]]
    """Consumer to what is allocated to it."""


class QuotaUse(msgspec.Struct, frozen=True, kw_only=True):
    """How much of something a service says that a project uses."""

    project_id: str
    name: str
    """`servers`, `cores`, `memory_mb`, `networks`, `gibibytes`, …"""
    used: int


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was looked at, at one instant."""

    format_version: int = FORMAT_VERSION
    run_id: str
    things: tuple[Thing, ...] = ()
    """Of all projects, as far as the user may see them."""
    kinds: tuple[str, ...] = ()
    """The kinds that were listed."""
    all_projects: bool = False
    """The servers of every project are among them, so that nodes can be held against them."""
    nodes: tuple[NodeUse, ...] | None = None
    """None: placement was not shown to this user."""
    moves: tuple[str, ...] = ()
    """Consumers that stand for a server under way from one node to another, or waiting for a confirmation of that."""
    quotas: tuple[QuotaUse, ...] | None = None
    """Of the run's projects; None: not looked at."""
    flavors: dict[str, str] = {}
    """Id to name."""
    projects: tuple[str, ...] = ()
    """The projects that the load worked in."""
    unseen: tuple[str, ...] = ()
    """What could not be looked at, and why, for people."""
    settled: bool = False
    """Nothing was under way any more, and nothing changed between two looks."""
    settling_s: float = 0.0
    """How long it was waited for that, after the load had drained."""
