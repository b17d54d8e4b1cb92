"""What a scheduler may ask of a node besides room: its traits, its aggregates, and whom it is kept for, as labels.

A label is a trait's name, `aggregate:<number>`, or says who may use the node: `for-all`, or `for:<project>` when
aggregates keep it for some projects (`filter_tenant_id…` in their metadata, as Nova's isolation filter reads it).
"""

from collections.abc import Callable, Iterator
from typing import Final

from kilonode.cloud.openstack.compute.model import AGGREGATE, Aggregate
from kilonode.cloud.openstack.placement.model import PROVIDER
from kilonode.cloud.openstack.placement.nodes import node_traits
from kilonode.cloud.resources import NODE, Node
from kilonode.control.mirror import Mirror

KINDS: Final = (AGGREGATE, PROVIDER)
FOR_ALL: Final = "for-all"
KEPT_FOR: Final = "filter_tenant_id"
KNOWN_LIMIT: Final = 4096
_NONE: Final[frozenset[str]] = frozenset()


def aggregate_label(aggregate: Aggregate) -> str:
    """The label of the nodes of an aggregate."""
    return f"aggregate:{aggregate.number}"


def project_label(project_id: str) -> str:
    """The label of the nodes that are kept for a project."""
    return f"for:{project_id}"


class NodeLabels:
    """The labels of each node. `on_change` hears of each node whose labels may have changed."""

    def __init__(self, mirror: Mirror, on_change: Callable[[str], None]) -> None:
        self._mirror = mirror
        self._on_change = on_change
        self._nodes: dict[str, tuple[str, ...]] = {}
        """By aggregate: who was in it."""
        self._aggregates: dict[str, dict[str, Aggregate]] = {}
        """By node."""
        self._known: dict[frozenset[str], frozenset[str]] = {}
        self._by_uuid = mirror.index(NODE, "uuid", lambda node: node.uuid)
        self.restricted = 0
        """How many aggregates keep their nodes for somebody."""
        mirror.subscribe(self._on_document, known=(AGGREGATE,))

    def of(self, node: Node) -> frozenset[str]:
        """The labels of a node. Equal sets are one object, since most nodes are alike."""
        aggregates = self._aggregates.get(node.name, {}).values()
        record = self._mirror.get(PROVIDER, node.uuid)
        kept = [project_label(project) for aggregate in aggregates for project in kept_for(aggregate)]
        labels = frozenset(
            (
                *node_traits(node),
                *(record.value.traits if record is not None else ()),
                *(aggregate_label(aggregate) for aggregate in aggregates),
                *(kept or (FOR_ALL,)),
            )
        )
        if len(self._known) >= KNOWN_LIMIT:
            self._known.clear()
        return self._known.setdefault(labels, labels)

    def all_aggregates(self) -> Iterator[Aggregate]:
        """Every aggregate."""
        for entry in self._mirror.all(AGGREGATE).values():
            yield entry.value

    def _on_document(self, kind: str, key: str) -> None:
        if kind == AGGREGATE:
            self._on_aggregate(key)
        elif kind == PROVIDER:
            for name in list(self._by_uuid.keys(key)):
                self._on_change(name)

    def _on_aggregate(self, key: str) -> None:
        before = self._nodes.pop(key, ())
        for name in before:
            self._aggregates[name].pop(key, None)
        entry = self._mirror.get(AGGREGATE, key)
        after: tuple[str, ...] = ()
        if entry is not None:
            after = self._nodes[key] = entry.value.nodes
            for name in after:
                self._aggregates.setdefault(name, {})[key] = entry.value
        self.restricted = sum(any(kept_for(aggregate)) for aggregate in self.all_aggregates())
        for name in dict.fromkeys((*before, *after)):
            self._on_change(name)


def kept_for(aggregate: Aggregate) -> Iterator[str]:
    """The projects that an aggregate keeps its nodes for; none: for all."""
    for name, value in aggregate.metadata.items():
        if name.startswith(KEPT_FOR):
            yield from (project.strip() for project in value.split(",") if project.strip())
