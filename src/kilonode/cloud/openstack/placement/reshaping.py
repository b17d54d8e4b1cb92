"""`POST /reshaper`: inventories move between providers, and with them what is allocated of them, in one commit."""

from typing import Any

from kilonode.cloud.openstack.placement import bodies
from kilonode.cloud.openstack.placement.allocating import WantedConsumer, allocate, check_wanted
from kilonode.cloud.openstack.placement.door import (
    CONCURRENT_UPDATE,
    INVENTORY_IN_USE,
    PROVIDER_NOT_FOUND,
    answer,
    book,
    handler,
    read,
)
from kilonode.cloud.openstack.placement.draft import Draft, ProviderDraft
from kilonode.cloud.openstack.placement.inventories import GENERATION, check_node, make_inventories
from kilonode.cloud.openstack.placement.model import Inventory
from kilonode.cloud.openstack.placement.names import classes_in_order, is_class
from kilonode.cloud.openstack.placement.nodes import NODE_CLASSES
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response


@handler(reads=True)
async def reshape(request: Request) -> Response:
    """New inventories and new allocations at once."""
    body: dict[str, Any] = read(request, bodies.reshape(request.microversion))
    known = book(request)
    draft = Draft(request.cloud, known)
    finals: list[tuple[ProviderDraft, dict[str, Inventory]]] = []
    for uuid, wanted in body["inventories"].items():
        provider = known.providers.get(uuid)
        if provider is None:
            words = f"Resource provider {uuid} in inventories not found: No resource provider with uuid {uuid} found"
            raise Fault(400, words, type=PROVIDER_NOT_FOUND)
        if wanted[GENERATION] != provider.generation:
            raise Fault(
                409,
                f"resource provider generation conflict for provider {uuid}: "
                f"actual: {provider.generation}, given: {wanted[GENERATION]}",
                type=CONCURRENT_UPDATE,
            )
        inventories = make_inventories(wanted["inventories"])
        check_node(provider, inventories, "malformed reshaper data: ")
        finals.append((draft.of(provider), inventories))
    consumers = [WantedConsumer.of(uuid, one) for uuid, one in body["allocations"].items()]
    check_wanted(request, known, consumers)
    for _, inventories in finals:
        for name in inventories:
            if not is_class(request.cloud.mirror, name):
                raise Fault(400, f"malformed reshaper data: No such resource class {name}.")
    for changed, inventories in finals:
        # While allocations are moved, a provider has what it had and what it is to have.
        changed.inventories |= inventories
        changed.steps += bool(inventories)
    allocate(request, known, draft, consumers, "malformed reshaper data: ")
    for changed, inventories in finals:
        _check_unused(changed, inventories)
        changed.inventories = inventories
        changed.steps += 1
    await draft.commit()
    return answer(request, None, 204, fresh=False)


def _check_unused(changed: ProviderDraft, inventories: dict[str, Inventory]) -> None:
    """Refuse to take away what is in use after all. Raises Fault 409."""
    provider = changed.before
    gone = [name for name in changed.inventories if name not in inventories]
    in_use = [name for name in gone if changed.used.get(name) or (provider.node and name in NODE_CLASSES)]
    if in_use:
        named = ", ".join(classes_in_order(in_use))
        words = f"update conflict: Inventory for '{named}' on resource provider '{provider.uuid}' in use."
        raise Fault(409, words, type=INVENTORY_IN_USE)
