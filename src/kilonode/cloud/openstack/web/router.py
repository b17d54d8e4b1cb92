"""Finds the route of a path: a dictionary for paths without names in them, a tree of segments for the others.

A fixed segment goes before a named one, so `/servers/detail` is never a server. A trailing slash means nothing.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar
from urllib.parse import unquote

Target = TypeVar("Target")

SEGMENTS_LIMIT = 16
"""No operation has a longer path."""


class _Node(Generic[Target]):
    __slots__ = ("fixed", "named", "targets")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node[Target]] = {}
        self.named: _Node[Target] | None = None
        self.targets: dict[str, tuple[Target, tuple[str, ...]]] = {}
        """By method: what is here, and the names of its named segments."""


class Found(Generic[Target]):
    """What a path leads to: targets by method, and the values of the named segments."""

    __slots__ = ("_targets", "_values")

    def __init__(self, targets: dict[str, tuple[Target, tuple[str, ...]]], values: tuple[str, ...]) -> None:
        self._targets = targets
        self._values = values

    def target(self, method: str) -> tuple[Target, dict[str, str]] | None:
        """The target for a method and its named values, or None. HEAD is answered where GET is."""
        entry = self._targets.get(method) or (self._targets.get("GET") if method == "HEAD" else None)
        if entry is None:
            return None
        target, names = entry
        return target, dict(zip(names, self._values, strict=True))

    def methods(self) -> Iterable[str]:
        """The methods that are there, ordered."""
        return sorted(self._targets)


class Router(Generic[Target]):
    """Routes by path and method."""

    def __init__(self) -> None:
        self._root: _Node[Target] = _Node()
        self._plain: dict[str, Found[Target]] = {}

    def add(self, method: str, path: str, target: Target) -> None:
        """Enter a target. Raises ValueError when the place is taken."""
        node = self._root
        names = []
        segments = _segments(path)
        for segment in segments:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.named = node.named or _Node()
                node = node.named
            else:
                node = node.fixed.setdefault(segment, _Node())
        if method in node.targets:
            raise ValueError(f"two routes for {method} {path}")
        node.targets[method] = (target, tuple(names))
        if not names:
            self._plain[path.rstrip("/")] = Found(node.targets, ())

    def find(self, path: str) -> Found[Target] | None:
        """What is at a path, or None. Named values come with %-escapes resolved."""
        plain = self._plain.get(path)
        if plain is not None:
            return plain
        segments = _segments(path)
        if len(segments) > SEGMENTS_LIMIT:
            return None
        return self._descend(self._root, segments, 0, ())

    def _descend(
        self, node: _Node[Target], segments: list[str], depth: int, values: tuple[str, ...]
    ) -> Found[Target] | None:
        if depth == len(segments):
            return Found(node.targets, values) if node.targets else None
        segment = segments[depth]
        fixed = node.fixed.get(segment)
        if fixed is not None:
            found = self._descend(fixed, segments, depth + 1, values)
            if found is not None:
                return found
        if node.named is None:
            return None
        value = unquote(segment) if "%" in segment else segment
        return self._descend(node.named, segments, depth + 1, (*values, value))


def _segments(path: str) -> list[str]:
    stripped = path.strip("/")
    return stripped.split("/") if stripped else []
