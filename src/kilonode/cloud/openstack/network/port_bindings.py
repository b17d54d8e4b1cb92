"""`/ports/{id}/bindings`: to which nodes a port is bound. One binding is active; others wait for a migration.

The active one is to the port's own node; those that wait are in its document too. For administrators, as Nova is one.
"""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.network.bodies import bad, body_of, item_of, read
from kilonode.cloud.openstack.network.collection import touched
from kilonode.cloud.openstack.network.model import COMPUTE_OWNER, PORT, Port, WaitingBinding
from kilonode.cloud.openstack.network.plugging import bound_to
from kilonode.cloud.openstack.network.port_fields import VIF_DETAILS
from kilonode.cloud.openstack.network.port_routes import PORTS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Entry, Put

WAITING_LIMIT: Final = 100
"""Of one port: its document is written whole."""


class WantedBinding(msgspec.Struct, frozen=True):
    """The `binding` of a create request."""

    host: str
    vnic_type: str = "normal"
    profile: dict[str, Any] | None = None


async def list_bindings(request: Request) -> Response:
    """`GET …/bindings`, the active one first; `host`, `status`, `vif_type` and `vnic_type` filter."""
    port = _find(request).value
    shown = _all(port)
    for name in ("host", "status", "vif_type", "vnic_type"):
        if name in request.query:
            shown = [one for one in shown if one[name] in request.query.all(name)]
    return reply({"bindings": shown}, items=len(shown))


async def show_binding(request: Request) -> Response:
    """`GET …/bindings/{host}`."""
    port, host = _find(request).value, request.params["host"]
    return reply({"binding": _shown(port, host)})


async def create_binding(request: Request) -> Response:
    """`POST …/bindings`: active where the port is bound to no node, else waiting."""
    entry = _find(request)
    port = entry.value
    wanted = read(item_of(body_of(request, "binding"), "binding"), WantedBinding, "binding", making=True)
    if not wanted.host:
        raise bad("Invalid input for host. Reason: it names no node.")
    if wanted.host in (port.host, *(one.host for one in port.waiting_bindings)):
        words = f"Binding for port {port.id} on host {wanted.host} already exists."
        raise Fault(409, words, type="PortBindingAlreadyExists")
    if len(port.waiting_bindings) >= WAITING_LIMIT:
        raise bad(f"A port has at most {WAITING_LIMIT} bindings that wait.")
    profile = wanted.profile or {}
    if port.host:
        waiting = WaitingBinding(wanted.host, wanted.vnic_type, profile)
        changed = replace(port, waiting_bindings=(*port.waiting_bindings, waiting))
    else:
        bound = replace(port, vnic_type=wanted.vnic_type, profile=profile)
        changed = bound_to(request.cloud, bound, wanted.host)
    changed = await _write(request, entry, changed)
    return reply({"binding": _shown(changed, wanted.host)}, 201)


async def activate_binding(request: Request) -> Response:
    """`PUT …/bindings/{host}/activate`: the port is on that node now, and the binding to its old one waits, unbound."""
    entry, host = _find(request), request.params["host"]
    port = entry.value
    if host == port.host:
        words = f"Binding for port {port.id} on host {host} is already active."
        raise Fault(409, words, type="PortBindingAlreadyActive")
    taken = next((one for one in port.waiting_bindings if one.host == host), None)
    if taken is None:
        raise _missing(port, host)
    left = tuple(one for one in port.waiting_bindings if one.host != host)
    if port.host:
        left = (*left, WaitingBinding(port.host, port.vnic_type, port.profile, bound=False))
    moved = replace(port, vnic_type=taken.vnic_type, profile=taken.profile, waiting_bindings=left)
    changed = await _write(request, entry, bound_to(request.cloud, moved, host))
    return reply({"binding": _shown(changed, host)})


async def delete_binding(request: Request) -> Response:
    """`DELETE …/bindings/{host}`; without its active one a port is bound to no node."""
    entry, host = _find(request), request.params["host"]
    port = entry.value
    _shown(port, host)
    if host == port.host:
        changed = bound_to(request.cloud, port, "")
    else:
        changed = replace(port, waiting_bindings=tuple(one for one in port.waiting_bindings if one.host != host))
    await _write(request, entry, changed)
    return reply(None, 204)


def _find(request: Request) -> Entry[Port]:
    """The port, if it may have several bindings: a server's. Raises Fault 404 or 400."""
    entry = PORTS.find(request, request.params["id"])
    if not entry.value.device_owner.startswith(COMPUTE_OWNER):
        words = f"Invalid port {entry.value.id}. Operation only valid on compute and shared filesystem ports"
        raise Fault(400, f"Bad port request: {words}.", type="BadRequest")
    return entry


async def _write(request: Request, entry: Entry[Port], changed: Port) -> Port:
    changed = touched(request.cloud, changed)
    await request.cloud.mirror.commit([Put(PORT, changed, changed.id, entry.revision)])
    return changed


def _all(port: Port) -> list[dict[str, Any]]:
    active = [_view(port.host, port.vnic_type, port.profile, "ACTIVE", bound=True)] if port.host else []
    waiting = (
        _view(one.host, one.vnic_type, one.profile, "INACTIVE", bound=one.bound) for one in port.waiting_bindings
    )
    return [*active, *waiting]


def _shown(port: Port, host: str) -> dict[str, Any]:
    """The binding to a node as it is shown. Raises Fault 404."""
    found = next((one for one in _all(port) if one["host"] == host), None)
    if found is None:
        raise _missing(port, host)
    return found


def _view(host: str, vnic_type: str, profile: dict[str, Any], status: str, *, bound: bool) -> dict[str, Any]:
    return {
        "host": host,
        "vif_type": "ovs" if bound else "unbound",
        "vif_details": VIF_DETAILS if bound else {},
        "vnic_type": vnic_type,
        "profile": profile,
        "status": status,
    }


def _missing(port: Port, host: str) -> Fault:
    words = f"Binding for port {port.id} for host {host} could not be found."
    return Fault(404, words, type="PortBindingNotFound")


ROUTES: Final = (
    Route("GET", "/ports/{id}/bindings", list_bindings, Access.ADMIN),
    Route("POST", "/ports/{id}/bindings", create_binding, Access.ADMIN),
    Route("GET", "/ports/{id}/bindings/{host}", show_binding, Access.ADMIN),
    Route("DELETE", "/ports/{id}/bindings/{host}", delete_binding, Access.ADMIN),
    Route("PUT", "/ports/{id}/bindings/{host}/activate", activate_binding, Access.ADMIN),
)
