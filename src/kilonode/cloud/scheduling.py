"""What every scheduler of the emulated cloud is: given a request, it names a node. No store, no loop, no clock.

A scheduler is told of nodes and of what is taken of them, and keeps them as it likes. `choose` takes nothing; `take`
counts an amount as taken until the documents say otherwise. Whatever a scheduler thinks, no node is overbooked: that is
held by the commit (see `ledger`), so designs can be compared without danger.
"""

from typing import Protocol

import msgspec

from kilonode.cloud.resources import Node, NodeUsage, Resources

NO_LABELS: frozenset[str] = frozenset()


class Request(msgspec.Struct, frozen=True):
    """What is to be placed. An empty zone or node: any."""

    amount: Resources
    zone: str = ""
    node: str = ""
    avoid: tuple[str, ...] = ()
    """Names of nodes that will not do."""
    only: tuple[str, ...] | None = None
    """If given, nothing but these nodes will do."""
    need: tuple[frozenset[str], ...] = ()
    """Labels (traits, aggregates …): a node needs one of each set. An empty set is had by none."""
    refuse: frozenset[str] = NO_LABELS
    """Labels that a node must not have."""
    pull: tuple[tuple[str, float], ...] = ()
    """Nodes to be preferred by so much, or avoided where there are others when it is negative. Soft wishes only."""

    def allows_labels(self, labels: frozenset[str]) -> bool:
        """Whether a node with these labels will do."""
        return self.refuse.isdisjoint(labels) and not any(some.isdisjoint(labels) for some in self.need)


class Scheduler(Protocol):
    """Chooses nodes. See the module."""

    def __len__(self) -> int:
        """How many nodes it was told of."""
        ...

    def put_node(
        self, node: Node, usage: NodeUsage, *, alive: bool, labels: frozenset[str] = NO_LABELS, failures: int = 0
    ) -> None:
        """Enter or correct a node; `failures`: how many builds failed there since one went well."""
        ...

    def put_usage(self, name: str, usage: NodeUsage) -> None:
        """Correct what is taken of a node; an unknown node is left for `put_node`."""
        ...

    def remove_node(self, name: str) -> None:
        """Never choose this node again."""
        ...

    def choose(self, request: Request) -> str | None:
        """A node for a request, or None when none will do. Nothing is taken."""
        ...

    def take(self, name: str, amount: Resources) -> None:
        """Count `amount` as taken until the documents say otherwise."""
        ...
