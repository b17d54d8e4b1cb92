"""What a server looks like from its node: diagnostics, topology, its password, and events that others report of it.

An emulated server does nothing, so its counters stand at zero; what follows from its document is real.
"""

from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.compute.lookup import find_server
from kilonode.cloud.openstack.compute.model import SERVER, Server
from kilonode.cloud.openstack.compute.states import PAUSED, STOPPED, SUSPENDED
from kilonode.cloud.openstack.network.ports import server_ports
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply

_RUN_STATES: Final = {PAUSED: "paused", STOPPED: "shutdown", SUSPENDED: "suspended"}
_EVENTS: Final = {
    "network-vif-plugged": (2, 1),
    "network-vif-unplugged": (2, 1),
    "network-vif-deleted": (2, 1),
    "network-changed": (2, 1),
    "volume-extended": (2, 51),
    "power-update": (2, 76),
    "accelerator-request-bound": (2, 82),
    "volume-reimaged": (2, 93),
}
"""The events, each with the microversion that brought it."""
_TAGGED: Final = frozenset({"volume-extended", "power-update", "accelerator-request-bound", "volume-reimaged"})
_EVENT_STATUSES: Final = ("failed", "completed", "in-progress")


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One reported event."""

    name: str
    server_uuid: str
    status: str = "completed"
    tag: str | None = None


class ReportEvents(msgspec.Struct, frozen=True):
    """The body of `POST /os-server-external-events`."""

    events: list[Event]


async def show_diagnostics(request: Request) -> Response:
    """What the node measures of a server."""
    server = find_server(request).value
    if not server.node:
        raise Fault(409, f"Instance {server.id} is not ready")
    ports = server_ports(request.cloud, server.id)
    disks = len(server.devices) + (1 if server.image_id else 0)
    if request.microversion < (2, 48):
        return reply(_older_diagnostics(server, len(ports), disks))
    counters = ("octets", "errors", "drop", "packets")
    return reply(
        {
            "state": _RUN_STATES.get(server.state, "running"),
            "driver": "libvirt",
            "hypervisor": "kvm",
            "hypervisor_os": "linux",
            "uptime": _uptime_s(request, server),
            "config_drive": server.config_drive,
            "num_cpus": server.flavor.vcpus,
            "num_nics": len(ports),
            "num_disks": disks,
            "memory_details": {"maximum": server.flavor.memory_mb, "used": 0},
            "cpu_details": [{"id": number, "time": 0, "utilisation": None} for number in range(server.flavor.vcpus)],
            "nic_details": [
                {
                    "mac_address": port.mac_address,
                    "rx_rate": None,
                    "tx_rate": None,
                    **{f"{way}_{what}": 0 for way in ("rx", "tx") for what in counters},
                }
                for port in ports
            ],
            "disk_details": [
                {"read_bytes": 0, "read_requests": 0, "write_bytes": 0, "write_requests": 0, "errors_count": 0}
                for _ in range(disks)
            ],
        }
    )


async def show_topology(request: Request) -> Response:
    """The NUMA nodes of a server: one, unless its flavor says otherwise nothing is pinned."""
    server = find_server(request).value
    node: dict[str, Any] = {
        "memory_mb": server.flavor.memory_mb,
        "siblings": [],
        "vcpu_set": list(range(server.flavor.vcpus)),
    }
    if request.caller.is_admin:
        node |= {"host_node": 0, "cpu_pinning": {}}
    return reply({"nodes": [node], "pagesize_kb": None})


async def show_password(request: Request) -> Response:
    """The encrypted password that a guest has posted: no guest runs, so none."""
    find_server(request)
    return reply({"password": ""})


async def clear_password(request: Request) -> Response:
    """Forget the password."""
    find_server(request)
    return reply(None, 204)


async def report_events(request: Request) -> Response:
    """Events that the network and volume services report; each is answered by itself."""
    events = request.json(ReportEvents).events
    if not events:
        raise Fault(400, "Invalid input for field/attribute events. Value: []. There is at least one.")
    for event in events:
        if request.microversion < _EVENTS.get(event.name, (9, 9)):
            raise Fault(400, f"Invalid input for field/attribute name. Value: {event.name}.")
        if event.status not in _EVENT_STATUSES:
            raise Fault(400, f"Invalid input for field/attribute status. Value: {event.status}.")
    answers = [_answer(request, event) for event in events]
    status = 200 if all(answer["code"] == 200 for answer in answers) else 207
    return reply({"events": answers}, status)


def _answer(request: Request, event: Event) -> dict[str, Any]:
    entry = request.cloud.mirror.get(SERVER, event.server_uuid)
    if entry is None:
        code = 404
    elif event.name in _TAGGED and event.tag is None:
        code = 400
    else:
        code = 200 if entry.value.node else 422
    view: dict[str, Any] = {"name": event.name, "server_uuid": event.server_uuid, "code": code}
    if event.tag is not None:
        view["tag"] = event.tag
    return {**view, "status": event.status if code == 200 else "failed"}


def _older_diagnostics(server: Server, nics: int, disks: int) -> dict[str, int]:
    view = {f"cpu{number}_time": 0 for number in range(server.flavor.vcpus)}
    view |= {"memory": server.flavor.memory_mb * 1024, "memory-actual": server.flavor.memory_mb * 1024}
    for number in range(disks):
        disk = f"vd{chr(ord('a') + number)}"
        view |= {f"{disk}_{what}": 0 for what in ("read", "read_req", "write", "write_req")} | {f"{disk}_errors": -1}
    for number in range(nics):
        view |= {f"tap{number}_{way}{what}": 0 for way in ("rx", "tx") for what in ("", "_packets", "_errors", "_drop")}
    return view


def _uptime_s(request: Request, server: Server) -> int:
    return max(0, request.cloud.now_us() - server.launched_us) // 1_000_000 if server.launched_us else 0


async def list_shares(request: Request) -> Response:
    """The shares of a server: this cloud has no service for shares, so none."""
    find_server(request)
    return reply({"shares": []})


async def attach_share(request: Request) -> Response:
    """There is no share to attach."""
    find_server(request)
    raise Fault(404, "Share could not be found: this cloud has no service for shares.")
