"""`/services` and `/endpoints`: what the catalog is made of, beside `regions`."""

import re
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import extra_of, find, listing, show
from kilonode.cloud.openstack.identity.catalog import absolute
from kilonode.cloud.openstack.identity.login import expecting
from kilonode.cloud.openstack.identity.model import (
    ENDPOINT,
    INTERFACES,
    REGION,
    SERVICE,
    Endpoint,
    Region,
    Service,
)
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

_PLACE: Final = re.compile(r"%\((?:project_id|tenant_id|user_id|public_bind_host)\)s|%%")
"""What is filled in later. Nothing else may begin with `%`: a width there would be an address of any length."""
SERVICE_FIELDS: Final[Fields[Service]] = Fields(
    {
        "id": lambda service: service.id,
        "type": lambda service: service.type,
        "name": lambda service: service.name,
        "description": lambda service: service.description,
        "enabled": lambda service: service.enabled,
    }
)
ENDPOINT_FIELDS: Final[Fields[Endpoint]] = Fields(
    {
        "id": lambda endpoint: endpoint.id,
        "service_id": lambda endpoint: endpoint.service_id,
        "interface": lambda endpoint: endpoint.interface,
        "region": lambda endpoint: endpoint.region_id or None,
        "region_id": lambda endpoint: endpoint.region_id or None,
        "url": lambda endpoint: endpoint.url,
        "enabled": lambda endpoint: endpoint.enabled,
    }
)


class WantedService(msgspec.Struct, frozen=True):
    """The `service` of a create or update request."""

    type: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class ServiceBody(msgspec.Struct, frozen=True):
    """The body of `POST /services` and `PATCH /services/{service_id}`."""

    service: WantedService


class WantedEndpoint(msgspec.Struct, frozen=True):
    """The `endpoint` of a create or update request."""

    service_id: str | UnsetType = UNSET
    interface: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    region_id: str | UnsetType | None = UNSET
    region: str | UnsetType | None = UNSET
    """The older name of `region_id`: such a region is made when there is none."""
    enabled: bool | UnsetType = UNSET


class EndpointBody(msgspec.Struct, frozen=True):
    """The body of `POST /endpoints` and `PATCH /endpoints/{endpoint_id}`."""

    endpoint: WantedEndpoint


async def list_services(request: Request) -> Response:
    """`GET /services`."""
    values = (entry.value for entry in request.cloud.mirror.all(SERVICE).values())
    return listing(request, "services", SERVICE_FIELDS, values)


async def create_service(request: Request) -> Response:
    """`POST /services`."""
    wanted = request.json(ServiceBody).service
    if wanted.type is UNSET or not wanted.type:
        raise Fault(400, "Invalid input for field/attribute service. Value: {}. 'type' is a required property")
    service = _changed_service(request, Service(request.cloud.new_hexadecimal_id(), wanted.type), wanted)
    await request.cloud.mirror.commit([Put(SERVICE, service, service.id, 0)])
    return show(request, "service", "services", SERVICE_FIELDS, service, 201)


async def show_service(request: Request) -> Response:
    """`GET /services/{service_id}`."""
    service = find(request, SERVICE, "service", request.params["service_id"]).value
    return show(request, "service", "services", SERVICE_FIELDS, service)


async def update_service(request: Request) -> Response:
    """`PATCH /services/{service_id}`."""
    entry = find(request, SERVICE, "service", request.params["service_id"])
    service = _changed_service(request, entry.value, request.json(ServiceBody).service)
    await request.cloud.mirror.commit([Put(SERVICE, service, service.id, entry.revision)])
    return show(request, "service", "services", SERVICE_FIELDS, service)


async def delete_service(request: Request) -> Response:
    """`DELETE /services/{service_id}`, with its endpoints."""
    entry = find(request, SERVICE, "service", request.params["service_id"])
    mirror = request.cloud.mirror
    endpoints = [key for key, endpoint in mirror.all(ENDPOINT).items() if endpoint.value.service_id == entry.value.id]
    changes = [Delete(SERVICE, entry.value.id, entry.revision), *(Delete(ENDPOINT, key) for key in endpoints)]
    await mirror.commit(changes)
    return reply(None, 204)


async def list_endpoints(request: Request) -> Response:
    """`GET /endpoints`."""
    values = (absolute(request.cloud, entry.value) for entry in request.cloud.mirror.all(ENDPOINT).values())
    return listing(request, "endpoints", ENDPOINT_FIELDS, values)


async def create_endpoint(request: Request) -> Response:
    """`POST /endpoints`."""
    wanted = request.json(EndpointBody).endpoint
    for name in ("service_id", "interface", "url"):
        if getattr(wanted, name) is UNSET:
            raise Fault(400, f"'{name}' is a required property of an endpoint.")
    new = Endpoint(request.cloud.new_hexadecimal_id(), "", "public", "", "")
    endpoint, changes = _changed_endpoint(request, new, wanted)
    await request.cloud.mirror.commit([Put(ENDPOINT, endpoint, endpoint.id, 0), *changes])
    return show(request, "endpoint", "endpoints", ENDPOINT_FIELDS, absolute(request.cloud, endpoint), 201)


async def show_endpoint(request: Request) -> Response:
    """`GET /endpoints/{endpoint_id}`."""
    endpoint = find(request, ENDPOINT, "endpoint", request.params["endpoint_id"]).value
    return show(request, "endpoint", "endpoints", ENDPOINT_FIELDS, absolute(request.cloud, endpoint))


async def update_endpoint(request: Request) -> Response:
    """`PATCH /endpoints/{endpoint_id}`."""
    entry = find(request, ENDPOINT, "endpoint", request.params["endpoint_id"])
    endpoint, changes = _changed_endpoint(request, entry.value, request.json(EndpointBody).endpoint)
    await request.cloud.mirror.commit([Put(ENDPOINT, endpoint, endpoint.id, entry.revision), *changes])
    return show(request, "endpoint", "endpoints", ENDPOINT_FIELDS, absolute(request.cloud, endpoint))


async def delete_endpoint(request: Request) -> Response:
    """`DELETE /endpoints/{endpoint_id}`."""
    entry = find(request, ENDPOINT, "endpoint", request.params["endpoint_id"])
    await request.cloud.mirror.commit([Delete(ENDPOINT, entry.value.id, entry.revision)])
    return reply(None, 204)


def _changed_service(request: Request, service: Service, wanted: WantedService) -> Service:
    return Service(
        service.id,
        service.type if wanted.type is UNSET else wanted.type,
        service.name if wanted.name is UNSET else wanted.name,
        service.description if wanted.description is UNSET else wanted.description or "",
        service.enabled if wanted.enabled is UNSET else wanted.enabled,
        {**service.extra, **extra_of(request, "service", WantedService, SERVICE_FIELDS)},
    )


def _changed_endpoint(
    request: Request, endpoint: Endpoint, wanted: WantedEndpoint
) -> tuple[Endpoint, list[Put | Delete]]:
    """The endpoint after a request, and the change that makes its region. Raises Fault."""
    older = None if wanted.region is UNSET or wanted.region_id is not UNSET else wanted.region
    changes: list[Put | Delete] = []
    if older and request.cloud.mirror.get(REGION, older) is None:
        changes.append(Put(REGION, Region(older), older, 0))
    changed = Endpoint(
        endpoint.id,
        endpoint.service_id if wanted.service_id is UNSET else wanted.service_id,
        endpoint.interface if wanted.interface is UNSET else wanted.interface,
        older or (endpoint.region_id if wanted.region_id is UNSET else wanted.region_id or ""),
        endpoint.url if wanted.url is UNSET else wanted.url,
        endpoint.enabled if wanted.enabled is UNSET else wanted.enabled,
    )
    if request.cloud.mirror.get(SERVICE, changed.service_id) is None:
        raise expecting("endpoint service_id", "service table")
    if not _is_address(changed.url):
        raise Fault(400, f"Cannot create an endpoint with an invalid URL: {changed.url}.")
    if changed.region_id and not changes:
        find(request, REGION, "region", changed.region_id)
    if changed.interface not in INTERFACES:
        words = f"Value: {changed.interface}. '{changed.interface}' is not one of {sorted(INTERFACES)}"
        raise Fault(400, f"Invalid input for field/attribute interface. {words}")
    return changed, changes


def _is_address(url: str) -> bool:
    """Whether every part of it that is filled in later can be."""
    left = _PLACE.sub("", url.replace("$(", "%("))
    return bool(left) and "%" not in left


ROUTES = (
    Route("GET", "/services", list_services, Access.READER),
    Route("POST", "/services", create_service, Access.ADMIN),
    Route("GET", "/services/{service_id}", show_service, Access.READER),
    Route("PATCH", "/services/{service_id}", update_service, Access.ADMIN),
    Route("DELETE", "/services/{service_id}", delete_service, Access.ADMIN),
    Route("GET", "/endpoints", list_endpoints, Access.READER),
    Route("POST", "/endpoints", create_endpoint, Access.ADMIN),
    Route("GET", "/endpoints/{endpoint_id}", show_endpoint, Access.READER),
    Route("PATCH", "/endpoints/{endpoint_id}", update_endpoint, Access.ADMIN),
    Route("DELETE", "/endpoints/{endpoint_id}", delete_endpoint, Access.ADMIN),
)
