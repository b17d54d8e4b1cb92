"""Routes that compute had before other services did their work, and those that are gone: each up to its microversion.

Tools of that age still use them, and so do conformance tests. What Nova removed altogether it answers with 410.
"""

from typing import Final

from kilonode.cloud.openstack.compute import (
    assisted,
    hosts,
    older_addresses,
    older_images,
    older_networks,
    older_volumes,
)
from kilonode.cloud.openstack.compute.delegated import LAST_PROXY
from kilonode.cloud.openstack.compute.lookup import find_server
from kilonode.cloud.openstack.network.ports import server_ports
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Handler, Route

READ, WRITE, ADMIN = Access.READER, Access.MEMBER, Access.ADMIN


async def list_virtual_interfaces(request: Request) -> Response:
    """The interfaces of a server by their ports, as the network service knows them (to 2.43)."""
    server = find_server(request).value
    found = [
        {
            "id": port.id,
            "mac_address": port.mac_address,
            **({"net_id": port.network_id} if request.microversion >= (2, 12) else {}),
        }
        for port in server_ports(request.cloud, server.id)
    ]
    return reply({"virtual_interfaces": found}, items=len(found))


async def refuse_what_is_gone(request: Request) -> Response:
    """Of what Nova has removed it only says so."""
    raise Fault(410, "This resource is no longer available. No forwarding address is given.")


def _proxy(method: str, path: str, handler: Handler, access: Access) -> Route:
    # Named apart from the services' own, so a profile can tell an old list of images from a new one.
    name = getattr(handler, "__name__", "operation")
    return Route(method, path, handler, access, f"proxy_{name}", until=LAST_PROXY)


_IMAGE: Final = "/images/{image_id}"
_METADATA: Final = f"{_IMAGE}/metadata"
_PROXIES: Final = (
    _proxy("GET", "/images", older_images.list_images, READ),
    _proxy("GET", "/images/detail", older_images.list_images_detail, READ),
    _proxy("GET", _IMAGE, older_images.show_image, READ),
    _proxy("DELETE", _IMAGE, older_images.delete_image, WRITE),
    _proxy("GET", "/os-floating-ips", older_addresses.list_floating_ips, READ),
    _proxy("POST", "/os-floating-ips", older_addresses.create_floating_ip, WRITE),
    _proxy("GET", "/os-floating-ips/{floating_ip_id}", older_addresses.show_floating_ip, READ),
    _proxy("DELETE", "/os-floating-ips/{floating_ip_id}", older_addresses.delete_floating_ip, WRITE),
    _proxy("GET", "/os-floating-ip-pools", older_addresses.list_floating_ip_pools, READ),
    _proxy("GET", "/os-networks", older_networks.list_networks, READ),
    _proxy("GET", "/os-networks/{network_id}", older_networks.show_network, READ),
    _proxy("GET", "/os-tenant-networks", older_networks.list_tenant_networks, READ),
    _proxy("GET", "/os-tenant-networks/{network_id}", older_networks.show_tenant_network, READ),
    _proxy("GET", "/os-security-groups", older_networks.list_security_groups, READ),
    _proxy("POST", "/os-security-groups", older_networks.create_security_group, WRITE),
    _proxy("GET", "/os-security-groups/{group_id}", older_networks.show_security_group, READ),
    _proxy("PUT", "/os-security-groups/{group_id}", older_networks.update_security_group, WRITE),
    _proxy("DELETE", "/os-security-groups/{group_id}", older_networks.delete_security_group, WRITE),
    _proxy("POST", "/os-security-group-rules", older_networks.create_security_group_rule, WRITE),
    _proxy("DELETE", "/os-security-group-rules/{rule_id}", older_networks.delete_security_group_rule, WRITE),
    _proxy("GET", "/os-volumes", older_volumes.list_volumes, READ),
    _proxy("GET", "/os-volumes/detail", older_volumes.list_volumes, READ),
    _proxy("POST", "/os-volumes", older_volumes.create_volume, WRITE),
    _proxy("GET", "/os-volumes/{volume_id}", older_volumes.show_volume, READ),
    _proxy("DELETE", "/os-volumes/{volume_id}", older_volumes.delete_volume, WRITE),
    _proxy("GET", "/os-snapshots", older_volumes.list_snapshots, READ),
    _proxy("GET", "/os-snapshots/detail", older_volumes.list_snapshots, READ),
    _proxy("POST", "/os-snapshots", older_volumes.create_snapshot, WRITE),
    _proxy("GET", "/os-snapshots/{snapshot_id}", older_volumes.show_snapshot, READ),
    _proxy("DELETE", "/os-snapshots/{snapshot_id}", older_volumes.delete_snapshot, WRITE),
)
_IMAGE_METADATA: Final = tuple(
    Route(method, path, handler, access, f"proxy_image_{name}", until=older_images.LAST_METADATA)
    for method, path, handler, access, name in (
        ("GET", _METADATA, older_images.list_metadata, READ, "list_metadata"),
        ("POST", _METADATA, older_images.create_metadata, WRITE, "create_metadata"),
        ("PUT", _METADATA, older_images.replace_metadata, WRITE, "replace_metadata"),
        ("GET", f"{_METADATA}/{{key}}", older_images.show_metadata_item, READ, "show_metadata_item"),
        ("PUT", f"{_METADATA}/{{key}}", older_images.update_metadata_item, WRITE, "update_metadata_item"),
        ("DELETE", f"{_METADATA}/{{key}}", older_images.delete_metadata_item, WRITE, "delete_metadata_item"),
    )
)
_HOSTS: Final = (
    Route("GET", "/os-hosts", hosts.list_hosts, ADMIN, until=hosts.LAST),
    Route("GET", "/os-hosts/{host}", hosts.show_host, ADMIN, until=hosts.LAST),
    Route("PUT", "/os-hosts/{host}", hosts.update_host, ADMIN, until=hosts.LAST),
    *(
        Route("GET", f"/os-hosts/{{host}}/{word}", hosts.act_on_host_power, ADMIN, until=hosts.LAST)
        for word in ("startup", "shutdown", "reboot")
    ),
    Route("POST", "/os-assisted-volume-snapshots", assisted.create_assisted_snapshot, ADMIN),
    Route("DELETE", "/os-assisted-volume-snapshots/{snapshot_id}", assisted.delete_assisted_snapshot, ADMIN),
    Route("GET", "/os-instance_usage_audit_log", hosts.list_audit_logs, ADMIN),
    Route("GET", "/os-instance_usage_audit_log/{before}", hosts.show_audit_log, ADMIN),
    Route("GET", "/servers/{server_id}/os-virtual-interfaces", list_virtual_interfaces, READ, until=(2, 43)),
)
_GONE: Final = tuple(
    Route(method, path, refuse_what_is_gone, READ)
    for method, path in (
        ("GET", "/os-agents"),
        ("POST", "/os-agents"),
        ("DELETE", "/os-agents/{agent_id}"),
        ("PUT", "/os-agents/{agent_id}"),
        ("GET", "/os-cells"),
        ("POST", "/os-cells"),
        ("GET", "/os-cells/capacities"),
        ("GET", "/os-cells/detail"),
        ("GET", "/os-cells/info"),
        ("DELETE", "/os-cells/{cell_id}"),
        ("GET", "/os-cells/{cell_id}"),
        ("PUT", "/os-cells/{cell_id}"),
        ("GET", "/os-cells/{cell_id}/capacities"),
        ("POST", "/os-certificates"),
        ("GET", "/os-certificates/root"),
        ("GET", "/os-certificates/{certificate_id}"),
        ("GET", "/os-cloudpipe"),
        ("POST", "/os-cloudpipe"),
        ("PUT", "/os-cloudpipe/configure-project"),
        ("GET", "/os-fixed-ips/{address}"),
        ("POST", "/os-fixed-ips/{address}/action"),
        ("GET", "/os-floating-ip-dns"),
        ("DELETE", "/os-floating-ip-dns/{domain}"),
        ("PUT", "/os-floating-ip-dns/{domain}"),
        ("DELETE", "/os-floating-ip-dns/{domain}/entries/{entry}"),
        ("GET", "/os-floating-ip-dns/{domain}/entries/{entry}"),
        ("PUT", "/os-floating-ip-dns/{domain}/entries/{entry}"),
        ("GET", "/os-floating-ips-bulk"),
        ("POST", "/os-floating-ips-bulk"),
        ("PUT", "/os-floating-ips-bulk/delete"),
        ("GET", "/os-floating-ips-bulk/{host}"),
        ("GET", "/os-fping"),
        ("GET", "/os-fping/{server_id}"),
        ("POST", "/os-networks"),
        ("POST", "/os-networks/add"),
        ("DELETE", "/os-networks/{network_id}"),
        ("POST", "/os-networks/{network_id}/action"),
        ("GET", "/os-security-group-default-rules"),
        ("POST", "/os-security-group-default-rules"),
        ("DELETE", "/os-security-group-default-rules/{rule_id}"),
        ("GET", "/os-security-group-default-rules/{rule_id}"),
        ("POST", "/os-tenant-networks"),
        ("DELETE", "/os-tenant-networks/{network_id}"),
        ("GET", "/servers/{server_id}/consoles"),
        ("POST", "/servers/{server_id}/consoles"),
        ("DELETE", "/servers/{server_id}/consoles/{console_id}"),
        ("GET", "/servers/{server_id}/consoles/{console_id}"),
    )
)

OLDER: Final = (*_PROXIES, *_IMAGE_METADATA, *_HOSTS, *_GONE)
