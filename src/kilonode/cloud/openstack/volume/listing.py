"""What lists of volumes and snapshots share: whose they are, filters, order, pages."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.volume.quotas import by_project
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply

PREFIX: Final = "/volume/v3"
Filters = dict[str, Callable[[Any], str]]
"""Name in the query, and what it is compared with."""


def all_visible(request: Request, kind: str) -> list[Any]:
    """The values the caller may see, newest first; another project's only by `all_tenants`, to an administrator."""
    cloud: Cloud = request.cloud
    table = cloud.mirror.all(kind)
    if request.caller.is_admin and request.query.flag("all_tenants"):
        project = request.query.one("project_id")
        found = [entry.value for entry in table.values() if not project or entry.value.project_id == project]
    else:
        found = [table[key].value for key in by_project(cloud, kind).keys(request.caller.project_id)]
    found.reverse()
    return found


def filtered(request: Request, values: Iterable[Any], filters: Filters) -> list[Any]:
    """Those that match every filter the query has."""
    wanted = [(of, request.query.one(name)) for name, of in filters.items() if name in request.query]
    return [value for value in values if all(of(value) == text for of, text in wanted)]


def ordered(request: Request, values: list[Any], keys: dict[str, Callable[[Any], Any]]) -> list[Any]:
    """In the order that `sort` (`name:asc,size:desc`) asks for. Raises Fault 400 for what cannot be sorted by."""
    text = request.query.one("sort") or ":".join(
        part for part in (request.query.one("sort_key"), request.query.one("sort_dir")) if part
    )
    for part in reversed([part for part in text.split(",") if part]):
        name, _, direction = part.partition(":")
        if name not in keys:
            raise Fault(400, f"Invalid input received: Invalid sort key: {name}")
        values.sort(key=keys[name], reverse=direction != "asc")
    return values


def page(request: Request, values: Sequence[Any], collection: str, view: Callable[[Any], dict[str, Any]]) -> Response:
    """The part of a list that `limit`, `marker` and `offset` ask for, with the link to the next."""
    most = request.cloud.profile.page_limit
    limit = min(request.query.integer("limit") or most, most)
    first = request.query.integer("offset") or 0
    marker = request.query.one("marker")
    if marker:
        places = [place for place, value in enumerate(values) if value.id == marker]
        if not places:
            raise Fault(404, f"{collection.removesuffix('s').capitalize()} {marker} could not be found.")
        first = places[0] + 1
    shown = list(islice(values, first, first + limit))
    body: dict[str, Any] = {collection: [view(value) for value in shown]}
    if shown and first + len(shown) < len(values):
        query = request.query.changed(marker=shown[-1].id)
        href = f"{request.cloud.settings.public_url}{request.path}?{query}"
        body[f"{collection}_links"] = [{"rel": "next", "href": href}]
    if request.query.flag("with_count"):
        body["count"] = len(values)
    return reply(body, items=len(shown))
