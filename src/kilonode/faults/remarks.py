"""Reading somebody else's configuration key by key, with a remark for each: nothing is passed over in silence."""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from kilonode.base.errors import nearest
from kilonode.base.yaml_nodes import Entry, Node, Scalar, Sequence, describe
from kilonode.base.yaml_nodes import Mapping as MappingNode

Handler = Callable[[Node, str], None]
"""Reads the value of a key at a path."""


class Remark(msgspec.Struct, frozen=True):
    """What became of one key."""

    kind: Literal["became", "not needed", "not understood"]
    path: str
    line: int
    words: str


class RemarkingReader:
    """What readers of such files are made of."""

    def __init__(self) -> None:
        self.remarks: list[Remark] = []

    def _each(self, node: Node, path: str, handlers: Mapping[str, Handler]) -> None:
        """Read each key by its handler; one without is remarked on."""
        for entry in self._entries(node, path):
            here = f"{path}.{entry.key}" if path else entry.key
            handler = handlers.get(entry.key)
            if handler is None:
                self._unknown(here, entry, entry.key, tuple(handlers))
            else:
                handler(entry.value, here)

    def _entries(self, node: Node, path: str) -> tuple[Entry, ...]:
        if isinstance(node, MappingNode):
            return node.entries
        if not (isinstance(node, Scalar) and node.value is None):
            self._say("not understood", path, node, f"expected keys, got {describe(node)}")
        return ()

    def _text_into(self, found: dict[str, str], key: str) -> Handler:
        def handle(node: Node, path: str) -> None:
            if isinstance(node, Scalar) and node.value is not None:
                found[key] = node.text
            else:
                self._say("not understood", path, node, f"expected text, got {describe(node)}")

        return handle

    def _texts_into(self, node: Node, path: str, found: list[str]) -> None:
        for number, item in enumerate(node.items if isinstance(node, Sequence) else (node,)):
            if isinstance(item, Scalar) and item.value is not None:
                found.append(item.text)
            else:
                self._say("not understood", f"{path}[{number}]", item, f"expected text, got {describe(item)}")

    def _secret_into(self, found: dict[str, str], key: str, variable: str) -> Handler:
        def handle(node: Node, path: str) -> None:
            found[key] = variable
            self._say("became", path, node, f"the environment variable {variable}: put the password there")

        return handle

    def _not_needed(self, why: str) -> Handler:
        return lambda node, path: self._say("not needed", path, node, why)

    def _unknown(self, path: str, node: Node | Entry, name: str, known: tuple[str, ...]) -> None:
        hint = nearest(name, known)
        words = f"expected one of {', '.join(known)}" if known else "no keys are known here"
        self._say("not understood", path, node, f"{name!r}: {hint or words}")

    def _say(
        self, kind: Literal["became", "not needed", "not understood"], path: str, node: Node | Entry, words: str
    ) -> None:
        self.remarks.append(Remark(kind, path, node.place.line, words))
