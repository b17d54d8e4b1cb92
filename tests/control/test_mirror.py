"""A mirror equals its store at one revision, at every moment at which anyone can look."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, strategies

from kilonode.base.errors import LabError
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.base.units import Duration
from kilonode.control.mirror import Delete, Mirror, Put
from kilonode.store.memory import MemoryStore
from kilonode.store.protocol import Change, Commit, ConflictError
from kilonode.store.sqlite import SqliteStore
from tests.control.records import Port, Server, mirror_of


async def started(store: MemoryStore | SqliteStore) -> Mirror:
    mirror = mirror_of(store)
    await mirror.start()
    return mirror


async def test_an_author_reads_its_own_write_at_once() -> None:
    mirror = await started(MemoryStore())
    revision = await mirror.commit(
        [Put("server", Server("a"), "1", 0), Put("port", Port("10.0.0.1", Duration(5)), "p")]
    )
    server = mirror.get("server", "1")
    assert server is not None
    assert (server.value, server.revision) == (Server("a"), revision)
    assert mirror.all("port")["p"].value.lease == Duration(5)
    await mirror.commit([Delete("server", "1", revision)])
    assert mirror.get("server", "1") is None
    await mirror.stop()


async def test_many_authors_over_two_mirrors_read_their_own_writes() -> None:
    store = MemoryStore()
    mirrors = [await started(store), await started(store)]

    async def author(number: int) -> None:
        mirror = mirrors[number % 2]
        for turn in range(5):
            revision = await mirror.commit([Put("server", Server(str(turn)), str(number))])
            entry = mirror.get("server", str(number))
            assert entry is not None
            assert entry.revision == revision == await store.revision() or mirror.revision >= revision

    await asyncio.gather(*(author(number) for number in range(20)))
    assert dict(mirrors[0].all("server")) == dict(mirrors[1].all("server"))
    assert len(mirrors[0].all("server")) == 20
    for mirror in mirrors:
        await mirror.stop()


async def test_after_a_conflict_the_reason_can_be_read() -> None:
    store = MemoryStore()
    mine, other = await started(store), await started(store)
    seen = await mine.commit([Put("server", Server("a"), "1")])
    await other.commit([Put("server", Server("b"), "1", seen)])
    with pytest.raises(ConflictError):
        await mine.commit([Put("server", Server("c"), "1", seen)])
    entry = mine.get("server", "1")
    assert entry is not None
    assert entry.value == Server("b")
    for mirror in (mine, other):
        await mirror.stop()


async def test_catching_up_shows_what_others_committed_before() -> None:
    store = MemoryStore()
    mirror = await started(store)
    for number in range(5):
        other = asyncio.create_task(store.commit([Change("server", str(number), encoded("x"))]))
        await other
        await mirror.catch_up()
        assert mirror.get("server", str(number)) is not None
    await mirror.stop()


async def test_documents_stand_in_the_order_in_which_they_came_to_be_also_after_a_restart() -> None:
    store = MemoryStore()
    mirror = await started(store)
    for key in ("c", "a", "b"):
        await mirror.commit([Put("server", Server(key), key)])
    await mirror.commit([Put("server", Server("new"), "c")])
    await mirror.commit([Delete("server", "a")])
    await mirror.commit([Put("server", Server("z"), "z"), Put("server", Server("a"), "a")])
    later = await started(store)
    assert list(mirror.all("server")) == list(later.all("server")) == ["c", "b", "a", "z"]
    for each in (mirror, later):
        await each.stop()


async def test_subscribers_hear_of_what_is_there_and_then_of_each_change_after_its_whole_commit() -> None:
    store = MemoryStore()
    await store.commit([Change("server", "1", encoded("a")), Change("volume", "v", b"unknown kind")])
    mirror = mirror_of(store)
    heard: list[tuple[str, str, bool]] = []
    mirror.subscribe(lambda kind, key: heard.append((kind, key, mirror.get("port", "p") is not None)))
    await mirror.start()
    assert heard == [("server", "1", False)]
    await mirror.commit([Put("server", Server("b"), "2"), Put("port", Port("x"), "p"), Delete("server", "9")])
    assert heard[1:] == [("port", "p", True), ("server", "2", True), ("server", "9", True)]
    await mirror.stop()


async def test_a_late_subscriber_hears_at_once_of_the_kinds_it_asks_for() -> None:
    mirror = await started(MemoryStore())
    await mirror.commit([Put("server", Server("a"), "1"), Put("port", Port("x"), "p"), Put("server", Server("b"), "2")])
    heard: list[tuple[str, str]] = []
    mirror.subscribe(lambda kind, key: heard.append((kind, key)), known=("server",))
    assert heard == [("server", "1"), ("server", "2")]
    await mirror.commit([Put("port", Port("y"), "q")])
    assert heard[2:] == [("port", "q")]
    await mirror.stop()


async def test_a_mirror_that_fell_behind_lists_again_and_tells_what_differs() -> None:
    store = MemoryStore(commits_kept=2)
    mirror = await started(store)
    for key in ("same", "changed", "gone"):
        await mirror.commit([Put("server", Server(key), key)])
    heard: list[str] = []
    mirror.subscribe(lambda _kind, key: heard.append(key))
    # Commits without a turn of the loop in between: the watch wakes up when the first are compacted away.
    behind = [
        store.commit(changes)
        for changes in (
            [Change("server", "gone", None)],
            [Change("server", "changed", encoded("other"))],
            [Change("server", "new", encoded("new"))],
            [Change("volume", "v", b"")],
        )
    ]
    await asyncio.gather(*behind)
    await mirror.catch_up()
    assert sorted(heard) == ["changed", "gone", "new"]
    assert list(mirror.all("server")) == ["same", "changed", "new"]
    await mirror.stop()


async def test_a_document_that_cannot_be_read_ends_the_mirror_loudly() -> None:
    store = MemoryStore()
    mirror = await started(store)
    await store.commit([Change("server", "1", b"\xc1")])
    with pytest.raises(LabError, match="cannot be read"):
        await mirror.ended()
    with pytest.raises(LabError, match="no longer follows"):
        await mirror.commit([Put("server", Server("a"), "2")])
    await mirror.stop()


async def test_a_store_closed_under_a_mirror_is_an_error_and_a_stopped_mirror_is_none() -> None:
    store = MemoryStore()
    closed, stopped = await started(store), await started(store)
    await stopped.stop()
    await stopped.ended()
    await store.close()
    with pytest.raises(LabError, match="closed under a mirror"):
        await closed.ended()


async def test_an_index_knows_which_documents_have_which_value() -> None:
    mirror = await started(MemoryStore())
    by_host = mirror.index("server", "host", lambda server: server.host)
    await mirror.commit([Put("server", Server("a", "one"), "1"), Put("server", Server("b"), "2")])
    by_tag = mirror.index("server", "tag", lambda server: server.tags)
    assert mirror.index("server", "host", lambda server: server.host) is by_host
    await mirror.commit([Put("server", Server("b", "one", ("x", "y")), "2")])
    assert list(by_host.keys("one")) == ["1", "2"]
    assert (list(by_tag.keys("x")), by_tag.count("y"), list(by_tag.values())) == (["2"], 1, ["x", "y"])
    await mirror.commit([Put("server", Server("a", "two"), "1"), Delete("server", "2")])
    assert (list(by_host.keys("one")), list(by_host.keys("two")), by_tag.count("x")) == ([], ["1"], 0)
    await mirror.stop()


hosts = strategies.none() | strategies.sampled_from(["one", "two"])
documents = strategies.none() | strategies.builds(
    Server,
    name=strategies.just("s"),
    host=hosts,
    tags=strategies.lists(strategies.sampled_from("xyz"), unique=True).map(tuple),
)


@given(strategies.lists(strategies.tuples(strategies.sampled_from("abcd"), documents)))
def test_an_index_always_equals_one_made_anew(writes: list[tuple[str, Server | None]]) -> None:
    def host(server: Server) -> Hashable:
        return server.host

    def tags(server: Server) -> Hashable:
        return server.tags

    async def play() -> None:
        mirror = await started(MemoryStore())
        indexes = [(of, mirror.index("server", of.__name__, of)) for of in (host, tags)]
        for key, value in writes:
            await mirror.commit([Delete("server", key) if value is None else Put("server", value, key)])
            for of, index in indexes:
                anew: dict[Hashable, set[str]] = {}
                for other, entry in mirror.all("server").items():
                    found = of(entry.value)
                    for item in found if isinstance(found, tuple) else () if found is None else (found,):
                        anew.setdefault(item, set()).add(other)
                assert {value: set(index.keys(value)) for value in index.values()} == anew
        await mirror.stop()

    run_coroutine_simulated(play())


@pytest.mark.real_loop
async def test_two_processes_stores_over_one_file_show_each_other_their_writes(tmp_path: Path) -> None:
    stores = [await SqliteStore.open(tmp_path / "store") for _ in range(2)]
    mirrors = [await started(store) for store in stores]
    for number in range(50):
        writer, reader = mirrors[number % 2], mirrors[1 - number % 2]
        await writer.commit([Put("server", Server(str(number)), str(number))])
        await reader.catch_up()
        assert dict(reader.all("server")) == dict(writer.all("server"))
    for mirror, store in zip(mirrors, stores, strict=True):
        await mirror.stop()
        await store.close()


async def test_a_mirror_never_shows_half_a_commit() -> None:
    class Slow(MemoryStore):
        """Gives other tasks a turn between any two commits of a watch."""

        async def changes(self, after: int) -> AsyncIterator[Commit]:
            async for commit in super().changes(after):
                await asyncio.sleep(0)
                yield commit

    mirror = await started(Slow())
    looking = True

    async def look() -> None:
        while looking:
            assert list(mirror.all("server")) == list(mirror.all("port"))
            await asyncio.sleep(0)

    looker = asyncio.create_task(look())
    await asyncio.gather(
        *(mirror.commit([Put("server", Server(key), key), Put("port", Port(key), key)]) for key in "abcdefgh")
    )
    looking = False
    await looker
    await mirror.stop()


def encoded(name: str) -> bytes:
    return msgspec.msgpack.encode(Server(name))
