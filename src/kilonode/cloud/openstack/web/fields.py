"""A resource's public fields as a table: name to value. One table shows, filters, sorts and selects `fields=`.

It is for the services whose lists can be filtered by any field. Values are compared as people write them in a query:
`True` and `true` are the same, numbers are their digits, None is the empty text or `null`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")
Getter = Callable[[Value], Any]
Test = Callable[[Value], bool]


class Fields(Generic[Value]):
    """The fields of one kind of resource, in the order in which they are shown."""

    def __init__(self, getters: Mapping[str, Getter[Value]]) -> None:
        self._getters = dict(getters)

    def __contains__(self, name: str) -> bool:
        return name in self._getters

    def show(self, value: Value, only: Sequence[str] = ()) -> dict[str, Any]:
        """The resource as plain values: all fields, or those named (unknown names are left out)."""
        if only:
            return {name: getter(value) for name, getter in self._getters.items() if name in only}
        return {name: getter(value) for name, getter in self._getters.items()}

    def test(self, name: str, texts: Iterable[str]) -> Test[Value]:
        """Whether the field has any of these values, written as text."""
        getter = self._getters[name]
        wanted = frozenset(texts)
        folded = frozenset(text.lower() for text in wanted)

        def holds(value: Value) -> bool:
            found = getter(value)
            if found is None:
                return "" in wanted or "null" in folded
            if isinstance(found, bool):
                return ("true" if found else "false") in folded
            return str(found) in wanted

        return holds

    def tests(self, query: Iterable[tuple[str, str]]) -> list[Test[Value]]:
        """One test for each field named in a query; of several values of one name, any will do."""
        wanted: dict[str, list[str]] = {}
        for name, text in query:
            if name in self._getters:
                wanted.setdefault(name, []).append(text)
        return [self.test(name, texts) for name, texts in wanted.items()]

    def sort(self, values: list[Value], keys: Sequence[tuple[str, bool]]) -> None:
        """Sort in place by these fields, the first being the weightiest; True: descending. Stable."""
        for name, descending in reversed(keys):
            getter = self._getters[name]
            values.sort(key=lambda value: _sortable(getter(value)), reverse=descending)


def matching(values: Iterable[Value], tests: Sequence[Test[Value]]) -> list[Value]:
    """The values that pass all tests, in their order."""
    if not tests:
        return list(values)
    return [value for value in values if all(test(value) for test in tests)]


def _sortable(value: Any) -> tuple[int, Any]:
    """A key that orders None before numbers before everything else as text."""
    if value is None:
        return (0, 0)
    if isinstance(value, (bool, int, float)):
        return (1, value)
    return (2, str(value))
