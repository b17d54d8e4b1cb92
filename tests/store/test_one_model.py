"""Every backend is the same store: random histories, with conflicts and concurrent authors, against one model."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from hypothesis import given, settings

from kilonode.base.simulation import run_coroutine_simulated
from kilonode.store.memory import MemoryStore
from kilonode.store.protocol import Commit, Store
from kilonode.store.sqlite import SqliteStore
from tests.store.model import KINDS, Model, Wish, histories, plain, watched

Reopen = Callable[[], Awaitable[Sequence[Store]]]


async def hold_against_model(history: list[list[list[Wish]]], stores: Sequence[Store], reopen: Reopen | None) -> None:
    """Play a history, its authors spread over `stores` (all of the same documents), and compare at every step."""
    model = Model()
    live: list[Commit] = []
    watcher = asyncio.create_task(watch_into(stores[-1], live))
    for group in history:
        wanted = [model.changes(wishes) for wishes in group]
        expected = [model.commit(changes) for changes in wanted]
        store = stores[model.revision % len(stores)]
        answers = await asyncio.gather(*(store.commit(changes) for changes in wanted), return_exceptions=True)
        assert [type(answer) if isinstance(answer, BaseException) else answer for answer in answers] == expected
        for reader in stores:
            assert await reader.revision() == model.revision
            listing = await reader.list()
            assert (listing.revision, list(listing.documents)) == (model.revision, model.listing())
            for kind in KINDS:
                assert list((await reader.list(kind)).documents) == model.listing(kind)
            for document in model.listing():
                assert await reader.get(document.kind, document.key) == document
    for after in range(model.revision + 1):
        for reader in stores:
            assert plain(await watched(reader, after, model.revision)) == plain(model.log[after:])
    assert plain(live) == plain(model.log)
    watcher.cancel()
    if reopen is not None:
        for reader in await reopen():
            assert list((await reader.list()).documents) == model.listing()
            assert plain(await watched(reader, 0, model.revision)) == plain(model.log)


async def watch_into(store: Store, live: list[Commit]) -> None:
    async for commit in store.changes(0):
        live.append(commit)  # noqa: PERF401 - one by one, as they come


@given(histories)
def test_the_memory_store_follows_the_model(history: list[list[list[Wish]]]) -> None:
    run_coroutine_simulated(hold_against_model(history, [MemoryStore()], None))


@settings(max_examples=60)
@given(histories)
def test_the_sqlite_store_follows_the_model_also_when_opened_again(history: list[list[list[Wish]]]) -> None:
    async def play() -> None:
        with tempfile.TemporaryDirectory() as folder:
            opened = [await SqliteStore.open(Path(folder, "store"))]

            async def reopen() -> Sequence[Store]:
                await opened[0].close()
                opened[0] = await SqliteStore.open(Path(folder, "store"))
                return opened

            await hold_against_model(history, opened, reopen)
            await opened[0].close()

    asyncio.run(play())


@settings(max_examples=60)
@given(histories)
def test_two_openers_of_one_file_are_one_store(history: list[list[list[Wish]]]) -> None:
    async def play() -> None:
        with tempfile.TemporaryDirectory() as folder:
            stores = [await SqliteStore.open(Path(folder, "store"), synchronous=mode) for mode in ("normal", "full")]
            await hold_against_model(history, stores, None)
            for store in stores:
                await store.close()

    asyncio.run(play())
