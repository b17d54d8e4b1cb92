"""What the durable store leaves to threads because it waits for the disk: flushing the log, and checkpoints.

`Flusher` puts the write-ahead log on disk before commits are acknowledged (only with `synchronous="full"`): one flush
at a time, for all transactions written before it began. `Checkpointer` moves the log's pages into the database file now
and then, so that the log stays small, hardly ever holding up a writer.
"""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from kilonode.base.errors import LabError
from kilonode.store.database import Pending
from kilonode.store.schema import connect, is_busy

CHECKPOINT_EVERY_COMMITS: Final = 500
"""Often and little: at 12,000 commits/s the longest commit takes 9 to 20 ms; with 2,000 to 30,000, 70 to 230 ms,
because the disk is then busy with one large flush while the log is written to."""
LOG_LIMIT_BYTES: Final = 256 * 2**20
"""Under writes without a pause the log never empties by itself; at this size writers wait once until it has."""
EMPTYING_TIMEOUT_S: Final = 2.0


class Flusher:
    """Settles commits when the log file that holds them is on disk."""

    def __init__(self, log: Path) -> None:
        self._descriptor = os.open(log, os.O_RDONLY)
        self._waiting: list[Pending] = []
        self._running: asyncio.Task[None] | None = None

    def flush_then_settle(self, batch: Sequence[Pending]) -> None:
        """Settle each commit of a written transaction after the next flush."""
        self._waiting.extend(batch)
        if self._running is None:
            self._running = asyncio.create_task(self._flush(), name="store-flush")

    async def close(self) -> None:
        """Settle what waits."""
        if self._running is not None:
            await self._running
        os.close(self._descriptor)

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(os.fdatasync, self._descriptor)
            except OSError as error:
                failure = LabError("the store's log cannot be put on disk", got=str(error))
                for pending in batch:
                    pending.outcome = failure
            for pending in batch:
                pending.settle()
        self._running = None


class Checkpointer:
    """Keeps the log of a database small, from a thread with a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = Path(f"{path}-wal")
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-checkpoint")
        self._connection: sqlite3.Connection | None = None
        self._written = 0
        self._running: asyncio.Future[None] | None = None

    def written(self, commits: int) -> None:
        """Count commits; begin a checkpoint when there are enough and none is under way."""
        self._written += commits
        if self._written >= CHECKPOINT_EVERY_COMMITS and (self._running is None or self._running.done()):
            self._written = 0
            self._running = asyncio.get_running_loop().run_in_executor(self._executor, self._checkpoint)

    async def close(self) -> None:
        """Wait for a checkpoint under way."""
        if self._running is not None:
            await self._running
        self._executor.shutdown()
        if self._connection is not None:
            self._connection.close()

    def _checkpoint(self) -> None:
        if self._connection is None:
            self._connection = connect(self._path)
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            if self._log.stat().st_size > LOG_LIMIT_BYTES:
                self._connection.execute(f"PRAGMA busy_timeout = {EMPTYING_TIMEOUT_S * 1000:.0f}")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.OperationalError as error:
            if not is_busy(error):  # busy: another process is doing it
                raise
