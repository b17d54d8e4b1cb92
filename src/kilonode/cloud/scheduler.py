"""The scheduler's judgement: on which node does this fit best? Filter and weigh over numpy arrays; no store, no loop.

`NodeTable` has one row per node: size, capacity, what is free, zone, whether it may be used. `choose` filters (enabled,
alive, large enough, enough free, the zone, the node asked for, nodes to avoid) and weighs: the mean of the free
fractions, so load spreads as with Nova's default weighers; ties go by a seeded draw per node, so two schedulers differ.
Taking is tentative: a row changes at once (`take`), and is set right by the document when its commit is mirrored.
Cost per choice: some microseconds at 1,000 nodes; choices for equal requests in a row cost less still.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from kilonode.base.randomness import Randomness
from kilonode.cloud.resources import Node, NodeUsage, Resources

FIRST_ROWS: Final = 64
_UNFIT: Final = -1.0
_TIE_WEIGHT: Final = 1e-6

Floats = NDArray[np.float64]


class Request(msgspec.Struct, frozen=True):
    """What is to be placed. An empty zone or node: any."""

    amount: Resources
    zone: str = ""
    node: str = ""
    avoid: tuple[str, ...] = ()
    """Names of nodes that will not do."""
    only: tuple[str, ...] | None = None
    """If given, nothing but these nodes will do."""


class NodeTable:
    """All nodes as arrays, one row each; rows stay where they are for ever.

    The arrays of amounts have one line per resource, so that each step over all nodes is one pass through memory.
    """

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness
        self._row_by_name: dict[str, int] = {}
        self._names: list[str] = []
        self._zones: dict[str, int] = {}
        self._capacity: NDArray[np.int64] = np.zeros((3, FIRST_ROWS), dtype=np.int64)
        self._size: NDArray[np.int64] = np.zeros((3, FIRST_ROWS), dtype=np.int64)
        """What each node physically has: the most for one instance."""
        self._share: Floats = np.zeros((3, FIRST_ROWS))
        """What one unit of a resource weighs: a third of one over the capacity."""
        self._free: NDArray[np.int64] = np.zeros((3, FIRST_ROWS), dtype=np.int64)
        self._zone: NDArray[np.int32] = np.full(FIRST_ROWS, -1, dtype=np.int32)
        self._usable: NDArray[np.bool_] = np.zeros(FIRST_ROWS, dtype=np.bool_)
        self._tie: Floats = np.zeros(FIRST_ROWS)
        self._weights_for: Request | None = None
        self._weights: Floats = np.zeros(0)

    def __len__(self) -> int:
        return len(self._names)

    def put_node(self, node: Node, usage: NodeUsage, *, alive: bool) -> None:
        """Enter or correct a node."""
        row = self._row_by_name.get(node.name)
        if row is None:
            row = self._add_row(node.name)
        capacity = node.capacity()
        self._capacity[:, row] = (capacity.vcpus, capacity.memory_mb, capacity.disk_gb)
        size = node.size()
        self._size[:, row] = (size.vcpus, size.memory_mb, size.disk_gb)
        self._share[:, row] = 1 / (3 * np.maximum(self._capacity[:, row], 1))
        self._zone[row] = self._zones.setdefault(node.zone, len(self._zones))
        self._usable[row] = node.enabled and alive
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
        if request is not self._weights_for and request != self._weights_for:
            self._weights = self._weigh(request)
        self._weights_for = request
        if not len(self._weights):
            return None
        row = int(self._weights.argmax())
        return self._names[row] if self._weights[row] > _UNFIT else None

    def take(self, name: str, amount: Resources) -> None:
        """Count `amount` as taken until the documents say otherwise."""
        row = self._row_by_name[name]
        self._free[:, row] -= (amount.vcpus, amount.memory_mb, amount.disk_gb)
        self._changed(row)

    def _set_usage(self, row: int, usage: NodeUsage) -> None:
        taken = usage.taken
        self._free[:, row] = self._capacity[:, row] - (taken.vcpus, taken.memory_mb, taken.disk_gb)
        self._changed(row)

    def _changed(self, row: int) -> None:
        """Weigh one row again, so that a run of equal requests need not weigh all."""
        request = self._weights_for
        if request is None:
            return
        if row >= len(self._weights):
            self._weights_for = None
            return
        room = Resources(*np.minimum(self._free[:, row], self._size[:, row]).tolist())
        if self._usable[row] and request.amount.fits(room) and self._allowed_row(row, request):
            self._weights[row] = (self._free[:, row] * self._share[:, row]).sum() + self._tie[row]
        else:
            self._weights[row] = _UNFIT

    def _allowed_row(self, row: int, request: Request) -> bool:
        name = self._names[row]
        return (
            (not request.zone or self._zone[row] == self._zones.get(request.zone, -2))
            and (not request.node or name == request.node)
            and name not in request.avoid
            and (request.only is None or name in request.only)
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
        weights: Floats = (free * share).sum(axis=0)
        weights += self._tie[:count]
        weights[~fits] = _UNFIT
        return weights

    def _mask(self, names: Iterable[str]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._names), dtype=np.bool_)
        for name in names:
            row = self._row_by_name.get(name)
            if row is not None:
                mask[row] = True
        return mask

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
        self._names.append(name)
        self._row_by_name[name] = row
        self._tie[row] = _TIE_WEIGHT * self._randomness.child(name).stream().random()
        self._weights_for = None
        return row


def _doubled(rows: NDArray[Any], fill: object) -> NDArray[Any]:
    return np.concatenate([rows, np.full_like(rows, fill)], axis=-1)
