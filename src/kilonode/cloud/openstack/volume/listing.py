"""What lists of all resources of the service share: whose they are, filters, order, pages."""

import ast
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.volume.bodies import invalid
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
    found.sort(key=lambda value: (value.created_us, value.id), reverse=True)
    return found


def metadata_test(request: Request) -> Callable[[Any], bool] | None:
    """Whether a value has the metadata that the query asks for, as `metadata={'key': 'text'}`; None: any.

    Raises Fault 400.
    """
    text = request.query.one("metadata")
    if not text:
        return None
    try:
        wanted = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise invalid("metadata", text) from error
    if not isinstance(wanted, dict):
        raise invalid("metadata", text)
    return lambda value: all(value.metadata.get(name) == wanted[name] for name in wanted)


def filtered(request: Request, values: Iterable[Any], filters: Filters) -> list[Any]:
    """Those that match every filter the query has."""
    wanted = [(of, request.query.one(name)) for name, of in filters.items() if name in request.query]
    found = [value for value in values if all(of(value) == text for of, text in wanted)]
    test = metadata_test(request)
    return found if test is None else [value for value in found if test(value)]


def ordered(request: Request, values: list[Any], keys: dict[str, Callable[[Any], Any]]) -> list[Any]:
    """In the order that `sort` (`name:asc,size:desc`) asks for. Raises Fault 400 for what cannot be sorted by."""
    text = request.query.one("sort")
    if not text and ("sort_key" in request.query or "sort_dir" in request.query):
        text = f"{request.query.one('sort_key', 'created_at')}:{request.query.one('sort_dir', 'desc')}"
    for part in reversed([part for part in text.split(",") if part]):
        name, _, direction = part.partition(":")
        name = name.strip().removeprefix("display_")
        if name not in keys:
            raise Fault(400, f"Invalid input received: Invalid sort key: {name}")
        if direction not in ("", "asc", "desc"):
            raise Fault(400, f"Invalid input received: Unknown sort direction, must be one of: desc, asc: {direction}")
        values.sort(key=keys[name], reverse=direction != "asc")
    return values


def page(request: Request, values: Sequence[Any], collection: str, view: Callable[[Any], dict[str, Any]]) -> Response:
    """The part of a list that `limit`, `marker` and `offset` ask for, with the link to the next."""
    most = request.cloud.profile.page_limit
    asked = request.query.integer("limit")
    limit = most if asked is None else min(asked, most)
    first = request.query.integer("offset") or 0
    marker = request.query.one("marker")
    if marker:
        places = [place for place, value in enumerate(values) if value.id == marker]
        if not places:
            noun = collection.removesuffix("s").replace("_", " ").capitalize()
            raise Fault(404, f"{noun} {marker} could not be found.")
        first = places[0] + 1
    shown = list(islice(values, first, first + limit))
    body: dict[str, Any] = {collection: [view(value) for value in shown]}
    if shown and ((asked and len(shown) == limit) or first + len(shown) < len(values)):
        query = request.query.changed(marker=shown[-1].id)
        href = f"{request.cloud.settings.public_url}{request.path}?{query}"
        body[f"{collection}_links"] = [{"rel": "next", "href": href}]
    if request.microversion >= (3, 45) and request.query.flag("with_count"):
        body["count"] = len(values)
    return reply(body, items=len(shown))
