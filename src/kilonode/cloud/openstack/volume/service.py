"""The volume service: every operation with its place, who may use it, and the microversions."""

from typing import Final

from kilonode.cloud.openstack.volume import attachments, quotas, snapshots, types, volumes
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault, named_fault_format
from kilonode.cloud.openstack.web.microversions import Microversions
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response
from kilonode.cloud.openstack.web.service import Route, ServiceApp
from kilonode.cloud.openstack.web.versions import Version, discovery

READ, WRITE, ADMIN = Access.READER, Access.MEMBER, Access.ADMIN

MICROVERSIONS: Final = Microversions("volume", (3, 0), (3, 71))
VERSION: Final = Version(
    id="v3.0",
    path="/volume/v3/",
    updated="2023-08-31T00:00:00Z",
    media_type="application/vnd.openstack.volume+json;version=3",
    microversions=MICROVERSIONS,
)

_PROJECT: Final = "/{project_id}"
_VOLUMES: Final = (
    Route("GET", "/volumes", volumes.list_volumes, READ),
    Route("GET", "/volumes/detail", volumes.list_volumes_detail, READ, "list_volumes"),
    Route("GET", "/volumes/summary", volumes.show_volume_summary, READ, since=(3, 12)),
    Route("POST", "/volumes", volumes.create_volume, WRITE),
    Route("GET", "/volumes/{volume_id}", volumes.show_volume, READ),
    Route("PUT", "/volumes/{volume_id}", volumes.update_volume, WRITE),
    Route("DELETE", "/volumes/{volume_id}", volumes.delete_volume, WRITE),
    Route("POST", "/volumes/{volume_id}/action", volumes.act_on_volume, WRITE),
    Route("GET", "/volumes/{volume_id}/metadata", volumes.show_metadata, READ),
    Route("POST", "/volumes/{volume_id}/metadata", volumes.update_metadata, WRITE),
    Route("PUT", "/volumes/{volume_id}/metadata", volumes.update_metadata, WRITE),
    Route("DELETE", "/volumes/{volume_id}/metadata/{key}", volumes.delete_metadata_item, WRITE),
    Route("GET", "/snapshots", snapshots.list_snapshots, READ),
    Route("GET", "/snapshots/detail", snapshots.list_snapshots, READ),
    Route("POST", "/snapshots", snapshots.create_snapshot, WRITE),
    Route("GET", "/snapshots/{snapshot_id}", snapshots.show_snapshot, READ),
    Route("PUT", "/snapshots/{snapshot_id}", snapshots.update_snapshot, WRITE),
    Route("DELETE", "/snapshots/{snapshot_id}", snapshots.delete_snapshot, WRITE),
    Route("GET", "/attachments", attachments.list_attachments, READ, since=(3, 27)),
    Route("GET", "/attachments/detail", attachments.list_attachments, READ, since=(3, 27)),
    Route("GET", "/attachments/{attachment_id}", attachments.show_attachment, READ, since=(3, 27)),
)
_ABOUT: Final = (
    Route("GET", "/types", types.list_types, READ),
    Route("POST", "/types", types.create_type, ADMIN),
    Route("GET", "/types/{type_id}", types.show_type, READ),
    Route("PUT", "/types/{type_id}", types.update_type, ADMIN),
    Route("DELETE", "/types/{type_id}", types.delete_type, ADMIN),
    Route("GET", "/types/{type_id}/extra_specs", types.list_extra_specs, READ),
    Route("POST", "/types/{type_id}/extra_specs", types.create_extra_specs, ADMIN),
    Route("GET", "/os-services", types.list_services, ADMIN),
    Route("GET", "/os-availability-zone", types.list_zones, READ),
    Route("GET", "/extensions", types.list_extensions, READ),
    Route("GET", "/limits", quotas.show_limits, READ),
    Route("GET", "/os-quota-sets/{target}", quotas.show_quota_set, READ),
    Route("GET", "/os-quota-sets/{target}/defaults", quotas.show_default_quotas, READ),
    Route("PUT", "/os-quota-sets/{target}", quotas.update_quota_set, ADMIN),
    Route("DELETE", "/os-quota-sets/{target}", quotas.delete_quota_set, ADMIN),
)


def _below_project(route: Route) -> Route:
    """The same operation at the place where clients look for it: below the id of the token's own project."""

    async def handler(request: Request) -> Response:
        if request.params["project_id"] != request.caller.project_id:
            raise Fault(400, "Malformed request url")
        return await route.handler(request)

    return Route(
        route.method, f"{_PROJECT}{route.path}", handler, route.access, route.operation, route.since, route.until
    )


VOLUME_SERVICE: Final = ServiceApp(
    name="volume",
    prefix="/volume/v3",
    root="/volume",
    routes=tuple(_below_project(route) for route in (*_VOLUMES, *_ABOUT)),
    discovery=discovery(VERSION, "/v3", list_status=300),
    fault_format=named_fault_format("computeFault"),
    microversions=MICROVERSIONS,
)
