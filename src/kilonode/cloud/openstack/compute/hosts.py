"""`/os-hosts`, the older view of nodes (to 2.42), and the audit log of usage, which Nova keeps for telemetry."""

from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.liveness import is_node_up
from kilonode.cloud.openstack.compute.lookup import find_node
from kilonode.cloud.openstack.compute.model import SERVER, Server, servers_by_node
from kilonode.cloud.openstack.compute.services import host_rows
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.power import power_on, reboot, shut_down
from kilonode.cloud.resources import NO_USAGE, NODE, NODE_USAGE, Node, NodeUsage
from kilonode.control.mirror import Put

LAST: Final = (2, 42)
_ENABLED: Final = {"enable": True, "disable": False}
_POWER: Final = {"startup": power_on, "shutdown": shut_down, "reboot": reboot}


async def list_hosts(request: Request) -> Response:
    """The hosts of all enabled services, perhaps of one zone."""
    zone = request.query.one("zone")
    found = [row for row in host_rows(request) if not zone or row["zone"] == zone]
    return reply({"hosts": found}, items=len(found))


async def show_host(request: Request) -> Response:
    """What a node has, what is taken of it, and by which projects."""
    node = _node(request)
    mirror = request.cloud.mirror
    entry = mirror.get(NODE_USAGE, node.name)
    usage: NodeUsage = entry.value if entry is not None else NO_USAGE
    servers: list[Server] = [mirror.all(SERVER)[key].value for key in servers_by_node(mirror).keys(node.name)]
    projects = dict.fromkeys(server.project_id for server in servers)
    rows = [
        _row(node, "(total)", node.shape.vcpus, node.shape.memory_mb, node.shape.disk_gb),
        _row(
            node,
            "(used_now)",
            usage.used.vcpus,
            usage.used.memory_mb + node.shape.reserved_memory_mb,
            usage.used.disk_gb,
        ),
        _sum(node, "(used_max)", servers),
        *(_sum(node, project, [one for one in servers if one.project_id == project]) for project in projects),
    ]
    return reply({"host": rows})


async def update_host(request: Request) -> Response:
    """Enable or disable the node's service. Nodes here know no maintenance mode, as Nova's libvirt nodes know none."""
    body = request.json_object()
    known = {"status", "maintenance_mode"}
    if not body or not set(body) <= known or any(str(value).lower() not in _ENABLED for value in body.values()):
        raise Fault(400, "Invalid input: status and maintenance_mode are each enable or disable, and one is there.")
    node = _node(request)
    if "maintenance_mode" in body:
        raise Fault(501, "Unable to complete the requested operation: the node's driver knows no maintenance mode.")
    enabled = _ENABLED[str(body["status"]).lower()]
    entry = request.cloud.mirror.get(NODE, node.name)
    changed = replace(node, enabled=enabled, disabled_reason="")
    await request.cloud.mirror.commit([Put(NODE, changed, node.name, entry.revision if entry is not None else 0)])
    return reply({"host": node.name, "status": "enabled" if enabled else "disabled"})


async def act_on_host_power(request: Request) -> Response:
    """Startup, shutdown and reboot of a node. Its servers stand still until it is back (`node_life`)."""
    node, cloud = _node(request), request.cloud
    word = request.path.rpartition("/")[2]
    if word != "startup" and not is_node_up(cloud, node):
        raise Fault(400, f"Compute service of {node.name} is unavailable at this time.")
    changed = _POWER[word](node, cloud.now_us())
    if changed != node:
        entry = cloud.mirror.get(NODE, node.name)
        await cloud.mirror.commit([Put(NODE, changed, node.name, entry.revision if entry is not None else 0)])
    return reply({"host": node.name, "power_action": word})


async def list_audit_logs(request: Request) -> Response:
    """The last period of audit: the nodes here keep no such log."""
    return reply({"instance_usage_audit_logs": _audit(request, request.cloud.clock.utc())})


async def show_audit_log(request: Request) -> Response:
    """The last period of audit before an instant."""
    text = request.params["before"]
    try:
        form = "%Y-%m-%d %H:%M:%S.%f%z" if "." in text else "%Y-%m-%d %H:%M:%S%z"
        before = datetime.strptime(f"{text}+0000", form)  # noqa: DTZ007  both forms have a zone
    except ValueError as error:
        raise Fault(400, f"Invalid timestamp for date {text}") from error
    return reply({"instance_usage_audit_log": _audit(request, before)})


def _audit(request: Request, before: datetime) -> dict[str, Any]:
    end = before.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begin = (end - timedelta(days=1)).replace(day=1)
    hosts = list(request.cloud.mirror.all(NODE))
    return {
        "period_beginning": f"{begin:%Y-%m-%d %H:%M:%S}",
        "period_ending": f"{end:%Y-%m-%d %H:%M:%S}",
        "num_hosts": len(hosts),
        "num_hosts_done": 0,
        "num_hosts_running": 0,
        "num_hosts_not_run": len(hosts),
        "hosts_not_run": hosts,
        "total_instances": 0,
        "total_errors": 0,
        "overall_status": f"0 of {len(hosts)} hosts done. 0 errors.",
        "log": {},
    }


def _node(request: Request) -> Node:
    return find_node(request, request.params["host"])


def _row(node: Node, project: str, vcpus: int, memory_mb: int, disk_gb: int) -> dict[str, Any]:
    return {
        "resource": {
            "host": node.name,
            "project": project,
            "cpu": vcpus,
            "memory_mb": memory_mb,
            "disk_gb": disk_gb,
        }
    }


def _sum(node: Node, project: str, servers: list[Server]) -> dict[str, Any]:
    flavors = [server.flavor for server in servers]
    return _row(
        node,
        project,
        sum(flavor.vcpus for flavor in flavors),
        sum(flavor.memory_mb for flavor in flavors),
        sum(flavor.disk_gb + flavor.ephemeral_gb for flavor in flavors),
    )
