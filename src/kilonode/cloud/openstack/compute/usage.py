"""What projects have used over a time: hours of servers, those that were deleted lately among them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.compute.model import DELETED_SERVER, SERVER, Server, servers_by_project
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply

DEFAULT_SPAN: Final = timedelta(weeks=4)
_MICROSECONDS_PER_HOUR: Final = 3_600_000_000


async def list_usages(request: Request) -> Response:
    """Every project that has servers."""
    span = _span(request)
    mirror = request.cloud.mirror
    gone = (entry.value.server.project_id for entry in mirror.all(DELETED_SERVER).values())
    projects = dict.fromkeys([*(entry.value.project_id for entry in mirror.all(SERVER).values()), *gone])
    detailed = request.query.flag("detailed")
    found = [_usage(request, project, span, detailed=detailed) for project in projects]
    return reply({"tenant_usages": found}, items=len(found))


async def show_usage(request: Request) -> Response:
    """One project."""
    project = request.params["project_id"]
    if not request.caller.may_see(project):
        raise Fault(403, "Policy doesn't allow os_compute_api:os-simple-tenant-usage:show to be performed.")
    span = _span(request)
    usage = _usage(request, project, span, detailed=True)
    return reply({"tenant_usage": usage if usage["server_usages"] else {}})


def _usage(request: Request, project: str, span: tuple[int, int], *, detailed: bool) -> dict[str, Any]:
    mirror = request.cloud.mirror
    table = mirror.all(SERVER)
    gone = [one.value for one in mirror.all(DELETED_SERVER).values() if one.value.server.project_id == project]
    lives = [(one.server, one.deleted_us) for one in gone if one.deleted_us > span[0]]
    lives += [(table[key].value, 0) for key in servers_by_project(mirror).keys(project)]
    rows = [_server(server, span, ended) for server, ended in lives if 0 < server.launched_us < span[1]]
    usage: dict[str, Any] = {
        "tenant_id": project,
        "start": timestamp_with_microseconds(span[0]),
        "stop": timestamp_with_microseconds(span[1]),
        "total_hours": sum(row["hours"] for row in rows),
        "total_vcpus_usage": sum(row["hours"] * row["vcpus"] for row in rows),
        "total_memory_mb_usage": sum(row["hours"] * row["memory_mb"] for row in rows),
        "total_local_gb_usage": sum(row["hours"] * row["local_gb"] for row in rows),
    }
    if detailed:
        usage["server_usages"] = rows
    return usage


def _server(server: Server, span: tuple[int, int], ended_us: int) -> dict[str, Any]:
    flavor = server.flavor
    end_us = min(ended_us, span[1]) if ended_us else span[1]
    return {
        "instance_id": server.id,
        "name": server.name,
        "tenant_id": server.project_id,
        "state": "terminated" if ended_us else server.state,
        "flavor": flavor.name,
        "vcpus": flavor.vcpus,
        "memory_mb": flavor.memory_mb,
        "local_gb": flavor.disk_gb + flavor.ephemeral_gb,
        "started_at": timestamp_with_microseconds(server.launched_us),
        "ended_at": timestamp_with_microseconds(ended_us) if ended_us else None,
        "uptime": (end_us - server.launched_us) // 1_000_000,
        "hours": (end_us - max(span[0], server.launched_us)) / _MICROSECONDS_PER_HOUR,
    }


def _span(request: Request) -> tuple[int, int]:
    """From when to when, at most until now. Raises Fault 400."""
    now = request.cloud.clock.utc()
    end = min(_instant(request.query.one("end"), now), now)
    start = _instant(request.query.one("start"), end - DEFAULT_SPAN)
    if start > end:
        raise Fault(400, "Invalid start time. The start time cannot occur after the end time.")
    return _us(start), _us(end)


def _instant(text: str, default: datetime) -> datetime:
    try:
        instant = datetime.fromisoformat(text) if text else default
    except ValueError as error:
        raise Fault(400, f"Datetime is in invalid format: {text}") from error
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def _us(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)
