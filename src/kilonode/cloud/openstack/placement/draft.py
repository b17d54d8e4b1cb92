"""A change to providers and consumers while it is worked out: several steps, one commit.

Nothing is written before `changes` is committed, and each document in it only if it is as it was read. What is changed
of a node goes where it belongs: its three own classes into the node, what others take of these into the node's usage
(so that the scheduler counts it), everything else into the record beside it.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.placement.book import Book, Provider
from kilonode.cloud.openstack.placement.model import (
    CONSUMER,
    PROVIDER,
    PROVIDER_NAME,
    Consumer,
    Inventory,
    ProviderName,
    ProviderRecord,
)
from kilonode.cloud.openstack.placement.nodes import NODE_CLASSES, node_traits, of_classes, shape_of
from kilonode.cloud.resources import NO_USAGE, NODE, NODE_USAGE, Node, NodeUsage
from kilonode.control.mirror import Delete, Entry, Put

Value = TypeVar("Value")


class ProviderDraft(msgspec.Struct):
    """One provider as it is to be."""

    before: Provider
    inventories: dict[str, Inventory]
    used: dict[str, int]
    traits: frozenset[str]
    aggregates: frozenset[str]
    parent: str
    name: str
    steps: int = 0
    """By how much the generation grows."""


class Draft:
    """Changes to any number of providers and consumers."""

    def __init__(self, cloud: Cloud, book: Book) -> None:
        self._mirror = cloud.mirror
        self._now_us = cloud.now_us()
        self._book = book
        self._providers: dict[str, ProviderDraft] = {}
        self._touched: dict[str, None] = {}
        self._more: list[Put | Delete] = []

    def of(self, provider: Provider) -> ProviderDraft:
        """The draft of a provider, begun as it is now."""
        draft = self._providers.get(provider.uuid)
        if draft is None:
            draft = ProviderDraft(
                provider,
                dict(provider.inventories),
                dict(provider.used),
                provider.traits,
                provider.aggregates,
                provider.parent,
                provider.name,
            )
            self._providers[provider.uuid] = draft
        return draft

    def keep(self, providers: Iterable[Provider]) -> None:
        """Have the commit fail if one of these was changed or removed meanwhile. Nodes are never removed."""
        for provider in providers:
            if not provider.node:
                self._touched[provider.uuid] = None

    def put_consumer(self, consumer: Consumer, before: Entry[Consumer] | None) -> None:
        """Write a consumer, or remove one that has nothing."""
        expected = before.revision if before is not None else 0
        if consumer.allocations:
            self._more.append(Put(CONSUMER, consumer, consumer.uuid, expected))
        elif before is not None:
            self._more.append(Delete(CONSUMER, consumer.uuid, expected))

    def create(self, record: ProviderRecord) -> None:
        """A new provider."""
        self._more.append(Put(PROVIDER, record, record.uuid, 0))
        self._more.append(Put(PROVIDER_NAME, ProviderName(record.uuid), record.name, 0))

    def remove(self, provider: Provider) -> None:
        """Remove a provider that is no node."""
        entry = self._mirror.get(PROVIDER, provider.uuid)
        if entry is not None:
            self._more.append(Delete(PROVIDER, provider.uuid, entry.revision))
            self._more.append(Delete(PROVIDER_NAME, provider.name))

    async def commit(self) -> dict[str, int]:
        """Write everything; the generations of the providers after it. Raises ConflictError."""
        changes = self.changes()
        if not changes:
            return {uuid: draft.before.generation for uuid, draft in self._providers.items()}
        revision = await self._mirror.commit(changes)
        return {
            uuid: revision if draft.before.node else draft.before.generation + draft.steps
            for uuid, draft in self._providers.items()
        }

    def changes(self) -> list[Put | Delete]:
        """The documents to write."""
        changes = list(self._more)
        for draft in self._providers.values():
            changes += self._node_changes(draft) if draft.before.node else self._record_changes(draft)
        written = {change.key for change in changes if change.kind == PROVIDER}
        for uuid in self._touched:
            entry = self._mirror.get(PROVIDER, uuid)
            if uuid not in written and entry is not None:
                changes.append(Put(PROVIDER, entry.value, uuid, entry.revision))
        return changes

    def _record_changes(self, draft: ProviderDraft) -> list[Put | Delete]:
        entry: Entry[ProviderRecord] | None = self._mirror.get(PROVIDER, draft.before.uuid)
        if entry is None:
            return []
        record = self._filled(entry.value, draft, draft.inventories, draft.used)
        changes: list[Put | Delete] = [Put(PROVIDER, record, record.uuid, entry.revision)]
        if record.name != entry.value.name:
            changes.append(Delete(PROVIDER_NAME, entry.value.name))
            changes.append(Put(PROVIDER_NAME, ProviderName(record.uuid), record.name, 0))
        return changes

    def _node_changes(self, draft: ProviderDraft) -> list[Put | Delete]:
        name, before = draft.before.node, draft.before
        node: Entry[Node] | None = self._mirror.get(NODE, name)
        if node is None:
            return []
        changes: list[Put | Delete] = []
        if _own(draft.inventories) != _own(before.inventories):
            shape = shape_of(node.value.shape, draft.inventories)
            changes.append(Put(NODE, replace(node.value, shape=shape), name, node.revision))
        taken, taken_before = of_classes(draft.used), of_classes(before.used)
        if taken != taken_before:
            usage: Entry[NodeUsage] | None = self._mirror.get(NODE_USAGE, name)
            value = usage.value if usage is not None else NO_USAGE
            others = value.others + taken - taken_before
            changed = NodeUsage(value.used, value.instances, others)
            changes.append(Put(NODE_USAGE, changed, name, usage.revision if usage is not None else 0))
        entry: Entry[ProviderRecord] | None = self._mirror.get(PROVIDER, before.uuid)
        record = entry.value if entry is not None else ProviderRecord(before.uuid, name, node=name)
        draft.traits -= node_traits(node.value)
        # An aggregate of compute's stays the node's whatever a client of Placement says.
        draft.aggregates -= self._book.compute_aggregates(name)
        filled = self._filled(record, draft, _foreign(draft.inventories), _foreign(draft.used))
        if draft.steps or filled != replace(record, updated_us=filled.updated_us):
            changes.append(Put(PROVIDER, filled, before.uuid, entry.revision if entry is not None else 0))
        return changes

    def _filled(
        self,
        record: ProviderRecord,
        draft: ProviderDraft,
        inventories: dict[str, Inventory],
        used: Mapping[str, int],
    ) -> ProviderRecord:
        return replace(
            record,
            name=draft.name,
            generation=record.generation + draft.steps,
            parent=draft.parent,
            inventories=inventories,
            traits=tuple(sorted(draft.traits)),
            aggregates=tuple(sorted(draft.aggregates)),
            used={name: amount for name, amount in used.items() if amount},
            updated_us=self._now_us,
        )


def _own(inventories: Mapping[str, Inventory]) -> tuple[Inventory | None, ...]:
    return tuple(inventories.get(name) for name in NODE_CLASSES)


def _foreign(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in NODE_CLASSES}
