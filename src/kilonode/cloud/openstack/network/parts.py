"""What all resources do alike that are kept inside another one's document: find, list, show, create, update, delete.

`Parts` is data: whose parts they are, in which field, and what must hold. A change of a part is a change of its owner,
so two at one instant never lose one another, and a part is gone when its owner is.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.network.collection import Changes, Collection, touched
from kilonode.cloud.openstack.network.faults import invalid
from kilonode.cloud.openstack.network.model import Resource
from kilonode.cloud.openstack.network.part_model import Part
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields, matching
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Handler, Route
from kilonode.control.mirror import Entry, Put

PARTS_LIMIT: Final = 1_000
"""Of one owner: its document is written whole."""

Owner = TypeVar("Owner", bound=Resource)
Piece = TypeVar("Piece", bound=Part)
Fit = Callable[[Request, Owner, Piece], tuple[Owner, Piece, Changes]]


class Parts(msgspec.Struct, Generic[Owner, Piece], frozen=True):
    """The parts of one kind."""

    owner: Collection[Owner]
    field: str
    """Of the owner's record."""
    kind: type[Piece]
    noun: str
    """As in bodies: `port_forwarding`."""
    missing: Callable[[Owner, str], Fault]
    """The fault for a part that is not there."""
    fit: Fit[Owner, Piece]
    """Given the owner without the part: both as they are to be written, and what else is. Raises Fault."""
    without: Callable[[Owner], Owner] = lambda owner: owner
    """The owner after one of its parts has gone."""

    @property
    def plural(self) -> str:
        """As in bodies and paths."""
        return f"{self.noun}s"

    def of(self, owner: Owner) -> list[Piece]:
        """The parts of an owner."""
        return [part for part in getattr(owner, self.field) if isinstance(part, self.kind)]

    def view(self, part: Piece) -> dict[str, Any]:
        """A part as it is shown."""
        return {name: getattr(part, name) for name in self.kind.__struct_fields__}

    async def list(self, request: Request) -> Response:
        """All parts of the owner that the path names; filters by any field."""
        owner = self.owner.find(request, request.params["id"]).value
        fields = Fields[Piece]({name: attrgetter(name) for name in self.kind.__struct_fields__})
        found = matching(self.of(owner), fields.tests(request.query))
        return reply({self.plural: [self.view(part) for part in found]}, items=len(found))

    async def show(self, request: Request) -> Response:
        """One part."""
        owner = self.owner.find(request, request.params["id"]).value
        return reply({self.noun: self.view(self._find(owner, request))})

    async def create(self, request: Request) -> Response:
        """One more part."""
        entry = self.owner.find_own(request, request.params["id"], "create")
        if len(getattr(entry.value, self.field)) >= PARTS_LIMIT:
            raise Fault(409, f"Quota exceeded for resources: ['{self.noun}'].", type="OverQuota")
        part = self._read({**self._wanted(request), "id": request.cloud.new_id()})
        return await self._write(request, entry, entry.value, part, 201)

    async def update(self, request: Request) -> Response:
        """A part with some of its fields changed."""
        entry = self.owner.find_own(request, request.params["id"], "update")
        part = self._find(entry.value, request)
        changed = self._read({**msgspec.to_builtins(part), **self._wanted(request), "id": part.id})
        return await self._write(request, entry, self._others(entry.value, part), changed, 200)

    async def delete(self, request: Request) -> Response:
        """One part less."""
        entry = self.owner.find_own(request, request.params["id"], "delete")
        owner = self.without(self._others(entry.value, self._find(entry.value, request)))
        owner = touched(request.cloud, owner)
        await request.cloud.mirror.commit([Put(self.owner.kind, owner, owner.id, entry.revision)])
        return reply(None, 204)

    def routes(self, path: str, write: Access, read: Access = Access.READER) -> Iterable[Route]:
        """The five operations below the path of the owner, which names it `{id}`."""
        place = f"{path}/{self.plural}"
        handlers: tuple[tuple[str, str, str, Handler, Access], ...] = (
            ("GET", place, "list", self.list, read),
            ("POST", place, "create", self.create, write),
            ("GET", f"{place}/{{part_id}}", "show", self.show, read),
            ("PUT", f"{place}/{{part_id}}", "update", self.update, write),
            ("DELETE", f"{place}/{{part_id}}", "delete", self.delete, write),
        )
        for method, where, word, handler, access in handlers:
            yield Route(method, where, handler, access, f"{word}_{self.plural if word == 'list' else self.noun}")

    def _find(self, owner: Owner, request: Request) -> Piece:
        key = request.params["part_id"]
        for part in self.of(owner):
            if part.id == key:
                return part
        raise self.missing(owner, key)

    def _wanted(self, request: Request) -> dict[str, Any]:
        wanted = request.json_object().get(self.noun)
        if not isinstance(wanted, dict):
            raise invalid(f"Expected the body to have {self.noun!r}.")
        return wanted

    def _read(self, value: dict[str, Any]) -> Piece:
        try:
            return msgspec.convert(value, self.kind, strict=False)
        except msgspec.ValidationError as error:
            raise invalid(f"Invalid input for {self.noun}: {error}.") from error

    def _others(self, owner: Owner, part: Piece) -> Owner:
        parts = getattr(owner, self.field)
        return replace(owner, **{self.field: tuple(one for one in parts if one.id != part.id)})

    async def _write(self, request: Request, entry: Entry[Owner], without: Owner, part: Piece, status: int) -> Response:
        owner, part, changes = self.fit(request, without, part)
        owner = touched(request.cloud, replace(owner, **{self.field: (*getattr(without, self.field), part)}))
        await request.cloud.mirror.commit([Put(self.owner.kind, owner, owner.id, entry.revision), *changes])
        return reply({self.noun: self.view(part)}, status)
