"""Allocations, usages, and the candidates for an allocation."""

from typing import Any, Final

from kilonode.cloud.openstack.compute.model import SERVER, Server, servers_by_project
from kilonode.cloud.openstack.placement.provider import (
    Provider,
    by_class,
    consumers,
    providers,
    some_by_class,
)
from kilonode.cloud.openstack.placement.wanted import Wanted, read_wanted
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.resources import NODE, NODE_USAGE

_CONSUMER_TYPES: Final = ("INSTANCE", "MIGRATION")


async def show_allocations(request: Request) -> Response:
    """What a consumer has taken; one that has nothing, or is not known, has an empty answer."""
    mirror, consumer = request.cloud.mirror, request.params["consumer"]
    entry = mirror.get(SERVER, consumer)
    if entry is None:
        movers = mirror.index(SERVER, "move", lambda server: server.move.id if server.move is not None else None)
        entry = next((mirror.get(SERVER, key) for key in movers.keys(consumer)), None)
    if entry is None:
        return reply({"allocations": {}})
    server: Server = entry.value
    taken = {}
    for holder, claim in consumers(server):
        node = mirror.get(NODE, claim.node)
        if holder == consumer and node is not None:
            usage = mirror.get(NODE_USAGE, claim.node)
            generation = max(node.revision, usage.revision if usage is not None else 0)
            taken[node.value.uuid] = {"resources": some_by_class(claim.amount), "generation": generation}
    body: dict[str, Any] = {"allocations": taken}
    if taken and request.microversion >= (1, 12):
        body |= {"project_id": server.project_id, "user_id": server.user_id}
        if request.microversion >= (1, 28):
            body["consumer_generation"] = 1
        if request.microversion >= (1, 38):
            body["consumer_type"] = _CONSUMER_TYPES[consumer != server.id]
    return reply(body)


async def list_usages(request: Request) -> Response:
    """What a project, or one user in it, has taken."""
    project, user = request.query.one("project_id"), request.query.one("user_id")
    if not project:
        raise Fault(400, "Invalid query string parameters: 'project_id' is a required property")
    mirror = request.cloud.mirror
    total: dict[str, int] = {}
    count = 0
    for key in servers_by_project(mirror).keys(project):
        entry = mirror.get(SERVER, key)
        if entry is None or (user and entry.value.user_id != user):
            continue
        for _, claim in consumers(entry.value):
            count += 1
            for name, amount in some_by_class(claim.amount).items():
                total[name] = total.get(name, 0) + amount
    if request.microversion >= (1, 38):
        return reply({"usages": {"INSTANCE": {"consumer_count": count, **total}} if count else {}})
    return reply({"usages": total})


async def list_candidates(request: Request) -> Response:
    """The nodes that have room for what is asked for, each as an allocation that could be made."""
    wanted = read_wanted(request)
    if not wanted.amounts:
        raise Fault(400, "All request groups must specify resources.")
    limit = request.query.integer("limit")
    if limit == 0:
        raise Fault(400, "Invalid query string parameters: limit must be at least 1.")
    found: list[Provider] = []
    for provider in providers(request):
        if wanted.fits(provider):
            found.append(provider)
            if len(found) == limit:
                break
    body = {
        "allocation_requests": [_allocation(request, wanted, provider) for provider in found],
        "provider_summaries": {provider.uuid: _summary(request, wanted, provider) for provider in found},
    }
    return reply(body, items=len(found))


def _allocation(request: Request, wanted: Wanted, provider: Provider) -> dict[str, Any]:
    if request.microversion < (1, 12):
        return {"allocations": [{"resource_provider": {"uuid": provider.uuid}, "resources": wanted.amounts}]}
    allocation: dict[str, Any] = {"allocations": {provider.uuid: {"resources": wanted.amounts}}}
    if request.microversion >= (1, 34):
        allocation["mappings"] = {group: [provider.uuid] for group in wanted.groups}
    return allocation


def _summary(request: Request, wanted: Wanted, provider: Provider) -> dict[str, Any]:
    capacity, used = by_class(provider.node.capacity()), by_class(provider.usage.used)
    names = capacity if request.microversion >= (1, 27) else wanted.amounts
    summary: dict[str, Any] = {"resources": {name: {"capacity": capacity[name], "used": used[name]} for name in names}}
    if request.microversion >= (1, 17):
        summary["traits"] = sorted(provider.traits)
    if request.microversion >= (1, 29):
        summary |= {"parent_provider_uuid": None, "root_provider_uuid": provider.uuid}
    return summary
