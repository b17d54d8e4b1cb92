"""What a server's group asks of its node: together or apart, strictly or as far as it goes."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from kilonode.cloud.openstack.compute.model import ServerGroup
from kilonode.cloud.scheduling import Request

SOFT: Final = {"soft-affinity": 1.0, "soft-anti-affinity": -1.0}


def with_group(request: Request, group: ServerGroup, members: Mapping[str, int], multiplier: float) -> Request:
    """The request narrowed by a group's policy. `members`: how many of the group's other servers each node has."""
    if group.policy == "affinity" and members:
        # While a group's servers move apart one by one, all of their nodes will do.
        allowed = tuple(members) if request.only is None else tuple(name for name in request.only if name in members)
        return replace(request, only=allowed)
    if group.policy == "anti-affinity":
        limit = group.rules.get("max_server_per_host", 1)
        full = tuple(name for name, count in members.items() if count >= limit)
        return replace(request, avoid=request.avoid + full)
    if group.policy in SOFT and members:
        most = max(members.values())
        pull = SOFT[group.policy] * multiplier / most
        return replace(request, pull=tuple((name, count * pull) for name, count in members.items()))
    return request
