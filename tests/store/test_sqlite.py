"""What only the SQLite store can get wrong: files, versions, the log's end, locks, other openers of the file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kilonode.base.errors import InputError, LabError
from kilonode.store import sqlite as sqlite_module
from kilonode.store.bell import Bell
from kilonode.store.protocol import Change, CompactedError, ConflictError
from kilonode.store.schema import SCHEMA_VERSION
from kilonode.store.sqlite import SqliteStore
from tests.store.model import watched

pytestmark = pytest.mark.real_loop


@asynccontextmanager
async def opened(path: Path, count: int = 1, commits_kept: int = 10_000) -> AsyncIterator[list[SqliteStore]]:
    stores = [await SqliteStore.open(path, commits_kept=commits_kept) for _ in range(count)]
    yield stores
    for store in stores:
        await store.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_store_of_another_version_is_refused_with_both_versions(tmp_path: Path) -> None:
    async with opened(tmp_path / "store"):
        pass
    connection = sqlite3.connect(tmp_path / "store")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(InputError, match="newer version") as caught:
        await SqliteStore.open(tmp_path / "store")
    assert f"got: store version {SCHEMA_VERSION + 1}" in str(caught.value)


async def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "store")
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(InputError, match="not a Kilonode store"):
        await SqliteStore.open(tmp_path / "store")
    (tmp_path / "text").write_text("this is no database at all, but it is long enough to look like a broken one" * 20)
    with pytest.raises(InputError, match="cannot be opened"):
        await SqliteStore.open(tmp_path / "text")
    with pytest.raises(InputError, match="cannot be opened"):
        await SqliteStore.open(tmp_path / "no such folder" / "store")


async def test_many_openers_may_make_the_same_new_store_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "store", 5) as stores:
        for store in stores:
            await store.commit([Change("server", "a", b"")])
        assert [await store.revision() for store in stores] == [5] * 5


async def test_the_log_is_cut_at_its_old_end_and_the_revision_survives(tmp_path: Path) -> None:
    commits = 1200
    async with opened(tmp_path / "store", commits_kept=1) as [store]:
        for _ in range(commits // 100):
            await asyncio.gather(*(store.commit([Change("server", "a", b"")]) for _ in range(100)))
    async with opened(tmp_path / "store", commits_kept=1) as [store]:
        assert await store.revision() == commits
        with pytest.raises(CompactedError):
            await watched(store, 0, commits)
        assert [commit.revision for commit in await watched(store, commits - 1, commits)] == [commits]


async def test_a_process_that_slept_past_the_end_of_the_log_has_its_watchers_list_again(tmp_path: Path) -> None:
    async with opened(tmp_path / "store", 2, commits_kept=10) as [awake, asleep]:
        asleep._bell.listen(lambda: None)  # it hears nothing
        watcher = asyncio.create_task(watched(asleep, 0, 10_000))
        await asyncio.sleep(0)
        await asyncio.gather(*(awake.commit([Change("server", "a", b"")]) for _ in range(600)))
        assert await asleep.revision() == 600
        with pytest.raises(CompactedError):
            await watcher


async def test_a_watch_that_began_far_back_continues_into_the_present(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "COMMITS_IN_MEMORY", 3)
    monkeypatch.setattr(sqlite_module, "COMMITS_IN_ONE_TRANSACTION", 4)
    async with opened(tmp_path / "store") as [store]:
        await asyncio.gather(*(store.commit([]) for _ in range(30)))
        watcher = asyncio.create_task(watched(store, 0, 40))
        await asyncio.gather(*(store.commit([]) for _ in range(10)))
        assert [commit.revision for commit in await watcher] == list(range(1, 41))


async def test_the_event_loop_goes_on_while_another_process_holds_the_lock(tmp_path: Path) -> None:
    async with opened(tmp_path / "store") as [store]:
        other = sqlite3.connect(tmp_path / "store", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        commit = asyncio.create_task(store.commit([Change("server", "a", b"")]))
        for _ in range(20):
            await asyncio.sleep(0)
        assert await store.revision() == 0
        assert not commit.done()
        other.execute("ROLLBACK")
        assert await commit == 1
        other.close()


async def test_a_lock_that_is_never_released_becomes_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "LOCK_TIMEOUT_S", 0.0)
    async with opened(tmp_path / "store") as [store]:
        other = sqlite3.connect(tmp_path / "store", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LabError, match="locked by another process"):
            await store.commit([])
        other.close()
        assert await store.commit([]) == 1


async def test_a_watcher_hears_of_another_openers_commit_by_the_bell_alone(tmp_path: Path) -> None:
    async with opened(tmp_path / "store", 2) as [writer, reader]:
        watcher = asyncio.create_task(watched(reader, 0, 1))
        await asyncio.sleep(0)
        reader._look_handle.cancel()
        await writer.commit([Change("server", "a", b"1")])
        assert (await watcher)[0].changes[0].value == b"1"


async def test_a_lost_ring_only_delays_what_a_watcher_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "LOOK_FOR_CHANGES_EVERY_S", 0.01)
    async with opened(tmp_path / "store", 2) as [writer, reader]:
        writer._bell.ring = lambda: None  # type: ignore[method-assign]
        watcher = asyncio.create_task(watched(reader, 0, 1))
        await writer.commit([])
        assert [commit.revision for commit in await watcher] == [1]


async def test_a_commit_whose_author_gave_up_before_it_was_written_is_not_written(tmp_path: Path) -> None:
    async with opened(tmp_path / "store") as [store]:
        given_up = asyncio.create_task(store.commit([Change("server", "a", b"")]))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await store.commit([Change("server", "b", b"")]) == 1
        assert await store.get("server", "a") is None


async def test_closing_finishes_pending_commits_and_leaves_nothing_but_the_file(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store", synchronous="full")
    pending = [asyncio.create_task(store.commit([])) for _ in range(3)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*pending) == [1, 2, 3]
    with pytest.raises(LabError, match="closed"):
        await store.commit([])
    assert names(tmp_path) == ["store", "store.bell"]
    assert names(tmp_path / "store.bell") == []


async def test_a_conflict_in_a_group_stops_nobody_else(tmp_path: Path) -> None:
    async with opened(tmp_path / "store") as [store]:
        answers = await asyncio.gather(
            *(store.commit([Change("server", str(number % 3), b"", 0)]) for number in range(6)), return_exceptions=True
        )
        assert answers[:3] == [1, 2, 3]
        assert [type(answer) for answer in answers[3:]] == [ConflictError] * 3


async def test_a_full_disk_is_an_error_for_the_author_and_not_the_end_of_the_store(tmp_path: Path) -> None:
    async with opened(tmp_path / "store", 2) as [store, other]:
        await store.commit([Change("image", "small", bytes(100))])
        connection = store._database._connection
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0] + 3}")
        with pytest.raises(LabError, match="can no longer be read or written") as caught:
            await store.commit([Change("image", "large", bytes(200_000))])
        assert "make room" in str(caught.value)
        assert await store.get("image", "large") is None
        assert await store.revision() == await other.revision() == 1
        connection.execute("PRAGMA max_page_count = 1000000")
        assert await store.commit([Change("image", "large", bytes(200_000))]) == 2


async def test_checkpoints_keep_the_log_file_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kilonode.store.flusher.CHECKPOINT_EVERY_COMMITS", 50)
    monkeypatch.setattr("kilonode.store.flusher.LOG_LIMIT_BYTES", 1_000_000)
    written_bytes = 0
    async with opened(tmp_path / "store") as [store]:
        for number in range(200):
            value = bytes(50_000)
            written_bytes += len(value)
            await store.commit([Change("image", str(number % 5), value)])
            running = store._checkpointer._running
            if running is not None:
                await running
        assert (tmp_path / "store-wal").stat().st_size < written_bytes / 2
        assert await store.revision() == 200


async def test_the_socket_of_a_dead_process_is_removed_by_whoever_rings(tmp_path: Path) -> None:
    bell, dead = Bell(tmp_path / "bell"), Bell(tmp_path / "bell")
    dead._socket.close()
    bell.ring()
    assert names(tmp_path / "bell") == [bell._name]
    bell.close()
    dead.close()


async def test_a_bell_works_in_a_folder_whose_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    ringing, listening = Bell(folder), Bell(folder)
    heard = asyncio.Event()
    listening.listen(heard.set)
    ringing.ring()
    await heard.wait()
    ringing.close()
    listening.close()
