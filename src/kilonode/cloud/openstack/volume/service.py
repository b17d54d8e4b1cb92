"""The volume service: every operation with its place, who may use it, and the microversions."""

import functools
from typing import Final

from msgspec.structs import replace

from kilonode.cloud.openstack.volume import (
    actions,
    attachment_routes,
    backups,
    creating,
    default_types,
    group_snapshots,
    group_types,
    groups,
    managing,
    messages,
    metadata,
    qos,
    quota_routes,
    resource_filters,
    services,
    snapshots,
    transfers,
    type_details,
    types,
    volumes,
)
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
_VOLUME: Final = "/volumes/{volume_id}"
_SNAPSHOT: Final = "/snapshots/{snapshot_id}"
_BACKUP: Final = "/backups/{backup_id}"
_TYPE: Final = "/types/{type_id}"
_QOS: Final = "/qos-specs/{qos_id}"
_GROUP_TYPE: Final = "/group_types/{group_type_id}"
_VOLUMES: Final = (
    Route("GET", "/volumes", volumes.list_volumes, READ),
    Route("GET", "/volumes/detail", volumes.list_volumes_detail, READ, "list_volumes"),
    Route("GET", "/volumes/summary", volumes.show_volume_summary, READ, since=(3, 12)),
    Route("POST", "/volumes", creating.create_volume, WRITE),
    Route("GET", _VOLUME, volumes.show_volume, READ),
    Route("PUT", _VOLUME, volumes.update_volume, WRITE),
    Route("DELETE", _VOLUME, volumes.delete_volume, WRITE),
    Route("POST", f"{_VOLUME}/action", actions.act_on_volume, WRITE, actions=dict.fromkeys(actions.ACTIONS)),
    Route("POST", "/os-volume-manage", managing.manage_volume, ADMIN),
    Route("POST", "/manageable_volumes", managing.manage_volume, ADMIN, since=(3, 8)),
    Route("GET", "/manageable_volumes", managing.list_manageable_volumes, ADMIN, since=(3, 8)),
    Route("GET", "/manageable_volumes/detail", managing.list_manageable_volumes, ADMIN, since=(3, 8)),
    Route("GET", "/snapshots", snapshots.list_snapshots, READ),
    Route("GET", "/snapshots/detail", snapshots.list_snapshots, READ),
    Route("POST", "/snapshots", snapshots.create_snapshot, WRITE),
    Route("GET", _SNAPSHOT, snapshots.show_snapshot, READ),
    Route("PUT", _SNAPSHOT, snapshots.update_snapshot, WRITE),
    Route("DELETE", _SNAPSHOT, snapshots.delete_snapshot, WRITE),
    Route("POST", f"{_SNAPSHOT}/action", snapshots.act_on_snapshot, WRITE, actions=snapshots.ACTIONS),
    Route("POST", "/os-snapshot-manage", managing.manage_snapshot, ADMIN),
    Route("POST", "/manageable_snapshots", managing.manage_snapshot, ADMIN, since=(3, 8)),
    Route("GET", "/manageable_snapshots", managing.list_manageable_snapshots, ADMIN, since=(3, 8)),
    Route("GET", "/manageable_snapshots/detail", managing.list_manageable_snapshots, ADMIN, since=(3, 8)),
    *(
        Route(method, f"{place}/metadata{item}", handler, access)
        for place in (_VOLUME, _SNAPSHOT)
        for method, item, handler, access in (
            ("GET", "", metadata.show_metadata, READ),
            ("POST", "", metadata.update_metadata, WRITE),
            ("PUT", "", metadata.update_metadata, WRITE),
            ("GET", "/{key}", metadata.show_metadata_item, READ),
            ("PUT", "/{key}", metadata.update_metadata_item, WRITE),
            ("DELETE", "/{key}", metadata.delete_metadata_item, WRITE),
        )
    ),
    Route("GET", "/attachments", attachment_routes.list_attachments, READ, since=(3, 27)),
    Route("GET", "/attachments/detail", attachment_routes.list_attachments, READ, since=(3, 27)),
    Route("POST", "/attachments", attachment_routes.create_attachment, WRITE, since=(3, 27)),
    Route("GET", "/attachments/{attachment_id}", attachment_routes.show_attachment, READ, since=(3, 27)),
    Route("PUT", "/attachments/{attachment_id}", attachment_routes.update_attachment, WRITE, since=(3, 27)),
    Route("DELETE", "/attachments/{attachment_id}", attachment_routes.delete_attachment, WRITE, since=(3, 27)),
    Route(
        "POST",
        "/attachments/{attachment_id}/action",
        attachment_routes.act_on_attachment,
        WRITE,
        since=(3, 44),
        actions={"os-complete": None},
    ),
)
_COPIES: Final = (
    Route("GET", "/backups", backups.list_backups, READ),
    Route("GET", "/backups/detail", backups.list_backups_detail, READ, "list_backups"),
    Route("POST", "/backups", backups.create_backup, WRITE),
    Route("POST", "/backups/import_record", backups.import_backup, ADMIN),
    Route("GET", _BACKUP, backups.show_backup, READ),
    Route("PUT", _BACKUP, backups.update_backup, WRITE, since=(3, 9)),
    Route("DELETE", _BACKUP, backups.delete_backup, WRITE),
    Route("POST", f"{_BACKUP}/action", backups.act_on_backup, ADMIN, actions=backups.ACTIONS),
    Route("POST", f"{_BACKUP}/restore", backups.restore_backup, WRITE),
    Route("GET", f"{_BACKUP}/export_record", backups.export_backup, ADMIN),
    *(
        Route(method, f"/{name}{rest}", handler, access, since=since)
        for name, since in (("os-volume-transfer", None), ("volume-transfers", (3, 55)))
        for method, rest, handler, access in (
            ("GET", "", transfers.list_transfers, READ),
            ("GET", "/detail", transfers.list_transfers_detail, READ),
            ("POST", "", transfers.create_transfer, WRITE),
            ("GET", "/{transfer_id}", transfers.show_transfer, READ),
            ("DELETE", "/{transfer_id}", transfers.delete_transfer, WRITE),
            ("POST", "/{transfer_id}/accept", transfers.accept_transfer, WRITE),
        )
    ),
)
_TYPES: Final = (
    Route("GET", "/types", types.list_types, READ),
    Route("POST", "/types", types.create_type, ADMIN),
    Route("GET", _TYPE, types.show_type, READ),
    Route("PUT", _TYPE, types.update_type, ADMIN),
    Route("DELETE", _TYPE, types.delete_type, ADMIN),
    Route("GET", f"{_TYPE}/extra_specs", type_details.list_extra_specs, READ),
    Route("POST", f"{_TYPE}/extra_specs", type_details.create_extra_specs, ADMIN),
    Route("GET", f"{_TYPE}/extra_specs/{{key}}", type_details.show_extra_spec, READ),
    Route("PUT", f"{_TYPE}/extra_specs/{{key}}", type_details.update_extra_spec, ADMIN),
    Route("DELETE", f"{_TYPE}/extra_specs/{{key}}", type_details.delete_extra_spec, ADMIN),
    Route("GET", f"{_TYPE}/os-volume-type-access", type_details.list_access, ADMIN),
    Route("POST", f"{_TYPE}/action", type_details.act_on_type, ADMIN, actions=type_details.ACTIONS),
    Route("GET", f"{_TYPE}/encryption", type_details.show_encryption, ADMIN),
    Route("POST", f"{_TYPE}/encryption", type_details.create_encryption, ADMIN),
    Route("GET", f"{_TYPE}/encryption/{{key}}", type_details.show_encryption_item, ADMIN),
    Route("PUT", f"{_TYPE}/encryption/{{key}}", type_details.update_encryption, ADMIN),
    Route("DELETE", f"{_TYPE}/encryption/{{key}}", type_details.delete_encryption, ADMIN),
    Route("GET", "/qos-specs", qos.list_qos_specs, ADMIN),
    Route("POST", "/qos-specs", qos.create_qos_specs, ADMIN),
    Route("GET", _QOS, qos.show_qos_specs, ADMIN),
    Route("PUT", _QOS, qos.update_qos_specs, ADMIN),
    Route("DELETE", _QOS, qos.delete_qos_specs, ADMIN),
    Route("PUT", f"{_QOS}/delete_keys", qos.delete_qos_keys, ADMIN),
    Route("GET", f"{_QOS}/associations", qos.list_associations, ADMIN),
    Route("GET", f"{_QOS}/associate", qos.associate, ADMIN),
    Route("GET", f"{_QOS}/disassociate", qos.disassociate, ADMIN),
    Route("GET", f"{_QOS}/disassociate_all", qos.disassociate_all, ADMIN),
)
_GROUPS: Final = (
    Route("GET", "/group_types", group_types.list_group_types, READ, since=(3, 11)),
    Route("POST", "/group_types", group_types.create_group_type, ADMIN, since=(3, 11)),
    Route("GET", _GROUP_TYPE, group_types.show_group_type, READ, since=(3, 11)),
    Route("PUT", _GROUP_TYPE, group_types.update_group_type, ADMIN, since=(3, 11)),
    Route("DELETE", _GROUP_TYPE, group_types.delete_group_type, ADMIN, since=(3, 11)),
    Route("GET", f"{_GROUP_TYPE}/group_specs", group_types.list_group_specs, ADMIN, since=(3, 11)),
    Route("POST", f"{_GROUP_TYPE}/group_specs", group_types.create_group_specs, ADMIN, since=(3, 11)),
    Route("GET", f"{_GROUP_TYPE}/group_specs/{{key}}", group_types.show_group_spec, ADMIN, since=(3, 11)),
    Route("PUT", f"{_GROUP_TYPE}/group_specs/{{key}}", group_types.update_group_spec, ADMIN, since=(3, 11)),
    Route("DELETE", f"{_GROUP_TYPE}/group_specs/{{key}}", group_types.delete_group_spec, ADMIN, since=(3, 11)),
    Route("GET", "/groups", groups.list_groups, READ, since=(3, 13)),
    Route("GET", "/groups/detail", groups.list_groups_detail, READ, "list_groups", since=(3, 13)),
    Route("POST", "/groups", groups.create_group, WRITE, since=(3, 13)),
    Route(
        "POST", "/groups/action", groups.create_group_from_source, WRITE, since=(3, 14),
        actions={"create-from-src": None},
    ),
    Route("GET", "/groups/{group_id}", groups.show_group, READ, since=(3, 13)),
    Route("PUT", "/groups/{group_id}", groups.update_group, WRITE, since=(3, 13)),
    Route("POST", "/groups/{group_id}/action", groups.act_on_group, WRITE, since=(3, 13), actions=groups.ACTIONS),
    Route("GET", "/group_snapshots", group_snapshots.list_group_snapshots, READ, since=(3, 14)),
    Route("GET", "/group_snapshots/detail", group_snapshots.list_group_snapshots_detail, READ, since=(3, 14)),
    Route("POST", "/group_snapshots", group_snapshots.create_group_snapshot, WRITE, since=(3, 14)),
    Route("GET", "/group_snapshots/{group_snapshot_id}", group_snapshots.show_group_snapshot, READ, since=(3, 14)),
    Route(
        "DELETE", "/group_snapshots/{group_snapshot_id}", group_snapshots.delete_group_snapshot, WRITE, since=(3, 14)
    ),
    Route(
        "POST", "/group_snapshots/{group_snapshot_id}/action", group_snapshots.act_on_group_snapshot, ADMIN,
        since=(3, 19), actions={"reset_status": None},
    ),
)  # fmt: skip
_ABOUT: Final = (
    Route("GET", "/messages", messages.list_messages, READ, since=(3, 3)),
    Route("GET", "/messages/{message_id}", messages.show_message, READ, since=(3, 3)),
    Route("DELETE", "/messages/{message_id}", messages.delete_message, WRITE, since=(3, 3)),
    Route("GET", "/os-services", services.list_services, ADMIN),
    *(Route("PUT", f"/os-services/{word}", services.update_service, ADMIN) for word in services.SERVICE_ACTIONS),
    Route("GET", "/os-hosts", services.list_hosts, ADMIN),
    Route("GET", "/os-hosts/{host}", services.show_host, ADMIN),
    Route("GET", "/scheduler-stats/get_pools", services.list_pools, ADMIN),
    Route("GET", "/capabilities/{host}", services.show_capabilities, ADMIN),
    Route("GET", "/os-availability-zone", services.list_zones, READ),
    Route("GET", "/extensions", services.list_extensions, READ),
    Route("GET", "/resource_filters", resource_filters.list_resource_filters, READ, since=(3, 33)),
    Route("GET", "/limits", quota_routes.show_limits, READ),
    Route("GET", "/os-quota-sets/{target}", quota_routes.show_quota_set, READ),
    Route("GET", "/os-quota-sets/{target}/defaults", quota_routes.show_default_quotas, READ),
    Route("PUT", "/os-quota-sets/{target}", quota_routes.update_quota_set, ADMIN),
    Route("DELETE", "/os-quota-sets/{target}", quota_routes.delete_quota_set, ADMIN),
    Route("GET", "/os-quota-class-sets/{name}", quota_routes.show_quota_class, ADMIN),
    Route("PUT", "/os-quota-class-sets/{name}", quota_routes.update_quota_class, ADMIN),
)


def _below_project(route: Route) -> Route:
    """The same operation at the place where clients look for it: below the id of the token's own project."""

    @functools.wraps(route.handler)
    async def handler(request: Request) -> Response:
        if request.params["project_id"] != request.caller.project_id:
            raise Fault(400, "Malformed request url")
        return await route.handler(request)

    return replace(route, path=f"{_PROJECT}{route.path}", handler=handler, name=route.operation)


VOLUME_SERVICE: Final = ServiceApp(
    name="volume",
    types=("block-storage", "volumev3", "volume"),
    prefix="/volume/v3",
    root="/volume",
    routes=(
        *(_below_project(route) for route in (*_VOLUMES, *_COPIES, *_TYPES, *_GROUPS, *_ABOUT)),
        *default_types.ROUTES,
    ),
    discovery=discovery(VERSION, "/v3", list_status=300, listed=True),
    exact_paths=True,
    fault_format=named_fault_format("computeFault"),
    microversions=MICROVERSIONS,
)
