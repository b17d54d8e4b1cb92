"""The catalog: which service is where. Encoded once and filled in for each project, as it is in every token."""

from typing import Any, Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.identity.model import ENDPOINT, REGION, SERVICE, Endpoint, Service

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
        if self._template is None:
            text = msgspec.json.encode(self._entries(with_project=True))
            for place in _PLACES[1:]:
                text = text.replace(place.encode(), _PLACES[0].encode())
            self._template = text
        # A project's id is hexadecimal digits, made by this service: it needs no escaping.
        return msgspec.Raw(self._template.replace(_PLACES[0].encode(), project_id.encode()))

    def _entries(self, *, with_project: bool) -> list[dict[str, Any]]:
        mirror = self._cloud.mirror
        by_service: dict[str, list[dict[str, Any]]] = {}
        for key, entry in mirror.all(ENDPOINT).items():
            endpoint: Endpoint = entry.value
            if endpoint.enabled and (with_project or not any(place in endpoint.url for place in _PLACES)):
                by_service.setdefault(endpoint.service_id, []).append(
                    {
                        "id": key,
                        "interface": endpoint.interface,
                        "region": endpoint.region_id or None,
                        "region_id": endpoint.region_id or None,
                        "url": absolute_url(self._cloud, endpoint.url),
                    }
                )
        entries = []
        for key, entry in mirror.all(SERVICE).items():
            service: Service = entry.value
            if service.enabled:
                endpoints = by_service.get(key, [])
                entries.append({"id": key, "type": service.type, "name": service.name, "endpoints": endpoints})
        return entries

    def _on_change(self, kind: str, key: str) -> None:
        if kind in _KINDS:
            self._template = None


def absolute_url(cloud: Cloud, url: str) -> str:
    """Where an endpoint is for clients, with its place for a project id."""
    return cloud.settings.public_url + url if url.startswith("/") else url
