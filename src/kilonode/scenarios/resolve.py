"""From the names in an experiment to the ids in a cloud, once, before the load.

A name that is an id already stays. A name that several things share is an error, since the run could not say which one
it measured; so is one that is not there, and then the error tells what is.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kilonode.base.errors import InputError, nearest
from kilonode.clients.openstack.connection import Connection
from kilonode.scenarios.declaration import Scenario
from kilonode.scenarios.references import ReferenceKind

MOST_NAMES_SHOWN: Final = 20


class Listing(msgspec.Struct, frozen=True):
    """Where things of one kind are listed."""

    service: str
    path: str
    collection: str
    noun: str


LISTINGS: Final[Mapping[ReferenceKind, Listing]] = {
    ReferenceKind.FLAVOR: Listing("compute", "/flavors", "flavors", "flavor"),
    ReferenceKind.IMAGE: Listing("image", "/images", "images", "image"),
    ReferenceKind.NETWORK: Listing("network", "/networks", "networks", "network"),
    ReferenceKind.VOLUME_TYPE: Listing("volume", "/types", "volume_types", "volume type"),
}


class Resolver:
    """Resolves names against one cloud; each kind is listed at most once."""

    def __init__(self, connection: Connection, made: Mapping[ReferenceKind, Mapping[str, str]] | None = None) -> None:
        self._connection = connection
        self._made = made or {}
        self._known: dict[ReferenceKind, list[tuple[str, str]]] = {}

    async def arguments(self, scenario: Scenario, values: Mapping[str, Any], where: str = "args") -> dict[str, Any]:
        """The arguments with an id wherever one names something. Raises InputError, OperationError.

        `where` is the path of the arguments in the experiment, for errors.
        """
        resolved = dict(values)
        for argument, kind in scenario.references.items():
            name = values.get(argument)
            if isinstance(name, str) and name:
                resolved[argument] = await self.identity(kind, name, f"{where}.{argument}")
        return resolved

    async def identity(self, kind: ReferenceKind, name: str, where: str = "") -> str:
        """The id of the thing called `name`, which setup may have made. Raises InputError, OperationError."""
        made = self._made.get(kind, {})
        if name in made:
            return made[name]
        known = await self._list(kind)
        noun = LISTINGS[kind].noun
        if any(identity == name for identity, _ in known):
            return name
        found = [identity for identity, known_name in known if known_name == name]
        if len(found) > 1:
            raise InputError(
                f"{len(found)} {noun}s are called {name!r}",
                where=where,
                expected=f"the id of one of them: {', '.join(found[:MOST_NAMES_SHOWN])}",
            )
        if not found:
            names = sorted({known_name for _, known_name in known if known_name} | set(made))
            raise InputError(
                f"the cloud has no {noun} {name!r}",
                where=where,
                expected=_some(names) if names else f"the cloud shows no {noun} at all",
                hint=nearest(name, names),
            )
        return found[0]

    async def _list(self, kind: ReferenceKind) -> list[tuple[str, str]]:
        if kind not in self._known:
            listing = LISTINGS[kind]
            service = self._connection.service(listing.service)
            items = await service.list_all(listing.path, listing.collection)
            self._known[kind] = [(str(item["id"]), str(item.get("name") or "")) for item in items]
        return self._known[kind]


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES_SHOWN])
    more = len(names) - MOST_NAMES_SHOWN
    return f"one of {shown}" + (f" and {more} more" if more > 0 else "")
