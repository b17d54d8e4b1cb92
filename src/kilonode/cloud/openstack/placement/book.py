"""All providers of the cloud in one view: those that clients wrote, and the nodes, which are compute's documents.

`Book` is a part of a role's view (see `context.Cloud.part`) and holds nothing that the documents do not say. A document
that changes only marks its provider; what is marked is made anew when somebody next asks. So a boot costs Placement
nothing until somebody looks.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.compute.model import AGGREGATE, Aggregate
from kilonode.cloud.openstack.placement.model import PROVIDER, SHARING_TRAIT, Inventory, ProviderRecord
from kilonode.cloud.openstack.placement.nodes import by_class, node_inventories, node_traits
from kilonode.cloud.openstack.placement.table import ProviderTable
from kilonode.cloud.resources import NO_USAGE, NODE, NODE_USAGE, Node, NodeUsage
from kilonode.control.mirror import Entry

KNOWN_FLAGS_LIMIT: Final = 4096
_NONE: Final[frozenset[str]] = frozenset()


class Provider(msgspec.Struct, frozen=True, gc=False):
    """One provider as it is now."""

    uuid: str
    name: str
    generation: int
    """Grows with each change: of a node, with each commit that is about it."""
    parent: str
    node: str
    """The name of the node it is; empty: it is none."""
    inventories: Mapping[str, Inventory]
    traits: frozenset[str]
    aggregates: frozenset[str]
    used: Mapping[str, int]
    updated_us: int

    def left(self, name: str) -> int:
        """How much of a class is free; less than nothing where it has none, or was made smaller than what is used."""
        inventory = self.inventories.get(name)
        return -1 if inventory is None else inventory.capacity - self.used.get(name, 0)


class Book:
    """Every provider, by id, tree, trait and aggregate. Call `refresh` before reading."""

    def __init__(self, cloud: Cloud) -> None:
        self._mirror = cloud.mirror
        self.table = ProviderTable()
        self.providers: dict[str, Provider] = {}
        self.summaries: dict[str, bytes] = {}
        """What was encoded of providers as they are now, by whoever lists them; forgotten when they change."""
        self.sharing: dict[str, None] = {}
        """Who shares by aggregate."""
        self._children: dict[str, dict[str, None]] = {}
        self._members: dict[str, dict[str, None]] = {}
        """Providers by aggregate."""
        self._flags: dict[tuple[frozenset[str], frozenset[str]], frozenset[str]] = {}
        self._changed_nodes: dict[str, None] = {}
        self._changed_records: dict[str, None] = {}
        self._node_names: dict[str, str] = {}
        self._aggregates: dict[str, tuple[str, frozenset[str]]] = {}
        self._aggregates_of: dict[str, frozenset[str]] = {}
        cloud.mirror.subscribe(self._on_change, known=(AGGREGATE, NODE, PROVIDER))

    def refresh(self) -> None:
        """Make anew what has changed."""
        if self._changed_nodes:
            names, self._changed_nodes = self._changed_nodes, {}
            for name in names:
                entry = self._mirror.get(NODE, name)
                if entry is not None:
                    self._node_names[entry.value.uuid] = name
                    self._enter(self._of_node(entry))
        if self._changed_records:
            uuids, self._changed_records = self._changed_records, {}
            for uuid in uuids:
                self._refresh_record(uuid)

    def root(self, provider: Provider) -> Provider:
        """The root of the provider's tree."""
        while provider.parent:
            provider = self.providers[provider.parent]
        return provider

    def tree(self, root: str) -> Iterator[Provider]:
        """A provider and all below it, each before those below it."""
        yield self.providers[root]
        for child in self._children.get(root, ()):
            yield from self.tree(child)

    def has_children(self, uuid: str) -> bool:
        """Whether any provider is right below this one."""
        return uuid in self._children

    @property
    def has_trees(self) -> bool:
        """Whether any provider has a parent."""
        return bool(self._children)

    def nested(self) -> Iterator[str]:
        """All providers of trees of more than one: roots, and those below them."""
        for parent, children in self._children.items():
            yield parent
            yield from children

    def members(self, aggregates: frozenset[str]) -> Iterator[str]:
        """The providers of any of the aggregates; one that is in several comes several times."""
        for aggregate in aggregates:
            yield from self._members.get(aggregate, ())

    def anchors(self, sharing: str) -> set[str]:
        """The roots of the trees that a sharing provider gives to: of all trees with anybody in its aggregates."""
        members = self.members(self.providers[sharing].aggregates)
        return {self.root(self.providers[uuid]).uuid for uuid in members}

    def compute_aggregates(self, node: str) -> frozenset[str]:
        """The aggregates that compute has a node in."""
        return self._aggregates_of.get(node, _NONE)

    def _on_change(self, kind: str, key: str) -> None:
        if kind in (NODE, NODE_USAGE):
            self._changed_nodes[key] = None
        elif kind == PROVIDER:
            self._changed_records[key] = None
        elif kind == AGGREGATE:
            self._aggregate_changed(key)

    def _aggregate_changed(self, key: str) -> None:
        _, before = self._aggregates.pop(key, ("", _NONE))
        entry: Entry[Aggregate] | None = self._mirror.get(AGGREGATE, key)
        after = _NONE
        if entry is not None:
            after = frozenset(entry.value.nodes)
            self._aggregates[key] = (entry.value.uuid, after)
        for name in before ^ after:
            self._aggregates_of[name] = frozenset(uuid for uuid, nodes in self._aggregates.values() if name in nodes)
            self._changed_nodes[name] = None

    def _refresh_record(self, uuid: str) -> None:
        name = self._node_names.get(uuid)
        if name is not None:
            entry = self._mirror.get(NODE, name)
            if entry is not None:
                self._enter(self._of_node(entry))
            return
        record: Entry[ProviderRecord] | None = self._mirror.get(PROVIDER, uuid)
        if record is not None:
            self._enter(_of_record(record.value))
        elif uuid in self.providers:
            self.summaries.pop(uuid, None)
            self._leave(self.providers.pop(uuid))
            self.table.remove(uuid)

    def _of_node(self, entry: Entry[Node]) -> Provider:
        node = entry.value
        usage: Entry[NodeUsage] | None = self._mirror.get(NODE_USAGE, node.name)
        record: Entry[ProviderRecord] | None = self._mirror.get(PROVIDER, node.uuid)
        taken = (usage.value if usage is not None else NO_USAGE).taken
        provider = Provider(
            uuid=node.uuid,
            name=node.name,
            generation=max(entry.revision, usage.revision if usage is not None else 0),
            parent="",
            node=node.name,
            inventories=node_inventories(node.shape),
            traits=node_traits(node),
            aggregates=self._aggregates_of.get(node.name, _NONE),
            used=by_class(taken),
            updated_us=node.registered_us,
        )
        if record is None:
            return provider
        added = record.value
        return msgspec.structs.replace(
            provider,
            generation=max(provider.generation, record.revision),
            parent=added.parent,
            inventories={**provider.inventories, **added.inventories},
            traits=provider.traits | frozenset(added.traits),
            aggregates=provider.aggregates | frozenset(added.aggregates),
            used={**added.used, **provider.used},
            updated_us=added.updated_us,
        )

    def _enter(self, provider: Provider) -> None:
        before = self.providers.get(provider.uuid)
        self.providers[provider.uuid] = provider
        self.summaries.pop(provider.uuid, None)
        if before is None:
            self._join(provider)
        elif (before.parent, before.traits, before.aggregates) != (
            provider.parent,
            provider.traits,
            provider.aggregates,
        ):
            self._leave(before)
            self._join(provider)
        # Most nodes have the same flags, so the sets are made once and are one object.
        flags = self._flags.get((provider.traits, provider.aggregates))
        if flags is None:
            if len(self._flags) >= KNOWN_FLAGS_LIMIT:
                self._flags.clear()
            flags = self._flags[provider.traits, provider.aggregates] = provider.traits | provider.aggregates
        self.table.put(provider.uuid, provider.inventories, provider.used, flags)

    def _join(self, provider: Provider) -> None:
        if provider.parent:
            self._children.setdefault(provider.parent, {})[provider.uuid] = None
        if SHARING_TRAIT in provider.traits:
            self.sharing[provider.uuid] = None
        for aggregate in provider.aggregates:
            self._members.setdefault(aggregate, {})[provider.uuid] = None

    def _leave(self, provider: Provider) -> None:
        if provider.parent:
            siblings = self._children[provider.parent]
            del siblings[provider.uuid]
            if not siblings:
                del self._children[provider.parent]
        self.sharing.pop(provider.uuid, None)
        for aggregate in provider.aggregates:
            self._members[aggregate].pop(provider.uuid, None)


def _of_record(record: ProviderRecord) -> Provider:
    return Provider(
        uuid=record.uuid,
        name=record.name,
        generation=record.generation,
        parent=record.parent,
        node="",
        inventories=record.inventories,
        traits=frozenset(record.traits),
        aggregates=frozenset(record.aggregates),
        used=record.used,
        updated_us=record.updated_us,
    )
