"""Tags of projects and domains: what one may be, and how a list is filtered by them."""

from collections.abc import Callable, Sequence
from typing import Final

from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Query

TAGS_LIMIT: Final = 80
TAG_LENGTH_LIMIT: Final = 255


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """The tags, if they may be. Raises Fault 400."""
    if len(tags) > TAGS_LIMIT or len(set(tags)) != len(tags):
        raise Fault(400, f"Invalid input for field 'tags': expected up to {TAGS_LIMIT} different ones.")
    for tag in tags:
        if not 0 < len(tag) <= TAG_LENGTH_LIMIT or "/" in tag or "," in tag:
            raise Fault(400, f"Invalid input for field 'tags': {tag!r} is empty, too long, or has a slash or comma.")
    return tuple(tags)


_TESTS: Final[dict[str, Callable[[set[str], set[str]], bool]]] = {
    "tags": lambda wanted, had: wanted <= had,
    "tags-any": lambda wanted, had: bool(wanted & had),
    "not-tags": lambda wanted, had: not wanted <= had,
    "not-tags-any": lambda wanted, had: not wanted & had,
}


def fit_tags(query: Query, tags: Sequence[str]) -> bool:
    """Whether something with these tags is among what a query asks for."""
    had = set(tags)
    return all(test(set(query.one(name).split(",")), had) for name, test in _TESTS.items() if name in query)
