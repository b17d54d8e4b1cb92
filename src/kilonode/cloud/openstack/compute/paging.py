"""Pages of a list, as Nova gives them: `limit`, `marker`, and a `next` link when the page is full."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec

from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

PREFIX: Final = "/compute/v2.1"
BOOKMARK_PREFIX: Final = "/compute"

Item = TypeVar("Item")
Link = dict[str, str]


class Page(msgspec.Struct, frozen=True):
    """Some items of a list, and the links to the next ones (empty when there are none)."""

    items: list[Any]
    links: list[Link]

    def body(self, collection: str, view: Callable[[Any], Any]) -> dict[str, Any]:
        """The answer: the items as `view` shows them under the name of the collection, and the links if any."""
        body: dict[str, Any] = {collection: [view(item) for item in self.items]}
        if self.links:
            body[f"{collection}_links"] = self.links
        return body


def paginate(
    request: Request, items: Iterable[Item], key: Callable[[Item], str], *, missing: str = "marker [{}] not found"
) -> Page:
    """The page that `limit` and `marker` ask for. `items` in their final order; read only as far as needed.

    Raises Fault 400 when no item has the marker.
    """
    most = request.cloud.profile.page_limit
    asked = request.query.integer("limit")
    limit = most if asked is None else min(asked, most)
    marker = request.query.one("marker")
    found = list(islice(_after(items, marker, key, missing) if marker else iter(items), limit))
    links: list[Link] = []
    if found and len(found) == limit:
        query = request.query.changed(marker=key(found[-1]))
        links.append({"rel": "next", "href": f"{request.cloud.settings.public_url}{request.path}?{query}"})
    return Page(found, links)


def resource_links(request: Request, collection: str, key: str) -> list[Link]:
    """The two links that every resource carries."""
    return links_at(request.cloud.settings.public_url, collection, key)


def links_at(public_url: str, collection: str, key: str) -> list[Link]:
    """The two links of a resource of the cloud at this address."""
    return [
        {"rel": "self", "href": f"{public_url}{PREFIX}/{collection}/{key}"},
        {"rel": "bookmark", "href": f"{public_url}{BOOKMARK_PREFIX}/{collection}/{key}"},
    ]


def bookmark(request: Request, collection: str, key: str) -> list[Link]:
    """The link to a resource that another one names."""
    return [{"rel": "bookmark", "href": f"{request.cloud.settings.public_url}{BOOKMARK_PREFIX}/{collection}/{key}"}]


def _after(items: Iterable[Item], marker: str, key: Callable[[Item], str], missing: str) -> Iterator[Item]:
    following = iter(items)
    for item in following:
        if key(item) == marker:
            return following
    raise Fault(400, missing.format(marker))
