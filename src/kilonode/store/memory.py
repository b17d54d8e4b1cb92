"""The store in the memory of one process: for simulated time, tests, and clouds that need not outlive their process.

It keeps the whole contract of `kilonode.store.protocol` except durability and sharing. It uses no thread and no file,
so it runs on the simulated event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from kilonode.base.errors import LabError
from kilonode.store.feed import Feed, check_expected, compacted, follow, in_order
from kilonode.store.protocol import Change, Commit, Document, Listing

DEFAULT_COMMITS_KEPT = 20_000


class MemoryStore:
    """Versioned documents in memory. A watcher may be at most `commits_kept` commits behind."""

    def __init__(self, *, commits_kept: int = DEFAULT_COMMITS_KEPT) -> None:
        self._feed = Feed(tip=0, limit=commits_kept)
        self._documents: dict[str, dict[str, Document]] = {}

    async def get(self, kind: str, key: str) -> Document | None:
        """The document as it stands now, or None."""
        return self._documents.get(kind, {}).get(key)

    async def list(self, *kinds: str) -> Listing:
        """All documents of these kinds (of every kind when none is named), in the order of `Listing`."""
        # A dictionary keeps the order in which keys came, and an update leaves a key where it is.
        found = [
            document
            for kind in sorted(set(kinds) or self._documents)
            for document in self._documents.get(kind, {}).values()
        ]
        return Listing(self._feed.tip, tuple(found))

    async def commit(self, changes: Sequence[Change]) -> int:
        """Apply all changes at one new revision, which is returned, or raise ConflictError and apply none."""
        if self._feed.closed:
            raise LabError("the store is closed")
        ordered = in_order(changes)
        for change in ordered:
            if change.expected is not None:
                document = self._documents.get(change.kind, {}).get(change.key)
                check_expected(change, document.revision if document else 0)
        revision = self._feed.tip + 1
        for change in ordered:
            documents = self._documents.setdefault(change.kind, {})
            if change.value is None:
                documents.pop(change.key, None)
            else:
                documents[change.key] = Document(change.kind, change.key, change.value, revision)
        self._feed.append(Commit(revision, ordered))
        self._feed.wake()
        # One turn of the loop, in which the watchers of this process see the commit before its author goes on.
        await asyncio.sleep(0)
        return revision

    async def revision(self) -> int:
        """The newest revision."""
        return self._feed.tip

    def changes(self, after: int) -> AsyncIterator[Commit]:
        """Every commit after revision `after`, in order, then the coming ones. Raises CompactedError."""
        return follow(self._feed, after, self._older)

    async def close(self) -> None:
        """End every watch and refuse further commits."""
        self._feed.close()

    def _older(self, position: int) -> Sequence[Commit]:
        raise compacted(position, self._feed.first)
