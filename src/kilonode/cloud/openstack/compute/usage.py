"""What projects have used over a time: hours of servers. A server that is gone is forgotten: only living ones count."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.compute.model import SERVER, Server, servers_by_project
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply

DEFAULT_SPAN: Final = timedelta(weeks=4)
_MICROSECONDS_PER_HOUR: Final = 3_600_000_000


async def list_usages(request: Request) -> Response:
    """Every project that has servers."""
    span = _span(request)
    projects = dict.fromkeys(entry.value.project_id for entry in request.cloud.mirror.all(SERVER).values())
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
    table = request.cloud.mirror.all(SERVER)
    servers = [table[key].value for key in servers_by_project(request.cloud.mirror).keys(project)]
    rows = [_server(server, span) for server in servers if server.launched_us and server.launched_us < span[1]]
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


def _server(server: Server, span: tuple[int, int]) -> dict[str, Any]:
    flavor = server.flavor
    return {
        "instance_id": server.id,
        "name": server.name,
        "tenant_id": server.project_id,
        "state": server.state,
        "flavor": flavor.name,
        "vcpus": flavor.vcpus,
        "memory_mb": flavor.memory_mb,
        "local_gb": flavor.disk_gb + flavor.ephemeral_gb,
        "started_at": timestamp_with_microseconds(server.launched_us),
        "ended_at": None,
        "uptime": (span[1] - server.launched_us) // 1_000_000,
        "hours": (span[1] - max(span[0], server.launched_us)) / _MICROSECONDS_PER_HOUR,
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
