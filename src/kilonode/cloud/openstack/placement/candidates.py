"""`GET /allocation_candidates`: candidates in the formats of the microversions.

The answer is as long as the cloud is large, so what nodes have in common is encoded once and joined as bytes.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.placement import bodies
from kilonode.cloud.openstack.placement.book import Book, Provider
from kilonode.cloud.openstack.placement.door import answer, book, check_query, handler
from kilonode.cloud.openstack.placement.names import in_order
from kilonode.cloud.openstack.placement.search import Candidate, Found, find_candidates
from kilonode.cloud.openstack.placement.wanted import Wanted, read_wanted
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response

NESTED_SINCE: Final = (1, 29)
MAPPINGS_SINCE: Final = (1, 34)
SUMMARIES_LIMIT: Final = 16_384
"""How many providers are remembered as they were encoded: some 8 MB."""
_encode: Final = msgspec.json.Encoder().encode


@handler()
async def list_candidates(request: Request) -> Response:
    """Who could give what is asked for, each as an allocation that could be made."""
    check_query(request, bodies.list_candidates(request.microversion))
    wanted, known = read_wanted(request), book(request)
    nested = request.microversion >= NESTED_SINCE
    found = find_candidates(known, wanted, nested=nested)
    body = b"".join(_body(request, known, wanted, found))
    return answer(request, body, items=len(found.rows) + len(found.candidates))


def _body(request: Request, known: Book, wanted: Wanted, found: Found) -> Iterable[bytes]:
    alone = [known.providers[known.table.uuids[row]] for row in found.rows]
    summary = _Summary(request, wanted, known)
    yield b'{"allocation_requests":['
    yield b",".join([*_requests_of_one(request, wanted, alone), *(_request(request, one) for one in found.candidates)])
    yield b'],"provider_summaries":{'
    summaries = [summary.of_root(provider) for provider in alone]
    givers = {uuid: None for candidate in found.candidates for uuid, _ in candidate.amounts}
    roots = {known.root(known.providers[uuid]).uuid: None for uuid in givers}
    for root in roots:
        # Before trees were known, only the providers that give were shown.
        shown = [one for one in known.tree(root) if request.microversion >= NESTED_SINCE or one.uuid in givers]
        summaries += [summary.of(provider, root) for provider in shown]
    yield b",".join(summaries)
    yield b"}}"


def _requests_of_one(request: Request, wanted: Wanted, alone: Iterable[Provider]) -> Iterable[bytes]:
    """The same allocation of one provider after the other."""
    resources = b"".join(_encode(group.resources) for name, group in wanted.groups.items() if not name)
    if request.microversion < (1, 12):
        start, middle, end = (
            b'{"allocations":[{"resource_provider":{"uuid":"',
            b'"},"resources":' + resources + b"}]}",
            b"",
        )
        return [b"".join((start, one.uuid.encode(), middle, end)) for one in alone]
    start, middle = b'{"allocations":{"', b'":{"resources":' + resources
    if request.microversion < MAPPINGS_SINCE:
        return [b"".join((start, one.uuid.encode(), middle, b"}}}")) for one in alone]
    mappings = b'}},"mappings":{"":["'
    return [b"".join((start, uuid, middle, mappings, uuid, b'"]}}')) for uuid in (one.uuid.encode() for one in alone)]


def _request(request: Request, candidate: Candidate) -> bytes:
    by_provider: dict[str, dict[str, int]] = {}
    for (uuid, name), amount in candidate.amounts.items():
        by_provider.setdefault(uuid, {})[name] = amount
    if request.microversion < (1, 12):
        listed = [
            {"resource_provider": {"uuid": uuid}, "resources": resources} for uuid, resources in by_provider.items()
        ]
        return _encode({"allocations": listed})
    body: dict[str, Any] = {"allocations": {uuid: {"resources": amounts} for uuid, amounts in by_provider.items()}}
    if request.microversion >= MAPPINGS_SINCE:
        body["mappings"] = {name: sorted(givers) for name, givers in candidate.givers.items()}
    return _encode(body)


class _Summary:
    """Encodes providers, remembering what many of them have in common."""

    def __init__(self, request: Request, wanted: Wanted, known: Book) -> None:
        version = request.microversion
        self._known = known.summaries if version >= NESTED_SINCE else {}
        self._names = frozenset(name for group in wanted.groups.values() for name in group.resources)
        self._all_classes = version >= (1, 27)
        self._with_traits = version >= (1, 17)
        self._with_tree = version >= NESTED_SINCE
        self._traits: dict[frozenset[str], bytes] = {}
        self._classes: dict[int, list[tuple[str, bytes]]] = {}
        self._looks: dict[tuple[int, frozenset[str], tuple[tuple[str, int], ...]], list[bytes]] = {}

    def of_root(self, provider: Provider) -> bytes:
        """One that is a tree by itself. From 1.29 on it looks the same whatever is asked for, and is remembered."""
        encoded = self._known.get(provider.uuid)
        if encoded is None:
            uuid = provider.uuid.encode()
            encoded = uuid.join(self._around_id(provider, uuid))
            if len(self._known) < SUMMARIES_LIMIT:
                self._known[provider.uuid] = encoded
        return encoded

    def _around_id(self, provider: Provider, uuid: bytes) -> list[bytes]:
        """What stands around the provider's own id: the same for all nodes that have and give the same."""
        look = (id(provider.inventories), provider.traits, tuple(provider.used.items()))
        known = self._looks.get(look)
        if known is None:
            known = self._looks[look] = self.of(provider, provider.uuid).split(uuid)
        return known

    def of(self, provider: Provider, root: str) -> bytes:
        """Any one."""
        used = provider.used
        resources = b",".join([b"%s%d}" % (start, used.get(name, 0)) for name, start in self._classes_of(provider)])
        parts = [b'"', provider.uuid.encode(), b'":{"resources":{', resources, b"}"]
        if self._with_traits:
            parts += [b',"traits":', self._traits_of(provider)]
        if self._with_tree:
            parent = b'"' + provider.parent.encode() + b'"' if provider.parent else b"null"
            parts += [b',"parent_provider_uuid":', parent, b',"root_provider_uuid":"', root.encode(), b'"']
        parts.append(b"}")
        return b"".join(parts)

    def _classes_of(self, provider: Provider) -> list[tuple[str, bytes]]:
        # By identity: nodes of one shape share one mapping of inventories, which the provider keeps alive.
        known = self._classes.get(id(provider.inventories))
        if known is None:
            known = [
                (name, b'"%s":{"capacity":%d,"used":' % (name.encode(), inventory.capacity))
                for name, inventory in provider.inventories.items()
                if self._all_classes or name in self._names
            ]
            self._classes[id(provider.inventories)] = known
        return known

    def _traits_of(self, provider: Provider) -> bytes:
        known = self._traits.get(provider.traits)
        if known is None:
            known = self._traits[provider.traits] = _encode(in_order(provider.traits))
        return known
