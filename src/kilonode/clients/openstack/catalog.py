"""The service catalog: which service is where.

Catalogs differ between clouds: a service has several names for its type (`volumev3`, `block-storage`), its address may
or may not carry a version, a project id, or another version than the one asked for. `service_url` makes of all of them
the root that paths such as `/servers` are appended to. No request is made for that.
"""

import re
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from kilonode.base.errors import InputError


class Service(msgspec.Struct, frozen=True):
    """What is known of a service beforehand."""

    name: str
    """The name it has in Kilonode."""
    types: tuple[str, ...]
    """Its type in catalogs: the official one first, then older ones."""
    version: str = ""
    """The path segment of the API version spoken here; empty where the API has none."""
    project_in_path: bool = False
    """Whether the project's id follows the version in the path."""


SERVICES: Final[dict[str, Service]] = {
    service.name: service
    for service in (
        Service("identity", ("identity",), "v3"),
        Service("compute", ("compute",), "v2.1"),
        Service("network", ("network",), "v2.0"),
        Service("image", ("image",), "v2"),
        Service("volume", ("block-storage", "volumev3", "volume", "block-store"), "v3", project_in_path=True),
        Service("placement", ("placement",)),
    )
}
"""The services that scenarios use. Any other is found by its type and taken as its catalog entry stands."""

_VERSION: Final = re.compile(r"^v\d+(\.\d+)?$")


class Endpoint(msgspec.Struct, frozen=True):
    """One address of one service."""

    service_type: str
    interface: str
    region: str
    url: str


def read_catalog(token: dict[str, Any]) -> tuple[Endpoint, ...]:
    """The endpoints in Keystone's `token` document, in its order."""
    return tuple(
        Endpoint(
            str(service.get("type", "")),
            str(endpoint.get("interface", "")),
            str(endpoint.get("region_id") or endpoint.get("region") or ""),
            str(endpoint.get("url", "")),
        )
        for service in token.get("catalog", ())
        for endpoint in service.get("endpoints", ())
    )


def known_service(name: str) -> Service:
    """The service by one of its names."""
    for service in SERVICES.values():
        if name == service.name or name in service.types:
            return service
    return Service(name, (name,))


def find_endpoint(catalog: tuple[Endpoint, ...], service: Service, region: str, interface: str) -> str:
    """The address of `service`. Raises InputError that says what the catalog has."""
    candidates = [entry for entry in catalog if entry.service_type in service.types]
    for service_type in service.types:
        for entry in candidates:
            if (
                entry.service_type == service_type
                and entry.interface.removesuffix("URL") == interface
                and (not region or entry.region == region)
            ):
                return entry.url
    if candidates:
        raise InputError(
            f"the catalog has no {interface} endpoint of the {service.name} service"
            + (f" in region {region}" if region else ""),
            expected=f"interface {interface}" + (f", region {region}" if region else ""),
            got=", ".join(sorted({f"{entry.interface} in {entry.region or 'no region'}" for entry in candidates})),
            hint="set interface or region_name in clouds.yaml",
        )
    raise InputError(
        f"the cloud has no {service.name} service",
        got="catalog: " + (", ".join(sorted({entry.service_type for entry in catalog})) or "empty"),
        hint=f"an address can be set by {service.name}_endpoint_override in clouds.yaml",
    )


def fill_template(url: str, project_id: str) -> str:
    """Put the project's id where an address has a place for it."""
    for place in ("%(project_id)s", "%(tenant_id)s", "$(project_id)s", "$(tenant_id)s", "{project_id}"):
        url = url.replace(place, project_id)
    return url


def service_url(service: Service, url: str, project_id: str) -> str:
    """The root of the service's API at `url`, versioned, without a slash at the end."""
    parts = urlsplit(fill_template(url, project_id))
    segments = [segment for segment in parts.path.split("/") if segment]
    at = _version_place(segments)
    if service.version:
        if at is None:
            at = len(segments)
            segments.append(service.version)
        else:
            segments[at] = service.version
        if service.project_in_path and len(segments) == at + 1 and project_id:
            segments.append(project_id)
    return urlunsplit((parts.scheme, parts.netloc, "/".join(["", *segments]), "", ""))


def version_url(service: Service, root_url: str) -> str:
    """Where the service tells its versions: the root without the project's id."""
    parts = urlsplit(root_url)
    segments = [segment for segment in parts.path.split("/") if segment]
    at = _version_place(segments)
    if at is not None:
        segments = segments[: at + 1]
    return urlunsplit((parts.scheme, parts.netloc, "/".join(["", *segments]) + "/", "", ""))


def unversioned_url(service: Service, root_url: str) -> str:
    """Where the service lists all its versions, to anybody: the root without version and project."""
    parts = urlsplit(version_url(service, root_url))
    segments = [segment for segment in parts.path.split("/") if segment]
    at = _version_place(segments)
    return urlunsplit((parts.scheme, parts.netloc, "/".join(["", *segments[:at]]).rstrip("/") + "/", "", ""))


def _version_place(segments: list[str]) -> int | None:
    return next((at for at in range(len(segments) - 1, -1, -1) if _VERSION.match(segments[at])), None)
