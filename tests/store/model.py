"""The contract of a store as a few lines of plain Python, and random histories to hold every backend against it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from hypothesis import strategies

from kilonode.store.protocol import Change, Commit, ConflictError, Document, Store


class Expectation(Enum):
    """What the author of a change says about the document, worked out when its group of commits begins."""

    ANYTHING = "anything"
    AS_IT_IS = "as it is"
    ABSENT = "absent"
    OUTDATED = "outdated"


@dataclass(frozen=True)
class Wish:
    """One change of a random history, before its expectation is turned into a revision."""

    kind: str
    key: str
    value: bytes | None
    expectation: Expectation


@dataclass
class Model:
    """What a store must be after the same commits in the same order."""

    documents: dict[tuple[str, str], tuple[bytes, int, int]] = field(default_factory=dict)
    """Value, revision, and revision of creation, by kind and key."""
    log: list[Commit] = field(default_factory=list)

    @property
    def revision(self) -> int:
        return len(self.log)

    def changes(self, wishes: Sequence[Wish]) -> list[Change]:
        """The changes of one commit as an author who sees the model now would write them."""
        return [Change(wish.kind, wish.key, wish.value, self._expected(wish)) for wish in wishes]

    def commit(self, changes: Sequence[Change]) -> int | type[ConflictError]:
        for change in changes:
            _, revision, _ = self.documents.get((change.kind, change.key), (b"", 0, 0))
            if change.expected not in (None, revision):
                return ConflictError
        revision = self.revision + 1
        for change in changes:
            place = (change.kind, change.key)
            if change.value is None:
                self.documents.pop(place, None)
            else:
                _, _, created = self.documents.get(place, (b"", 0, revision))
                self.documents[place] = (change.value, revision, created)
        ordered = sorted(changes, key=lambda change: (change.kind, change.key))
        self.log.append(Commit(revision, tuple(ordered)))
        return revision

    def listing(self, *kinds: str) -> list[Document]:
        rows = sorted(
            (kind, created, key, value, revision)
            for (kind, key), (value, revision, created) in self.documents.items()
            if not kinds or kind in kinds
        )
        return [Document(kind, key, value, revision) for kind, _, key, value, revision in rows]

    def _expected(self, wish: Wish) -> int | None:
        _, revision, _ = self.documents.get((wish.kind, wish.key), (b"", 0, 0))
        match wish.expectation:
            case Expectation.ANYTHING:
                return None
            case Expectation.AS_IT_IS:
                return revision
            case Expectation.ABSENT:
                return 0
            case Expectation.OUTDATED:
                return revision + 1


KINDS = ("server", "port")

wishes = strategies.builds(
    Wish,
    kind=strategies.sampled_from(KINDS),
    key=strategies.sampled_from(["a", "b", "c"]),
    value=strategies.none() | strategies.binary(max_size=3),
    expectation=strategies.sampled_from(
        # Mostly what real authors do, so that most commits go through.
        [*Expectation, Expectation.AS_IT_IS, Expectation.AS_IT_IS, Expectation.ANYTHING]
    ),
)
commits = strategies.lists(wishes, max_size=3, unique_by=lambda wish: (wish.kind, wish.key))
groups = strategies.lists(commits, min_size=1, max_size=4)
"""Commits that several authors begin at the same moment."""
histories = strategies.lists(groups, max_size=12)


def plain(commits_seen: Sequence[Commit]) -> list[tuple[int, list[tuple[str, str, bytes | None]]]]:
    """Commits without what is of no meaning to a watcher."""
    return [
        (commit.revision, [(change.kind, change.key, change.value) for change in commit.changes])
        for commit in commits_seen
    ]


async def watched(store: Store, after: int, until: int) -> list[Commit]:
    """What a watcher sees from `after` up to revision `until`."""
    seen: list[Commit] = []
    if after < until:
        async for commit in store.changes(after):
            seen.append(commit)
            if commit.revision >= until:
                break
    return seen
