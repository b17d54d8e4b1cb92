"""`/resource_filters`: what lists can be filtered by, as the lists themselves say."""

from collections.abc import Iterable, Mapping
from typing import Final

from kilonode.cloud.openstack.volume import backups, group_snapshots, groups, messages, snapshots, volumes
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply

_KNOWN: Final[Mapping[str, Iterable[str]]] = {
    "volume": volumes.FILTERS,
    "backup": backups.FILTERS,
    "snapshot": snapshots.FILTERS,
    "group": groups.FILTERS,
    "group_snapshot": group_snapshots.FILTERS,
    "message": messages.FILTERS,
    "volume_type": ("is_public",),
}


async def list_resource_filters(request: Request) -> Response:
    """`GET /resource_filters`, of all resources or of one."""
    wanted = request.query.one("resource")
    found = [{"resource": name, "filters": list(filters)} for name, filters in _KNOWN.items() if wanted in ("", name)]
    return reply({"resource_filters": found}, items=len(found))
