"""Two or more mirrors that are read as one: documents of some kinds live in another store than the rest.

Each kind belongs to just one of the mirrors. Reads are the same dictionary look-ups; `catch_up` catches up with every
store; a commit goes to the one store that has its kinds, since nothing can be atomic over two. So what must change
together must live together. Revisions of different stores are unrelated: only those of documents mean anything here.
"""

import asyncio
from collections.abc import Iterable, Sequence

from kilonode.base.errors import LabError
from kilonode.control.mirror import Delete, Mirror, Put, Subscriber


class JoinedMirror(Mirror):
    """The mirrors of some stores as one. Raises LabError when two of them have a kind in common."""

    def __init__(self, *parts: Mirror) -> None:
        self._parts = parts
        self._home: dict[str, Mirror] = {}
        self._tables = {}
        self._indexes = {}
        for part in parts:
            both = self._home.keys() & part.kinds
            if both:
                raise LabError("two stores claim one kind of document", got=", ".join(sorted(both)))
            self._home |= dict.fromkeys(part.kinds, part)
            # The parts' own tables, so reading costs nothing more.
            self._tables |= part._tables
            self._indexes |= part._indexes

    @property
    def revision(self) -> int:
        """Nothing that can be compared with a document's: how much has happened in all stores together."""
        return sum(part.revision for part in self._parts)

    async def start(self) -> None:
        """List all documents, then follow the stores until `stop`."""
        for part in self._parts:
            await part.start()

    async def stop(self) -> None:
        """Stop following. What was mirrored stays readable."""
        for part in self._parts:
            await part.stop()

    async def ended(self) -> None:
        """Wait until one of the mirrors no longer follows its store; raise what made it end."""
        waiting = [asyncio.ensure_future(part.ended()) for part in self._parts]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in waiting:
                one.cancel()

    async def catch_up(self) -> None:
        """Return when everything committed to any of the stores before this call can be read here."""
        for part in self._parts:
            await part.catch_up()

    def subscribe(self, callback: Subscriber, known: Iterable[str] = ()) -> None:
        """As of one mirror. What changes in two stores comes in no order."""
        wanted = frozenset(known)
        for part in self._parts:
            part.subscribe(callback, [kind for kind in part.kinds if kind in wanted])

    async def commit(self, changes: Sequence[Put | Delete]) -> int:
        """Commit all changes to the one store that has their kinds. Raises LabError when no one has them all."""
        homes = {id(home): home for home in (self._home[change.kind] for change in changes)}
        if len(homes) > 1:
            kinds = sorted({change.kind for change in changes})
            raise LabError("one commit cannot change documents of two stores", got=", ".join(kinds))
        home = next(iter(homes.values()), self._parts[0])
        return await home.commit(changes)
