"""The placement service: what providers have and consumers take. Nodes and servers are compute's."""

from typing import Final

from kilonode.cloud.openstack.placement import (
    aggregates,
    allocations,
    candidates,
    classes,
    inventories,
    providers,
    reshaping,
    traits,
    usages,
)
from kilonode.cloud.openstack.placement.door import PREFIX, answer, fault_format
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.microversions import Microversions, version_text
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response
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
    return answer(request, {"versions": [version]})


_PROVIDER: Final = "/resource_providers/{uuid}"
_INVENTORIES: Final = f"{_PROVIDER}/inventories"
_INVENTORY: Final = f"{_INVENTORIES}/{{resource_class}}"
_CLASSES: Final = "/resource_classes"
_CLASS: Final = "/resource_classes/{name}"
_CONSUMER: Final = "/allocations/{consumer}"

PLACEMENT: Final = ServiceApp(
    name="placement",
    prefix=PREFIX,
    routes=(
        Route("GET", "/resource_providers", providers.list_providers, ADMIN),
        Route("POST", "/resource_providers", providers.create_provider, ADMIN),
        Route("GET", _PROVIDER, providers.show_provider, ADMIN),
        Route("PUT", _PROVIDER, providers.update_provider, ADMIN),
        Route("DELETE", _PROVIDER, providers.delete_provider, ADMIN),
        Route("GET", _INVENTORIES, inventories.list_inventories, ADMIN),
        Route("POST", _INVENTORIES, inventories.create_inventory, ADMIN),
        Route("PUT", _INVENTORIES, inventories.set_inventories, ADMIN),
        Route("DELETE", _INVENTORIES, inventories.delete_inventories, ADMIN),
        Route("GET", _INVENTORY, inventories.show_inventory, ADMIN),
        Route("PUT", _INVENTORY, inventories.update_inventory, ADMIN),
        Route("DELETE", _INVENTORY, inventories.delete_inventory, ADMIN),
        Route("GET", f"{_PROVIDER}/usages", inventories.list_provider_usages, ADMIN),
        Route("GET", f"{_PROVIDER}/allocations", allocations.list_provider_allocations, ADMIN),
        Route("GET", f"{_PROVIDER}/aggregates", aggregates.list_provider_aggregates, ADMIN, since=(1, 1)),
        Route("PUT", f"{_PROVIDER}/aggregates", aggregates.set_provider_aggregates, ADMIN, since=(1, 1)),
        Route("GET", f"{_PROVIDER}/traits", traits.list_provider_traits, ADMIN, since=(1, 6)),
        Route("PUT", f"{_PROVIDER}/traits", traits.set_provider_traits, ADMIN, since=(1, 6)),
        Route("DELETE", f"{_PROVIDER}/traits", traits.delete_provider_traits, ADMIN, since=(1, 6)),
        Route("GET", _CLASSES, classes.list_resource_classes, ADMIN, since=(1, 2)),
        Route("POST", _CLASSES, classes.create_resource_class, ADMIN, since=(1, 2)),
        Route("GET", _CLASS, classes.show_resource_class, ADMIN, since=(1, 2)),
        Route("PUT", _CLASS, classes.update_resource_class, ADMIN, since=(1, 2)),
        Route("DELETE", _CLASS, classes.delete_resource_class, ADMIN, since=(1, 2)),
        Route("GET", "/traits", traits.list_traits, ADMIN, since=(1, 6)),
        Route("GET", "/traits/{name}", traits.show_trait, ADMIN, since=(1, 6)),
        Route("PUT", "/traits/{name}", traits.ensure_trait, ADMIN, since=(1, 6)),
        Route("DELETE", "/traits/{name}", traits.delete_trait, ADMIN, since=(1, 6)),
        Route("POST", "/allocations", allocations.change_allocations, ADMIN, since=(1, 13)),
        Route("GET", _CONSUMER, allocations.show_allocations, ADMIN),
        Route("PUT", _CONSUMER, allocations.set_allocations, ADMIN),
        Route("DELETE", _CONSUMER, allocations.delete_allocations, ADMIN),
        Route("GET", "/usages", usages.list_usages, Access.READER, since=(1, 9)),
        Route("GET", "/allocation_candidates", candidates.list_candidates, ADMIN, since=(1, 10)),
        Route("POST", "/reshaper", reshaping.reshape, ADMIN, since=(1, 30)),
    ),
    fault_format=fault_format,
    discovery=(Route("GET", "", show_versions, Access.PUBLIC),),
    microversions=MICROVERSIONS,
)
