"""What is not the same in some nested plain values: experiments, environments. Each leaf by its path."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kilonode.check.comparison import Difference

NOT_COMPARED: Final = frozenset({"recorded_utc", "load_average_1_minute", "memory_available_bytes", "endpoints"})
"""What is never the same twice and explains nothing by itself."""


def list_differences(part: str, values: Sequence[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """Every path whose value is not the same in all of `values`, in the order in which paths first appear."""
    flat = [dict(_leaves(value, "")) for value in values]
    paths = dict.fromkeys(path for leaves in flat for path in leaves)
    return tuple(
        Difference(part=part, path=path, values=found)
        for path in paths
        if len(set(found := tuple(leaves.get(path) for leaves in flat))) > 1
    )


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            if key not in NOT_COMPARED:
                yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    elif isinstance(value, bool):
        yield path, "yes" if value else "no"
    elif value not in (None, "", [], {}):
        yield path, str(value)
