"""What clients ask before and beside the resources: versions, extensions, zones, kinds that are empty."""

from typing import Any, Final

from kilonode.cloud.openstack.network.faults import missing
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route

_UPDATED: Final = "2016-01-01T00:00:00-00:00"
EXTENSIONS: Final = {
    "address-group": "Address group",
    "address-scope": "Address scope",
    "agent": "agent",
    "allowed-address-pairs": "Allowed Address Pairs",
    "auto-allocated-topology": "Auto Allocated Topology Services",
    "availability_zone": "Availability Zone",
    "binding": "Port Binding",
    "binding-extended": "Port Bindings Extended",
    "default-subnetpools": "Default Subnetpools",
    "dns-integration": "DNS Integration",
    "expose-port-forwarding-in-fip": "Expose Floating IP port forwardings",
    "ext-gw-mode": "Neutron L3 Configurable external gateway mode",
    "external-net": "Neutron external network",
    "extraroute": "Neutron Extra Route",
    "extraroute-atomic": "Atomically add/remove extra routes",
    "floatingip-pools": "Floating IP Pools Extension",
    "fip-port-details": "Add port_details to Floating IP",
    "floating-ip-port-forwarding": "Floating IP Port Forwarding",
    "l3-conntrack-helper": "L3 Conntrack helper",
    "net-mtu": "Network MTU",
    "net-mtu-writable": "Network MTU (writable)",
    "network_availability_zone": "Network Availability Zone",
    "pagination": "Pagination support",
    "port-security": "Port Security",
    "port-mac-address-regenerate": "Neutron Port MAC address regenerate",
    "project-id": "project_id field enabled",
    "provider": "Provider Network",
    "qos": "Quality of Service",
    "qos-bw-limit-direction": "Direction for QoS bandwidth limit rule",
    "qos-bw-minimum-ingress": "Ingress direction for QoS minimum bandwidth rule",
    "qos-default": "QoS default policy",
    "qos-fip": "Floating IP QoS",
    "qos-pps": "QoS packet rate limit rule",
    "qos-pps-minimum": "QoS minimum packet rate rule",
    "qos-rule-type-details": "Details of QoS rule types",
    "qos-rules-alias": "QoS rules by their own ids",
    "quotas": "Quota management support",
    "quota_details": "Quota details management support",
    "router": "Neutron L3 Router",
    "router_availability_zone": "Router Availability Zone",
    "security-group": "security-group",
    "security-groups-default-rules": "Default rules for security groups",
    "security-groups-remote-address-group": "Remote address group id field for security group rules",
    "security-groups-normalized-cidr": "Normalized CIDR field for security group rules",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-tag": "Tag support for resources with standard attribute",
    "standard-attr-timestamp": "Resource timestamps",
    "stateful-security-group": "Stateful security group",
    "dhcp_agent_scheduler": "DHCP Agent Scheduler",
    "dvr": "Distributed Virtual Router",
    "extra_dhcp_opt": "Neutron Extra DHCP options",
    "l3_agent_scheduler": "L3 Agent Scheduler",
    "metering": "Neutron Metering",
    "network-ip-availability": "Network IP Availability",
    "rbac-policies": "RBAC Policies",
    "rbac-address-group": "Add address_group type to RBAC",
    "rbac-address-scope": "Add address_scope type to RBAC",
    "rbac-security-groups": "Add security_group type to network RBAC",
    "rbac-subnetpool": "Add subnetpool type to RBAC",
    "revision-if-match": "If-Match constraints based on revision_number",
    "service-type": "Neutron Service Type Management",
    "subnet-service-types": "Subnet service types",
    "subnet_onboard": "Subnet Onboard",
    "subnet_allocation": "Subnet Allocation",
    "subnetpool-prefix-ops": "Subnet Pool Prefix Operations",
    "trunk": "Trunk Extension",
    "trunk-details": "Trunk port details",
}
"""Alias and name of what is emulated."""
EMPTY: Final = {
    "service-providers": "service_providers",
    "flavors": "flavors",
}
"""Collections that exist and never have anything in them: path and name."""


async def show_resources(request: Request) -> Response:
    """`GET /v2.0`."""
    names = ("networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules")
    url = request.cloud.settings.public_url
    links = [
        {
            "name": name.removesuffix("s").replace("-", "_"),
            "collection": name.replace("-", "_"),
            "links": [{"rel": "self", "href": f"{url}/network/v2.0/{name}"}],
        }
        for name in names
    ]
    return reply({"resources": links})


async def list_versions(request: Request) -> Response:
    """`GET /`: the one version there is."""
    link = {"rel": "self", "href": f"{request.cloud.settings.public_url}/network/v2.0/"}
    return reply({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]})


async def list_extensions(request: Request) -> Response:
    """`GET /extensions`."""
    items = [_extension(alias) for alias in EXTENSIONS]
    return reply({"extensions": items}, items=len(items))


async def show_extension(request: Request) -> Response:
    """`GET /extensions/{alias}`."""
    alias = request.params["alias"]
    if alias not in EXTENSIONS:
        raise missing("Extension", "Extension", alias)
    return reply({"extension": _extension(alias)})


async def list_availability_zones(request: Request) -> Response:
    """`GET /availability_zones`."""
    zones = [
        {"name": zone, "resource": resource, "state": "available"}
        for zone in request.cloud.settings.zones
        for resource in ("network", "router")
    ]
    return reply({"availability_zones": zones}, items=len(zones))


async def list_nothing(request: Request) -> Response:
    """A collection that is always empty."""
    path = request.path.rstrip("/").split("/v2.0/", 1)[1]
    return reply({EMPTY[path]: []})


def _extension(alias: str) -> dict[str, Any]:
    name = EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": name, "updated": _UPDATED, "links": []}


DISCOVERY: Final = (
    Route("GET", "", list_versions, Access.PUBLIC),
    Route("GET", "/v2.0", show_resources, Access.PUBLIC),
)
ROUTES: Final = (
    Route("GET", "/extensions", list_extensions, Access.AUTHENTICATED),
    Route("GET", "/extensions/{alias}", show_extension, Access.AUTHENTICATED),
    Route("GET", "/availability_zones", list_availability_zones, Access.READER),
    *(Route("GET", f"/{path}", list_nothing, Access.READER, f"list_{name}") for path, name in EMPTY.items()),
)
