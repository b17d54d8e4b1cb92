"""The service's own state as administrators see and change it: services, hosts, pools, capabilities, zones."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.volume.backend import CAPABILITIES, CAPACITY_GB
from kilonode.cloud.openstack.volume.bodies import invalid, text_of
from kilonode.cloud.openstack.volume.model import (
    BACKEND,
    BACKEND_HOST,
    HOST,
    SNAPSHOT,
    VOLUME,
    VOLUME_HOST,
    VolumeHost,
)
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put

SERVICES: Final = (
    ("cinder-scheduler", "kilonode"),
    ("cinder-volume", BACKEND_HOST),
    ("cinder-backup", "kilonode"),
)
"""Binary and host of each."""
EXTENSIONS: Final = {
    "AdminActions": "os-admin-actions",
    "AvailabilityZones": "os-availability-zone",
    "Backups": "backups",
    "Capabilities": "capabilities",
    "Hosts": "os-hosts",
    "QuotaClasses": "os-quota-class-sets",
    "Quotas": "os-quota-sets",
    "Qos_specs_manage": "qos-specs",
    "Scheduler_stats": "scheduler-stats",
    "Services": "os-services",
    "SnapshotActions": "os-snapshot-actions",
    "TypesManage": "os-types-manage",
    "VolumeActions": "os-volume-actions",
    "VolumeTransfer": "os-volume-transfer",
    "VolumeTypeAccess": "os-volume-type-access",
    "VolumeTypeEncryption": "encryption",
}
"""Name and alias of what once were extensions and is part of v3 now."""


async def list_services(request: Request) -> Response:
    """The services; `host` and `binary` narrow them."""
    host, binary = request.query.one("host"), request.query.one("binary")
    shown = [
        _service_view(request, name, place)
        for name, place in SERVICES
        if binary in ("", name) and host in ("", place, place.partition("@")[0])
    ]
    return reply({"services": shown})


SERVICE_ACTIONS: Final = ("enable", "disable", "disable-log-reason", "freeze", "thaw", "failover_host", "failover")


async def update_service(request: Request) -> Response:
    """Enable, disable (with a reason), freeze, thaw or fail over a service."""
    action = request.path.rpartition("/")[2]
    wanted = request.json_object()
    host = text_of(wanted, "host", needed=True)
    if action in ("freeze", "thaw", "failover_host", "failover"):
        if host != BACKEND_HOST:
            raise Fault(400, f"Service cinder-volume could not be found on host {host}.")
        if action in ("failover_host", "failover"):
            raise Fault(400, "Invalid replication target: the backend has none.")
        await _write(request, "cinder-volume", host, frozen=action == "freeze")
        return reply(None, 200)
    binary = text_of(wanted, "binary") or text_of(wanted, "service")
    if (binary, host) not in SERVICES:
        raise Fault(404, f"Service {binary} could not be found on host {host}.")
    answer = {"host": host, "service": binary, "binary": binary, "disabled": action != "enable"}
    answer["status"] = "enabled" if action == "enable" else "disabled"
    if action == "enable":
        await _write(request, binary, host, disabled=False, disabled_reason="")
        return reply({**answer, "disabled_reason": None})
    if action == "disable":
        await _write(request, binary, host, disabled=True, disabled_reason="")
        return reply(answer)
    reason = text_of(wanted, "disabled_reason")
    if not reason:
        raise invalid("disabled_reason", wanted.get("disabled_reason"))
    await _write(request, binary, host, disabled=True, disabled_reason=reason)
    return reply({**answer, "disabled_reason": reason})


async def list_hosts(request: Request) -> Response:
    """The hosts of the services."""
    zone, now = request.cloud.settings.zones[0], _now(request)
    hosts = [
        {
            "host_name": host,
            "service": binary,
            "zone": zone,
            "service-status": "available",
            "service-state": "disabled" if _settings(request, binary, host).disabled else "enabled",
            "last-update": now,
        }
        for binary, host in SERVICES
    ]
    return reply({"hosts": hosts})


async def show_host(request: Request) -> Response:
    """How much of each project is on a host."""
    host = request.params["host"]
    if host not in (BACKEND_HOST, HOST):
        raise Fault(404, f"Host {host} could not be found.")
    mirror = request.cloud.mirror
    volumes = [entry.value for entry in mirror.all(VOLUME).values()]
    snapshots = [entry.value for entry in mirror.all(SNAPSHOT).values()]

    def resource(project: str, some: list[Any], more: list[Any]) -> dict[str, Any]:
        return {
            "resource": {
                "host": host,
                "project": project,
                "volume_count": str(len(some)),
                "total_volume_gb": str(sum(one.size_gb for one in some)),
                "snapshot_count": str(len(more)),
                "total_snapshot_gb": str(sum(one.size_gb for one in more)),
            }
        }

    projects = dict.fromkeys(one.project_id for one in (*volumes, *snapshots))
    by_project = [
        resource(
            project,
            [one for one in volumes if one.project_id == project],
            [one for one in snapshots if one.project_id == project],
        )
        for project in projects
    ]
    return reply({"host": [resource("(total)", volumes, snapshots), *by_project]})


async def list_pools(request: Request) -> Response:
    """The pools that volumes are placed in; with `detail`, what they can."""
    pool: dict[str, Any] = {"name": HOST}
    if request.query.flag("detail"):
        used = sum(entry.value.size_gb for entry in request.cloud.mirror.all(VOLUME).values())
        pool["capabilities"] = {
            **CAPABILITIES,
            "pool_name": BACKEND,
            "total_capacity_gb": CAPACITY_GB,
            "free_capacity_gb": max(0, CAPACITY_GB - used),
            "allocated_capacity_gb": used,
            "reserved_percentage": 0,
            "timestamp": _now(request),
        }
    wanted = request.query.one("name")
    return reply({"pools": [pool] if wanted in ("", HOST) else []})


async def show_capabilities(request: Request) -> Response:
    """What a backend can, for whoever makes types."""
    host = request.params["host"]
    if host.partition("#")[0] != BACKEND_HOST:
        raise Fault(404, f"Service cinder-volume could not be found on host {host}.")
    properties = {
        name: {"title": name.replace("_", " ").capitalize(), "description": f"Sets {name}.", "type": "boolean"}
        for name, value in CAPABILITIES.items()
        if isinstance(value, bool)
    }
    return reply(
        {
            "namespace": f"OS::Storage::Capabilities::{BACKEND_HOST}",
            "vendor_name": CAPABILITIES["vendor_name"],
            "volume_backend_name": CAPABILITIES["volume_backend_name"],
            "pool_name": None,
            "driver_version": CAPABILITIES["driver_version"],
            "storage_protocol": CAPABILITIES["storage_protocol"],
            "display_name": None,
            "description": None,
            "visibility": None,
            "replication_targets": [],
            "properties": properties,
        }
    )


async def list_zones(request: Request) -> Response:
    """The availability zones."""
    zones = [{"zoneName": name, "zoneState": {"available": True}} for name in request.cloud.settings.zones]
    return reply({"availabilityZoneInfo": zones})


async def list_extensions(request: Request) -> Response:
    """What once was an extension."""
    shown = [
        {"name": name, "alias": alias, "description": name, "updated": "2013-01-01T00:00:00+00:00", "links": []}
        for name, alias in EXTENSIONS.items()
    ]
    return reply({"extensions": shown})


def _service_view(request: Request, binary: str, host: str) -> dict[str, Any]:
    settings = _settings(request, binary, host)
    view: dict[str, Any] = {
        "binary": binary,
        "host": host,
        "zone": request.cloud.settings.zones[0],
        "status": "disabled" if settings.disabled else "enabled",
        "state": "up",
        "updated_at": _now(request),
        "disabled_reason": settings.disabled_reason or None,
    }
    if binary == "cinder-volume":
        view |= {"replication_status": "disabled", "active_backend_id": None, "frozen": settings.frozen}
    if request.microversion >= (3, 7):
        view["cluster"] = None
    if request.microversion >= (3, 49) and binary == "cinder-volume":
        view["backend_state"] = "up"
    return view


def _settings(request: Request, binary: str, host: str) -> VolumeHost:
    entry: Entry[VolumeHost] | None = request.cloud.mirror.get(VOLUME_HOST, f"{host}/{binary}")
    return VolumeHost() if entry is None else entry.value


async def _write(request: Request, binary: str, host: str, **changes: Any) -> None:
    key = f"{host}/{binary}"
    entry = request.cloud.mirror.get(VOLUME_HOST, key)
    settings = replace(_settings(request, binary, host), updated_us=request.cloud.now_us(), **changes)
    await request.cloud.mirror.commit([Put(VOLUME_HOST, settings, key, 0 if entry is None else entry.revision)])


def _now(request: Request) -> str:
    return timestamp_with_microseconds(request.cloud.now_us())
