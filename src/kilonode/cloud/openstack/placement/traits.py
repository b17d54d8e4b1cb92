"""Traits: which there are, and what a provider can do."""

from typing import Any, Final

from kilonode.cloud.openstack.placement import bodies
from kilonode.cloud.openstack.placement.door import (
    PREFIX,
    answer,
    book,
    check_generation,
    check_query,
    handler,
    provider_of,
    read,
)
from kilonode.cloud.openstack.placement.draft import Draft
from kilonode.cloud.openstack.placement.inventories import GENERATION
from kilonode.cloud.openstack.placement.model import TRAIT, CustomTrait
from kilonode.cloud.openstack.placement.names import all_traits, in_order, is_trait, standard_traits, unknown_traits
from kilonode.cloud.openstack.placement.validation import Refused
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response
from kilonode.control.mirror import Delete, Put

CHANGED: Final = "Resource provider's generation already changed. Please update the generation and try again."


@handler()
async def list_traits(request: Request) -> Response:
    """All traits, or those whose name is asked for."""
    check_query(request, bodies.LIST_TRAITS)
    query = request.query
    traits = all_traits(request.cloud.mirror)
    if "name" in query:
        name = query.one("name")
        kind, colon, value = name.partition(":")
        if not colon:
            raise Fault(
                400,
                "Badly formatted name parameter. Expected name query string parameter in form: "
                f'?name=[in|startswith]:[name1,name2|prefix]. Got: "{name}"',
            )
        if kind == "in":
            wanted = set(value.split(","))
            traits = [trait for trait in traits if trait in wanted]
        elif kind == "startswith":
            traits = [trait for trait in traits if trait.startswith(value)]
    if "associated" in query:
        associated = query.one("associated").lower()
        if associated not in ("true", "false"):
            raise Fault(400, 'The query parameter "associated" only accepts "true" or "false"')
        used = frozenset[str]().union(*{provider.traits for provider in book(request).providers.values()})
        traits = [trait for trait in traits if (trait in used) == (associated == "true")]
    return answer(request, {"traits": traits}, items=len(traits))


@handler()
async def show_trait(request: Request) -> Response:
    """Whether a trait exists."""
    _check(request, request.params["name"])
    return answer(request, None, 204)


@handler()
async def ensure_trait(request: Request) -> Response:
    """Make a trait unless there is one of the name."""
    name, mirror = request.params["name"], request.cloud.mirror
    try:
        bodies.CUSTOM_TRAIT(name)
    except Refused as refusal:
        raise Fault(
            400,
            "The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix "
            '"CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"',
        ) from refusal
    status = 204
    if not is_trait(mirror, name):
        await mirror.commit([Put(TRAIT, CustomTrait(request.cloud.now_us()), name, 0)])
        status = 201
    return answer(request, None, status, location=f"{PREFIX}/traits/{name}")


@handler()
async def delete_trait(request: Request) -> Response:
    """Remove a trait that nobody has."""
    name, mirror = request.params["name"], request.cloud.mirror
    _check(request, name)
    if name in standard_traits():
        raise Fault(400, f"Cannot delete standard trait {name}.")
    if any(name in provider.traits for provider in book(request).providers.values()):
        raise Fault(409, f"The trait {name} is in use by a resource provider.")
    await mirror.commit([Delete(TRAIT, name)])
    return answer(request, None, 204, fresh=False)


@handler()
async def list_provider_traits(request: Request) -> Response:
    """What a provider can do."""
    missing = "No resource provider with uuid {0} found: No resource provider with uuid {0} found"
    provider = provider_of(request, missing)
    body = {"traits": in_order(provider.traits), GENERATION: provider.generation}
    return answer(request, body, updated_us=provider.updated_us)


@handler(reads=True)
async def set_provider_traits(request: Request) -> Response:
    """All that a provider can do; what a node can do by itself it always can."""
    body: dict[str, Any] = read(request, bodies.SET_TRAITS)
    provider = provider_of(request)
    check_generation(provider, body[GENERATION], CHANGED)
    unknown = unknown_traits(request.cloud.mirror, body["traits"])
    if unknown:
        raise Fault(400, f"No such trait {', '.join(unknown)}")
    traits = frozenset(body["traits"])
    draft = Draft(request.cloud, book(request))
    generation = provider.generation
    if traits != provider.traits:
        changed = draft.of(provider)
        changed.traits, changed.steps = traits, 1
        generation = (await draft.commit())[provider.uuid]
    return answer(request, {"traits": in_order(traits), GENERATION: generation})


@handler()
async def delete_provider_traits(request: Request) -> Response:
    """Take all traits from a provider."""
    provider = provider_of(request)
    if provider.traits:
        draft = Draft(request.cloud, book(request))
        changed = draft.of(provider)
        changed.traits, changed.steps = frozenset(), 1
        await draft.commit()
    return answer(request, None, 204, fresh=False)


def _check(request: Request, name: str) -> None:
    if not is_trait(request.cloud.mirror, name):
        raise Fault(404, f"No such trait(s): {name}.")
