"""Resource providers: list, show, create, change, remove; their trees."""

import uuid as uuids
from typing import Any, Final

from kilonode.cloud.openstack.placement import bodies
from kilonode.cloud.openstack.placement.book import Book, Provider
from kilonode.cloud.openstack.placement.door import (
    DUPLICATE_NAME,
    PREFIX,
    PROVIDER_IN_USE,
    PROVIDER_IS_PARENT,
    answer,
    book,
    check_query,
    handler,
    provider_of,
    read,
)
from kilonode.cloud.openstack.placement.draft import Draft
from kilonode.cloud.openstack.placement.model import PROVIDER_NAME, ProviderRecord, consumers_by_provider
from kilonode.cloud.openstack.placement.search import filter_providers
from kilonode.cloud.openstack.placement.wanted import read_filter
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response
from kilonode.cloud.resources import NODE

_RELATIONS: Final = (
    ("inventories", (1, 0)),
    ("usages", (1, 0)),
    ("aggregates", (1, 1)),
    ("traits", (1, 6)),
    ("allocations", (1, 11)),
)
REPARENTING_SINCE: Final = (1, 37)


@handler()
async def list_providers(request: Request) -> Response:
    """All providers, or those that have what is asked for."""
    check_query(request, bodies.list_providers(request.microversion))
    known = book(request)
    found = filter_providers(known, read_filter(request))
    body = {"resource_providers": [_view(request, known, provider) for provider in found]}
    updated_us = max((provider.updated_us for provider in found), default=None)
    return answer(request, body, updated_us=updated_us, items=len(found))


@handler()
async def show_provider(request: Request) -> Response:
    """One provider."""
    provider = provider_of(request)
    return answer(request, _view(request, book(request), provider), updated_us=provider.updated_us)


@handler(reads=True)
async def create_provider(request: Request) -> Response:
    """A new provider, alone or below another."""
    nested = request.microversion >= (1, 14)
    body = read(request, bodies.CREATE_PROVIDER_1_14 if nested else bodies.CREATE_PROVIDER)
    known, cloud = book(request), request.cloud
    uuid = str(uuids.UUID(body["uuid"])) if body.get("uuid") else cloud.new_id()
    name, parent = body["name"], body.get("parent_provider_uuid") or ""
    refused = f'Unable to create resource provider "{name}", {uuid}: Object action create failed because: '
    if not name:
        raise Fault(400, f"{refused}name is required")
    draft = Draft(cloud, known)
    if parent:
        if parent == uuid:
            words = "parent provider UUID cannot be same as UUID. "
            raise Fault(400, f"{refused}{words}Please set parent provider UUID to None if there is no parent.")
        if parent not in known.providers:
            raise Fault(400, f"{refused}parent provider UUID does not exist.")
        draft.keep(_line(known, known.providers[parent]))
    if uuid in known.providers:
        raise Fault(409, f"Conflicting resource provider uuid: {uuid} already exists.", type=DUPLICATE_NAME)
    _check_name(request, name)
    now_us = cloud.now_us()
    draft.create(ProviderRecord(uuid, name, parent=parent, created_us=now_us, updated_us=now_us))
    await draft.commit()
    place = f"{PREFIX}/resource_providers/{uuid}"
    if request.microversion < (1, 20):
        return answer(request, None, 201, location=place, fresh=False)
    known = book(request)
    return answer(request, _view(request, known, known.providers[uuid]), location=place, updated_us=now_us)


@handler(reads=True)
async def update_provider(request: Request) -> Response:
    """Another name, or another place in the trees."""
    provider, known = provider_of(request), book(request)
    nested = request.microversion >= (1, 14)
    body = read(request, bodies.UPDATE_PROVIDER_1_14 if nested else bodies.UPDATE_PROVIDER)
    draft = Draft(request.cloud, known)
    changed = draft.of(provider)
    if body["name"] != provider.name:
        if provider.node:
            raise Fault(409, f"Unable to save resource provider {provider.uuid}: a node's name is compute's.")
        _check_name(request, body["name"])
        changed.name = body["name"]
    if "parent_provider_uuid" in body and (body["parent_provider_uuid"] or "") != provider.parent:
        changed.parent = _new_parent(request, known, provider, body["parent_provider_uuid"] or "", draft)
    await draft.commit()
    known = book(request)
    updated = known.providers[provider.uuid]
    return answer(request, _view(request, known, updated), updated_us=updated.updated_us)


@handler()
async def delete_provider(request: Request) -> Response:
    """Remove a provider that nobody uses and that has none below it."""
    provider, known = provider_of(request, "No resource provider with uuid {0} found for delete"), book(request)
    uuid = provider.uuid
    if known.has_children(uuid):
        words = f"Unable to delete parent resource provider {uuid}: It has child resource providers."
        raise Fault(409, words, type=PROVIDER_IS_PARENT)
    if provider.node or consumers_by_provider(request.cloud.mirror).count(uuid):
        why = "It is a node of compute." if provider.node else "Resource provider has allocations."
        raise Fault(409, f"Unable to delete resource provider {uuid}: {why}", type=PROVIDER_IN_USE)
    draft = Draft(request.cloud, known)
    draft.remove(provider)
    await draft.commit()
    return answer(request, None, 204, fresh=False)


def _new_parent(request: Request, known: Book, provider: Provider, parent: str, draft: Draft) -> str:
    """The parent, if the provider may have it. Raises Fault 400."""
    may_move = request.microversion >= REPARENTING_SINCE
    refused = f"Unable to save resource provider {provider.uuid}: Object action update failed because: "
    if not parent:
        if not may_move:
            raise Fault(400, f"{refused}un-parenting a provider is not currently allowed.")
        return ""
    if parent not in known.providers:
        words = refused.replace(" update ", " create ")  # as the service itself says
        raise Fault(400, f"{words}parent provider UUID does not exist.")
    if provider.parent and not may_move:
        raise Fault(400, f"{refused}re-parenting a provider is not currently allowed.")
    line = _line(known, known.providers[parent])
    if provider.uuid in {one.uuid for one in line}:
        raise Fault(400, f"{refused}creating loop in the provider tree is not allowed.")
    draft.keep(line)
    return parent


def _line(known: Book, provider: Provider) -> list[Provider]:
    """A provider and all above it."""
    line = [provider]
    while line[-1].parent:
        line.append(known.providers[line[-1].parent])
    return line


def _check_name(request: Request, name: str) -> None:
    mirror = request.cloud.mirror
    if mirror.get(PROVIDER_NAME, name) is not None or mirror.get(NODE, name) is not None:
        raise Fault(409, f"Conflicting resource provider name: {name} already exists.", type=DUPLICATE_NAME)


def _view(request: Request, known: Book, provider: Provider) -> dict[str, Any]:
    version, place = request.microversion, f"{PREFIX}/resource_providers/{provider.uuid}"
    view: dict[str, Any] = {
        "uuid": provider.uuid,
        "name": provider.name,
        "generation": provider.generation,
        "links": [
            {"rel": "self", "href": place},
            *({"rel": name, "href": f"{place}/{name}"} for name, since in _RELATIONS if version >= since),
        ],
    }
    if version >= (1, 14):
        view |= {
            "parent_provider_uuid": provider.parent or None,
            "root_provider_uuid": known.root(provider).uuid,
        }
    return view
