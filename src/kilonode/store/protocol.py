"""What every store does.

A store holds documents. A document has a kind (`server`), a key (unique in its kind), a value (bytes; the store never
looks inside) and the revision at which it was last written. Revisions are the positive integers, one for each commit,
in the order of the commits, over all kinds.

Contract, for every backend:

- *Atomic*: a commit applies all of its changes at one new revision, or none.
- *Optimistic*: a change may name the revision its author saw; if the document is not at that revision now, the whole
  commit fails with `ConflictError`. Zero means: must not exist.
- *Durable* (all but memory): when `commit` returns, `kill -9` of every process loses nothing of it.
- *Watch*: `changes(after)` gives every commit after that revision exactly once, in order, revision by revision. A
  watcher that is too far behind (its revision was compacted away) gets `CompactedError` and must list again.
- *Shared*: several processes may open one durable store; each sees the commits of all.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from kilonode.base.errors import KilonodeError


class Document(msgspec.Struct, frozen=True, gc=False):
    """One document as it stands at `revision`."""

    kind: str
    key: str
    value: bytes
    revision: int


class Change(msgspec.Struct, frozen=True, gc=False):
    """One wanted change. `value` None deletes (deleting what does not exist is no error unless `expected` says so)."""

    kind: str
    key: str
    value: bytes | None
    expected: int | None = None
    """The revision the document must be at now; 0: must not exist; None: whatever it is."""


class Commit(msgspec.Struct, frozen=True, gc=False):
    """One commit as a watcher sees it: its revision and its changes (`expected` is of no meaning here)."""

    revision: int
    changes: tuple[Change, ...]


class Listing(msgspec.Struct, frozen=True, gc=False):
    """All documents of some kinds as they stood at one `revision`; watch from there to miss nothing.

    Ordered by kind; in a kind by the revision at which the document came to be; in that by key. So whoever lists sees
    the documents in the same order as whoever watched them come.
    """

    revision: int
    documents: tuple[Document, ...]


class ConflictError(KilonodeError):
    """A document was not at the revision its author expected: read again and decide anew."""


class CompactedError(KilonodeError):
    """The watcher asked for commits that are no longer kept: list again, then watch from there."""


class Store(Protocol):
    """Versioned documents with atomic commit and watch. See the module for the contract."""

    async def get(self, kind: str, key: str) -> Document | None:
        """The document as it stands now, or None."""
        ...

    async def list(self, *kinds: str) -> Listing:
        """All documents of these kinds (of every kind when none is named) at one revision, ordered as in `Listing`."""
        ...

    async def commit(self, changes: Sequence[Change]) -> int:
        """Apply all changes at one new revision, which is returned, or raise ConflictError and apply none.

        No two changes may name the same document (LabError). Watchers see the changes ordered by kind and key.
        """
        ...

    async def revision(self) -> int:
        """The newest revision of the store, over all processes that share it. Cheap: asked at every read request."""
        ...

    def changes(self, after: int) -> AsyncIterator[Commit]:
        """Every commit after revision `after`, in order, then the coming ones until the store is closed.

        Raises CompactedError, also when `after` lies in the future (the store was replaced by an older or a new one).
        """
        ...

    async def close(self) -> None:
        """Finish pending commits and let go of files."""
        ...
