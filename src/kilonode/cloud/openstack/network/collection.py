"""What all collections of the network service do alike: find, show, list, create (one or many), update.

A `Collection` is data: which documents, which fields, who sees what. Lists know filters by any field, tags, `fields`,
sorting by any field, and pages with links in both directions.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from kilonode.cloud.context import Cloud, timestamp
from kilonode.cloud.openstack.network.bodies import bad, body_of, item_of, items_of, read
from kilonode.cloud.openstack.network.faults import disallowed, invalid, missing
from kilonode.cloud.openstack.network.model import (
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    Resource,
    by_project,
    is_shared_with,
    shared_with_project,
)
from kilonode.cloud.openstack.network.quotas import check_quota
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields, Getter, matching
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.index import Index
from kilonode.control.mirror import Delete, Entry, Mirror, Put

PREFIX: Final = "/network/v2.0"

Record = TypeVar("Record", bound=Resource)
Wanted = TypeVar("Wanted")
Changes = list[Put | Delete]
Test = Callable[[Record], bool]
_LIST_WORDS: Final = frozenset(
    {"limit", "marker", "page_reverse", "sort_key", "sort_dir", "fields", "changed_since", "verbose", "all_projects"}
)
"""Parameters of lists that are not filters, and such as clients send everywhere."""


class Collection(msgspec.Struct, Generic[Record], frozen=True):
    """One collection. `make_fields` is called once per view of the cloud."""

    kind: str
    noun: str
    """As in bodies: `security_group`."""
    plural: str
    type_noun: str
    """As in error types: `SecurityGroup`."""
    title: str
    """As in messages: `Security group`."""
    make_fields: Callable[[Cloud], Fields[Record]]
    sees: Callable[[Request, Record], bool] | None = None
    """Whether a caller who is neither owner nor administrator sees a resource; None: never."""
    seen: Callable[[Request], Iterable[str]] | None = None
    """The keys of all that `sees` lets a caller see besides its own."""
    indexes: tuple[tuple[str, Callable[[Mirror], Index]], ...] = ()
    """Fields for which there is an index, best first."""
    admin_fields: frozenset[str] = frozenset()
    """Fields that only administrators see."""
    special: Callable[[Cloud, str, list[str]], "Test[Record] | None"] | None = None
    """The filter for a field that holds a list, if it is one."""

    @property
    def path(self) -> str:
        """Below the prefix: `/security-groups`."""
        return "/" + self.plural.replace("_", "-")

    def get(self, request: Request, key: str) -> Entry[Record] | None:
        """The resource if the caller sees it."""
        entry: Entry[Record] | None = request.cloud.mirror.get(self.kind, key)
        return entry if entry is not None and self.is_visible(request, entry.value) else None

    def find(self, request: Request, key: str) -> Entry[Record]:
        """The resource if the caller sees it. Raises Fault 404."""
        entry = self.get(request, key)
        if entry is None:
            raise missing(self.type_noun, self.title, key)
        return entry

    def find_own(self, request: Request, key: str, action: str) -> Entry[Record]:
        """The resource if the caller may change it. Raises Fault 404 or 403."""
        entry = self.find(request, key)
        if not request.caller.may_see(entry.value.project_id):
            raise disallowed(f"{action}_{self.noun}")
        return entry

    def is_visible(self, request: Request, record: Record) -> bool:
        """Whether the caller may know of a resource."""
        caller = request.caller
        return (
            caller.may_see(record.project_id)
            or is_shared_with(record, caller.project_id)
            or (self.sees is not None and self.sees(request, record))
        )

    def view(self, request: Request, record: Record) -> dict[str, Any]:
        """The resource as the caller sees it, with the fields it asked for."""
        fields = request.cloud.part(self.make_fields)
        shown = fields.show(record, request.query.all("fields") if "fields" in request.query else ())
        if not request.caller.is_admin:
            for name in self.admin_fields:
                shown.pop(name, None)
        if shown.get("shared") is False and record.project_id != request.caller.project_id:
            shown["shared"] = is_shared_with(record, request.caller.project_id)
        return shown

    def show(self, request: Request, record: Record, status: int = 200) -> Response:
        """Answer with one resource."""
        return reply({self.noun: self.view(request, record)}, status)

    def listing(self, request: Request) -> Response:
        """Answer with the page of the resources that the caller asks for and sees."""
        fields = request.cloud.part(self.make_fields)
        found = matching(self._candidates(request), self._tests(request, fields))
        page, links = _page(request, found, fields, self)
        body: dict[str, Any] = {self.plural: [self.view(request, record) for record in page]}
        if links:
            body[f"{self.plural}_links"] = links
        return reply(body, items=len(page))

    async def create(
        self, request: Request, kind: type[Wanted], make: Callable[[Request, Wanted], tuple[Record, Changes]]
    ) -> Response:
        """Create one resource or, with a list in the body, several: all or none."""
        body = body_of(request, self.noun)
        many = self.plural in body
        items = items_of(body, self.noun, self.plural)
        records = []
        changes: dict[tuple[str, str], Put | Delete] = {}
        wanted_by_project: dict[str, int] = {}
        for item in items:
            record, its_changes = make(request, read(item, kind, self.noun, making=True))
            wanted_by_project[record.project_id] = wanted_by_project.get(record.project_id, 0) + 1
            for change in its_changes:
                known = changes.setdefault((change.kind, change.key), change)
                # What follows from a project, such as its default group, is made by each of them: once is enough.
                if known != change and change.kind not in (SECURITY_GROUP, SECURITY_GROUP_RULE):
                    raise Fault(501, f"These {self.plural} depend on each other: create them one at a time.")
            records.append(record)
        for project_id, count in wanted_by_project.items():
            check_quota(request.cloud, project_id, self.noun, by_project(request.cloud.mirror, self.kind), count)
        await request.cloud.mirror.commit(list(changes.values()))
        if many:
            return reply({self.plural: [self.view(request, record) for record in records]}, 201)
        return self.show(request, records[0], 201)

    async def update(
        self, request: Request, kind: type[Wanted], change: Callable[[Request, Record, Wanted], tuple[Record, Changes]]
    ) -> Response:
        """Change the resource that the path names. `change` gives its new value and what else has to be written."""
        entry = self.find_own(request, request.params["id"], "update")
        _check_revision(request, entry.value)
        wanted = read(item_of(body_of(request, self.noun), self.noun), kind, self.noun, making=False)
        record, changes = change(request, entry.value, wanted)
        record = touched(request.cloud, record)
        await request.cloud.mirror.commit([Put(self.kind, record, record.id, entry.revision), *changes])
        return self.show(request, record)

    def _candidates(self, request: Request) -> Iterable[Record]:
        """All that the caller sees and that can pass the filters, by the best index there is; oldest first."""
        mirror = request.cloud.mirror
        table = mirror.all(self.kind)
        query = request.query
        keys: Iterable[str] | None = None
        if "id" in query:
            keys = [key for key in dict.fromkeys(query.all("id")) if key in table]
        for name, index in self.indexes:
            if keys is None and name in query:
                keys = [key for value in dict.fromkeys(query.all(name)) for key in index(mirror).keys(value)]
        if keys is not None:
            return [table[key].value for key in keys if self.is_visible(request, table[key].value)]
        caller = request.caller
        if caller.is_admin:
            return [entry.value for entry in table.values()]
        own = by_project(mirror, self.kind).keys(caller.project_id)
        others = self.seen(request) if self.seen is not None else ()
        shared = shared_with_project(mirror, self.kind)
        keys = dict.fromkeys([*own, *others, *shared.keys("*"), *shared.keys(caller.project_id)])
        return [table[key].value for key in keys]

    def _tests(self, request: Request, fields: Fields[Record]) -> list[Test[Record]]:
        cloud, query = request.cloud, request.query
        tests: list[Test[Record]] = []
        plain: list[tuple[str, str]] = []
        seen: set[str] = set()
        for name, text in query:
            special = self.special(cloud, name, query.all(name)) if self.special is not None else None
            if special is not None:
                if name not in seen:
                    tests.append(special)
                seen.add(name)
            elif name in ("tags", "tags-any", "not-tags", "not-tags-any"):
                tests.append(_tag_test(name, frozenset(text.split(","))))
            elif name not in fields and name not in _LIST_WORDS:
                raise bad(f"['{name}'] is invalid attribute for filtering")
            elif name not in self.admin_fields or request.caller.is_admin:
                plain.append((name, text))
        return [*tests, *fields.tests(plain)]


def touched(cloud: Cloud, record: Record) -> Record:
    """The record as it is written now: newer, and one revision on."""
    return msgspec.structs.replace(record, updated_us=cloud.now_us(), version=record.version + 1)


def owner(request: Request, project_id: str | None) -> str:
    """The project a new resource belongs to: the caller's, or the one an administrator names. Raises Fault 400."""
    if not project_id or project_id == request.caller.project_id:
        return request.caller.project_id
    if not request.caller.is_admin:
        words = "other than the authenticated project in request is not allowed for the current user."
        raise bad(f"Specifying 'project_id' {words}")
    return project_id


def standard_fields() -> dict[str, Getter[Any]]:
    """The fields that all resources end with."""
    return {
        "description": lambda resource: resource.description,
        "tenant_id": lambda resource: resource.project_id,
        "project_id": lambda resource: resource.project_id,
        "created_at": lambda resource: timestamp(resource.created_us),
        "updated_at": lambda resource: timestamp(resource.updated_us),
        "revision_number": lambda resource: resource.version,
        "tags": lambda resource: resource.tags,
    }


def _check_revision(request: Request, record: Resource) -> None:
    """Refuse a change of another revision than `If-Match` names. Raises Fault 412."""
    text = request.header("if-match")
    if not text:
        return
    name, _, number = text.partition("=")
    if name.strip() != "revision_number" or not number.strip().isdigit():
        raise invalid(f"Invalid If-Match: {text!r}.")
    if int(number) != record.version:
        raise Fault(
            412, f"Constrained to {number}, but current revision is {record.version}",
            type="RevisionNumberConstraintFailed",
        )  # fmt: skip


def _tag_test(name: str, wanted: frozenset[str]) -> Test[Any]:
    if name == "tags":
        return lambda resource: wanted <= frozenset(resource.tags)
    if name == "tags-any":
        return lambda resource: not wanted.isdisjoint(resource.tags)
    if name == "not-tags":
        return lambda resource: not wanted <= frozenset(resource.tags)
    return lambda resource: wanted.isdisjoint(resource.tags)


def _limit(text: str) -> int | None:
    if text and not (text.isascii() and text.isdigit()):
        words = f"Bad limit request: Limit must be an integer 0 or greater and not '{text}'."
        raise Fault(400, words, type="BadRequest")
    return int(text[:18]) if text else None


def _page(
    request: Request, found: list[Record], fields: Fields[Record], collection: Collection[Record]
) -> tuple[Sequence[Record], list[dict[str, str]]]:
    """The page that limit, marker and page_reverse ask for, and its links."""
    query = request.query
    keys = query.all("sort_key")
    directions = query.all("sort_dir")
    if len(keys) != len(directions):
        raise bad("The number of sort_keys and sort_dirs must be same")
    unknown = [name for name in keys if name not in fields]
    if unknown:
        raise bad(f"{unknown} is invalid attribute for sort_keys")
    neither = [direction for direction in directions if direction not in ("asc", "desc")]
    if neither:
        raise bad(f"{neither} is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
    if keys:
        descending = [direction == "desc" for direction in directions]
        fields.sort(found, list(zip(keys, descending, strict=False)))
    limit = _limit(query.one("limit"))
    marker = query.one("marker")
    backwards = query.flag("page_reverse")
    if marker:
        place = next((number for number, record in enumerate(found) if record.id == marker), None)
        if place is None:
            raise missing(collection.type_noun, collection.title, marker)
        found = found[:place] if backwards else found[place + 1 :]
    if not limit:
        return found, []
    page = found[-limit:] if backwards else found[:limit]
    links = []
    place_of_list = f"{request.cloud.settings.public_url}{request.path}"
    if page and len(page) == limit:
        following = query.changed(marker=page[0].id if backwards else page[-1].id)
        links.append({"rel": "previous" if backwards else "next", "href": f"{place_of_list}?{following}"})
    if page:
        preceding = query.changed(
            marker=page[-1].id if backwards else page[0].id, page_reverse="False" if backwards else "True"
        )
        links.append({"rel": "next" if backwards else "previous", "href": f"{place_of_list}?{preceding}"})
    return page, links
