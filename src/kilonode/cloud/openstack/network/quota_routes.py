"""`/quotas`: limits of a project, shown and set."""

from typing import Final

import msgspec

from kilonode.cloud.openstack.network.bodies import bad
from kilonode.cloud.openstack.network.faults import disallowed
from kilonode.cloud.openstack.network.model import NETWORK_QUOTA, NetworkQuota
from kilonode.cloud.openstack.network.quotas import NAMES, UNLIMITED, default_limits, limits_of, use_of
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put


class QuotaBody(msgspec.Struct, frozen=True):
    """The body of `PUT /quotas/{project_id}`."""

    quota: dict[str, int | bool | None]
    """Limits by name; clients also put `force` and `check_limit` here, which change nothing."""


LARGEST_LIMIT: Final = 2**31 - 1
_WORDS: Final = ("force", "check_limit", "tenant_id", "project_id", "router_route")
"""What clients may say beside the limits that there are."""


async def list_quotas(request: Request) -> Response:
    """`GET /quotas`: the projects whose limits differ from the defaults."""
    keys = request.cloud.mirror.all(NETWORK_QUOTA)
    quotas = [{**limits_of(request.cloud, key), "tenant_id": key, "project_id": key} for key in keys]
    return reply({"quotas": quotas}, items=len(quotas))


async def show_quota(request: Request) -> Response:
    """`GET /quotas/{project_id}`."""
    return reply({"quota": limits_of(request.cloud, _project(request))})


async def show_default_quota(request: Request) -> Response:
    """`GET /quotas/{project_id}/default`."""
    _project(request)
    return reply({"quota": default_limits(request.cloud)})


async def show_quota_details(request: Request) -> Response:
    """`GET /quotas/{project_id}/details`: limit and use of each."""
    project_id = _project(request)
    used = use_of(request.cloud, project_id)
    limits = limits_of(request.cloud, project_id)
    details = {name: {"limit": limits[name], "used": used[name], "reserved": 0} for name in NAMES}
    return reply({"quota": details})


async def update_quota(request: Request) -> Response:
    """`PUT /quotas/{project_id}`."""
    project_id = request.params["project_id"]
    wanted = request.json(QuotaBody).quota
    entry = request.cloud.mirror.get(NETWORK_QUOTA, project_id)
    limits = dict(entry.value.limits) if entry is not None else {}
    for name, value in wanted.items():
        if name not in (*NAMES, *_WORDS):
            raise bad(f"Unrecognized attribute(s) '{name}'")
        if value is not None and value < UNLIMITED:
            raise bad(f"Invalid input for {name}. Reason: '{value}' is too small - must be at least '{UNLIMITED}'.")
        if value is not None and value > LARGEST_LIMIT:
            raise bad(f"Invalid input for {name}. Reason: '{value}' is too large - must be no larger than "
                      f"'{LARGEST_LIMIT}'.")  # fmt: skip
        if name in NAMES and value is not None:
            limits[name] = int(value)
    expected = entry.revision if entry is not None else 0
    await request.cloud.mirror.commit([Put(NETWORK_QUOTA, NetworkQuota(limits), project_id, expected)])
    return reply({"quota": limits_of(request.cloud, project_id)})


async def delete_quota(request: Request) -> Response:
    """`DELETE /quotas/{project_id}`: back to the defaults."""
    project_id = request.params["project_id"]
    if request.cloud.mirror.get(NETWORK_QUOTA, project_id) is None:
        raise Fault(404, f"Quota for project {project_id} could not be found.", type="TenantQuotaNotFound")
    await request.cloud.mirror.commit([Delete(NETWORK_QUOTA, project_id)])
    return reply(None, 204)


def _project(request: Request) -> str:
    project_id = request.params["project_id"].removesuffix(".json")
    if not request.caller.may_see(project_id):
        raise disallowed("get_quota")
    return project_id


ROUTES: Final = (
    Route("GET", "/quotas", list_quotas, Access.ADMIN),
    Route("GET", "/quotas/{project_id}", show_quota, Access.READER),
    Route("PUT", "/quotas/{project_id}", update_quota, Access.ADMIN),
    Route("DELETE", "/quotas/{project_id}", delete_quota, Access.ADMIN),
    Route("GET", "/quotas/{project_id}/default", show_default_quota, Access.READER),
    Route("GET", "/quotas/{project_id}/default.json", show_default_quota, Access.READER),
    Route("GET", "/quotas/{project_id}/details", show_quota_details, Access.READER),
    Route("GET", "/quotas/{project_id}/details.json", show_quota_details, Access.READER),
)
