"""Sharing work between several roles of one kind: which of them does what, and who does the share of a silent one.

Each key has its role by a hash, so two roles that work do not meet. A role that was not heard of for one and a half
heartbeats is left out: its keys, and only its, go to the others, and come back to it when it is heard of again. Nothing
is agreed upon: for a moment two may think that a key is theirs, or none (decision 0105). Both are harmless where work
is safe to do twice, and where what became one's own is looked at again.
"""

from collections.abc import Callable, Sequence
from typing import Final
from zlib import crc32

from kilonode.cloud.context import Cloud
from kilonode.cloud.resources import HEARTBEAT

SILENT_AFTER_BEATS: Final = 1.5
LOOKS_PER_BEAT: Final = 5
_MICROSECONDS_PER_SECOND: Final = 1_000_000


class Shares:
    """The share of one role, `cloud.role`, among the roles called `names`."""

    def __init__(self, cloud: Cloud, names: Sequence[str], on_change: Callable[[], None]) -> None:
        """`on_change` is called when keys may have become this role's."""
        self._cloud = cloud
        self._names = tuple(names)
        self._on_change = on_change
        self._others = frozenset(names) - {cloud.role}
        self._living = self._look()
        if self._others:
            cloud.mirror.subscribe(self._on_document)

    def mine(self, key: str) -> bool:
        """Whether this role is to do what there is to be done about a key."""
        if not self._others:
            return True
        number = crc32(key.encode())
        at_home = self._names[number % len(self._names)]
        if at_home in self._living:
            return at_home == self._cloud.role
        # Divided first: the rest of the number says nothing about where its keys go.
        return self._living[number // len(self._names) % len(self._living)] == self._cloud.role

    async def watch(self) -> None:
        """Look who went silent, again and again, until cancelled."""
        while True:
            await self._cloud.clock.sleep(self._cloud.settings.heartbeat_s / LOOKS_PER_BEAT)
            self._update()

    def _on_document(self, kind: str, key: str) -> None:
        if kind == HEARTBEAT and key in self._others and key not in self._living:
            self._update()

    def _update(self) -> None:
        living = self._look()
        if living != self._living:
            self._living = living
            self._on_change()

    def _look(self) -> tuple[str, ...]:
        return tuple(name for name in self._names if name == self._cloud.role or self._is_heard(name))

    def _is_heard(self, name: str) -> bool:
        beat = self._cloud.mirror.get(HEARTBEAT, name)
        silent_us = self._cloud.settings.heartbeat_s * SILENT_AFTER_BEATS * _MICROSECONDS_PER_SECOND
        return beat is not None and self._cloud.now_us() - beat.value.at_us <= silent_us
