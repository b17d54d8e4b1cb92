"""The documents that clients of Placement write, and the arithmetic of an inventory.

Nodes and servers are not among them: those are compute's documents, and Placement shows them as providers and consumers
(see `nodes`). A `ProviderRecord` stands beside a node's own documents where a client has added something to it.
What a provider has given is part of its record, and both are written in one commit with the consumer, each only if
nobody wrote it since it was read: so no provider can be overbooked, by however many processes.
"""

from typing import Final

import msgspec

from kilonode.cloud.kinds import document
from kilonode.control.index import Index
from kilonode.control.mirror import Mirror

PROVIDER: Final = "resource_provider"
PROVIDER_NAME: Final = "resource_provider_name"
CONSUMER: Final = "consumer"
TRAIT: Final = "trait"
RESOURCE_CLASS: Final = "resource_class"

LARGEST: Final = 2**31 - 1
"""The largest number of anything: what the service's own database can hold."""
LARGEST_CAPACITY: Final = 2**62
SHARING_TRAIT: Final = "MISC_SHARES_VIA_AGGREGATE"
"""A provider with this trait gives of what it has to all trees in its aggregates."""


class Inventory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a provider has of one class, and in what portions it may be taken."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = LARGEST
    step_size: int = 1
    allocation_ratio: float = 1.0

    @property
    def capacity(self) -> int:
        """How much may be taken in all."""
        return int(min((self.total - self.reserved) * self.allocation_ratio, LARGEST_CAPACITY))

    def allows(self, amount: int) -> bool:
        """Whether one consumer may take this much, as far as portions go."""
        return self.min_unit <= amount <= self.max_unit and amount % self.step_size == 0


@document(PROVIDER)
class ProviderRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A provider as clients wrote it; its key is `uuid`. For a node: only what was added to it."""

    uuid: str
    name: str
    generation: int = 0
    parent: str = ""
    node: str = ""
    """The name of the node it stands beside; empty: it is a provider of its own."""
    inventories: dict[str, Inventory] = {}
    traits: tuple[str, ...] = ()
    aggregates: tuple[str, ...] = ()
    used: dict[str, int] = {}
    """What consumers have taken of it, by class; without servers."""
    created_us: int = 0
    updated_us: int = 0


@document(PROVIDER_NAME)
class ProviderName(msgspec.Struct, frozen=True):
    """That a name is taken; its key is the name, so no two providers can have one."""

    uuid: str


@document(CONSUMER)
class Consumer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who has taken something and is no server; its key is `uuid`. One that has nothing left is gone."""

    uuid: str
    project_id: str
    user_id: str
    allocations: dict[str, dict[str, int]]
    """Amounts by class, by provider."""
    generation: int = 1
    type: str | None = None
    created_us: int = 0


@document(TRAIT)
class CustomTrait(msgspec.Struct, frozen=True):
    """A trait beside the standard ones; its key is its name."""

    created_us: int


@document(RESOURCE_CLASS)
class CustomClass(msgspec.Struct, frozen=True):
    """A resource class beside the standard ones; its key is its name."""

    created_us: int


def consumers_by_provider(mirror: Mirror) -> Index:
    """Which consumers have taken something of a provider."""
    return mirror.index(CONSUMER, "provider", lambda consumer: tuple(consumer.allocations))


def consumers_by_project(mirror: Mirror) -> Index:
    """Which consumers a project has."""
    return mirror.index(CONSUMER, "project", lambda consumer: consumer.project_id)
