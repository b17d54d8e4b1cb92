"""The controller loop: takes keys from a work queue and makes actual follow wanted, one key at a time, for ever.

`reconcile` is given a key and nothing else. It reads its mirror, decides, and writes; it must be safe to run twice and
safe to stop at any point. A conflict (someone else wrote first) is tried again at once, a few times; any other failure
is logged, counted and tried again after a growing delay. A controller ends only when it is cancelled.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from kilonode.control.queue import WorkQueue
from kilonode.store.protocol import ConflictError

DEFAULT_WORKERS = 16
CONFLICTS_TRIED_AT_ONCE = 10

_log = logging.getLogger(__name__)


class Requeue(msgspec.Struct, frozen=True):
    """What `reconcile` returns to see the key again after `after_s` seconds, whatever happens."""

    after_s: float


Reconcile = Callable[[str], Awaitable[Requeue | None]]


class Counts(msgspec.Struct):
    """What a controller has done since it was made."""

    reconciled: int = 0
    conflicts: int = 0
    failures: int = 0


class Controller:
    """`workers` tasks that reconcile the keys of one queue; never two of them the same key."""

    def __init__(self, name: str, queue: WorkQueue, reconcile: Reconcile, *, workers: int = DEFAULT_WORKERS) -> None:
        self.name = name
        self.queue = queue
        self.counts = Counts()
        self._reconcile = reconcile
        self._workers = workers

    async def run(self) -> None:
        """Reconcile until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._workers):
                    group.create_task(self._work(), name=f"{self.name}-{number}")
        finally:
            self.queue.close()

    async def _work(self) -> None:
        queue = self.queue
        while True:
            key = await queue.take()
            try:
                await self._handle(key)
            finally:
                queue.done(key)

    async def _handle(self, key: str) -> None:
        for _ in range(CONFLICTS_TRIED_AT_ONCE):
            try:
                again = await self._reconcile(key)
            except ConflictError:
                self.counts.conflicts += 1
                continue
            except Exception:
                self.counts.failures += 1
                delay_s = self.queue.failed(key)
                _log.exception("%s: %s failed; tried again in %g s", self.name, key, delay_s)
                return
            self.counts.reconciled += 1
            self.queue.succeeded(key)
            if again is not None:
                self.queue.add(key, again.after_s)
            return
        self.counts.failures += 1
        delay_s = self.queue.failed(key)
        _log.warning("%s: %s conflicts with other writers; tried again in %g s", self.name, key, delay_s)
