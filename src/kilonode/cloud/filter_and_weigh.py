"""The filter-and-weigh scheduler: on which node does this fit best? Over numpy arrays, as Nova's over lists of hosts.

One row per node: size, capacity, what is free, zone, labels, whether it may be used. `choose` filters (enabled, alive,
large enough, enough free, the zone, the node asked for, nodes to avoid, labels needed and refused) and weighs: the mean
of the free fractions of vCPUs, memory and disk, each by its own multiplier, so load spreads as with Nova's default
weighers (or packs, with negative ones); then soft wishes, and builds that failed. Ties go to nodes of the scheduler's
own part, if it has one, then by a seeded draw per node, so schedulers that work side by side rarely want the same node.
Cost per choice: some microseconds at 1,000 nodes; for equal requests in a row less still.
"""

import operator
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kilonode.base.randomness import Randomness
from kilonode.cloud.context import Weights
from kilonode.cloud.resources import Node, NodeUsage, Resources
from kilonode.cloud.scheduling import NO_LABELS, Request

FIRST_ROWS: Final = 64
REQUESTS_KEPT: Final = 8
"""For how many different requests weights are kept: clouds have few flavors that are asked for at once."""
_UNFIT: Final = -np.inf
_FAILURE_WEIGHT: Final = 1e6
"""A node where builds fail is the last resort, whatever else speaks for it."""
_TIE_WEIGHT: Final = 1e-6

EVEN: Final = Weights()

Floats = NDArray[np.float64]


class _Weighed:
    """What each node weighs for one request."""

    __slots__ = ("pull", "request", "weights")

    def __init__(self, request: Request, pull: dict[str, float], weights: Floats) -> None:
        self.request = request
        self.pull = pull
        self.weights = weights


class FilterAndWeigh:
    """All nodes as arrays, one row each; rows stay where they are for ever.

    The arrays of amounts have one line per resource, so that each step over all nodes is one pass through memory.
    """

    def __init__(
        self, randomness: Randomness, weights: Weights = EVEN, is_own: Callable[[str], bool] = lambda name: False
    ) -> None:
        self._randomness = randomness
        self._is_own = is_own
        self._multipliers = np.array([weights.cpu, weights.memory, weights.disk]) / 3
        self._failure_weight = weights.build_failure * _FAILURE_WEIGHT
        self._row_by_name: dict[str, int] = {}
        self._names: list[str] = []
        self._zones: dict[str, int] = {}
        self._capacity: NDArray[np.int64] = np.zeros((3, FIRST_ROWS), dtype=np.int64)
        self._size: NDArray[np.int64] = np.zeros((3, FIRST_ROWS), dtype=np.int64)
        """What each node physically has: the most for one instance."""
        self._share: Floats = np.zeros((3, FIRST_ROWS))
        """What one unit of a resource weighs: a third of one over the capacity, by its multiplier."""
        self._free: NDArray[np.int64] = np.zeros((3, FIRST_ROWS), dtype=np.int64)
        self._zone: NDArray[np.int32] = np.full(FIRST_ROWS, -1, dtype=np.int32)
        self._usable: NDArray[np.bool_] = np.zeros(FIRST_ROWS, dtype=np.bool_)
        self._tie: Floats = np.zeros(FIRST_ROWS)
        self._bias: Floats = np.zeros(FIRST_ROWS)
        """What speaks for a node whoever asks: its tie draw, less its failed builds."""
        self._labels: list[frozenset[str]] = []
        self._flags: dict[str, NDArray[np.bool_]] = {}
        self._weighed: dict[Request, _Weighed] = {}
        """By request, the one that was asked for longest ago first."""
        self._last: _Weighed | None = None

    def __len__(self) -> int:
        return len(self._names)

    def put_node(
        self, node: Node, usage: NodeUsage, *, alive: bool, labels: frozenset[str] = NO_LABELS, failures: int = 0
    ) -> None:
        """Enter or correct a node."""
        row = self._row_by_name.get(node.name)
        if row is None:
            row = self._add_row(node.name)
        capacity = node.capacity()
        self._capacity[:, row] = (capacity.vcpus, capacity.memory_mb, capacity.disk_gb)
        size = node.size()
        self._size[:, row] = (size.vcpus, size.memory_mb, size.disk_gb)
        self._share[:, row] = self._multipliers / np.maximum(self._capacity[:, row], 1)
        self._zone[row] = self._zones.setdefault(node.zone, len(self._zones))
        self._usable[row] = node.enabled and alive
        self._bias[row] = self._tie[row] - failures * self._failure_weight
        if labels is not self._labels[row]:
            self._set_labels(row, labels)
        self._set_usage(row, usage)

    def put_usage(self, name: str, usage: NodeUsage) -> None:
        """Correct what is taken of a node; an unknown node is left for `put_node`."""
        row = self._row_by_name.get(name)
        if row is not None:
            self._set_usage(row, usage)

    def remove_node(self, name: str) -> None:
        """Never choose this node again."""
        row = self._row_by_name.get(name)
        if row is not None:
            self._usable[row] = False
            self._changed(row)

    def choose(self, request: Request) -> str | None:
        """The best node for a request, or None when none will do. Nothing is taken."""
        found = self._last
        if found is None or request is not found.request:
            found = self._last = self._weighed_for(request)
        if not len(found.weights):
            return None
        row = int(found.weights.argmax())
        return self._names[row] if found.weights[row] > _UNFIT else None

    def take(self, name: str, amount: Resources) -> None:
        """Count `amount` as taken until the documents say otherwise."""
        row = self._row_by_name[name]
        self._free[:, row] -= (amount.vcpus, amount.memory_mb, amount.disk_gb)
        self._changed(row)

    def _set_usage(self, row: int, usage: NodeUsage) -> None:
        taken = usage.taken
        self._free[:, row] = self._capacity[:, row] - (taken.vcpus, taken.memory_mb, taken.disk_gb)
        self._changed(row)

    def _weighed_for(self, request: Request) -> _Weighed:
        """The weights for a request, kept so that equal ones need not weigh all nodes again."""
        found = self._weighed.get(request)
        if found is None:
            if len(self._weighed) >= REQUESTS_KEPT:
                del self._weighed[next(iter(self._weighed))]
            found = self._weighed[request] = _Weighed(request, dict(request.pull), self._weigh(request))
        return found

    def _changed(self, row: int) -> None:
        """Weigh one row again, for every request whose weights are kept."""
        if not self._weighed:
            return
        free = self._free[:, row].tolist()
        room = Resources(*map(min, free, self._size[:, row].tolist()))
        weight = sum(map(operator.mul, free, self._share[:, row].tolist())) + float(self._bias[row])
        usable = self._usable[row]
        for found in self._weighed.values():
            request = found.request
            if usable and request.amount.fits(room) and self._allowed_row(row, request):
                found.weights[row] = weight + found.pull.get(self._names[row], 0.0)
            else:
                found.weights[row] = _UNFIT

    def _allowed_row(self, row: int, request: Request) -> bool:
        name = self._names[row]
        return (
            (not request.zone or self._zone[row] == self._zones.get(request.zone, -2))
            and (not request.node or name == request.node)
            and name not in request.avoid
            and (request.only is None or name in request.only)
            and request.allows_labels(self._labels[row])
        )

    def _weigh(self, request: Request) -> Floats:
        count = len(self._names)
        free, share, amount = self._free[:, :count], self._share[:, :count], request.amount
        size = self._size[:, :count]
        fits = self._usable[:count].copy()
        for line, wanted in enumerate((amount.vcpus, amount.memory_mb, amount.disk_gb)):
            fits &= (free[line] >= wanted) & (size[line] >= wanted)
        if request.zone:
            fits &= self._zone[:count] == self._zones.get(request.zone, -2)
        if request.node:
            fits &= self._mask([request.node])
        if request.avoid:
            fits &= ~self._mask(request.avoid)
        if request.only is not None:
            fits &= self._mask(request.only)
        for some in request.need:
            fits &= self._any_of(some)
        if request.refuse:
            fits &= ~self._any_of(request.refuse)
        weights: Floats = (free * share).sum(axis=0)
        weights += self._bias[:count]
        for name, amount_of_pull in request.pull:
            row = self._row_by_name.get(name)
            if row is not None:
                weights[row] += amount_of_pull
        weights[~fits] = _UNFIT
        return weights

    def _mask(self, names: Iterable[str]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._names), dtype=np.bool_)
        for name in names:
            row = self._row_by_name.get(name)
            if row is not None:
                mask[row] = True
        return mask

    def _any_of(self, labels: Iterable[str]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._names), dtype=np.bool_)
        for label in labels:
            flags = self._flags.get(label)
            if flags is not None:
                mask |= flags[: len(mask)]
        return mask

    def _set_labels(self, row: int, labels: frozenset[str]) -> None:
        before = self._labels[row]
        for label in before - labels:
            self._flags[label][row] = False
        for label in labels - before:
            if label not in self._flags:
                self._flags[label] = np.zeros(len(self._usable), dtype=np.bool_)
            self._flags[label][row] = True
        self._labels[row] = labels

    def _add_row(self, name: str) -> int:
        row = len(self._names)
        if row == len(self._usable):
            self._capacity = _doubled(self._capacity, 0)
            self._size = _doubled(self._size, 0)
            self._share = _doubled(self._share, 0.0)
            self._free = _doubled(self._free, 0)
            self._zone = _doubled(self._zone, -1)
            self._usable = _doubled(self._usable, False)
            self._tie = _doubled(self._tie, 0.0)
            self._bias = _doubled(self._bias, 0.0)
            self._flags = {label: _doubled(flags, False) for label, flags in self._flags.items()}
        self._names.append(name)
        self._row_by_name[name] = row
        self._labels.append(NO_LABELS)
        self._tie[row] = _TIE_WEIGHT * (self._randomness.child(name).stream().random() + self._is_own(name))
        self._weighed.clear()
        self._last = None
        return row


def _doubled(rows: NDArray[Any], fill: object) -> NDArray[Any]:
    return np.concatenate([rows, np.full_like(rows, fill)], axis=-1)
