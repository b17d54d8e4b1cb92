"""The catalog: which service is where. Encoded once and filled in for each project, as it is in every token.

A project that operators gave endpoints of its own (`endpoint_filters`) has those alone in its catalog.
"""

from collections.abc import Container
from typing import Any, Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.identity.model import ENDPOINT, REGION, SERVICE, Endpoint, Service
from kilonode.cloud.openstack.identity.operator_model import (
    ENDPOINT_FILTER,
    ENDPOINT_GROUP,
    EndpointFilter,
    EndpointGroup,
)
from kilonode.control.mirror import Mirror

_PLACES: Final = ("$(project_id)s", "$(tenant_id)s", "%(project_id)s", "%(tenant_id)s")
_KINDS: Final = frozenset({ENDPOINT, REGION, SERVICE})


class Catalog:
    """The catalog as it stands. One per view: `cloud.part(Catalog)`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._template: bytes | None = None
        cloud.mirror.subscribe(self._on_change)

    def for_project(self, project_id: str) -> msgspec.Raw:
        """The catalog as JSON, for a token of this project; without one, endpoints that need a project are left out."""
        if not project_id:
            return msgspec.Raw(msgspec.json.encode(self._entries(with_project=False)))
        filtered = filtered_endpoints(self._cloud.mirror, project_id)
        if filtered is not None:
            text = _with_one_place(msgspec.json.encode(self._entries(with_project=True, only=filtered)))
            return msgspec.Raw(text.replace(_PLACES[0].encode(), project_id.encode()))
        if self._template is None:
            self._template = _with_one_place(msgspec.json.encode(self._entries(with_project=True)))
        # A project's id is hexadecimal digits, made by this service: it needs no escaping.
        return msgspec.Raw(self._template.replace(_PLACES[0].encode(), project_id.encode()))

    def _entries(self, *, with_project: bool, only: Container[str] | None = None) -> list[dict[str, Any]]:
        mirror = self._cloud.mirror
        by_service: dict[str, list[dict[str, Any]]] = {}
        for key, entry in mirror.all(ENDPOINT).items():
            endpoint: Endpoint = entry.value
            if only is not None and key not in only:
                continue
            if endpoint.enabled and (with_project or not any(place in endpoint.url for place in _PLACES)):
                by_service.setdefault(endpoint.service_id, []).append(
                    {
                        "id": key,
                        "interface": endpoint.interface,
                        "region": endpoint.region_id or None,
                        "region_id": endpoint.region_id or None,
                        "url": absolute_url(self._cloud, endpoint),
                    }
                )
        entries = []
        for key, entry in mirror.all(SERVICE).items():
            service: Service = entry.value
            endpoints = by_service.get(key, [])
            if service.enabled and (endpoints or only is None):
                entries.append({"id": key, "type": service.type, "name": service.name, "endpoints": endpoints})
        return entries

    def _on_change(self, kind: str, key: str) -> None:
        if kind in _KINDS:
            self._template = None


def absolute_url(cloud: Cloud, endpoint: Endpoint) -> str:
    """Where an endpoint is for clients, with its place for a project id."""
    url = endpoint.url
    return cloud.settings.url_of_region(endpoint.region_id) + url if url.startswith("/") else url


def absolute(cloud: Cloud, endpoint: Endpoint) -> Endpoint:
    """The endpoint with its whole address."""
    return msgspec.structs.replace(endpoint, url=absolute_url(cloud, endpoint))


def endpoints_of_group(mirror: Mirror, group: EndpointGroup) -> list[Endpoint]:
    """The endpoints that have all that a group asks for."""
    found = [entry.value for entry in mirror.all(ENDPOINT).values()]
    wanted = group.filters.items()
    return [one for one in found if all(str(getattr(one, name)).lower() == text.lower() for name, text in wanted)]


def filtered_endpoints(mirror: Mirror, project_id: str) -> dict[str, Endpoint] | None:
    """The endpoints that operators gave a project, by id; None when they gave it none: it has all."""
    filters = mirror.index(ENDPOINT_FILTER, "project", lambda one: one.project_id).keys(project_id)
    if not filters:
        return None
    found: dict[str, Endpoint] = {}
    for key in filters:
        one: EndpointFilter = mirror.all(ENDPOINT_FILTER)[key].value
        endpoint = mirror.get(ENDPOINT, one.endpoint_id)
        group = mirror.get(ENDPOINT_GROUP, one.group_id)
        if endpoint is not None:
            found[one.endpoint_id] = endpoint.value
        if group is not None:
            found |= {member.id: member for member in endpoints_of_group(mirror, group.value)}
    return found


def _with_one_place(text: bytes) -> bytes:
    for place in _PLACES[1:]:
        text = text.replace(place.encode(), _PLACES[0].encode())
    return text
