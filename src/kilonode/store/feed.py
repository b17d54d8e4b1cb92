"""The newest commits in memory, for the watchers of one process: the part of watching that all backends share.

A `Feed` keeps a contiguous run of commits up to the newest (`tip`) and wakes who waits for the next. `follow` is the
watch itself: it reads the feed, and asks the backend for commits that are older than the feed reaches.
It knows nothing of documents, files or processes. Used from one event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from kilonode.base.errors import LabError
from kilonode.store.protocol import Change, Commit, CompactedError, ConflictError


class Feed:
    """Commits `first` … `tip` without a gap; at most `limit` of them (the oldest go first)."""

    def __init__(self, tip: int, limit: int) -> None:
        self.tip = tip
        self.closed = False
        self._limit = limit
        self._commits: dict[int, Commit] = {}
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def first(self) -> int:
        """The oldest revision kept; `tip` + 1 when none is."""
        return self.tip + 1 - len(self._commits)

    def append(self, commit: Commit) -> None:
        """Add the commit that follows `tip`. Call `wake` after the last of several."""
        if commit.revision != self.tip + 1:
            raise LabError(
                "a commit is missing from the feed", expected=f"revision {self.tip + 1}", got=f"{commit.revision}"
            )
        self.tip = commit.revision
        self._commits[commit.revision] = commit
        if len(self._commits) > self._limit:
            del self._commits[commit.revision - self._limit]

    def skip_to(self, revision: int) -> None:
        """Forget everything and go on after `revision`, because commits in between can no longer be had."""
        self.tip = revision
        self._commits.clear()
        self.wake()

    def wake(self) -> None:
        """Wake all watchers. They run before whatever is scheduled on the event loop after this call."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def get(self, revision: int) -> Commit | None:
        """The commit at `revision`, or None when it is too old or has yet to come."""
        return self._commits.get(revision)

    async def wait_beyond(self, revision: int) -> None:
        """Return when `tip` is greater than `revision`, or the feed is closed."""
        while self.tip <= revision and not self.closed:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def close(self) -> None:
        """End every watch."""
        self.closed = True
        self.wake()


async def follow(feed: Feed, after: int, older: Callable[[int], Sequence[Commit]]) -> AsyncIterator[Commit]:
    """Every commit after revision `after`, in order, until the feed is closed.

    `older(position)` gives commits that follow `position` and that the feed no longer has: at least one, without a gap,
    or it raises CompactedError.
    """
    if after > feed.tip:
        raise CompactedError(
            "the watch starts in the future of this store", expected=f"at most {feed.tip}", got=f"{after}"
        )
    position = after
    while not feed.closed:
        commit = feed.get(position + 1)
        if commit is not None:
            position = commit.revision
            yield commit
        elif position < feed.tip:
            for commit in older(position):
                position = commit.revision
                yield commit
        else:
            await feed.wait_beyond(position)


def in_order(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes of one commit ordered by kind and key. Raises LabError when two name the same document."""
    if len(changes) < 2:
        return tuple(changes)
    ordered = sorted(changes, key=_place)
    previous = ordered[0]
    for change in ordered[1:]:
        if change.key == previous.key and change.kind == previous.kind:
            raise LabError("one commit changes a document twice", where=f"{change.kind} {change.key}")
        previous = change
    return tuple(ordered)


def check_expected(change: Change, actual: int) -> None:
    """Raise ConflictError when the document, now at revision `actual` (0: absent), is not as its author expected."""
    if change.expected is not None and change.expected != actual:
        raise ConflictError(
            "the document is not as its author saw it",
            where=f"{change.kind} {change.key}",
            expected=f"revision {change.expected}" if change.expected else "no such document",
            got=f"revision {actual}" if actual else "no such document",
        )


def compacted(position: int, first: int) -> CompactedError:
    """The error for a watcher that is at `position` while the oldest commit kept is `first`."""
    return CompactedError(
        "the watcher is too far behind: the commits it asks for are no longer kept",
        expected=f"a watch from revision {first - 1} or later",
        got=f"revision {position}",
        hint="list again, then watch from the listing's revision",
    )


def _place(change: Change) -> tuple[str, str]:
    return change.kind, change.key
