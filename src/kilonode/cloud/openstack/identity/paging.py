"""Pages of lists as Keystone has them: `limit` shortens any list, and four collections go on at a `marker`.

Where a marker counts, a list with either is in the order of ids. A full page links to the next one, which may be empty.
"""

from collections.abc import Collection
from typing import Any, Final

from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

PAGED: Final = ("users", "groups", "projects", "domains")
"""The collections with markers; what is below another resource, such as a user's groups, has none."""
LONGEST_PAGE: Final = 1_000
"""Keystone's `max_db_limit`: what a page has at most, whatever is asked."""


def page_of(
    request: Request, collection: str, values: list[Any], seen: Collection[str]
) -> tuple[list[Any], str | None]:
    """The values of the page that is asked for, and the address of the next page where it is full. Raises Fault.

    `seen`: the ids of all that the caller sees, also of what it did not ask for.
    """
    limit, marker = min(request.query.integer("limit") or 0, LONGEST_PAGE), request.query.one("marker")
    if request.path.endswith(f"/v3/{collection}") and collection in PAGED and (limit or marker):
        values = sorted(values, key=_id)
        if marker and marker not in seen:
            raise Fault(404, f"Marker {marker} could not be found.")
        values = [value for value in values if _id(value) > marker]
    if not limit or len(values) < limit:
        return values, None
    page = values[:limit]
    query = request.query.changed(limit=str(limit), marker=_id(page[-1]))
    return page, f"{request.cloud.settings.public_url}{request.path}?{query}"


def _id(value: Any) -> str:
    return str(value.id)
