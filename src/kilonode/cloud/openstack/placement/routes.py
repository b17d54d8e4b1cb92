"""The placement service: a read-only view of what nodes have and servers take; the cloud itself does the taking."""

from typing import Final

from kilonode.cloud.openstack.placement import allocations, providers
from kilonode.cloud.openstack.placement.provider import PREFIX
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault, title
from kilonode.cloud.openstack.web.microversions import Microversions, version_text
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route, ServiceApp

MICROVERSIONS: Final = Microversions("placement", (1, 0), (1, 39))
ADMIN: Final = Access.ADMIN


async def show_versions(request: Request) -> Response:
    """The one version there is."""
    version = {
        "id": "v1.0",
        "status": "CURRENT",
        "min_version": version_text(MICROVERSIONS.minimum),
        "max_version": version_text(MICROVERSIONS.maximum),
        "links": [{"rel": "self", "href": ""}],
    }
    return reply({"versions": [version]})


def placement_fault_format(fault: Fault, request_id: str) -> Response:
    """Placement's errors: a list of one."""
    error = {
        "status": fault.status,
        "title": title(fault.status),
        "detail": fault.message,
        "code": fault.type or "placement.undefined_code",
        "request_id": request_id,
        **fault.extra,
    }
    return reply({"errors": [error]}, fault.status)


_PROVIDER: Final = "/resource_providers/{uuid}"

PLACEMENT: Final = ServiceApp(
    name="placement",
    prefix=PREFIX,
    routes=(
        Route("GET", "/resource_providers", providers.list_providers, ADMIN),
        Route("GET", _PROVIDER, providers.show_provider, ADMIN),
        Route("GET", f"{_PROVIDER}/inventories", providers.list_inventories, ADMIN),
        Route("GET", f"{_PROVIDER}/inventories/{{resource_class}}", providers.show_inventory, ADMIN),
        Route("GET", f"{_PROVIDER}/usages", providers.list_provider_usages, ADMIN),
        Route("GET", f"{_PROVIDER}/allocations", providers.list_provider_allocations, ADMIN),
        Route("GET", f"{_PROVIDER}/aggregates", providers.list_provider_aggregates, ADMIN, since=(1, 1)),
        Route("GET", f"{_PROVIDER}/traits", providers.list_provider_traits, ADMIN, since=(1, 6)),
        Route("GET", "/resource_classes", providers.list_resource_classes, ADMIN, since=(1, 2)),
        Route("GET", "/resource_classes/{name}", providers.show_resource_class, ADMIN, since=(1, 2)),
        Route("GET", "/traits", providers.list_traits, ADMIN, since=(1, 6)),
        Route("GET", "/traits/{name}", providers.show_trait, ADMIN, since=(1, 6)),
        Route("GET", "/allocations/{consumer}", allocations.show_allocations, ADMIN),
        Route("GET", "/usages", allocations.list_usages, ADMIN, since=(1, 9)),
        Route("GET", "/allocation_candidates", allocations.list_candidates, ADMIN, since=(1, 10)),
    ),
    fault_format=placement_fault_format,
    discovery=(Route("GET", "", show_versions, Access.PUBLIC),),
    microversions=MICROVERSIONS,
)
