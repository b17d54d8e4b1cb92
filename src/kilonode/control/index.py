"""A secondary index over the documents of one kind in a mirror: which keys have what value.

Kept current by its mirror; knows nothing of documents but the one function that gives a document's index values.
"""

from collections.abc import Callable, Hashable, KeysView
from typing import Any

_NO_KEYS: dict[str, None] = {}


class Index:
    """Document keys by index value. Keys of one value stand in the order in which they came to have it."""

    def __init__(self, of: Callable[[Any], Hashable | None]) -> None:
        self._of = of
        self._keys: dict[Hashable, dict[str, None]] = {}
        self._values: dict[str, Hashable] = {}

    def keys(self, value: Hashable) -> KeysView[str]:
        """The keys of all documents with this value. A live view: copy it before anything is awaited."""
        return self._keys.get(value, _NO_KEYS).keys()

    def count(self, value: Hashable) -> int:
        """How many documents have this value."""
        return len(self._keys.get(value, _NO_KEYS))

    def values(self) -> KeysView[Hashable]:
        """The values that any document has. A live view."""
        return self._keys.keys()

    def put(self, key: str, document: Any) -> None:
        """Enter a new or changed document."""
        new = self._of(document)
        old = self._values.get(key)
        if new == old:
            return
        self._leave(key, old)
        if new is None:
            self._values.pop(key, None)
            return
        self._values[key] = new
        for value in new if isinstance(new, tuple) else (new,):
            self._keys.setdefault(value, {})[key] = None

    def remove(self, key: str) -> None:
        """Forget a deleted document."""
        self._leave(key, self._values.pop(key, None))

    def _leave(self, key: str, old: Hashable | None) -> None:
        if old is None:
            return
        for value in old if isinstance(old, tuple) else (old,):
            keys = self._keys.get(value)
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del self._keys[value]
