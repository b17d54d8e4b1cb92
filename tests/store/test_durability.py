"""Kill -9 of real writing processes at random instants: nothing acknowledged is lost, nothing is half there."""

import asyncio
import contextlib
import random
import signal
import sys
from pathlib import Path

import pytest

from kilonode.store.protocol import Commit
from kilonode.store.sqlite import SqliteStore
from tests.store.model import watched

ROUNDS = 6
ACKNOWLEDGED_BEFORE_THE_KILL = 400


class Author:
    """A writing process, and what it said was acknowledged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.acknowledged: dict[int, str] = {}

    @classmethod
    async def start(cls, store: Path, name: str, concurrency: int, synchronous: str) -> "Author":
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.store.author_process", str(store), name, str(concurrency), synchronous,
                stdout=asyncio.subprocess.PIPE,
            )
        )  # fmt: skip

    async def hear(self, lines: int) -> None:
        """Read that many acknowledgements, or all that are left."""
        assert self.process.stdout is not None
        for _ in range(lines):
            line = (await self.process.stdout.readline()).decode()
            if not line.endswith("\n"):
                return
            revision, key = line.split()
            self.acknowledged[int(revision)] = key

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.hear(1_000_000)
        await self.process.wait()


@pytest.mark.real_loop
@pytest.mark.processes
@pytest.mark.parametrize("synchronous", ["normal", "full"])
async def test_an_acknowledged_commit_survives_the_death_of_every_process(tmp_path: Path, synchronous: str) -> None:
    instants = random.Random(11)
    path = tmp_path / "store"
    acknowledged: dict[int, str] = {}
    for number in range(ROUNDS):
        # The killer reads acknowledgements while they come, and strikes after a random one of them.
        authors = [await Author.start(path, f"{number}-{author}", 1 + 20 * author, synchronous) for author in range(2)]
        await asyncio.gather(*(author.hear(instants.randrange(1, ACKNOWLEDGED_BEFORE_THE_KILL)) for author in authors))
        await asyncio.gather(*(author.kill() for author in authors))
        for author in authors:
            assert not acknowledged.keys() & author.acknowledged.keys()
            acknowledged |= author.acknowledged

        store = await SqliteStore.open(path, commits_kept=1_000_000)
        newest = await store.revision()
        log = {commit.revision: commit for commit in await watched(store, 0, newest)}
        assert list(log) == list(range(1, newest + 1))
        for revision, key in acknowledged.items():
            assert _keys(log[revision]) == [("left", key), ("right", key)]
        listing = await store.list()
        assert len(listing.documents) == 2 * newest
        assert {document.key for document in listing.documents if document.kind == "left"} == {
            document.key for document in listing.documents if document.kind == "right"
        }
        await store.close()


def _keys(commit: Commit) -> list[tuple[str, str]]:
    return [(change.kind, change.key) for change in commit.changes]


@pytest.mark.real_loop
@pytest.mark.processes
async def test_many_processes_may_make_the_same_new_store_at_once(tmp_path: Path) -> None:
    for number in range(3):
        path = tmp_path / str(number)
        authors = [await Author.start(path, str(author), 1, "normal") for author in range(6)]
        await asyncio.gather(*(author.hear(1) for author in authors))
        await asyncio.gather(*(author.kill() for author in authors))
        assert all(author.acknowledged for author in authors)


@pytest.mark.real_loop
@pytest.mark.processes
async def test_a_watcher_sees_the_commits_of_other_processes_once_each_in_order(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = await SqliteStore.open(path, commits_kept=1_000_000)
    authors = [await Author.start(path, f"author-{author}", 1 + 20 * author, "normal") for author in range(2)]
    watcher = asyncio.create_task(watched(store, 0, 2 * ACKNOWLEDGED_BEFORE_THE_KILL))
    await asyncio.gather(*(author.hear(ACKNOWLEDGED_BEFORE_THE_KILL) for author in authors))
    await asyncio.gather(*(author.kill() for author in authors))
    seen = await watcher
    assert [commit.revision for commit in seen] == list(range(1, len(seen) + 1))
    said = authors[0].acknowledged | authors[1].acknowledged
    for commit in seen:
        if commit.revision in said:
            assert _keys(commit)[0] == ("left", said[commit.revision])
    await store.close()
