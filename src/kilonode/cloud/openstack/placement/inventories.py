"""What a provider has: inventories and how they are changed, and what is taken of them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kilonode.cloud.openstack.placement import bodies
from kilonode.cloud.openstack.placement.book import Provider
from kilonode.cloud.openstack.placement.door import (
    CONCURRENT_UPDATE,
    INVENTORY_IN_USE,
    PREFIX,
    answer,
    book,
    check_generation,
    handler,
    provider_of,
    read,
)
from kilonode.cloud.openstack.placement.draft import Draft
from kilonode.cloud.openstack.placement.model import Inventory
from kilonode.cloud.openstack.placement.names import classes_in_order, is_class
from kilonode.cloud.openstack.placement.nodes import NODE_CLASSES
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response

GENERATION: Final = "resource_provider_generation"
RESERVED_MAY_BE_TOTAL_SINCE: Final = (1, 26)
NODE_RATIO_LIMIT: Final = 1_000_000
_CONFLICT: Final = "resource provider generation conflict"


@handler()
async def list_inventories(request: Request) -> Response:
    """All inventories of a provider."""
    provider = provider_of(
        request, "No resource provider with uuid {0} found : No resource provider with uuid {0} found"
    )
    return _all(request, provider, provider.inventories, provider.generation)


@handler()
async def show_inventory(request: Request) -> Response:
    """What a provider has of one class."""
    provider = provider_of(
        request, "No resource provider with uuid {0} found : No resource provider with uuid {0} found"
    )
    name = request.params["resource_class"]
    found = provider.inventories.get(name)
    if found is None:
        raise Fault(404, f"No inventory of class {name} for {provider.uuid}")
    return _one(request, provider, found, provider.generation)


@handler(reads=True)
async def create_inventory(request: Request) -> Response:
    """A class that the provider has not had."""
    provider = provider_of(request)
    body = read(request, bodies.CREATE_INVENTORY)
    name = body.pop("resource_class")
    body.pop(GENERATION, None)
    inventory = make_inventory(body)
    refused = f"Unable to create inventory for resource provider {provider.uuid}: "
    check_capacity(request, provider, {name: inventory}, refused)
    if not is_class(request.cloud.mirror, name):
        raise Fault(400, f"{refused}No such resource class {name}.")
    if name in provider.inventories:
        raise Fault(409, f"Update conflict: {provider.uuid} has {name} already.", type=CONCURRENT_UPDATE)
    generation = await _write(request, provider, {**provider.inventories, name: inventory})
    place = f"{PREFIX}/resource_providers/{provider.uuid}/inventories/{name}"
    return _one(request, provider, inventory, generation, status=201, location=place)


@handler(reads=True)
async def update_inventory(request: Request) -> Response:
    """Change one class that the provider has."""
    provider, name = provider_of(request), request.params["resource_class"]
    body = read(request, bodies.UPDATE_INVENTORY)
    check_generation(provider, body.pop(GENERATION), _CONFLICT)
    inventory = make_inventory(body)
    refused = f"Unable to update inventory for resource provider {provider.uuid}: "
    check_capacity(request, provider, {name: inventory}, refused)
    if not is_class(request.cloud.mirror, name):
        raise Fault(404, f"No such resource class {name}.")
    if name not in provider.inventories:
        words = f"No inventory record with resource class for resource provider {provider.uuid}: "
        raise Fault(400, f"{words}No inventory of class {name} found.")
    generation = await _write(request, provider, {**provider.inventories, name: inventory})
    return _one(request, provider, inventory, generation)


@handler(reads=True)
async def set_inventories(request: Request) -> Response:
    """All classes at once; what is not named is no longer there."""
    provider = provider_of(request)
    body = read(request, bodies.SET_INVENTORIES)
    check_generation(provider, body[GENERATION], _CONFLICT)
    wanted = make_inventories(body["inventories"])
    check_capacity(request, provider, wanted, f"Unable to update inventory for resource provider {provider.uuid}: ")
    for name in wanted:
        if not is_class(request.cloud.mirror, name):
            words = f"Unknown resource class in inventory for resource provider {provider.uuid}: "
            raise Fault(400, f"{words}No such resource class {name}.")
    check_unused(provider, wanted, "update conflict: ")
    generation = await _write(request, provider, wanted)
    return _all(request, provider, wanted, generation)


@handler()
async def delete_inventory(request: Request) -> Response:
    """Take one class away."""
    provider, name = provider_of(request), request.params["resource_class"]
    if not is_class(request.cloud.mirror, name):
        raise Fault(404, f"No inventory of class {name} found for delete: No such resource class {name}.")
    if name not in provider.inventories:
        words = f"No inventory of class {name} found for delete"
        raise Fault(404, f"{words}: {words}")
    left = {known: inventory for known, inventory in provider.inventories.items() if known != name}
    check_unused(provider, left, f"Unable to delete inventory of class {name}: ", CONCURRENT_UPDATE)
    await _write(request, provider, left)
    return answer(request, None, 204, fresh=False)


@handler()
async def delete_inventories(request: Request) -> Response:
    """Take all classes away."""
    if request.microversion < (1, 5):
        raise Fault(405, "The method specified is not allowed for this resource.")
    provider = provider_of(request)
    check_unused(provider, {}, "")
    await _write(request, provider, {})
    return answer(request, None, 204, fresh=False)


@handler()
async def list_provider_usages(request: Request) -> Response:
    """What is taken of a provider."""
    provider = provider_of(
        request, "No resource provider with uuid {0} found: No resource provider with uuid {0} found"
    )
    usages = {name: provider.used.get(name, 0) for name in provider.inventories}
    return answer(request, {GENERATION: provider.generation, "usages": usages})


def make_inventory(values: dict[str, Any]) -> Inventory:
    """An inventory of values that were checked."""
    ratio = float(values.pop("allocation_ratio", 1.0))
    return Inventory(
        **{name: int(value) for name, value in values.items() if name != GENERATION}, allocation_ratio=ratio
    )


def make_inventories(wanted: dict[str, dict[str, Any]]) -> dict[str, Inventory]:
    """The inventories of a body that was checked."""
    return {name: make_inventory(values) for name, values in wanted.items()}


def check_capacity(request: Request, provider: Provider, wanted: Mapping[str, Inventory], words: str) -> None:
    """Refuse to reserve more than there is; before 1.26, all there is. Raises Fault 400."""
    check_node(provider, wanted, words)
    may_be_all = request.microversion >= RESERVED_MAY_BE_TOTAL_SINCE
    for name, inventory in wanted.items():
        if inventory.capacity < 0 or (inventory.capacity == 0 and not may_be_all):
            relation = "greater than" if may_be_all else "greater than or equal to"
            raise Fault(
                400,
                f"{words}Invalid inventory for '{name}' on resource provider '{provider.uuid}'. "
                f"The reserved value is {relation} total.",
            )


def check_node(provider: Provider, wanted: Mapping[str, Inventory], words: str) -> None:
    """Refuse ratios that no node can have. Raises Fault 400."""
    for name, inventory in wanted.items():
        if provider.node and name in NODE_CLASSES and not 0 < inventory.allocation_ratio <= NODE_RATIO_LIMIT:
            raise Fault(400, f"{words}a node's allocation ratio of {name} is above 0 and at most {NODE_RATIO_LIMIT}.")


def check_unused(provider: Provider, wanted: Iterable[str], words: str, code: str = INVENTORY_IN_USE) -> None:
    """Refuse to take away what somebody uses; a node always uses its own classes. Raises Fault 409."""
    gone = [name for name in provider.inventories if name not in wanted]
    in_use = [name for name in gone if provider.used.get(name) or (provider.node and name in NODE_CLASSES)]
    if in_use:
        named = ", ".join(classes_in_order(in_use))
        raise Fault(409, f"{words}Inventory for '{named}' on resource provider '{provider.uuid}' in use.", type=code)


async def _write(request: Request, provider: Provider, inventories: Mapping[str, Inventory]) -> int:
    """Write the inventories; the generation after it."""
    draft = Draft(request.cloud, book(request))
    changed = draft.of(provider)
    changed.inventories = dict(inventories)
    changed.steps = 1
    return (await draft.commit())[provider.uuid]


def _view(inventory: Inventory) -> dict[str, Any]:
    return {
        "total": inventory.total,
        "reserved": inventory.reserved,
        "min_unit": inventory.min_unit,
        "max_unit": inventory.max_unit,
        "step_size": inventory.step_size,
        "allocation_ratio": inventory.allocation_ratio,
    }


def _one(
    request: Request,
    provider: Provider,
    inventory: Inventory,
    generation: int,
    *,
    status: int = 200,
    location: str = "",
) -> Response:
    body = _view(inventory)
    # A provider that was never changed shows no generation here, as clients of the service have always seen it.
    if generation:
        body[GENERATION] = generation
    return answer(request, body, status, location=location, updated_us=_updated_us(provider, status))


def _all(request: Request, provider: Provider, inventories: Mapping[str, Inventory], generation: int) -> Response:
    body = {GENERATION: generation, "inventories": {name: _view(one) for name, one in inventories.items()}}
    return answer(request, body, updated_us=provider.updated_us)


def _updated_us(provider: Provider, status: int) -> int | None:
    return None if status == 201 else provider.updated_us
