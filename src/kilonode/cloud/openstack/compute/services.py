"""The services of compute and the availability zones of its nodes.

One `nova-compute` for each node, one `nova-scheduler` for the scheduler role. The conductor's work is done by the roles
themselves; it is listed because tools look for it, alive while the scheduler is.
"""

from collections.abc import Iterator
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.liveness import is_node_up, is_role_up, last_seen_us
from kilonode.cloud.openstack.compute.lookup import check_uuid, find_node
from kilonode.cloud.openstack.compute.placing import ROLE as SCHEDULER_ROLE
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.resources import HEARTBEAT, NODE, Node
from kilonode.cloud.role_counts import names_of
from kilonode.control.mirror import Put

COMPUTE: Final = "nova-compute"
INTERNAL_ZONE: Final = "internal"
_CONTROL_SERVICES: Final = ("nova-scheduler", "nova-conductor")
_CONTROLLER_HOST: Final = "controller"


class ChangedService(msgspec.Struct, frozen=True):
    """The body of `PUT /os-services/{service_id}`, and of the older forms with host and binary."""

    status: str | UnsetType = UNSET
    disabled_reason: str | UnsetType | None = UNSET
    forced_down: bool | str | UnsetType = UNSET
    host: str = ""
    binary: str = COMPUTE


async def list_services(request: Request) -> Response:
    """All services, perhaps of one binary or one host."""
    binary, host = request.query.one("binary"), request.query.one("host")
    found = [
        view
        for view in _all(request)
        if (not binary or view["binary"] == binary) and (not host or view["host"] == host)
    ]
    return reply({"services": found}, items=len(found))


async def update_service(request: Request) -> Response:
    """Enable, disable or force down the compute service of a node (from 2.53)."""
    key = request.params["service_id"]
    check_uuid(request, key)
    found = request.cloud.mirror.index(NODE, "service", lambda node: node.service_uuid).keys(key)
    if not found:
        raise Fault(404, f"Service {key} could not be found.")
    node = find_node(request, next(iter(found)))
    wanted = request.json(ChangedService)
    if wanted.status is UNSET and wanted.forced_down is UNSET:
        raise Fault(400, "No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    if wanted.status == "enabled" and wanted.disabled_reason is not UNSET:
        raise Fault(400, "Specifying 'disabled_reason' with status 'enabled' is invalid.")
    changed = await _change(request, node, wanted)
    return reply({"service": _compute(request, changed)})


async def enable_service(request: Request) -> Response:
    """Enable by host and binary (before 2.53)."""
    return await _older(request, status="enabled")


async def disable_service(request: Request) -> Response:
    """Disable by host and binary (before 2.53)."""
    return await _older(request, status="disabled")


async def disable_service_with_reason(request: Request) -> Response:
    """Disable by host and binary, saying why (before 2.53)."""
    return await _older(request, status="disabled")


async def force_service_down(request: Request) -> Response:
    """Force down by host and binary (2.11 to 2.52)."""
    return await _older(request, status=UNSET)


async def list_zones(request: Request) -> Response:
    """The availability zones of the nodes."""
    return reply({"availabilityZoneInfo": [_zone(name, None) for name in _zones(request)]})


async def list_zones_detail(request: Request) -> Response:
    """The availability zones with their nodes, and the internal one."""
    internal = {_CONTROLLER_HOST: {view["binary"]: _zone_service(view) for view in _control(request)}}
    zones = [_zone(INTERNAL_ZONE, internal)]
    for name, nodes in _zones(request).items():
        hosts = {node.name: {COMPUTE: _zone_service(_compute(request, node))} for node in nodes}
        zones.append(_zone(name, hosts))
    return reply({"availabilityZoneInfo": zones})


async def _older(request: Request, *, status: str | UnsetType) -> Response:
    body = request.json(ChangedService)
    node = find_node(request, body.host)
    changed = await _change(request, node, replace(body, status=status))
    view = _compute(request, changed)
    kept = ("binary", "host", "status", "disabled_reason", "forced_down")
    return reply({"service": {name: view[name] for name in kept if name in view}})


async def _change(request: Request, node: Node, body: ChangedService) -> Node:
    entry = request.cloud.mirror.get(NODE, node.name)
    if body.status is not UNSET:
        if body.status not in ("enabled", "disabled"):
            raise Fault(400, f"Invalid input for field/attribute status. Value: {body.status}.")
        node = replace(node, enabled=body.status == "enabled", disabled_reason="")
    if body.disabled_reason is not UNSET and not node.enabled:
        node = replace(node, disabled_reason=body.disabled_reason or "")
    if body.forced_down is not UNSET:
        node = replace(node, forced_down=body.forced_down is True or str(body.forced_down).lower() == "true")
    await request.cloud.mirror.commit([Put(NODE, node, node.name, entry.revision if entry is not None else 0)])
    return node


def host_rows(request: Request) -> list[dict[str, str]]:
    """The hosts of the enabled services, as the older API of hosts names them."""
    return [
        {"host_name": view["host"], "service": view["binary"].removeprefix("nova-"), "zone": view["zone"]}
        for view in _all(request)
        if view["status"] == "enabled"
    ]


def _all(request: Request) -> Iterator[dict[str, Any]]:
    yield from _control(request)
    for entry in request.cloud.mirror.all(NODE).values():
        yield _compute(request, entry.value)


def _control(request: Request) -> Iterator[dict[str, Any]]:
    """The services that are on no node."""
    cloud = request.cloud
    schedulers = names_of(SCHEDULER_ROLE, cloud.settings.roles.scheduler)
    beats = [beat.value.at_us for name in schedulers if (beat := cloud.mirror.get(HEARTBEAT, name)) is not None]
    up = any(is_role_up(cloud, name) for name in schedulers)
    for number, binary in enumerate(_CONTROL_SERVICES):
        by_uuid = request.microversion >= (2, 53)
        yield {
            "id": str(uuid5(NAMESPACE_URL, f"{cloud.settings.name}/{binary}")) if by_uuid else 1_000_001 + number,
            "binary": binary,
            "host": _CONTROLLER_HOST,
            "zone": INTERNAL_ZONE,
            "status": "enabled",
            "state": "up" if up else "down",
            "updated_at": timestamp_with_microseconds(max(beats)) if beats else None,
            "disabled_reason": None,
            **({"forced_down": False} if request.microversion >= (2, 11) else {}),
        }


def _compute(request: Request, node: Node) -> dict[str, Any]:
    cloud = request.cloud
    seen_us = last_seen_us(cloud, node)
    return {
        "id": node.service_uuid if request.microversion >= (2, 53) else node.number + 1,
        "binary": COMPUTE,
        "host": node.name,
        "zone": node.zone,
        "status": "enabled" if node.enabled else "disabled",
        "state": "up" if is_node_up(cloud, node) else "down",
        "updated_at": timestamp_with_microseconds(seen_us) if seen_us else None,
        "disabled_reason": node.disabled_reason or None,
        **({"forced_down": node.forced_down} if request.microversion >= (2, 11) else {}),
    }


def _zones(request: Request) -> dict[str, list[Node]]:
    zones: dict[str, list[Node]] = {}
    for entry in request.cloud.mirror.all(NODE).values():
        zones.setdefault(entry.value.zone, []).append(entry.value)
    return dict(sorted(zones.items()))


def _zone(name: str, hosts: dict[str, Any] | None) -> dict[str, Any]:
    return {"zoneName": name, "zoneState": {"available": True}, "hosts": hosts}


def _zone_service(view: dict[str, Any]) -> dict[str, Any]:
    return {
        "active": view["status"] == "enabled",
        "available": view["state"] == "up",
        "updated_at": view["updated_at"],
    }
