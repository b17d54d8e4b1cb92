"""Giving and taking back: what a consumer is to have instead of what it has, checked against what providers have.

`allocate` works on a draft, so that a reshape can change inventories and allocations in one commit. A server's
allocations are compute's, and are refused here.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.placement.book import Book, Provider
from kilonode.cloud.openstack.placement.door import CONCURRENT_UPDATE
from kilonode.cloud.openstack.placement.draft import Draft
from kilonode.cloud.openstack.placement.model import CONSUMER, Consumer
from kilonode.cloud.openstack.placement.names import classes_in_order, is_class
from kilonode.cloud.openstack.placement.nodes import server_of
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.control.mirror import Entry

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""Project and user of a consumer that was written before 1.8, when they were not asked for."""
GENERATIONS_SINCE: Final = (1, 28)
TYPES_SINCE: Final = (1, 38)
TYPES_LIMIT: Final = 255


class WantedConsumer(msgspec.Struct, frozen=True):
    """What one consumer is to have; nothing: it is to be forgotten."""

    uuid: str
    amounts: dict[str, dict[str, int]]
    """By provider and class."""
    project_id: str = NOBODY
    user_id: str = NOBODY
    generation: int | None = None
    type: str | None = None

    @classmethod
    def of(cls, uuid: str, body: Mapping[str, Any]) -> "WantedConsumer":
        """From a body that was checked, with allocations by provider."""
        return cls(
            uuid,
            {provider: one["resources"] for provider, one in body["allocations"].items()},
            body.get("project_id", NOBODY),
            body.get("user_id", NOBODY),
            body.get("consumer_generation"),
            body.get("consumer_type"),
        )


def allocate(request: Request, known: Book, draft: Draft, wanted: list[WantedConsumer], refused: str) -> None:
    """Enter into the draft what consumers are to have. Raises Fault 400 and 409; `refused` begins a 400's words."""
    befores = check_wanted(request, known, wanted)
    before_used: dict[str, dict[str, int]] = {}
    news: list[tuple[str, str, int]] = []
    for one in wanted:
        before = befores[one.uuid]
        old = before.value.allocations if before is not None else {}
        amounts = one.amounts or {uuid: dict.fromkeys(classes, 0) for uuid, classes in old.items()}
        news += [(uuid, name, amount) for uuid, some in amounts.items() for name, amount in some.items()]
    for uuid, name, _ in news:
        if not is_class(request.cloud.mirror, name):
            raise Fault(400, f"{refused}No such resource class {name}.")
        before_used.setdefault(uuid, dict(draft.of(known.providers[uuid]).used))
    for one in wanted:
        before = befores[one.uuid]
        _give_back(known, draft, before.value if before is not None else None)
    _check_inventories(draft, known, news)
    needed: dict[tuple[str, str], int] = {}
    for uuid, name, amount in news:
        needed[uuid, name] = needed.get((uuid, name), 0) + amount
        if amount:
            _check_amount(draft, known.providers[uuid], name, amount, needed[uuid, name], before_used[uuid])
    for (uuid, name), amount in needed.items():
        used = draft.of(known.providers[uuid]).used
        used[name] = used.get(name, 0) + amount
    for uuid in {uuid: None for uuid, _, _ in news}:
        draft.of(known.providers[uuid]).steps += 1
    for one in wanted:
        _put_consumer(request, draft, one, befores[one.uuid])


def check_wanted(request: Request, known: Book, wanted: list[WantedConsumer]) -> dict[str, Entry[Consumer] | None]:
    """The consumers as they are, if they and the providers are as the client thinks. Raises Fault 400 and 409."""
    befores = {one.uuid: _check_consumer(request, one) for one in wanted}
    for one in wanted:
        for uuid in one.amounts:
            if uuid not in known.providers:
                raise Fault(400, f"Allocation for resource provider '{uuid}' that does not exist.")
    return befores


def release(known: Book, draft: Draft, consumer: Entry[Consumer]) -> None:
    """Enter into the draft that a consumer gives everything back."""
    _give_back(known, draft, consumer.value)
    draft.put_consumer(replace(consumer.value, allocations={}), consumer)


def refuse_servers(request: Request, consumer: str) -> None:
    """Refuse to touch what compute has allocated. Raises Fault 409."""
    if server_of(request.cloud.mirror, consumer) is not None:
        raise Fault(
            409, f"Unable to allocate inventory: consumer {consumer} is a server, and compute allocates for it."
        )


def _check_consumer(request: Request, one: WantedConsumer) -> Entry[Consumer] | None:
    """The consumer as it is, if it is as the client thinks. Raises Fault 409."""
    refuse_servers(request, one.uuid)
    before: Entry[Consumer] | None = request.cloud.mirror.get(CONSUMER, one.uuid)
    if request.microversion >= GENERATIONS_SINCE:
        expected = before.value.generation if before is not None else None
        if expected != one.generation:
            shown = "null" if expected is None else expected
            words = f"consumer generation conflict - expected {shown} but got {one.generation}"
            raise Fault(409, words, type=CONCURRENT_UPDATE)
    return before


def _give_back(known: Book, draft: Draft, consumer: Consumer | None) -> None:
    for uuid, amounts in (consumer.allocations if consumer is not None else {}).items():
        provider = known.providers.get(uuid)
        if provider is not None:
            used = draft.of(provider).used
            for name, amount in amounts.items():
                used[name] = used.get(name, 0) - amount


def _check_inventories(draft: Draft, known: Book, news: list[tuple[str, str, int]]) -> None:
    """Refuse providers that have none of the classes. Raises Fault 409."""
    classes = {name: None for _, name, _ in news}
    without = [
        uuid
        for uuid in {uuid: None for uuid, _, _ in news}
        if not any(name in draft.of(known.providers[uuid]).inventories for name in classes)
    ]
    if without:
        raise _no_inventory(", ".join(classes_in_order(classes)), ", ".join(without))


def _check_amount(
    draft: Draft, provider: Provider, name: str, amount: int, needed: int, before_used: Mapping[str, int]
) -> None:
    changed = draft.of(provider)
    inventory = changed.inventories.get(name)
    if inventory is None:
        raise _no_inventory(name, provider.uuid)
    words = f"Unable to allocate inventory: Unable to create allocation for '{name}' on resource provider "
    if not inventory.allows(amount):
        raise Fault(409, f"{words}'{provider.uuid}'. The requested amount would violate inventory constraints.")
    after = changed.used.get(name, 0) + needed
    # Whoever takes less than before may do so even where there is too little by now.
    if after > inventory.capacity and not (name in before_used and after <= before_used[name]):
        raise Fault(409, f"{words}'{provider.uuid}'. The requested amount would exceed the capacity.")


def _no_inventory(classes: str, providers: str) -> Fault:
    return Fault(
        409, f"Unable to allocate inventory: Inventory for '{classes}' on resource provider '{providers}' invalid."
    )


def _put_consumer(request: Request, draft: Draft, one: WantedConsumer, before: Entry[Consumer] | None) -> None:
    if before is None:
        now_us = request.cloud.now_us()
        consumer = Consumer(one.uuid, one.project_id, one.user_id, one.amounts, 1, one.type, now_us)
    else:
        known = before.value
        consumer = replace(
            known,
            project_id=one.project_id,
            user_id=one.user_id,
            allocations=one.amounts,
            generation=known.generation + 1,
            type=one.type if request.microversion >= TYPES_SINCE else known.type,
        )
    draft.put_consumer(consumer, before)
