"""The compute service: every operation with its place, who may use it, and the microversions that have it."""

from typing import Final

from kilonode.cloud.openstack.compute import (
    actions,
    aggregates,
    attachments,
    consoles,
    creating,
    details,
    flavors,
    groups,
    hypervisors,
    inside,
    keypairs,
    limits,
    migrating,
    records,
    servers,
    services,
    usage,
    versions,
)
from kilonode.cloud.openstack.compute.older_routes import OLDER
from kilonode.cloud.openstack.compute.paging import BOOKMARK_PREFIX, PREFIX
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import named_fault_format
from kilonode.cloud.openstack.web.service import Route, ServiceApp

READ, WRITE, ADMIN = Access.READER, Access.MEMBER, Access.ADMIN

_MOVE: Final = "/servers/{server_id}/migrations/{migration_id}"
_SERVERS: Final = (
    Route("GET", "/servers", servers.list_servers, READ),
    Route("GET", "/servers/detail", servers.list_servers_detail, READ, "list_servers"),
    Route("POST", "/servers", creating.create_server, WRITE),
    Route("GET", "/servers/{server_id}", servers.show_server, READ),
    Route("PUT", "/servers/{server_id}", servers.update_server, WRITE),
    Route("DELETE", "/servers/{server_id}", servers.delete_server, WRITE),
    Route("POST", "/servers/{server_id}/action", actions.act_on_server, WRITE, actions=actions.known_actions()),
    Route("GET", "/servers/{server_id}/metadata", details.list_metadata, READ),
    Route("POST", "/servers/{server_id}/metadata", details.create_metadata, WRITE),
    Route("PUT", "/servers/{server_id}/metadata", details.replace_metadata, WRITE),
    Route("GET", "/servers/{server_id}/metadata/{key}", details.show_metadata_item, READ),
    Route("PUT", "/servers/{server_id}/metadata/{key}", details.update_metadata_item, WRITE),
    Route("DELETE", "/servers/{server_id}/metadata/{key}", details.delete_metadata_item, WRITE),
    Route("GET", "/servers/{server_id}/tags", details.list_tags, READ, since=(2, 26)),
    Route("PUT", "/servers/{server_id}/tags", details.replace_tags, WRITE, since=(2, 26)),
    Route("DELETE", "/servers/{server_id}/tags", details.delete_tags, WRITE, since=(2, 26)),
    Route("GET", "/servers/{server_id}/tags/{tag}", details.show_tag, READ, since=(2, 26)),
    Route("PUT", "/servers/{server_id}/tags/{tag}", details.add_tag, WRITE, since=(2, 26)),
    Route("DELETE", "/servers/{server_id}/tags/{tag}", details.delete_tag, WRITE, since=(2, 26)),
    Route("GET", "/servers/{server_id}/ips", details.list_addresses, READ),
    Route("GET", "/servers/{server_id}/ips/{network}", details.show_addresses_of_network, READ),
    Route("GET", "/servers/{server_id}/os-security-groups", details.list_server_security_groups, READ),
    Route("GET", "/servers/{server_id}/os-instance-actions", records.list_actions, READ),
    Route("GET", "/servers/{server_id}/os-instance-actions/{request_id}", records.show_action, READ),
    Route("GET", "/servers/{server_id}/migrations", records.list_server_migrations, Access.MANAGER, since=(2, 23)),
    Route("GET", _MOVE, records.show_server_migration, ADMIN, since=(2, 23)),
    Route(
        "POST",
        f"{_MOVE}/action",
        migrating.act_on_server_migration,
        Access.MANAGER,
        since=(2, 22),
        actions={"force_complete": None},
    ),
    Route(
        "DELETE",
        "/servers/{server_id}/migrations/{migration_id}",
        migrating.abort_server_migration,
        Access.MANAGER,
        since=(2, 24),
    ),
    Route("POST", "/servers/{server_id}/remote-consoles", consoles.create_remote_console, WRITE, since=(2, 6)),
    Route("GET", "/os-console-auth-tokens/{token}", consoles.show_console_token, ADMIN),
    Route("GET", "/servers/{server_id}/diagnostics", inside.show_diagnostics, ADMIN),
    Route("GET", "/servers/{server_id}/topology", inside.show_topology, READ, since=(2, 78)),
    Route("GET", "/servers/{server_id}/os-server-password", inside.show_password, READ),
    Route("DELETE", "/servers/{server_id}/os-server-password", inside.clear_password, WRITE),
    Route("POST", "/os-server-external-events", inside.report_events, Access.AUTHENTICATED),
    Route("GET", "/os-migrations", records.list_migrations, Access.MANAGER),
)
_VOLUMES: Final = "/servers/{server_id}/os-volume_attachments"
_INTERFACES: Final = "/servers/{server_id}/os-interface"
_ATTACHMENTS: Final = (
    Route("GET", "/servers/{server_id}/shares", inside.list_shares, READ, since=(2, 97)),
    Route("POST", "/servers/{server_id}/shares", inside.attach_share, WRITE, since=(2, 97)),
    Route("GET", _VOLUMES, attachments.list_volume_attachments, READ),
    Route("POST", _VOLUMES, attachments.attach_volume, WRITE),
    Route("GET", f"{_VOLUMES}/{{volume_id}}", attachments.show_volume_attachment, READ),
    Route("PUT", f"{_VOLUMES}/{{volume_id}}", attachments.update_volume_attachment, WRITE),
    Route("DELETE", f"{_VOLUMES}/{{volume_id}}", attachments.detach_volume, WRITE),
    Route("GET", _INTERFACES, attachments.list_interfaces, READ),
    Route("POST", _INTERFACES, attachments.attach_interface, WRITE),
    Route("GET", f"{_INTERFACES}/{{port_id}}", attachments.show_interface, READ),
    Route("DELETE", f"{_INTERFACES}/{{port_id}}", attachments.detach_interface, WRITE),
)
_FLAVORS: Final = (
    Route("GET", "/flavors", flavors.list_flavors, READ),
    Route("GET", "/flavors/detail", flavors.list_flavors_detail, READ, "list_flavors"),
    Route("POST", "/flavors", flavors.create_flavor, ADMIN),
    Route("GET", "/flavors/{flavor_id}", flavors.show_flavor, READ),
    Route("PUT", "/flavors/{flavor_id}", flavors.update_flavor, ADMIN, since=(2, 55)),
    Route("DELETE", "/flavors/{flavor_id}", flavors.delete_flavor, ADMIN),
    Route("POST", "/flavors/{flavor_id}/action", flavors.act_on_flavor, ADMIN, actions=flavors.ACTIONS),
    Route("GET", "/flavors/{flavor_id}/os-flavor-access", flavors.list_flavor_access, ADMIN),
    Route("GET", "/flavors/{flavor_id}/os-extra_specs", flavors.list_extra_specs, READ),
    Route("POST", "/flavors/{flavor_id}/os-extra_specs", flavors.create_extra_specs, ADMIN),
    Route("GET", "/flavors/{flavor_id}/os-extra_specs/{key}", flavors.show_extra_spec, READ),
    Route("PUT", "/flavors/{flavor_id}/os-extra_specs/{key}", flavors.update_extra_spec, ADMIN),
    Route("DELETE", "/flavors/{flavor_id}/os-extra_specs/{key}", flavors.delete_extra_spec, ADMIN),
)
_OWNED: Final = (
    Route("GET", "/os-keypairs", keypairs.list_keypairs, READ),
    Route("POST", "/os-keypairs", keypairs.create_keypair, READ),
    Route("GET", "/os-keypairs/{keypair_name}", keypairs.show_keypair, READ),
    Route("DELETE", "/os-keypairs/{keypair_name}", keypairs.delete_keypair, READ),
    Route("GET", "/os-server-groups", groups.list_server_groups, READ),
    Route("POST", "/os-server-groups", groups.create_server_group, WRITE),
    Route("GET", "/os-server-groups/{group_id}", groups.show_server_group, READ),
    Route("DELETE", "/os-server-groups/{group_id}", groups.delete_server_group, WRITE),
)
_LIMITS: Final = (
    Route("GET", "/limits", limits.show_limits, READ),
    Route("GET", "/os-quota-sets/{project_id}", limits.show_quota, READ),
    Route("GET", "/os-quota-sets/{project_id}/detail", limits.show_quota_detail, READ),
    Route("GET", "/os-quota-sets/{project_id}/defaults", limits.show_default_quota, READ),
    Route("PUT", "/os-quota-sets/{project_id}", limits.update_quota, ADMIN),
    Route("DELETE", "/os-quota-sets/{project_id}", limits.delete_quota, ADMIN),
    Route("GET", "/os-simple-tenant-usage", usage.list_usages, ADMIN),
    Route("GET", "/os-simple-tenant-usage/{project_id}", usage.show_usage, READ),
    Route("GET", "/os-quota-class-sets/{class_name}", limits.show_quota_class, ADMIN),
    Route("PUT", "/os-quota-class-sets/{class_name}", limits.update_quota_class, ADMIN),
)
_NODES: Final = (
    Route("GET", "/os-hypervisors", hypervisors.list_hypervisors, ADMIN),
    Route("GET", "/os-hypervisors/detail", hypervisors.list_hypervisors_detail, ADMIN, "list_hypervisors"),
    Route("GET", "/os-hypervisors/statistics", hypervisors.show_hypervisor_statistics, ADMIN, until=(2, 87)),
    Route("GET", "/os-hypervisors/{hypervisor_id}", hypervisors.show_hypervisor, ADMIN),
    Route("GET", "/os-hypervisors/{hypervisor_id}/uptime", hypervisors.show_hypervisor_uptime, ADMIN, until=(2, 87)),
    Route("GET", "/os-hypervisors/{hypervisor_id}/search", hypervisors.search_hypervisors, ADMIN, until=(2, 52)),
    Route("GET", "/os-hypervisors/{hypervisor_id}/servers", hypervisors.list_hypervisor_servers, ADMIN, until=(2, 52)),
    Route("GET", "/os-services", services.list_services, ADMIN),
    Route("PUT", "/os-services/enable", services.enable_service, ADMIN, until=(2, 52)),
    Route("PUT", "/os-services/disable", services.disable_service, ADMIN, until=(2, 52)),
    Route("PUT", "/os-services/disable-log-reason", services.disable_service_with_reason, ADMIN, until=(2, 52)),
    Route("PUT", "/os-services/force-down", services.force_service_down, ADMIN, since=(2, 11), until=(2, 52)),
    Route("PUT", "/os-services/{service_id}", services.update_service, ADMIN, since=(2, 53)),
    Route("GET", "/os-availability-zone", services.list_zones, READ),
    Route("GET", "/os-availability-zone/detail", services.list_zones_detail, ADMIN),
    Route("GET", "/os-aggregates", aggregates.list_aggregates, ADMIN),
    Route("POST", "/os-aggregates", aggregates.create_aggregate, ADMIN),
    Route("GET", "/os-aggregates/{aggregate_id}", aggregates.show_aggregate, ADMIN),
    Route("PUT", "/os-aggregates/{aggregate_id}", aggregates.update_aggregate, ADMIN),
    Route("DELETE", "/os-aggregates/{aggregate_id}", aggregates.delete_aggregate, ADMIN),
    Route(
        "POST", "/os-aggregates/{aggregate_id}/action", aggregates.act_on_aggregate, ADMIN, actions=aggregates.ACTIONS
    ),
    Route("POST", "/os-aggregates/{aggregate_id}/images", aggregates.cache_images, ADMIN, since=(2, 81)),
    Route("GET", "/extensions", versions.list_extensions, Access.AUTHENTICATED),
    Route("GET", "/extensions/{alias}", versions.show_extension, Access.AUTHENTICATED),
)

COMPUTE: Final = ServiceApp(
    name="compute",
    prefix=PREFIX,
    routes=(*_SERVERS, *_ATTACHMENTS, *_FLAVORS, *_OWNED, *_LIMITS, *_NODES, *OLDER),
    fault_format=named_fault_format("computeFault", b"application/json; charset=UTF-8"),
    root=BOOKMARK_PREFIX,
    discovery=versions.DISCOVERY,
    no_such_operation=versions.no_such_operation,
    microversions=versions.MICROVERSIONS,
    exact_paths=True,
    request_id_headers=("x-openstack-request-id", "x-compute-request-id"),
)
