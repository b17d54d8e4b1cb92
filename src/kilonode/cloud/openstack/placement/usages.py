"""`GET /usages`: what a project, or one user in it, has taken, from 1.38 on by type of consumer."""

from collections.abc import Iterator

from kilonode.cloud.openstack.compute.model import SERVER, servers_by_project
from kilonode.cloud.openstack.placement import bodies
from kilonode.cloud.openstack.placement.allocations import UNKNOWN_TYPE
from kilonode.cloud.openstack.placement.door import answer, check_query, handler
from kilonode.cloud.openstack.placement.model import CONSUMER, consumers_by_project
from kilonode.cloud.openstack.placement.nodes import claims_by_consumer, some_by_class
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response

TYPES_SINCE = (1, 38)
ALL_TYPES = "all"


@handler()
async def list_usages(request: Request) -> Response:
    """What a project has taken in all."""
    query = request.query
    project, user = query.one("project_id"), query.one("user_id")
    if not request.caller.may_see(project):
        raise Fault(403, "Policy does not allow placement:usages to be performed.")
    check_query(request, bodies.list_usages(request.microversion))
    asked = query.one("consumer_type")
    totals: dict[str, dict[str, int]] = {}
    for user_id, of_type, amounts in _consumers(request, project):
        if (user and user != user_id) or (asked not in ("", ALL_TYPES, of_type)):
            continue
        kind = ALL_TYPES if asked == ALL_TYPES else of_type
        total = totals.setdefault(kind if request.microversion >= TYPES_SINCE else "", {"consumer_count": 0})
        total["consumer_count"] += 1
        for name, amount in amounts:
            total[name] = total.get(name, 0) + amount
    if request.microversion >= TYPES_SINCE:
        return answer(request, {"usages": totals})
    total = totals.get("", {})
    total.pop("consumer_count", None)
    return answer(request, {"usages": total})


def _consumers(request: Request, project: str) -> Iterator[tuple[str, str, list[tuple[str, int]]]]:
    """User, type and amounts of each consumer of a project."""
    mirror = request.cloud.mirror
    for key in servers_by_project(mirror).keys(project):
        entry = mirror.get(SERVER, key)
        if entry is not None:
            for _, kind, claim in claims_by_consumer(entry.value):
                yield entry.value.user_id, kind, list(some_by_class(claim.amount).items())
    for key in consumers_by_project(mirror).keys(project):
        entry = mirror.get(CONSUMER, key)
        if entry is not None:
            amounts = [pair for some in entry.value.allocations.values() for pair in some.items()]
            yield entry.value.user_id, entry.value.type or UNKNOWN_TYPE, amounts
