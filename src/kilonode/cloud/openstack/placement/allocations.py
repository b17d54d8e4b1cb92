"""Allocations: who has taken what of which provider; how they are written, singly, together, and with inventories."""

import uuid as uuids
from collections.abc import Iterator
from typing import Any

from kilonode.cloud.openstack.placement import bodies
from kilonode.cloud.openstack.placement.allocating import WantedConsumer, allocate, refuse_servers, release
from kilonode.cloud.openstack.placement.door import answer, book, handler, provider_of, read
from kilonode.cloud.openstack.placement.draft import Draft
from kilonode.cloud.openstack.placement.inventories import GENERATION
from kilonode.cloud.openstack.placement.model import CONSUMER, Consumer, consumers_by_provider
from kilonode.cloud.openstack.placement.nodes import (
    SERVER_GENERATION,
    claims_by_consumer,
    server_of,
    servers_on,
    some_by_class,
)
from kilonode.cloud.openstack.placement.validation import is_uuid
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response
from kilonode.cloud.resources import NODE
from kilonode.control.mirror import Entry

UNKNOWN_TYPE = "unknown"


@handler()
async def show_allocations(request: Request) -> Response:
    """What a consumer has taken; one that has nothing, or is not known, has an empty answer."""
    known, uuid = book(request), request.params["consumer"]
    consumer = _find(request, uuid)
    if consumer is None:
        return answer(request, {"allocations": {}})
    taken = {
        provider: {"resources": amounts, "generation": known.providers[provider].generation}
        for provider, amounts in consumer.allocations.items()
        if provider in known.providers
    }
    body: dict[str, Any] = {"allocations": taken}
    if taken and request.microversion >= (1, 12):
        body |= {"project_id": consumer.project_id, "user_id": consumer.user_id}
        if request.microversion >= (1, 28):
            body["consumer_generation"] = consumer.generation
        if request.microversion >= (1, 38):
            body["consumer_type"] = consumer.type or UNKNOWN_TYPE
    return answer(request, body, updated_us=consumer.created_us)


@handler()
async def list_provider_allocations(request: Request) -> Response:
    """Who has taken what of a provider."""
    missing = "Resource provider '{0}' not found: No resource provider with uuid {0} found"
    provider = provider_of(request, missing)
    generations = request.microversion >= (1, 28)
    found: dict[str, dict[str, Any]] = {}
    for uuid, amounts, generation in _allocations_on(request, provider.uuid, provider.node):
        found[uuid] = {"resources": amounts}
        if generations:
            found[uuid]["consumer_generation"] = generation
    return answer(request, {"allocations": found, GENERATION: provider.generation}, items=len(found))


@handler(reads=True)
async def set_allocations(request: Request) -> Response:
    """What one consumer is to have from now on."""
    uuid = request.params["consumer"]
    if not is_uuid(uuid):
        raise Fault(400, f"Malformed consumer_uuid: {uuid}")
    uuid = str(uuids.UUID(uuid))
    body = read(request, bodies.set_allocations(request.microversion))
    if request.microversion < (1, 12):
        listed = body["allocations"]
        body["allocations"] = {one["resource_provider"]["uuid"]: {"resources": one["resources"]} for one in listed}
    refused = f"Unable to allocate inventory for consumer {uuid}: "
    return await _write(request, [WantedConsumer.of(uuid, body)], refused)


@handler(reads=True)
async def change_allocations(request: Request) -> Response:
    """What several consumers are to have from now on: all of it or nothing."""
    body = read(request, bodies.change_allocations(request.microversion))
    wanted = [WantedConsumer.of(uuid, one) for uuid, one in body.items()]
    return await _write(request, wanted, "Unable to allocate inventory ")


@handler()
async def delete_allocations(request: Request) -> Response:
    """Have a consumer give everything back."""
    uuid = request.params["consumer"]
    refuse_servers(request, uuid)
    consumer: Entry[Consumer] | None = request.cloud.mirror.get(CONSUMER, uuid)
    if consumer is None:
        raise Fault(404, f"No allocations for consumer '{uuid}'")
    known = book(request)
    draft = Draft(request.cloud, known)
    release(known, draft, consumer)
    await draft.commit()
    return answer(request, None, 204, fresh=False)


async def _write(request: Request, wanted: list[WantedConsumer], refused: str) -> Response:
    known = book(request)
    draft = Draft(request.cloud, known)
    allocate(request, known, draft, wanted, refused)
    await draft.commit()
    return answer(request, None, 204, fresh=False)


def _find(request: Request, uuid: str) -> Consumer | None:
    """A consumer: one that a client wrote, a server, or a server's move."""
    mirror = request.cloud.mirror
    entry: Entry[Consumer] | None = mirror.get(CONSUMER, uuid)
    if entry is not None:
        return entry.value
    server = server_of(mirror, uuid)
    if server is None:
        return None
    taken: dict[str, dict[str, int]] = {}
    of_type = None
    for consumer, kind, claim in claims_by_consumer(server):
        node = mirror.get(NODE, claim.node)
        if consumer == uuid and node is not None:
            taken[node.value.uuid] = some_by_class(claim.amount)
            of_type = kind
    return Consumer(uuid, server.project_id, server.user_id, taken, SERVER_GENERATION, of_type, server.updated_us)


def _allocations_on(request: Request, provider: str, node: str) -> Iterator[tuple[str, dict[str, int], int]]:
    mirror = request.cloud.mirror
    if node:
        for consumer, amount in servers_on(mirror, node):
            yield consumer, some_by_class(amount), SERVER_GENERATION
    for key in consumers_by_provider(mirror).keys(provider):
        entry: Entry[Consumer] | None = mirror.get(CONSUMER, key)
        if entry is not None:
            yield key, entry.value.allocations[provider], entry.value.generation
