"""All providers as columns, so that a question about all of them is a few passes through memory.

One row per provider, kept for ever; a row of a provider that is gone fits nothing. A class of resources is four columns
(free, least, most, step); a trait or an aggregate is one column of flags. It knows no documents and decides nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kilonode.cloud.openstack.placement.model import Inventory

Mask = NDArray[np.bool_]
FIRST_ROWS: Final = 64
_NOTHING: Final = -1
"""Free of a class that a provider does not have: less than anybody asks for."""


class _Amounts:
    """The columns of one class."""

    __slots__ = ("free", "least", "most", "step")

    def __init__(self, rows: int) -> None:
        self.free: NDArray[np.int64] = np.full(rows, _NOTHING, dtype=np.int64)
        self.least: NDArray[np.int64] = np.ones(rows, dtype=np.int64)
        self.most: NDArray[np.int64] = np.zeros(rows, dtype=np.int64)
        self.step: NDArray[np.int64] = np.ones(rows, dtype=np.int64)


class ProviderTable:
    """The columns. `uuids` has the provider of each row."""

    def __init__(self) -> None:
        self.uuids: list[str] = []
        self._row_by_uuid: dict[str, int] = {}
        self._size = FIRST_ROWS
        self._amounts: dict[str, _Amounts] = {}
        self._flags: dict[str, Mask] = {}
        self._inventories_of: list[Mapping[str, Inventory]] = []
        self._flags_of: list[frozenset[str]] = []

    def __len__(self) -> int:
        return len(self.uuids)

    def row(self, uuid: str) -> int:
        """The row of a provider that was entered."""
        return self._row_by_uuid[uuid]

    def put(
        self, uuid: str, inventories: Mapping[str, Inventory], used: Mapping[str, int], flags: frozenset[str]
    ) -> None:
        """Enter or correct a provider. `flags` are its traits and aggregates, whose names are never alike."""
        row = self._row_by_uuid.get(uuid)
        if row is None:
            row = self._new_row(uuid)
        if inventories is not self._inventories_of[row]:
            # Nodes share their inventories, so for them this is passed once, and then only what is free changes.
            self._put_portions(row, inventories)
        for name, inventory in inventories.items():
            self._amounts[name].free[row] = inventory.capacity - used.get(name, 0)
        before = self._flags_of[row]
        if flags is not before:
            for flag in before - flags:
                self._flags[flag][row] = False
            for flag in flags - before:
                if flag not in self._flags:
                    self._flags[flag] = np.zeros(self._size, dtype=np.bool_)
                self._flags[flag][row] = True
            self._flags_of[row] = flags

    def _put_portions(self, row: int, inventories: Mapping[str, Inventory]) -> None:
        for name in self._inventories_of[row]:
            if name not in inventories:
                columns = self._amounts[name]
                columns.free[row], columns.most[row] = _NOTHING, 0
        for name, inventory in inventories.items():
            columns = self._amounts.get(name) or self._amounts.setdefault(name, _Amounts(self._size))
            columns.least[row] = inventory.min_unit
            columns.most[row] = inventory.max_unit
            columns.step[row] = inventory.step_size
        self._inventories_of[row] = inventories

    def remove(self, uuid: str) -> None:
        """Have the provider's row fit nothing."""
        if uuid in self._row_by_uuid:
            self.put(uuid, {}, {}, frozenset())

    def room(self, name: str, amount: int) -> Mask:
        """Who has room for an amount of a class."""
        columns, count = self._amounts.get(name), len(self)
        if columns is None:
            return np.zeros(count, dtype=np.bool_)
        fits: Mask = columns.free[:count] >= amount
        fits &= columns.least[:count] <= amount
        fits &= columns.most[:count] >= amount
        fits &= amount % columns.step[:count] == 0
        return fits

    def any_of(self, flags: Iterable[str]) -> Mask:
        """Who has any of these traits or aggregates."""
        count = len(self)
        found = np.zeros(count, dtype=np.bool_)
        for flag in flags:
            column = self._flags.get(flag)
            if column is not None:
                found |= column[:count]
        return found

    def mask(self, uuids: Iterable[str]) -> Mask:
        """These providers."""
        found = np.zeros(len(self), dtype=np.bool_)
        for uuid in uuids:
            found[self._row_by_uuid[uuid]] = True
        return found

    def _new_row(self, uuid: str) -> int:
        row = len(self.uuids)
        if row == self._size:
            self._grow()
        self.uuids.append(uuid)
        self._row_by_uuid[uuid] = row
        self._inventories_of.append({})
        self._flags_of.append(frozenset())
        return row

    def _grow(self) -> None:
        for columns in self._amounts.values():
            columns.free = _doubled(columns.free, _NOTHING)
            columns.least = _doubled(columns.least, 1)
            columns.most = _doubled(columns.most, 0)
            columns.step = _doubled(columns.step, 1)
        for flag, column in self._flags.items():
            self._flags[flag] = _doubled(column, False)
        self._size *= 2


def _doubled(column: NDArray[Any], fill: object) -> NDArray[Any]:
    return np.concatenate([column, np.full_like(column, fill)])
