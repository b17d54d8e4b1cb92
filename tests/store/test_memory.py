"""What the model does not say: errors and their words, compaction, closing; shown on the memory store."""

import asyncio

import pytest

from kilonode.base.errors import LabError
from kilonode.store.memory import MemoryStore
from kilonode.store.protocol import Change, CompactedError, ConflictError
from tests.store.model import watched


async def test_a_conflict_says_which_document_and_what_was_expected() -> None:
    store = MemoryStore()
    with pytest.raises(ConflictError) as caught:
        await store.commit([Change("server", "a", b"", 7)])
    assert str(caught.value).splitlines() == [
        "server a: the document is not as its author saw it",
        "  expected: revision 7",
        "  got: no such document",
    ]


async def test_one_commit_may_not_change_a_document_twice() -> None:
    with pytest.raises(LabError, match="twice"):
        await MemoryStore().commit([Change("server", "a", b"1"), Change("server", "a", b"2")])


async def test_a_watcher_whose_commits_are_gone_must_list_again() -> None:
    store = MemoryStore(commits_kept=3)
    for _ in range(5):
        await store.commit([Change("server", "a", b"")])
    assert [commit.revision for commit in await watched(store, 2, 5)] == [3, 4, 5]
    with pytest.raises(CompactedError):
        await watched(store, 1, 5)


async def test_a_watch_cannot_start_in_the_future() -> None:
    with pytest.raises(CompactedError, match="future"):
        await watched(MemoryStore(), 4, 5)


async def test_closing_ends_every_watch_and_refuses_commits() -> None:
    store = MemoryStore()
    watches = [asyncio.create_task(watched(store, 0, 99)) for _ in range(3)]
    await store.commit([Change("server", "a", b"")])
    await store.close()
    assert [[commit.revision for commit in seen] for seen in await asyncio.gather(*watches)] == [[1], [1], [1]]
    with pytest.raises(LabError, match="closed"):
        await store.commit([])


async def test_watchers_see_a_commit_before_its_author_goes_on() -> None:
    store = MemoryStore()
    order: list[str] = []

    async def watch() -> None:
        async for commit in store.changes(0):
            order.append(f"watched {commit.revision}")  # noqa: PERF401 - one by one, as they come

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await store.commit([])
    order.append("went on")
    watcher.cancel()
    assert order == ["watched 1", "went on"]
