"""Two small kinds of documents for the tests of this part."""

import msgspec

from kilonode.base.units import Duration
from kilonode.control.mirror import Mirror
from kilonode.store.protocol import Store


class Server(msgspec.Struct, frozen=True):
    name: str
    host: str | None = None
    tags: tuple[str, ...] = ()


class Port(msgspec.Struct, frozen=True):
    address: str
    lease: Duration = Duration(60)


def mirror_of(store: Store) -> Mirror:
    """A mirror of both kinds, not yet started."""
    return Mirror(store, {"server": Server, "port": Port})
