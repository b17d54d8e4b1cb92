"""Opening the SQLite file of the durable store: its schema, its version, and the settings of a connection.

The tables: `documents` as they stand, in a rowid table because rows that were made together are changed together;
`commits`, the log, with the changes of each commit as MessagePack. A file of another program, or of another version of
this schema, is refused.
"""

import sqlite3
import time
from pathlib import Path
from typing import Final

from kilonode.base.errors import InputError

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x4B4E5354
"""`KNST` in the file's header marks it as a Kilonode store."""
OPEN_TIMEOUT_S: Final = 10.0
OPEN_RETRY_S: Final = 0.005
CACHE_KIBIBYTES: Final = 64 * 1024
PAGE_BYTES: Final = 8192
"""Twice SQLite's default: up to a third more commits per second with documents of half a kilobyte."""

_TABLES: Final = (
    """
    CREATE TABLE documents (
        kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL,
        UNIQUE (kind, key)
    )
    """,
    "CREATE TABLE commits (revision INTEGER PRIMARY KEY, changes BLOB NOT NULL)",
)


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from any one thread at a time."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)


def open_database(path: Path) -> sqlite3.Connection:
    """A connection to the store at `path`, which is made if it is not there. Raises InputError.

    The connection never waits for a lock: whoever finds the file locked tries again later.
    """
    deadline_s = time.monotonic() + OPEN_TIMEOUT_S
    while True:
        try:
            return _open_once(path)
        except sqlite3.Error as error:
            # SQLite's own waiting does not cover several processes that switch a new file to WAL at the same moment.
            if is_busy(error) and time.monotonic() < deadline_s:
                time.sleep(OPEN_RETRY_S)
                continue
            raise InputError(
                "the store cannot be opened",
                where=str(path),
                expected="a SQLite file that Kilonode made, in a folder that can be written",
                got=str(error),
                hint="if the file is damaged, remove it; the cloud then starts empty",
            ) from error


def is_busy(error: sqlite3.Error) -> bool:
    """Whether the error says that another connection holds a lock."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _open_once(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    run = connection.execute
    run(f"PRAGMA busy_timeout = {OPEN_TIMEOUT_S * 1000:.0f}")
    run(f"PRAGMA page_size = {PAGE_BYTES}")
    run("PRAGMA journal_mode = WAL")
    run("PRAGMA synchronous = NORMAL")
    run("PRAGMA wal_autocheckpoint = 0")
    run(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    run("BEGIN IMMEDIATE")
    try:
        _make_or_check(connection, path)
    except BaseException:
        run("ROLLBACK")
        raise
    run("COMMIT")
    run("PRAGMA busy_timeout = 0")


def _make_or_check(connection: sqlite3.Connection, path: Path) -> None:
    run = connection.execute
    application = run("PRAGMA application_id").fetchone()[0]
    version = run("PRAGMA user_version").fetchone()[0]
    empty = run("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if empty and not version and not application:
        for statement in _TABLES:
            run(statement)
        run(f"PRAGMA application_id = {APPLICATION_ID}")
        run(f"PRAGMA user_version = {SCHEMA_VERSION}")
    elif application != APPLICATION_ID:
        raise InputError("this file is not a Kilonode store", where=str(path), hint="name another file for the store")
    elif version != SCHEMA_VERSION:
        raise InputError(
            f"the store was written by {'an older' if version < SCHEMA_VERSION else 'a newer'} version of Kilonode",
            where=str(path),
            expected=f"store version {SCHEMA_VERSION}",
            got=f"store version {version}",
            hint="use that version of Kilonode, or remove the store and start empty",
        )
