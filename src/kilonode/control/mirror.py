"""A role's copy, in memory, of the documents it needs: decoded, indexed and kept current by the store's watch.

A mirror lists once, then applies every commit in order, so at any moment it equals the store at one `revision`: nobody
sees half a commit. Reads are plain dictionary look-ups. `commit` writes through to the store and returns when the
mirror has applied it (read your writes); `catch_up` returns when it has applied everything that anyone committed before
the call. It decides nothing: conflicts go to the caller. One event loop, no threads.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from kilonode.base.encoding import decode_hook, encode_hook
from kilonode.base.errors import LabError
from kilonode.control.index import Index
from kilonode.store.protocol import Change, Commit, CompactedError, ConflictError, Store

Value = TypeVar("Value")
Subscriber = Callable[[str, str], None]
"""Called with kind and key of a document that changed."""


class Entry(msgspec.Struct, Generic[Value], frozen=True, gc=False):
    """A document's value, and the revision at which it was written."""

    value: Value
    revision: int


class Put(msgspec.Struct, frozen=True, gc=False):
    """A document to write. `expected`: the revision seen, 0 when it must not exist, None for whatever it is."""

    kind: str
    value: msgspec.Struct
    key: str
    expected: int | None = None


class Delete(msgspec.Struct, frozen=True, gc=False):
    """A document to delete; `expected` as in `Put`."""

    kind: str
    key: str
    expected: int | None = None


class Mirror:
    """The documents of some kinds, as values of the given record types. Values travel as MessagePack."""

    def __init__(self, store: Store, kinds: Mapping[str, type[msgspec.Struct]]) -> None:
        self._store = store
        self._encode = msgspec.msgpack.Encoder(enc_hook=encode_hook).encode
        self._decoders = {
            kind: msgspec.msgpack.Decoder(record, dec_hook=decode_hook).decode for kind, record in kinds.items()
        }
        self._tables: dict[str, dict[str, Entry[Any]]] = {kind: {} for kind in kinds}
        self._indexes: dict[str, dict[str, Index]] = {kind: {} for kind in kinds}
        self._subscribers: list[Subscriber] = []
        self._revision = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._turns = itertools.count()
        self._watch: asyncio.Task[None] | None = None

    @property
    def kinds(self) -> Collection[str]:
        """The kinds of documents that are mirrored."""
        return self._tables.keys()

    @property
    def revision(self) -> int:
        """The revision of the store that the mirror equals now."""
        return self._revision

    async def start(self) -> None:
        """List all documents (subscribers hear of each), then follow the store until `stop`."""
        if self._watch is not None:
            raise LabError("the mirror was started twice")
        await self._list()
        self._watch = asyncio.create_task(self._follow(), name="mirror")

    async def stop(self) -> None:
        """Stop following. What was mirrored stays readable."""
        if self._watch is None:
            return
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)
        self._fail_waiting(LabError("the mirror was stopped"))

    async def ended(self) -> None:
        """Wait until the mirror no longer follows its store; raise what made it end. For whoever supervises a role."""
        if self._watch is None:
            raise LabError("the mirror was not started")
        await asyncio.wait([self._watch])
        if not self._watch.cancelled():
            self._watch.result()

    async def catch_up(self) -> None:
        """Return when everything committed before this call, by any process, can be read here."""
        revision = await self._store.revision()
        if self._revision < revision:
            await self._reach(revision)

    def get(self, kind: str, key: str) -> Entry[Any] | None:
        """The document, or None."""
        return self._tables[kind].get(key)

    def all(self, kind: str) -> Mapping[str, Entry[Any]]:
        """All documents of a kind by key, in the order in which they came to be. A live view: copy it to keep it."""
        return self._tables[kind]

    def index(self, kind: str, name: str, of: Callable[[Any], Hashable | None]) -> Index:
        """The index `name` over a kind, made at the first call: which documents have what value of `of`.

        `of` is a pure function of the document's value: None leaves the document out, a tuple enters it under each of
        its items, anything else hashable is one value.
        """
        indexes = self._indexes[kind]
        if name not in indexes:
            indexes[name] = Index(of)
            for key, entry in self._tables[kind].items():
                indexes[name].put(key, entry.value)
        return indexes[name]

    def subscribe(self, callback: Subscriber, known: Iterable[str] = ()) -> None:
        """Have `callback` called with kind and key of each change, after the mirror has applied its whole commit.

        It is called at once for each document of the kinds `known` that is in the mirror already. Who subscribes before
        `start` hears of all documents anyway. A callback must not raise.
        """
        for kind in known:
            for key in self._tables[kind]:
                callback(kind, key)
        self._subscribers.append(callback)

    async def commit(self, changes: Sequence[Put | Delete]) -> int:
        """Commit all changes at one revision, which is returned when it can be read here.

        Raises ConflictError when a document was not as expected; the mirror has then caught up with the reason, so the
        caller can read and decide again.
        """
        encode = self._encode
        wanted = [
            Change(change.kind, change.key, encode(change.value), change.expected)
            if isinstance(change, Put)
            else Change(change.kind, change.key, None, change.expected)
            for change in changes
        ]
        try:
            revision = await self._store.commit(wanted)
        except ConflictError:
            await self.catch_up()
            raise
        if self._revision < revision:
            await self._reach(revision)
        return revision

    async def _reach(self, revision: int) -> None:
        if self._watch is None or self._watch.done():
            raise LabError("the mirror no longer follows its store") from self._failure()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (revision, next(self._turns), future))
        await future

    def _failure(self) -> BaseException | None:
        ended = self._watch is not None and self._watch.done() and not self._watch.cancelled()
        return self._watch.exception() if ended and self._watch else None

    def _fail_waiting(self, error: LabError) -> None:
        waiting, self._waiting = self._waiting, []
        for _, _, future in waiting:
            if not future.done():
                future.set_exception(error)

    async def _follow(self) -> None:
        try:
            while True:
                try:
                    async for commit in self._store.changes(self._revision):
                        self._apply(commit)
                    raise LabError("the store was closed under a mirror that follows it")
                except CompactedError:
                    await self._list()
        except Exception as error:
            failure = LabError("the mirror no longer follows its store", got=str(error))
            failure.__cause__ = error
            self._fail_waiting(failure)
            raise

    async def _list(self) -> None:
        """Make the mirror equal to the store as it stands, and tell subscribers what differs."""
        listing = await self._store.list(*self._tables)
        changed: list[tuple[str, str]] = []
        found: dict[str, set[str]] = {kind: set() for kind in self._tables}
        for document in listing.documents:
            found[document.kind].add(document.key)
            known = self._tables[document.kind].get(document.key)
            if known is None or known.revision != document.revision:
                self._put(document.kind, document.key, document.value, document.revision)
                changed.append((document.kind, document.key))
        for kind, table in self._tables.items():
            for key in [key for key in table if key not in found[kind]]:
                self._remove(kind, key)
                changed.append((kind, key))
        self._arrive(listing.revision, changed)

    def _apply(self, commit: Commit) -> None:
        changed = []
        for kind, key, value in ((change.kind, change.key, change.value) for change in commit.changes):
            if kind not in self._tables:
                continue
            if value is None:
                self._remove(kind, key)
            else:
                self._put(kind, key, value, commit.revision)
            changed.append((kind, key))
        self._arrive(commit.revision, changed)

    def _put(self, kind: str, key: str, data: bytes, revision: int) -> None:
        try:
            value = self._decoders[kind](data)
        except msgspec.DecodeError as error:
            raise LabError(
                "a document cannot be read",
                where=f"{kind} {key}",
                got=str(error),
                hint="was it written by a newer version?",
            ) from error
        self._tables[kind][key] = Entry(value, revision)
        for index in self._indexes[kind].values():
            index.put(key, value)

    def _remove(self, kind: str, key: str) -> None:
        if self._tables[kind].pop(key, None) is not None:
            for index in self._indexes[kind].values():
                index.remove(key)

    def _arrive(self, revision: int, changed: Collection[tuple[str, str]]) -> None:
        self._revision = revision
        for kind, key in changed:
            for subscriber in self._subscribers:
                subscriber(kind, key)
        waiting = self._waiting
        while waiting and waiting[0][0] <= revision:
            future = heapq.heappop(waiting)[2]
            if not future.done():
                future.set_result(None)
