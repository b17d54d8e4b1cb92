"""Rules of a stage profile: for which documents a stage goes otherwise, and how.

All rules that match apply, in the order of the file (decision 0114). Pure: what is counted, and what nodes have in
their caches, is kept by `kilonode.cloud.tallies`. Nothing here knows a store or OpenStack; a controller says what its
documents are like (`Facts`).
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from kilonode.base.expectations import NAME_PATTERN
from kilonode.base.units import Duration
from kilonode.cloud.delays import Delay
from kilonode.cloud.stages import Failure

Patterns = str | tuple[str, ...]
"""A name with `*`, `?` and `[…]` in it, or several of them; with `!` before it, whatever it does not match."""
Counted = Literal["host", "image", "flavor", "project", "zone"]

BYTES_PER_GIB: Final = 2**30


class Facts(msgspec.Struct, frozen=True):
    """What rules may ask of a document. What has an id and a name matches by either; empty: it has none."""

    name: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    flavor: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    zone: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    image_bytes: int = 0


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which documents a rule is about: those for which all of this holds."""

    name: Patterns | None = None
    """Of the server, volume, image, port or node, or its id."""
    host: Patterns | None = None
    """The node that it is on."""
    image: Patterns | None = None
    """The image it is made of, by name or id."""
    flavor: Patterns | None = None
    """The flavor, by name or id."""
    project: Patterns | None = None
    """The id of the project."""
    zone: Patterns | None = None
    """The availability zone of the node; before there is one, that which was asked for."""
    metadata: dict[str, Patterns] = {}
    """Keys of its metadata (of an image: its properties), and what their values are like."""

    def holds(self, facts: Facts) -> bool:
        """Whether a document is meant."""
        for kind in _ASKED:
            wanted = getattr(self, kind)
            if wanted is not None and not _matches(wanted, getattr(facts, kind)):
                return False
        return all(
            _matches(wanted, (facts.metadata[key],) if key in facts.metadata else ())
            for key, wanted in self.metadata.items()
        )


class ImageCache(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node remembers of images: the first server made of one on a node waits until it has come there."""

    images: Annotated[int, Meta(ge=1, le=1000)] = 20
    """How many a node keeps; the one that came first leaves first."""
    per_gib: Duration = Duration(0)
    """What the coming of an image takes for each GiB of its data, beside `add`."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stage goes otherwise for some documents."""

    name: Annotated[str, Meta(pattern=NAME_PATTERN, max_length=60)]
    """Names what it draws and counts: the counts go on after a restart for as long as the name is the same."""
    stage: Patterns
    """The stages that it is about, all of one kind of document."""
    when: Condition = Condition()
    """Which documents it is about; all, when nothing is said."""
    every: Annotated[int, Meta(ge=2)] | None = None
    """Only every so-manyth of them."""
    first: Annotated[int, Meta(ge=1)] | None = None
    """Only the first so many of them."""
    per: Counted | tuple[Counted, ...] = ()
    """What is counted apart: `host` counts for each node. Nothing: one count for all."""
    cache: ImageCache | None = None
    """Only where the image is not yet on the node; then it is."""
    delay: Delay | None = None
    """The delay instead of the stage's."""
    factor: Annotated[float, Meta(ge=0)] | None = None
    """The delay is multiplied by this."""
    add: Delay | None = None
    """A delay that comes to it."""
    failure: Failure | None = None
    """One more cause of failure."""

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.every, self.first, self.cache)) > 1:
            raise ValueError("Expected one of every, first and cache")
        if self.cache is not None:
            if self.delay is not None or self.factor is not None or self.failure is not None or self.per:
                raise ValueError("Expected cache with add, and with nothing else that changes a stage")
            if self.add is None and not self.cache.per_gib:
                raise ValueError("Expected cache with add or per_gib")
        elif self.delay is None and self.factor is None and self.add is None and self.failure is None:
            raise ValueError("Expected one of delay, factor, add, failure and cache")
        if self.per and not self.counts:
            raise ValueError("Expected per with every or first")

    @property
    def counts(self) -> bool:
        """Whether it needs to know how many came before."""
        return self.every is not None or self.first is not None

    def is_about(self, stage: str) -> bool:
        """Whether a stage of this name is meant."""
        return _matches(self.stage, (stage,))

    def strikes(self, number: int) -> bool:
        """Whether the document that came as this number, from 1, is one of those meant."""
        if self.every is not None:
            return number % self.every == 0
        return self.first is None or number <= self.first

    def subject(self, facts: Facts) -> str:
        """What is counted together, as the key of its count."""
        kinds: Sequence[str] = (self.per,) if isinstance(self.per, str) else self.per
        if self.cache is not None:
            kinds = ("host",)
        return "/".join([self.name, *(next(iter(getattr(facts, kind)), "") for kind in kinds)])


_ASKED: Final = ("name", "host", "image", "flavor", "project", "zone")


def patterns(wanted: Patterns) -> tuple[str, ...]:
    """The single patterns."""
    return (wanted,) if isinstance(wanted, str) else wanted


def _matches(wanted: Patterns, names: Sequence[str]) -> bool:
    """Whether one of the patterns matches one of the names; a negated one, whether it matches none of them."""
    return any(
        not any(fnmatchcase(name, pattern[1:]) for name in names)
        if pattern.startswith("!")
        else any(fnmatchcase(name, pattern) for name in names)
        for pattern in patterns(wanted)
    )
