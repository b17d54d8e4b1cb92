"""`/regions`: where endpoints are. They stand in trees."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import extra_of, find, listing, show
from kilonode.cloud.openstack.identity.model import ENDPOINT, REGION, Region
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

REGION_FIELDS: Final[Fields[Region]] = Fields(
    {
        "id": lambda region: region.id,
        "description": lambda region: region.description,
        "parent_region_id": lambda region: region.parent_region_id,
    }
)
REGION_ID_LIMIT: Final = 255


class WantedRegion(msgspec.Struct, frozen=True):
    """The `region` of a create or update request."""

    id: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    parent_region_id: str | UnsetType | None = UNSET


class RegionBody(msgspec.Struct, frozen=True):
    """The body of `POST /regions`, `PUT /regions/{region_id}` and `PATCH /regions/{region_id}`."""

    region: WantedRegion


async def list_regions(request: Request) -> Response:
    """`GET /regions`."""
    values = (entry.value for entry in request.cloud.mirror.all(REGION).values())
    return listing(request, "regions", REGION_FIELDS, values)


async def create_region(request: Request) -> Response:
    """`POST /regions`, and `PUT /regions/{region_id}` for one of a given id."""
    wanted = request.json(RegionBody).region
    given = "" if wanted.id is UNSET else wanted.id
    region_id = request.params.get("region_id") or given or request.cloud.new_hexadecimal_id()
    if given and given != region_id:
        raise Fault(400, "Conflicting region IDs specified: they are not the same in the place and in the body.")
    if len(region_id) > REGION_ID_LIMIT:
        raise Fault(400, f"Invalid input for field 'id' of region: expected {REGION_ID_LIMIT} characters at most.")
    if request.cloud.mirror.get(REGION, region_id) is not None:
        raise Fault(409, f"Conflict occurred attempting to store region - Duplicate ID, {region_id}.")
    region = _changed(request, Region(region_id), wanted)
    await request.cloud.mirror.commit([Put(REGION, region, region.id, 0)])
    return show(request, "region", "regions", REGION_FIELDS, region, 201)


async def show_region(request: Request) -> Response:
    """`GET /regions/{region_id}`."""
    region = find(request, REGION, "region", request.params["region_id"]).value
    return show(request, "region", "regions", REGION_FIELDS, region)


async def update_region(request: Request) -> Response:
    """`PATCH /regions/{region_id}`."""
    entry = find(request, REGION, "region", request.params["region_id"])
    region = _changed(request, entry.value, request.json(RegionBody).region)
    await request.cloud.mirror.commit([Put(REGION, region, region.id, entry.revision)])
    return show(request, "region", "regions", REGION_FIELDS, region)


async def delete_region(request: Request) -> Response:
    """`DELETE /regions/{region_id}`, with the regions below it: not while an endpoint is in any of them."""
    entry = find(request, REGION, "region", request.params["region_id"])
    mirror = request.cloud.mirror
    gone = [key for key in mirror.all(REGION) if key == entry.value.id or entry.value.id in _above(request, key)]
    if any(endpoint.value.region_id in gone for endpoint in mirror.all(ENDPOINT).values()):
        raise Fault(
            403,
            f"Unable to delete region {entry.value.id} because it or its child regions have associated endpoints.",
        )
    await mirror.commit([Delete(REGION, key) for key in gone])
    return reply(None, 204)


def _changed(request: Request, region: Region, wanted: WantedRegion) -> Region:
    """The region after a request. Raises Fault when its parent is not there, or below it."""
    parent_id = region.parent_region_id if wanted.parent_region_id is UNSET else wanted.parent_region_id
    if parent_id is not None:
        find(request, REGION, "region", parent_id)
        if region.id == parent_id or region.id in _above(request, parent_id):
            raise Fault(400, f"The specified parent region {parent_id} would create a circular region hierarchy.")
    extra: dict[str, Any] = extra_of(request, "region", WantedRegion, REGION_FIELDS)
    description = region.description if wanted.description is UNSET else wanted.description or ""
    return Region(region.id, description, parent_id, {**region.extra, **extra})


def _above(request: Request, region_id: str) -> list[str]:
    found: list[str] = []
    entry = request.cloud.mirror.get(REGION, region_id)
    while entry is not None and entry.value.parent_region_id is not None and entry.value.parent_region_id not in found:
        found.append(entry.value.parent_region_id)
        entry = request.cloud.mirror.get(REGION, entry.value.parent_region_id)
    return found


ROUTES = (
    Route("GET", "/regions", list_regions, Access.AUTHENTICATED),
    Route("POST", "/regions", create_region, Access.ADMIN),
    Route("GET", "/regions/{region_id}", show_region, Access.AUTHENTICATED),
    Route("PUT", "/regions/{region_id}", create_region, Access.ADMIN),
    Route("PATCH", "/regions/{region_id}", update_region, Access.ADMIN),
    Route("DELETE", "/regions/{region_id}", delete_region, Access.ADMIN),
)
