"""`/policies` and `/OS-OAUTH1/consumers`: what operators register and nothing here reads.

Of OAuth 1 there are the consumers alone: nobody logs in with it.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import extra_of, find, listing, show, shown
from kilonode.cloud.openstack.identity.operator_model import CONSUMER, POLICY, Consumer, Policy
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

POLICY_FIELDS: Final[Fields[Policy]] = Fields(
    {"id": lambda policy: policy.id, "type": lambda policy: policy.type, "blob": lambda policy: policy.blob}
)
CONSUMER_FIELDS: Final[Fields[Consumer]] = Fields(
    {"id": lambda consumer: consumer.id, "description": lambda consumer: consumer.description}
)
_CONSUMERS: Final = "OS-OAUTH1/consumers"


class WantedPolicy(msgspec.Struct, frozen=True):
    """The `policy` of a request."""

    type: str | UnsetType = UNSET
    blob: str | UnsetType = UNSET


class PolicyBody(msgspec.Struct, frozen=True):
    """The body of `POST /policies` and `PATCH /policies/{policy_id}`."""

    policy: WantedPolicy


class WantedConsumer(msgspec.Struct, frozen=True):
    """The `consumer` of a request."""

    description: str | UnsetType | None = UNSET
    secret: Any = UNSET


class ConsumerBody(msgspec.Struct, frozen=True):
    """The body of `POST /OS-OAUTH1/consumers` and `PATCH /OS-OAUTH1/consumers/{consumer_id}`."""

    consumer: WantedConsumer


async def list_policies(request: Request) -> Response:
    """`GET /policies`."""
    values = (entry.value for entry in request.cloud.mirror.all(POLICY).values())
    return listing(request, "policies", POLICY_FIELDS, values)


async def create_policy(request: Request) -> Response:
    """`POST /policies`."""
    wanted = request.json(PolicyBody).policy
    if wanted.type is UNSET or wanted.blob is UNSET:
        raise Fault(400, "'type' and 'blob' are required properties of a policy.")
    extra = extra_of(request, "policy", WantedPolicy, POLICY_FIELDS)
    policy = Policy(request.cloud.new_hexadecimal_id(), wanted.type, wanted.blob, extra)
    await request.cloud.mirror.commit([Put(POLICY, policy, policy.id, 0)])
    return show(request, "policy", "policies", POLICY_FIELDS, policy, 201)


async def show_policy(request: Request) -> Response:
    """`GET /policies/{policy_id}`."""
    policy = find(request, POLICY, "policy", request.params["policy_id"]).value
    return show(request, "policy", "policies", POLICY_FIELDS, policy)


async def update_policy(request: Request) -> Response:
    """`PATCH /policies/{policy_id}`."""
    entry = find(request, POLICY, "policy", request.params["policy_id"])
    wanted = request.json(PolicyBody).policy
    policy = msgspec.structs.replace(
        entry.value,
        type=entry.value.type if wanted.type is UNSET else wanted.type,
        blob=entry.value.blob if wanted.blob is UNSET else wanted.blob,
        extra={**entry.value.extra, **extra_of(request, "policy", WantedPolicy, POLICY_FIELDS)},
    )
    await request.cloud.mirror.commit([Put(POLICY, policy, policy.id, entry.revision)])
    return show(request, "policy", "policies", POLICY_FIELDS, policy)


async def delete_policy(request: Request) -> Response:
    """`DELETE /policies/{policy_id}`."""
    entry = find(request, POLICY, "policy", request.params["policy_id"])
    await request.cloud.mirror.commit([Delete(POLICY, entry.value.id, entry.revision)])
    return reply(None, 204)


async def list_consumers(request: Request) -> Response:
    """`GET /OS-OAUTH1/consumers`."""
    values = [entry.value for entry in request.cloud.mirror.all(CONSUMER).values()]
    items = [shown(request, _CONSUMERS, CONSUMER_FIELDS, value) for value in values]
    return reply(
        {"consumers": items, "links": {"self": request.path, "next": None, "previous": None}}, items=len(items)
    )


async def create_consumer(request: Request) -> Response:
    """`POST /OS-OAUTH1/consumers`. Shows the secret, once."""
    wanted = request.json(ConsumerBody).consumer
    description = None if wanted.description is UNSET else wanted.description
    extra = extra_of(request, "consumer", WantedConsumer, CONSUMER_FIELDS)
    cloud = request.cloud
    consumer = Consumer(cloud.new_hexadecimal_id(), cloud.new_hexadecimal_id(), description, extra)
    await cloud.mirror.commit([Put(CONSUMER, consumer, consumer.id, 0)])
    body = {**shown(request, _CONSUMERS, CONSUMER_FIELDS, consumer), "secret": consumer.secret}
    return reply({"consumer": body}, 201)


async def show_consumer(request: Request) -> Response:
    """`GET /OS-OAUTH1/consumers/{consumer_id}`."""
    consumer = find(request, CONSUMER, "Consumer", request.params["consumer_id"]).value
    return show(request, "consumer", _CONSUMERS, CONSUMER_FIELDS, consumer)


async def update_consumer(request: Request) -> Response:
    """`PATCH /OS-OAUTH1/consumers/{consumer_id}`: everything but the secret."""
    entry = find(request, CONSUMER, "Consumer", request.params["consumer_id"])
    wanted = request.json(ConsumerBody).consumer
    if wanted.secret is not UNSET:
        raise Fault(400, "Cannot change consumer secret")
    consumer = msgspec.structs.replace(
        entry.value,
        description=entry.value.description if wanted.description is UNSET else wanted.description,
        extra={**entry.value.extra, **extra_of(request, "consumer", WantedConsumer, CONSUMER_FIELDS)},
    )
    await request.cloud.mirror.commit([Put(CONSUMER, consumer, consumer.id, entry.revision)])
    return show(request, "consumer", _CONSUMERS, CONSUMER_FIELDS, consumer)


async def delete_consumer(request: Request) -> Response:
    """`DELETE /OS-OAUTH1/consumers/{consumer_id}`."""
    entry = find(request, CONSUMER, "Consumer", request.params["consumer_id"])
    await request.cloud.mirror.commit([Delete(CONSUMER, entry.value.id, entry.revision)])
    return reply(None, 204)


ROUTES = (
    Route("GET", "/policies", list_policies, Access.READER),
    Route("POST", "/policies", create_policy, Access.ADMIN),
    Route("GET", "/policies/{policy_id}", show_policy, Access.READER),
    Route("PATCH", "/policies/{policy_id}", update_policy, Access.ADMIN),
    Route("DELETE", "/policies/{policy_id}", delete_policy, Access.ADMIN),
    Route("GET", f"/{_CONSUMERS}", list_consumers, Access.ADMIN),
    Route("POST", f"/{_CONSUMERS}", create_consumer, Access.ADMIN),
    Route("GET", f"/{_CONSUMERS}/{{consumer_id}}", show_consumer, Access.ADMIN),
    Route("PATCH", f"/{_CONSUMERS}/{{consumer_id}}", update_consumer, Access.ADMIN),
    Route("DELETE", f"/{_CONSUMERS}/{{consumer_id}}", delete_consumer, Access.ADMIN),
)
