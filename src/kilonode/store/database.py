"""The statements that read and write the SQLite file of the durable store (its tables: `kilonode.store.schema`).

Synchronous, one connection, one thread; it neither waits for locks (`Locked` is raised instead) nor wakes anyone: that
is `kilonode.store.sqlite`.
"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from kilonode.base.errors import LabError
from kilonode.store.feed import check_expected, compacted
from kilonode.store.protocol import Change, Commit, ConflictError, Document, Listing
from kilonode.store.schema import is_busy, open_database

COMPACT_EVERY_COMMITS: Final = 256
READ_TIMEOUT_S: Final = 5.0

# Python 3.12 warns about numbered placeholders in a sequence, so the revision is given twice where it is written twice.
_CREATE: Final = "INSERT OR IGNORE INTO documents (value, revision, kind, key, created) VALUES (?, ?, ?, ?, ?)"
_UPDATE: Final = "UPDATE documents SET value = ?, revision = ? WHERE kind = ? AND key = ? AND revision = ?"
_PUT: Final = (
    "INSERT INTO documents (value, revision, kind, key, created) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, revision = excluded.revision"
)
_DELETE: Final = "DELETE FROM documents WHERE kind = ? AND key = ?"
_DELETE_SEEN: Final = "DELETE FROM documents WHERE kind = ? AND key = ? AND revision = ?"

_encode_log = msgspec.msgpack.Encoder().encode
_decode_log = msgspec.msgpack.Decoder(list[tuple[str, str, bytes | None]]).decode


class Locked(Exception):  # noqa: N818 - a state of affairs that is handled at once, never shown to anyone
    """Another process is writing."""


class Pending:
    """One commit on its way: its changes, then its outcome (revision or error), then `done` for its author."""

    __slots__ = ("changes", "done", "outcome")

    def __init__(self, changes: tuple[Change, ...], done: "asyncio.Future[int]") -> None:
        self.changes = changes
        self.done = done
        self.outcome: int | Exception = LabError("a commit was never written")

    def settle(self) -> None:
        """Tell the author, if it still waits."""
        if self.done.done():
            return
        if isinstance(self.outcome, Exception):
            self.done.set_exception(self.outcome)
        else:
            self.done.set_result(self.outcome)


class _NotApplicable(Exception):  # noqa: N818
    """The transaction cannot be written all at once: decide commit by commit."""


class Database:
    """The open file. Raises InputError when it cannot be used, LabError when it can no longer be read or written."""

    def __init__(self, path: Path, *, commits_kept: int) -> None:
        self.path = path
        self._commits_kept = commits_kept
        self._connection = open_database(path)
        self._seen_version = self._data_version()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def newest(self) -> int:
        """The newest revision in the file; 0 when nothing was ever committed."""
        rows = self._read("SELECT max(revision) FROM commits")
        return int(rows[0][0] or 0)

    def commits_of_others(self, known: int) -> Sequence[Commit]:
        """The commits after revision `known`, if another connection has written since the last call; as `commits`.

        Costs a few microseconds when nobody has.
        """
        version = self._data_version()
        if version == self._seen_version:
            return ()
        commits = self.commits(known)
        self._seen_version = version
        return commits

    def get(self, kind: str, key: str) -> Document | None:
        """The document as it stands."""
        rows = self._read("SELECT value, revision FROM documents WHERE kind = ? AND key = ?", (kind, key))
        return Document(kind, key, rows[0][0], rows[0][1]) if rows else None

    def listing(self, kinds: Sequence[str]) -> Listing:
        """All documents of these kinds, or of all, at one revision."""
        where = f"WHERE kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        statement = f"SELECT kind, key, value, revision FROM documents {where} ORDER BY kind, created, key"  # noqa: S608
        self._connection.execute("BEGIN")  # both statements see one state of the file
        try:
            newest = self.newest()
            rows = self._read(statement, tuple(kinds))
        finally:
            self._connection.execute("COMMIT")
        return Listing(newest, tuple([Document(*row) for row in rows]))

    def commits(self, after: int, limit: int = -1) -> Sequence[Commit]:
        """The logged commits after revision `after`, oldest first, at most `limit`. Raises CompactedError."""
        rows = self._read(
            "SELECT revision, changes FROM commits WHERE revision > ? ORDER BY revision LIMIT ?", (after, limit)
        )
        if rows and rows[0][0] != after + 1:
            raise compacted(after, rows[0][0])
        return [_logged(revision, changes) for revision, changes in rows]

    def write(self, batch: Sequence[Pending], known: int) -> Sequence[Commit]:
        """Write all commits of a batch in one transaction, and give each its outcome.

        Returns every commit after revision `known`: first those of other processes, then the batch's own that did not
        conflict. Raises Locked when another process is writing; then nothing has happened.
        """
        run = self._connection.execute
        try:
            run("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if is_busy(error):
                raise Locked from error
            raise self._broken(error) from error
        try:
            newest = int(run("SELECT max(revision) FROM commits").fetchone()[0] or 0)
            others = self.commits(known) if newest > known else ()
            try:
                run("SAVEPOINT whole")
                own = self._write_at_once(batch, newest)
            except _NotApplicable:
                run("ROLLBACK TO whole")
                own = self._write_in_turn(batch, newest)
            self._compact(newest, newest + len(own))
            run("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                run("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._broken(error) from error
            raise
        return [*others, *own]

    def _write_at_once(self, batch: Sequence[Pending], newest: int) -> list[Commit]:
        """All commits with one call per kind of statement. Only if no document is touched twice and none conflicts."""
        rows: dict[str, list[tuple[Any, ...]]] = {_CREATE: [], _UPDATE: [], _PUT: [], _DELETE: [], _DELETE_SEEN: []}
        touched = set()
        commits, log = [], []
        count = 0
        revision = newest
        for pending in batch:
            revision += 1
            for change in pending.changes:
                kind, key, value, expected = change.kind, change.key, change.value, change.expected
                count += 1
                touched.add((kind, key))
                if value is None:
                    if expected is None:
                        rows[_DELETE].append((kind, key))
                    else:
                        rows[_DELETE_SEEN].append((kind, key, expected))
                elif expected is None:
                    rows[_PUT].append((value, revision, kind, key, revision))
                elif expected:
                    rows[_UPDATE].append((value, revision, kind, key, expected))
                else:
                    rows[_CREATE].append((value, revision, kind, key, revision))
            commits.append(Commit(revision, pending.changes))
            log.append((revision, _log_entry(pending.changes)))
        if len(touched) < count:
            raise _NotApplicable
        for statement, parameters in rows.items():
            if parameters:
                changed = self._connection.executemany(statement, parameters).rowcount
                if statement is not _DELETE and changed != len(parameters):
                    raise _NotApplicable
        self._connection.executemany("INSERT INTO commits VALUES (?, ?)", log)
        for pending, commit in zip(batch, commits, strict=True):
            pending.outcome = commit.revision
        return commits

    def _write_in_turn(self, batch: Sequence[Pending], newest: int) -> list[Commit]:
        """Commit by commit, as if each came alone; those that conflict leave no trace."""
        run = self._connection.execute
        commits: list[Commit] = []
        for pending in batch:
            try:
                for change in pending.changes:
                    if change.expected is not None:
                        row = run(
                            "SELECT revision FROM documents WHERE kind = ? AND key = ?", (change.kind, change.key)
                        ).fetchone()
                        check_expected(change, row[0] if row else 0)
            except ConflictError as error:
                pending.outcome = error
                continue
            revision = newest + len(commits) + 1
            for change in pending.changes:
                if change.value is None:
                    run(_DELETE, (change.kind, change.key))
                else:
                    run(_PUT, (change.value, revision, change.kind, change.key, revision))
            run("INSERT INTO commits VALUES (?, ?)", (revision, _log_entry(pending.changes)))
            commits.append(Commit(revision, pending.changes))
            pending.outcome = revision
        return commits

    def _compact(self, before: int, after: int) -> None:
        """Drop the oldest of the log, now and then. The newest commit always stays: it holds the store's revision."""
        if before // COMPACT_EVERY_COMMITS != after // COMPACT_EVERY_COMMITS:
            self._connection.execute("DELETE FROM commits WHERE revision <= ?", (after - max(1, self._commits_kept),))

    def _data_version(self) -> int:
        return int(self._read("PRAGMA data_version")[0][0])

    def _read(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """All rows. Readers wait for nobody in WAL mode, except for a moment when a process has just crashed."""
        deadline_s = 0.0
        while True:
            try:
                return self._connection.execute(statement, parameters).fetchall()
            except sqlite3.OperationalError as error:
                now_s = time.monotonic()
                deadline_s = deadline_s or now_s + READ_TIMEOUT_S
                if not is_busy(error) or now_s > deadline_s:
                    raise self._broken(error) from error
                time.sleep(0.001)

    def _broken(self, error: sqlite3.Error) -> LabError:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        return LabError(
            "the store can no longer be read or written",
            where=str(self.path),
            got=str(error),
            hint="the disk is full: make room" if full else "look at the disk and at the file's permissions",
        )


def _log_entry(changes: tuple[Change, ...]) -> bytes:
    return _encode_log([(change.kind, change.key, change.value) for change in changes])


def _logged(revision: int, data: bytes) -> Commit:
    return Commit(revision, tuple([Change(kind, key, value) for kind, key, value in _decode_log(data)]))
