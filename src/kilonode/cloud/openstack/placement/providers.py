"""Resource providers: list, show, and what hangs on each."""

from typing import Any, Final

from kilonode.cloud.openstack.placement.provider import (
    PREFIX,
    RESOURCE_CLASSES,
    Provider,
    aggregates_of,
    allocations_on,
    by_class,
    find_provider,
    inventories,
    known_traits,
    providers,
    some_by_class,
)
from kilonode.cloud.openstack.placement.wanted import read_wanted
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply

_RELATIONS: Final = (
    ("inventories", (1, 0)),
    ("usages", (1, 0)),
    ("aggregates", (1, 1)),
    ("traits", (1, 6)),
    ("allocations", (1, 11)),
)
_GENERATION: Final = "resource_provider_generation"


async def list_providers(request: Request) -> Response:
    """All nodes, or those that have what is asked for."""
    query, wanted = request.query, read_wanted(request)
    found = [
        _view(request, provider)
        for provider in providers(request)
        if (not query.one("uuid") or provider.uuid == query.one("uuid"))
        and (not query.one("name") or provider.node.name == query.one("name"))
        and wanted.fits(provider)
    ]
    return reply({"resource_providers": found}, items=len(found))


async def show_provider(request: Request) -> Response:
    """One node."""
    return reply(_view(request, find_provider(request)))


async def list_inventories(request: Request) -> Response:
    """What a node has."""
    provider = find_provider(request)
    return reply({_GENERATION: provider.generation, "inventories": inventories(provider)})


async def show_inventory(request: Request) -> Response:
    """What a node has of one class."""
    provider, name = find_provider(request), request.params["resource_class"]
    found = inventories(provider).get(name)
    if found is None:
        raise Fault(404, f"No inventory of class {name} for {provider.uuid}")
    return reply({_GENERATION: provider.generation, **found})


async def list_provider_usages(request: Request) -> Response:
    """What is taken of a node."""
    provider = find_provider(request)
    return reply({_GENERATION: provider.generation, "usages": by_class(provider.usage.used)})


async def list_provider_allocations(request: Request) -> Response:
    """Who has taken what of a node."""
    provider = find_provider(request)
    generation = {"consumer_generation": 1} if request.microversion >= (1, 28) else {}
    found = {
        consumer: {"resources": some_by_class(amount), **generation}
        for consumer, amount in allocations_on(request, provider.node.name)
    }
    return reply({"allocations": found, _GENERATION: provider.generation}, items=len(found))


async def list_provider_traits(request: Request) -> Response:
    """What a node can do."""
    provider = find_provider(request)
    return reply({"traits": sorted(provider.traits), _GENERATION: provider.generation})


async def list_provider_aggregates(request: Request) -> Response:
    """The aggregates of a node."""
    provider = find_provider(request)
    body: dict[str, Any] = {"aggregates": aggregates_of(request, provider.node.name)}
    if request.microversion >= (1, 19):
        body[_GENERATION] = provider.generation
    return reply(body)


async def list_traits(request: Request) -> Response:
    """All traits, or those whose name is asked for."""
    name, associated = request.query.one("name"), request.query.one("associated")
    traits = known_traits()
    if associated.lower() == "true":
        used = {trait for provider in providers(request) for trait in provider.traits}
        traits = tuple(trait for trait in traits if trait in used)
    if name.startswith("startswith:"):
        traits = tuple(trait for trait in traits if trait.startswith(name.removeprefix("startswith:")))
    elif name.startswith("in:"):
        traits = tuple(trait for trait in traits if trait in name.removeprefix("in:").split(","))
    return reply({"traits": traits})


async def show_trait(request: Request) -> Response:
    """Whether a trait exists."""
    if request.params["name"] not in known_traits():
        raise Fault(404, f"No such trait: {request.params['name']}.")
    return reply(None, 204)


async def list_resource_classes(request: Request) -> Response:
    """All resource classes."""
    return reply({"resource_classes": [_class_view(name) for name in RESOURCE_CLASSES]})


async def show_resource_class(request: Request) -> Response:
    """One resource class."""
    name = request.params["name"]
    if name not in RESOURCE_CLASSES:
        raise Fault(404, f"No such resource class: {name}.")
    return reply(_class_view(name))


def _class_view(name: str) -> dict[str, Any]:
    return {"name": name, "links": [{"rel": "self", "href": f"{PREFIX}/resource_classes/{name}"}]}


def _view(request: Request, provider: Provider) -> dict[str, Any]:
    version, place = request.microversion, f"{PREFIX}/resource_providers/{provider.uuid}"
    view: dict[str, Any] = {
        "uuid": provider.uuid,
        "name": provider.node.name,
        "generation": provider.generation,
        "links": [
            {"rel": "self", "href": place},
            *({"rel": name, "href": f"{place}/{name}"} for name, since in _RELATIONS if version >= since),
        ],
    }
    if version >= (1, 14):
        view |= {"parent_provider_uuid": None, "root_provider_uuid": provider.uuid}
    return view
