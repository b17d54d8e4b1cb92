"""A controller that decides for many keys at once and commits what it decided in one commit.

Same rules as `control.controller` (keys, never events; safe to run twice; conflicts decided anew), for work whose cost
is the commit: deciding is a pure function of the mirror, so a thousand keys that became ready while the last commit was
written make one more commit, not a thousand. A conflict halves the batch until the key that conflicts stands alone.
One commit is under way at a time, so each decision sees all that were made before it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from kilonode.cloud.ledger import Claim, Ledger
from kilonode.control.mirror import Delete, Mirror, Put
from kilonode.control.queue import WorkQueue
from kilonode.store.protocol import ConflictError

DEFAULT_BATCH_LIMIT: Final = 256
CONFLICTS_TRIED_AT_ONCE: Final = 10

_log = logging.getLogger(__name__)


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What is to be done about one key: all of it or nothing."""

    changes: tuple[Put | Delete, ...] = ()
    claims: tuple[Claim, ...] = ()
    """Taken from, or given back to, nodes in the same commit."""
    again_s: float | None = None
    """Look at the key again after this long, whatever happens."""


Decide = Callable[[str], Decision | None]
"""Given a key: read the mirror and say what to do; None for nothing. Must not wait, and must not write."""


class Counts(msgspec.Struct):
    """What a controller has done since it was made."""

    decided: int = 0
    commits: int = 0
    conflicts: int = 0
    failures: int = 0


class BatchController:
    """Decides the keys of one queue in batches of at most `limit`.

    `undo` is told of decisions that were not committed, for a `decide` that keeps account of what it has decided.
    """

    def __init__(
        self,
        name: str,
        queue: WorkQueue,
        mirror: Mirror,
        decide: Decide,
        *,
        undo: Callable[[Sequence[tuple[str, Decision]]], None] | None = None,
        limit: int = DEFAULT_BATCH_LIMIT,
    ) -> None:
        self.name = name
        self.queue = queue
        self.counts = Counts()
        self._mirror = mirror
        self._decide = decide
        self._undo = undo
        self._limit = limit

    async def run(self) -> None:
        """Decide until cancelled, or until the mirror ends."""
        queue = self.queue
        try:
            while True:
                keys = [await queue.take()]
                while queue.ready and len(keys) < self._limit:
                    keys.append(await queue.take())
                try:
                    await self._handle(keys)
                finally:
                    for key in keys:
                        queue.done(key)
        finally:
            queue.close()

    async def _handle(self, keys: Sequence[str]) -> None:
        tries = CONFLICTS_TRIED_AT_ONCE
        while keys:
            try:
                keys = keys[await self._commit(keys) :]
            except ConflictError:
                self.counts.conflicts += 1
                middle = len(keys) // 2
                if middle:
                    await self._handle(keys[:middle])
                    keys = keys[middle:]
                    continue
                tries -= 1
                if not tries:
                    self._fail(keys[0], "conflicts with other writers")
                    return

    async def _commit(self, keys: Sequence[str]) -> int:
        """Decide and commit as many keys as go into one commit; return how many. Raises ConflictError, all undone."""
        decided: list[tuple[str, Decision]] = []
        changes: dict[tuple[str, str], Put | Delete] = {}
        ledger = Ledger(self._mirror)
        handled = 0
        for key in keys:
            decision = self._decide_one(key)
            if decision is not None:
                if any((change.kind, change.key) in changes for change in decision.changes):
                    # Two keys change one document: the second is decided again when the first is committed.
                    self._take_back([(key, decision)])
                    break
                for change in decision.changes:
                    changes[change.kind, change.key] = change
                for claim in decision.claims:
                    ledger.enter(claim)
                decided.append((key, decision))
            handled += 1
        if changes:
            try:
                await self._mirror.commit([*changes.values(), *ledger.changes()])
            except ConflictError:
                self._take_back(decided)
                raise
            self.counts.commits += 1
        for key, decision in decided:
            self.queue.succeeded(key)
            if decision.again_s is not None:
                self.queue.add(key, decision.again_s)
        self.counts.decided += len(decided)
        return handled

    def _decide_one(self, key: str) -> Decision | None:
        try:
            return self._decide(key)
        except Exception as error:
            self._fail(key, str(error) or type(error).__name__, error)
            return None

    def _take_back(self, decided: Sequence[tuple[str, Decision]]) -> None:
        if self._undo is not None:
            self._undo(decided)

    def _fail(self, key: str, why: str, error: Exception | None = None) -> None:
        self.counts.failures += 1
        delay_s = self.queue.failed(key)
        _log.warning("%s: %s %s; tried again in %g s", self.name, key, why, delay_s, exc_info=error)
