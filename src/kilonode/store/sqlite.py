"""The durable store: one SQLite file in WAL mode, shared by any number of processes of one machine.

How it works:

- *Group commit.* Commits that arrive in one turn of the event loop are written as one transaction, in place: SQLite's
  row calls are too short to be worth a thread (see docs/decisions/0010-sqlite-group-commit.md for the figures). With
  `synchronous="normal"` an acknowledged commit survives the death of every process; with `"full"` also the machine's:
  the log is flushed to disk in a thread, one flush for all transactions that wait, before their authors hear of it.
- *Watch.* Every commit is also a row of a log table. This process's own commits go to its feed directly; those of other
  processes are read from the log when a datagram says so (`kilonode.store.bell`), when `revision` finds that the file
  changed, or within one second at the latest.
- *Lock.* When another process is writing, the event loop goes on; the write is tried again when that process rings, or
  after a short delay. Nothing waits inside SQLite.

It must be opened, used and closed on one event loop that has real sockets, so not in simulated time.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, Literal

from kilonode.base.errors import LabError
from kilonode.store.bell import Bell
from kilonode.store.database import Database, Locked, Pending
from kilonode.store.feed import Feed, compacted, follow, in_order
from kilonode.store.flusher import Checkpointer, Flusher
from kilonode.store.protocol import Change, Commit, CompactedError, Document, Listing

DEFAULT_COMMITS_KEPT: Final = 20_000
"""How far a watcher may be behind, in commits, before it has to list again."""
COMMITS_IN_MEMORY: Final = 5_000
COMMITS_IN_ONE_TRANSACTION: Final = 2_000
LOCK_RETRY_S: Final = 0.001
LOCK_TIMEOUT_S: Final = 30.0
LOOK_FOR_CHANGES_EVERY_S: Final = 1.0
"""In case a datagram was lost."""


class SqliteStore:
    """Versioned documents in a SQLite file. Make it with `open`."""

    def __init__(self, database: Database, bell: Bell, checkpointer: Checkpointer, flusher: Flusher | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._database = database
        self._bell = bell
        self._checkpointer = checkpointer
        self._flusher = flusher
        self._feed = Feed(database.newest(), COMMITS_IN_MEMORY)
        self._pending: list[Pending] = []
        self._closing = False
        self._locked_since_s: float | None = None
        self._write_handle: asyncio.Handle | None = None
        self._look_handle = self._loop.call_later(LOOK_FOR_CHANGES_EVERY_S, self._look)

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        synchronous: Literal["normal", "full"] = "normal",
        commits_kept: int = DEFAULT_COMMITS_KEPT,
    ) -> "SqliteStore":
        """Open the store at `path`, or make it. Raises InputError when the file is no store of this version."""
        database = Database(path, commits_kept=commits_kept)
        try:
            flusher = Flusher(Path(f"{path}-wal")) if synchronous == "full" else None
            bell = Bell(Path(f"{path}.bell"))
        except BaseException:
            database.close()
            raise
        store = cls(database, bell, Checkpointer(path), flusher)
        bell.listen(store._on_bell)
        return store

    async def get(self, kind: str, key: str) -> Document | None:
        """The document as it stands now, or None."""
        return self._database.get(kind, key)

    async def list(self, *kinds: str) -> Listing:
        """All documents of these kinds (of every kind when none is named), in the order of `Listing`."""
        return self._database.listing(kinds)

    async def commit(self, changes: Sequence[Change]) -> int:
        """Apply all changes at one new revision, which is returned, or raise ConflictError and apply none."""
        if self._closing:
            raise LabError("the store is closed")
        pending = Pending(in_order(changes), self._loop.create_future())
        self._pending.append(pending)
        if self._write_handle is None:
            self._write_handle = self._loop.call_soon(self._write)
        return await pending.done

    async def revision(self) -> int:
        """The newest revision, over all processes that share the file. Costs some microseconds."""
        self._take_commits_of_others()
        return self._feed.tip

    def changes(self, after: int) -> AsyncIterator[Commit]:
        """Every commit after revision `after`, in order, then the coming ones. Raises CompactedError."""
        return follow(self._feed, after, self._older)

    async def close(self) -> None:
        """Finish pending commits and let go of the file. The last process to close it empties the log file."""
        self._closing = True
        unwritten = [pending.done for pending in self._pending]
        if unwritten:
            await asyncio.wait(unwritten)
        self._feed.close()
        self._look_handle.cancel()
        if self._write_handle is not None:
            self._write_handle.cancel()
        self._bell.close()
        if self._flusher is not None:
            await self._flusher.close()
        await self._checkpointer.close()
        self._database.close()

    def _write(self) -> None:
        """Write what waits, as one transaction."""
        self._write_handle = None
        batch = [pending for pending in self._pending[:COMMITS_IN_ONE_TRANSACTION] if not pending.done.done()]
        rest = self._pending[COMMITS_IN_ONE_TRANSACTION:]
        if batch:
            try:
                commits = self._database.write(batch, self._feed.tip)
            except Locked:
                self._wait_for_lock()
                return
            except Exception as error:
                self._pending = rest
                self._fail(batch, error)
            else:
                self._pending = rest
                self._locked_since_s = None
                self._acknowledge(batch, commits)
        else:
            self._pending = rest
        if self._pending:
            self._write_handle = self._loop.call_soon(self._write)

    def _acknowledge(self, batch: Sequence[Pending], commits: Sequence[Commit]) -> None:
        # Watchers first: they run before the authors go on, so authors find their own writes in their mirrors.
        self._put_on_feed(commits)
        self._bell.ring()
        self._checkpointer.written(len(batch))
        if self._flusher is None:
            for pending in batch:
                pending.settle()
        else:
            self._flusher.flush_then_settle(batch)

    def _wait_for_lock(self) -> None:
        now_s = self._loop.time()
        if self._locked_since_s is None:
            self._locked_since_s = now_s
        elif now_s - self._locked_since_s > LOCK_TIMEOUT_S:
            self._locked_since_s = None
            batch, self._pending = self._pending, []
            self._fail(
                batch,
                LabError(
                    "the store is locked by another process",
                    where=str(self._database.path),
                    expected=f"a turn within {LOCK_TIMEOUT_S:g} s",
                    hint="is a process of this cloud frozen in the middle of a write?",
                ),
            )
            return
        self._write_handle = self._loop.call_later(LOCK_RETRY_S, self._write)

    @staticmethod
    def _fail(batch: Sequence[Pending], error: Exception) -> None:
        for pending in batch:
            pending.outcome = error
            pending.settle()

    def _on_bell(self) -> None:
        """Another process has written: read what, and take the lock it has just let go of if we wait for it."""
        self._take_commits_of_others()
        if self._pending and self._locked_since_s is not None:
            if self._write_handle is not None:
                self._write_handle.cancel()
            self._write()

    def _look(self) -> None:
        self._look_handle = self._loop.call_later(LOOK_FOR_CHANGES_EVERY_S, self._look)
        self._take_commits_of_others()

    def _take_commits_of_others(self) -> None:
        try:
            commits = self._database.commits_of_others(self._feed.tip)
        except CompactedError:
            # This process was stopped for so long that the log no longer reaches back to it: watchers list again.
            self._feed.skip_to(self._database.newest())
        else:
            if commits:
                self._put_on_feed(commits)

    def _put_on_feed(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            self._feed.append(commit)
        self._feed.wake()

    def _older(self, position: int) -> Sequence[Commit]:
        commits = self._database.commits(position, limit=COMMITS_IN_ONE_TRANSACTION)
        if not commits:
            raise compacted(position, self._feed.first)
        return commits
