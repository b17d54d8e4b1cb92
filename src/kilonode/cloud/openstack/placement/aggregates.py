"""The aggregates of a provider: sets of providers that share something, each known by its id alone."""

from collections.abc import Iterable

from kilonode.cloud.openstack.placement import bodies
from kilonode.cloud.openstack.placement.door import answer, book, check_generation, handler, provider_of, read
from kilonode.cloud.openstack.placement.draft import Draft
from kilonode.cloud.openstack.placement.inventories import GENERATION
from kilonode.cloud.openstack.placement.traits import CHANGED
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response

GENERATIONS_SINCE = (1, 19)


@handler()
async def list_provider_aggregates(request: Request) -> Response:
    """The aggregates of a provider."""
    provider = provider_of(request)
    return _answer(request, sorted(provider.aggregates), provider.generation)


@handler(reads=True)
async def set_provider_aggregates(request: Request) -> Response:
    """All aggregates of a provider; those that compute has a node in stay."""
    provider = provider_of(request)
    counts = request.microversion >= GENERATIONS_SINCE
    body = read(request, bodies.SET_AGGREGATES_1_19 if counts else bodies.SET_AGGREGATES)
    if counts:
        check_generation(provider, body[GENERATION], CHANGED)
    aggregates = body["aggregates"] if counts else body
    draft = Draft(request.cloud, book(request))
    changed = draft.of(provider)
    changed.aggregates, changed.steps = frozenset(aggregates), int(counts)
    generation = (await draft.commit())[provider.uuid]
    return _answer(request, aggregates, generation)


def _answer(request: Request, aggregates: Iterable[str], generation: int) -> Response:
    body: dict[str, object] = {"aggregates": list(aggregates)}
    if request.microversion >= GENERATIONS_SINCE:
        body[GENERATION] = generation
    return answer(request, body)
