"""The next-fit scheduler, as CIAO's: the next node in turn that will do. It weighs nothing.

It goes on where it stopped, so where most nodes have room a choice looks at one node, however many there are. Load goes
round instead of to where there is most room: nodes fill evenly while servers are alike, and unevenly when they are not.
Unlike CIAO's it counts vCPUs and disk too, and goes all the way round before it says that there is no room.
"""

from collections.abc import Callable, Iterable
from typing import Final

from kilonode.base.randomness import Randomness
from kilonode.cloud.context import Weights
from kilonode.cloud.resources import Node, NodeUsage, Resources
from kilonode.cloud.scheduling import NO_LABELS, Request

EVEN: Final = Weights()


class _Row:
    """One node."""

    __slots__ = ("free", "labels", "name", "node", "usable")

    def __init__(self, node: Node) -> None:
        self.name = node.name
        self.node = node
        self.free = Resources()
        self.labels: frozenset[str] = NO_LABELS
        self.usable = False

    def will_do(self, request: Request) -> bool:
        return (
            self.usable
            and request.amount.fits(self.free)
            and request.amount.fits(self.node.size())
            and request.zone in ("", self.node.zone)
            and request.node in ("", self.name)
            and self.name not in request.avoid
            and (request.only is None or self.name in request.only)
            and request.allows_labels(self.labels)
        )


class NextFit:
    """All nodes in a row, and where in it to go on."""

    def __init__(
        self, randomness: Randomness, weights: Weights = EVEN, is_own: Callable[[str], bool] = lambda name: False
    ) -> None:
        # Several schedulers begin in different places, or they would all want the same node.
        self._start = randomness.stream().random()
        self._next: int | None = None
        self._rows: list[_Row] = []
        self._by_name: dict[str, _Row] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def put_node(
        self, node: Node, usage: NodeUsage, *, alive: bool, labels: frozenset[str] = NO_LABELS, failures: int = 0
    ) -> None:
        """Enter or correct a node."""
        row = self._by_name.get(node.name)
        if row is None:
            row = self._by_name[node.name] = _Row(node)
            self._rows.append(row)
        row.node = node
        row.labels = labels
        row.usable = node.enabled and alive
        row.free = node.capacity() - usage.taken

    def put_usage(self, name: str, usage: NodeUsage) -> None:
        """Correct what is taken of a node; an unknown node is left for `put_node`."""
        row = self._by_name.get(name)
        if row is not None:
            row.free = row.node.capacity() - usage.taken

    def remove_node(self, name: str) -> None:
        """Never choose this node again."""
        row = self._by_name.get(name)
        if row is not None:
            row.usable = False

    def choose(self, request: Request) -> str | None:
        """The next node that will do; of those that are preferred, if any of them will."""
        count = len(self._rows)
        if not count:
            return None
        pulled = sorted(request.pull, key=lambda one: -one[1])
        preferred = [name for name, pull in pulled if pull > 0]
        shunned = {name for name, pull in pulled if pull < 0}
        named = [request.node] if request.node else request.only
        found = self._first(preferred, request, named)
        if found is not None:
            return found
        if named is not None:
            last = self._first([name for name in named if name not in shunned], request, None)
            return last or self._first(named, request, None)
        if self._next is None:
            self._next = int(self._start * count)
        second: str | None = None
        for step in range(count):
            number = (self._next + step) % count
            row = self._rows[number]
            if row.will_do(request):
                if row.name not in shunned:
                    self._next = (number + 1) % count
                    return row.name
                second = second or row.name
        return second

    def take(self, name: str, amount: Resources) -> None:
        """Count `amount` as taken until the documents say otherwise."""
        row = self._by_name[name]
        row.free = row.free - amount

    def _first(self, names: Iterable[str], request: Request, among: Iterable[str] | None) -> str | None:
        for name in names:
            row = self._by_name.get(name)
            if row is not None and row.will_do(request) and (among is None or name in among):
                return name
        return None
