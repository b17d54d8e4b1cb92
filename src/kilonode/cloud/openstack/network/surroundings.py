"""What clients ask before and beside the resources: extensions, agents (one per node), zones, kinds that are empty."""

from typing import Any, Final

from kilonode.cloud.context import timestamp
from kilonode.cloud.liveness import is_node_up, last_seen_us
from kilonode.cloud.openstack.network.faults import missing
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.cloud.resources import NODE, Node

_UPDATED: Final = "2016-01-01T00:00:00-00:00"
EXTENSIONS: Final = {
    "address-scope": "Address scope",
    "agent": "agent",
    "allowed-address-pairs": "Allowed Address Pairs",
    "availability_zone": "Availability Zone",
    "binding": "Port Binding",
    "default-subnetpools": "Default Subnetpools",
    "dns-integration": "DNS Integration",
    "ext-gw-mode": "Neutron L3 Configurable external gateway mode",
    "external-net": "Neutron external network",
    "extraroute": "Neutron Extra Route",
    "fip-port-details": "Add port_details to Floating IP",
    "net-mtu": "Network MTU",
    "net-mtu-writable": "Network MTU (writable)",
    "network_availability_zone": "Network Availability Zone",
    "pagination": "Pagination support",
    "port-security": "Port Security",
    "port-mac-address-regenerate": "Neutron Port MAC address regenerate",
    "project-id": "project_id field enabled",
    "provider": "Provider Network",
    "quotas": "Quota management support",
    "quota_details": "Quota details management support",
    "router": "Neutron L3 Router",
    "router_availability_zone": "Router Availability Zone",
    "security-group": "security-group",
    "security-groups-normalized-cidr": "Normalized CIDR field for security group rules",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-tag": "Tag support for resources with standard attribute",
    "standard-attr-timestamp": "Resource timestamps",
    "stateful-security-group": "Stateful security group",
}
"""Alias and name of what is emulated."""
EMPTY: Final = {
    "subnetpools": "subnetpools",
    "address-scopes": "address_scopes",
    "address-groups": "address_groups",
    "rbac-policies": "rbac_policies",
    "trunks": "trunks",
    "segments": "segments",
    "qos/policies": "policies",
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


async def list_agents(request: Request) -> Response:
    """`GET /agents`: the switch agent of each node."""
    query = request.query
    hosts, kinds = query.all("host"), query.all("agent_type")
    items = [
        _agent(request, entry.value)
        for name, entry in request.cloud.mirror.all(NODE).items()
        if (not hosts or name in hosts) and (not kinds or "Open vSwitch agent" in kinds)
    ]
    return reply({"agents": items}, items=len(items))


async def show_agent(request: Request) -> Response:
    """`GET /agents/{agent_id}`."""
    agent_id = request.params["agent_id"]
    for entry in request.cloud.mirror.all(NODE).values():
        if _agent_id(entry.value) == agent_id:
            return reply({"agent": _agent(request, entry.value)})
    raise missing("Agent", "Agent", agent_id)


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


def _agent_id(node: Node) -> str:
    """An id of its own that follows from the node's: the same digits from the other end."""
    digits = node.uuid.replace("-", "")
    turned = digits[16:] + digits[:16]
    return f"{turned[:8]}-{turned[8:12]}-4{turned[13:16]}-a{turned[17:20]}-{turned[20:]}"


def _agent(request: Request, node: Node) -> dict[str, Any]:
    cloud = request.cloud
    return {
        "id": _agent_id(node),
        "agent_type": "Open vSwitch agent",
        "binary": "neutron-openvswitch-agent",
        "topic": "N/A",
        "host": node.name,
        "admin_state_up": True,
        "alive": is_node_up(cloud, node),
        "availability_zone": None,
        "created_at": timestamp(node.registered_us),
        "started_at": timestamp(node.registered_us),
        "heartbeat_timestamp": timestamp(last_seen_us(cloud, node)),
        "description": None,
        "configurations": {},
        "resources_synced": None,
    }


DISCOVERY: Final = (
    Route("GET", "", list_versions, Access.PUBLIC),
    Route("GET", "/v2.0", show_resources, Access.PUBLIC),
)
ROUTES: Final = (
    Route("GET", "/extensions", list_extensions, Access.AUTHENTICATED),
    Route("GET", "/extensions/{alias}", show_extension, Access.AUTHENTICATED),
    Route("GET", "/agents", list_agents, Access.ADMIN),
    Route("GET", "/agents/{agent_id}", show_agent, Access.ADMIN),
    Route("GET", "/availability_zones", list_availability_zones, Access.READER),
    *(Route("GET", f"/{path}", list_nothing, Access.READER, f"list_{name}") for path, name in EMPTY.items()),
)
