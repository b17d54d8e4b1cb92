"""Hypervisors: the nodes as administrators see them, with what is taken of each."""

import re
from collections.abc import Iterable
from typing import Any, Final

from kilonode.cloud.liveness import is_node_up
from kilonode.cloud.openstack.compute.lookup import check_uuid
from kilonode.cloud.openstack.compute.model import SERVER, servers_by_node
from kilonode.cloud.openstack.compute.paging import paginate
from kilonode.cloud.openstack.compute.views import instance_name
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.resources import NO_USAGE, NODE, NODE_USAGE, Node, NodeUsage

HYPERVISOR_TYPE: Final = "QEMU"
HYPERVISOR_VERSION: Final = 8_002_002
_CPU_INFO: Final = {
    "arch": "x86_64",
    "model": "EPYC",
    "vendor": "AMD",
    "topology": {"cells": 1, "sockets": 1, "cores": 16, "threads": 2},
    "features": ["aes", "avx2", "sse4.2"],
}
_CPU_INFO_TEXT: Final = '{"arch": "x86_64", "model": "EPYC", "vendor": "AMD"}'


async def list_hypervisors(request: Request) -> Response:
    """Names, ids and states."""
    return _list(request, detail=False)


async def list_hypervisors_detail(request: Request) -> Response:
    """Everything about each node."""
    return _list(request, detail=True)


async def show_hypervisor(request: Request) -> Response:
    """One node, by uuid or (before 2.53) by number."""
    node = _find(request)
    with_servers = request.microversion >= (2, 53) and request.query.flag("with_servers")
    return reply({"hypervisor": _view(request, node, detail=True, with_servers=with_servers)})


async def show_hypervisor_uptime(request: Request) -> Response:
    """How long a node has been up; from 2.88 on part of the details."""
    node = _find(request)
    if not is_node_up(request.cloud, node):
        raise Fault(400, f"Compute service of {node.name} is unavailable at this time.")
    return reply({"hypervisor": {**_view(request, node, detail=False), "uptime": _uptime(request, node)}})


async def show_hypervisor_statistics(request: Request) -> Response:
    """All nodes together."""
    mirror = request.cloud.mirror
    total: dict[str, int] = {"count": 0, "current_workload": 0}
    for entry in mirror.all(NODE).values():
        total["count"] += 1
        for name, value in _capacity(request, entry.value).items():
            total[name] = total.get(name, 0) + value
    return reply({"hypervisor_statistics": total})


async def search_hypervisors(request: Request) -> Response:
    """Nodes whose name contains a text (before 2.53)."""
    pattern = request.params["hypervisor_id"]
    nodes = _named(request, pattern)
    return reply({"hypervisors": [_view(request, node, detail=False) for node in nodes]})


async def list_hypervisor_servers(request: Request) -> Response:
    """Nodes whose name contains a text, with their servers (before 2.53)."""
    nodes = _named(request, request.params["hypervisor_id"])
    return reply({"hypervisors": [_view(request, node, detail=False, with_servers=True) for node in nodes]})


def _list(request: Request, *, detail: bool) -> Response:
    with_servers = request.microversion >= (2, 53) and request.query.flag("with_servers")
    pattern = request.query.one("hypervisor_hostname_pattern") if request.microversion >= (2, 53) else ""
    if pattern and ("limit" in request.query or "marker" in request.query):
        raise Fault(
            400, "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported."
        )
    nodes: Iterable[Node] = _named(request, pattern) if pattern else _all(request)
    if request.microversion >= (2, 33) and not pattern:
        page = paginate(request, nodes, lambda node: _id(request, node))
        nodes, links = page.items, page.links
    else:
        nodes, links = list(nodes), []
    body: dict[str, Any] = {
        "hypervisors": [_view(request, node, detail=detail, with_servers=with_servers) for node in nodes]
    }
    if links:
        body["hypervisors_links"] = links
    return reply(body, items=len(body["hypervisors"]))


def _all(request: Request) -> Iterable[Node]:
    return (entry.value for entry in request.cloud.mirror.all(NODE).values())


def _named(request: Request, text: str) -> list[Node]:
    pattern = re.compile(re.escape(text).replace("%", ".*"))
    found = [node for node in _all(request) if pattern.search(node.name)]
    if not found:
        raise Fault(404, f"No hypervisor matching '{text}' could be found.")
    return found


def _find(request: Request) -> Node:
    key = request.params["hypervisor_id"]
    check_uuid(request, key)
    found = request.cloud.mirror.index(NODE, "id", lambda node: (node.uuid, str(node.number + 1))).keys(key)
    if not found:
        raise Fault(404, f"Hypervisor with ID '{key}' could not be found.")
    node: Node = request.cloud.mirror.all(NODE)[next(iter(found))].value
    return node


def _id(request: Request, node: Node) -> str:
    return node.uuid if request.microversion >= (2, 53) else str(node.number + 1)


def _view(request: Request, node: Node, *, detail: bool, with_servers: bool = False) -> dict[str, Any]:
    version, up = request.microversion, is_node_up(request.cloud, node)
    by_uuid = version >= (2, 53)
    view: dict[str, Any] = {
        "id": node.uuid if by_uuid else node.number + 1,
        "hypervisor_hostname": node.name,
        "state": "up" if up else "down",
        "status": "enabled" if node.enabled else "disabled",
    }
    if detail:
        view |= {
            "hypervisor_type": HYPERVISOR_TYPE,
            "hypervisor_version": HYPERVISOR_VERSION,
            "host_ip": node.host_ip,
            "service": {
                "id": node.service_uuid if by_uuid else node.number + 1,
                "host": node.name,
                "disabled_reason": node.disabled_reason or None,
            },
        }
        if version < (2, 88):
            view |= {**_capacity(request, node), "current_workload": 0}
            view["cpu_info"] = _CPU_INFO if version >= (2, 28) else _CPU_INFO_TEXT
        else:
            view["uptime"] = _uptime(request, node) if up else None
    if with_servers:
        mirror = request.cloud.mirror
        servers = [mirror.all(SERVER)[key].value for key in servers_by_node(mirror).keys(node.name)]
        if servers or version >= (2, 75):
            view["servers"] = [{"name": instance_name(server), "uuid": server.id} for server in servers]
    return view


def _capacity(request: Request, node: Node) -> dict[str, int]:
    """Sizes and what is taken, as Nova counts them: memory taken includes what the host reserves."""
    entry = request.cloud.mirror.get(NODE_USAGE, node.name)
    usage: NodeUsage = entry.value if entry is not None else NO_USAGE
    shape, used = node.shape, usage.used
    memory_used = used.memory_mb + shape.reserved_memory_mb
    return {
        "vcpus": shape.vcpus,
        "memory_mb": shape.memory_mb,
        "local_gb": shape.disk_gb,
        "vcpus_used": used.vcpus,
        "memory_mb_used": memory_used,
        "local_gb_used": used.disk_gb,
        "free_ram_mb": shape.memory_mb - memory_used,
        "free_disk_gb": shape.disk_gb - used.disk_gb,
        "running_vms": usage.instances,
        "disk_available_least": shape.disk_gb - used.disk_gb,
    }


def _uptime(request: Request, node: Node) -> str:
    seconds = max(0, request.cloud.now_us() - node.registered_us) // 1_000_000
    days, rest = divmod(seconds, 86_400)
    hours, minutes = rest // 3_600, rest // 60 % 60
    time = request.cloud.clock.utc().strftime("%H:%M:%S")
    return f" {time} up {days} days, {hours:2}:{minutes:02},  0 users,  load average: 0.00, 0.00, 0.00"
