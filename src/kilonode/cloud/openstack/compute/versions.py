"""What compute speaks: version 2.1 with microversions to 2.96, the newest whose changes of format are all honoured."""

from typing import Final

from kilonode.cloud.openstack.compute.paging import PREFIX
from kilonode.cloud.openstack.web.microversions import Microversions
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.versions import Version, discovery

MICROVERSIONS: Final = Microversions("compute", (2, 1), (2, 96), "X-OpenStack-Nova-API-Version")
VERSION: Final = Version(
    id="v2.1",
    path=f"{PREFIX}/",
    updated="2013-07-23T11:33:21Z",
    media_type="application/vnd.openstack.compute+json;version=2.1",
    microversions=MICROVERSIONS,
)
DISCOVERY: Final = discovery(VERSION, "/v2.1", list_status=200)


async def list_extensions(request: Request) -> Response:
    """Extensions are part of 2.1; the list is kept for clients that look."""
    return reply({"extensions": []})
