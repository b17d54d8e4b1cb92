"""A controller for documents with a status that ends by itself: takes each through the stages of the profile.

Level-triggered: when a stage ends follows from the document (since when, which turn), the profile and what its rules
have counted, so a restart goes on where it was. What else is written when a status ends is the service's business
(`Kind.ended`, `Kind.failed`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.draws import Draws, Position
from kilonode.cloud.rules import Facts
from kilonode.cloud.stages import Stage
from kilonode.control.controller import Controller, Requeue
from kilonode.control.mirror import Entry
from kilonode.control.queue import WorkQueue

_MICROSECONDS_PER_SECOND: Final = 1_000_000
_SEPARATOR: Final = "/"


class Kind(msgspec.Struct, frozen=True):
    """What a service says about one kind of its documents."""

    is_moving: Callable[[Any], bool]
    """Whether the document has a status that ends by itself."""
    position: Callable[[Any], Position]
    facts: Callable[[Cloud, Any], Facts]
    ended: Callable[[Cloud, Entry[Any], Stage | None], Changes]
    """What is written when a status has ended well; without a stage the profile has none for it."""
    failed: Callable[[Cloud, Entry[Any], str], Changes]
    """What is written when it has ended with this message."""


class Life:
    """Decides what happens to documents of some kinds. Keys in the queue are `kind/key`."""

    def __init__(self, cloud: Cloud, name: str, kinds: Mapping[str, Kind]) -> None:
        self._cloud = cloud
        self._kinds = kinds
        self._draws = {kind: _draws(cloud, kind, about) for kind, about in kinds.items()}
        self.controller = Controller(name, WorkQueue(cloud.clock), self.reconcile)
        cloud.mirror.subscribe(self._on_change, known=tuple(kinds))

    async def reconcile(self, key: str) -> Requeue | None:
        """Take one of them to where its status ends, when its time has come."""
        kind, _, identity = key.partition(_SEPARATOR)
        entry = self._cloud.mirror.get(kind, identity)
        about = self._kinds[kind]
        if entry is None or not about.is_moving(entry.value):
            return None
        position = about.position(entry.value)
        stage = self._cloud.stages.find(kind, position.state, position.task)
        if stage is None:
            await self._cloud.mirror.commit(about.ended(self._cloud, entry, None))
            return None
        draw = self._draws[kind].of(stage, identity, entry.value)
        if draw.numbering:
            await self._cloud.mirror.commit(draw.numbering)
            return await self.reconcile(key)
        wait_us = draw.ends_us - self._cloud.now_us()
        if wait_us > 0:
            return Requeue(wait_us / _MICROSECONDS_PER_SECOND)
        if draw.fault:
            await self._cloud.mirror.commit(about.failed(self._cloud, entry, draw.fault))
        else:
            await self._cloud.mirror.commit(about.ended(self._cloud, entry, stage))
        return None

    def _on_change(self, kind: str, key: str) -> None:
        about = self._kinds.get(kind)
        if about is not None:
            entry = self._cloud.mirror.get(kind, key)
            if entry is not None and about.is_moving(entry.value):
                self.controller.queue.add(f"{kind}{_SEPARATOR}{key}")


def _draws(cloud: Cloud, kind: str, about: Kind) -> Draws:
    return Draws(cloud, kind, about.position, lambda value: about.facts(cloud, value))
