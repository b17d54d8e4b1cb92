"""Version documents in the forms that clients discover services by. Which form a service uses is its own business."""

from typing import Any

import msgspec

from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.microversions import Microversions, version_text
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route


class Version(msgspec.Struct, frozen=True):
    """One major version of an API."""

    id: str
    """`v2.1`."""
    path: str
    """Where it is, without the host: `/compute/v2.1/`."""
    updated: str
    status: str = "CURRENT"
    media_type: str = ""
    """The type that its document names; empty: it names none."""
    microversions: Microversions | None = None

    def document(self, public_url: str) -> dict[str, Any]:
        """The version as Nova, Cinder and Keystone show it; `version` and `min_version` only with microversions."""
        body: dict[str, Any] = {
            "id": self.id,
            "status": self.status,
            "updated": self.updated,
            "links": [{"rel": "self", "href": public_url + self.path}],
        }
        if self.microversions is not None:
            body["version"] = version_text(self.microversions.maximum)
            body["min_version"] = version_text(self.microversions.minimum)
        if self.media_type:
            body["media-types"] = [{"base": "application/json", "type": self.media_type}]
        return body


def discovery(
    version: Version, below_root: str, *, list_status: int, nested: bool = False, listed: bool = False
) -> tuple[Route, ...]:
    """The two routes of a service with one version: the list of versions at its root, and the version's own document.

    `below_root` is the version's path below the service's root (`/v2.1`); `nested` is Keystone's form of the list,
    `listed` Cinder's form of the one document.
    """

    async def list_versions(request: Request) -> Response:
        versions: Any = [version.document(request.cloud.settings.public_url)]
        return reply({"versions": {"values": versions} if nested else versions}, list_status)

    async def show_version(request: Request) -> Response:
        document = version.document(request.cloud.settings.public_url)
        return reply({"versions": [document]} if listed else {"version": document})

    return (
        Route("GET", "", list_versions, Access.PUBLIC),
        Route("GET", below_root, show_version, Access.PUBLIC),
    )
