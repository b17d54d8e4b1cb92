"""Where faults meet an emulated cloud from outside: the endpoints of its services, its sites and who answers there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kilonode.base.errors import InputError
from kilonode.cloud import operating
from kilonode.cloud.folder import CloudRecord, StateFolder
from kilonode.cloud.layout import API, region_of
from kilonode.cloud.sites import of_each_site
from kilonode.faults.driver import Found
from kilonode.faults.model import Kind
from kilonode.faults.network_places import Location
from kilonode.faults.network_rules import Place
from kilonode.faults.request_faults import Endpoint

_PROJECTS: Final = {
    "identity": "keystone",
    "compute": "nova",
    "image": "glance",
    "network": "neutron",
    "volume": "cinder",
}
"""Services by the names of the projects that others run them as."""
ENDPOINT_NAMES: Final = (*_PROJECTS.values(), "placement", *_PROJECTS)
"""What requests go to, for whoever completes a sentence."""


class EmulatedEndpoints:
    """The endpoints of one emulated cloud. Every site has all services on one port, each below a path of its own."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder

    async def endpoints(self) -> Sequence[Endpoint]:
        """All of them; `RegionTwo.compute` where there are several sites."""
        from kilonode.cloud.openstack.application import SERVICES

        record = record_of(self._folder)
        several = bool(record.settings.sites)
        found = []
        for site in of_each_site(record.settings):
            region = site.region if several else ""
            for service in SERVICES:
                called = {service.name, *service.types, *_also(service.name)}
                groups = {f"{region}.{name}" for name in called} | called | {region} if several else called
                name = f"{region}.{service.name}" if several else service.name
                url = site.public_url + service.prefix
                root = service.root or service.prefix
                found.append(Endpoint(name, tuple(sorted(groups - {name})), url, root, str(self._folder.path), region))
        return found

    async def doorkeepers(self, door: str, region: str) -> dict[str, int]:
        """The api processes that work now, by name, with their pid."""
        path = Path(door)
        try:
            found = operating.processes(StateFolder(path.parent.parent, path.name))
        except InputError:
            return {}  # the cloud is gone, and its door with it
        return {
            each.name: each.identity.pid
            for each in found
            if API in each.roles and each.identity is not None and each.ready and region_of(each.name) == region
        }


class EmulatedLocations:
    """Where the sites and the api of one emulated cloud listen."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder

    async def located(self, kind: Kind) -> Sequence[Location]:
        """Sites, or the api of each. All processes of one api share its port."""
        record = record_of(self._folder)
        found = []
        for site in of_each_site(record.settings):
            parts = urlsplit(site.public_url)
            place = Place("", (parts.hostname or "",), (parts.port or 0,))
            if kind is Kind.SITE:
                found.append(Location(Found(kind, site.region, words=site.public_url), place))
            else:
                several = bool(record.settings.sites)
                name = f"{site.region}.{API}" if several else API
                groups = (API, site.region) if several else ()
                found.append(Location(Found(kind, name, groups, words=site.public_url), place))
        return found


def record_of(folder: StateFolder) -> CloudRecord:
    """How the cloud was brought up. Raises InputError when it is not running."""
    if not folder.name:
        raise InputError("there is no cloud that it could be of", hint="name an address, or a cloud")
    record = folder.read_record() if folder.exists else None
    if record is None or not operating.processes(folder):
        raise InputError(
            f"cloud {folder.name!r} is not running", where=str(folder.path), hint="start it: kilonode cloud up"
        )
    return record


def _also(service: str) -> tuple[str, ...]:
    return (_PROJECTS[service],) if service in _PROJECTS else ()
