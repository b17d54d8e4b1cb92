"""Volumes and network interfaces of a server that runs: list, add, take away."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from kilonode.cloud.openstack.compute import neighbours
from kilonode.cloud.openstack.compute.acting import check_state
from kilonode.cloud.openstack.compute.bodies import is_uuid
from kilonode.cloud.openstack.compute.lookup import find_server
from kilonode.cloud.openstack.compute.model import SERVER, BlockDevice, RequestedNetwork, Server
from kilonode.cloud.openstack.compute.requests import Flag, is_true
from kilonode.cloud.openstack.compute.servers import instant_action, new_action
from kilonode.cloud.openstack.compute.states import ACTIVE, PAUSED, RESIZED, SHELVED, SHELVED_OFFLOADED, STOPPED
from kilonode.cloud.openstack.network.model import PORT, Port
from kilonode.cloud.openstack.network.ports import release_port, server_ports
from kilonode.cloud.openstack.volume.attachments import attach_changes, detach_changes
from kilonode.cloud.openstack.volume.model import AVAILABLE, VOLUME
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put

SILENT_SINCE: Final = (2, 101)
"""Since then the answer to an attachment says nothing."""
DEVICES_LIMIT: Final = 25
_LETTERS: Final = "bcdefghijklmnopqrstuvwxyz"
_VOLUME_STATES: Final = frozenset({ACTIVE, PAUSED, STOPPED, RESIZED, SHELVED, SHELVED_OFFLOADED})
_SWAP_STATES: Final = frozenset({ACTIVE, PAUSED, RESIZED})
_INTERFACE_STATES: Final = frozenset({ACTIVE, PAUSED, STOPPED})
CHANGED_SINCE: Final = (2, 85)


class WantedAttachment(msgspec.Struct, frozen=True):
    """The `volumeAttachment` of a request."""

    volume_id: str | UnsetType = msgspec.field(name="volumeId", default=UNSET)
    device: str | None = None
    tag: str | None = None
    delete_on_termination: Flag | UnsetType = UNSET


class WriteAttachment(msgspec.Struct, frozen=True):
    """The body of a request about a volume attachment."""

    volume_attachment: WantedAttachment = msgspec.field(name="volumeAttachment")


class WantedAddress(msgspec.Struct, frozen=True):
    """One of the `fixed_ips` of an interface asked for."""

    ip_address: str


class WantedInterface(msgspec.Struct, frozen=True):
    """The `interfaceAttachment` of a request."""

    port_id: str | None = None
    net_id: str | None = None
    fixed_ips: list[WantedAddress] = []
    tag: str | None = None


class AttachInterface(msgspec.Struct, frozen=True):
    """The body of `POST /servers/{server_id}/os-interface`."""

    interface: WantedInterface = msgspec.field(name="interfaceAttachment", default=WantedInterface())


async def list_volume_attachments(request: Request) -> Response:
    """The volumes of a server."""
    server = find_server(request).value
    offset, limit = request.query.integer("offset", 0) or 0, request.query.integer("limit")
    devices = server.devices[offset : offset + limit if limit else None]
    found = [_volume_view(request, server, device) for device in devices if device.volume_id]
    return reply({"volumeAttachments": found}, items=len(found))


async def show_volume_attachment(request: Request) -> Response:
    """One volume of a server."""
    server = find_server(request).value
    return reply({"volumeAttachment": _volume_view(request, server, _device(request, server))})


async def attach_volume(request: Request) -> Response:
    """Give a server a volume."""
    entry = find_server(request)
    server, cloud = entry.value, request.cloud
    check_state(request, server, "attach_volume", _VOLUME_STATES)
    wanted = request.json(WriteAttachment).volume_attachment
    if wanted.volume_id is UNSET:
        raise Fault(400, "Invalid input for field/attribute volumeAttachment. 'volumeId' is a required property")
    if any(device.volume_id == wanted.volume_id for device in server.devices):
        raise Fault(400, f"Invalid volume: volume {wanted.volume_id} is already attached to instance {server.id}")
    volume = neighbours.free_volume(cloud, request.caller, server, wanted.volume_id)
    device = BlockDevice(
        volume_id=wanted.volume_id,
        device=wanted.device or _free_device(server),
        tag=wanted.tag or "",
        delete_on_termination=wanted.delete_on_termination is not UNSET and is_true(wanted.delete_on_termination),
        attachment_id=cloud.new_id(),
        mapping_id=cloud.new_id(),
    )
    changes = attach_changes(cloud, volume, server.id, server.node, device.device, device.attachment_id)
    grown = replace(instant_action(server, new_action(request, "attach_volume")), devices=(*server.devices, device))
    await cloud.mirror.commit([*changes, Put(SERVER, grown, server.id, entry.revision)])
    if request.microversion >= SILENT_SINCE:
        return reply(None, 202)
    return reply({"volumeAttachment": _volume_view(request, server, device)})


async def update_volume_attachment(request: Request) -> Response:
    """Put another volume in the place of one, or (from 2.85) say whether a volume goes with its server."""
    entry = find_server(request)
    wanted = request.json(WriteAttachment).volume_attachment
    if wanted.volume_id is UNSET:
        raise Fault(400, "Invalid input for field/attribute volumeAttachment. 'volumeId' is a required property")
    if request.microversion < CHANGED_SINCE or wanted.volume_id != request.params["volume_id"]:
        return await _swap(request, entry, wanted.volume_id)
    device = _device(request, entry.value)
    if wanted.delete_on_termination is not UNSET:
        changed = replace(device, delete_on_termination=is_true(wanted.delete_on_termination))
        devices = tuple(changed if one is device else one for one in entry.value.devices)
        server = replace(entry.value, devices=devices)
        await request.cloud.mirror.commit([Put(SERVER, server, server.id, entry.revision)])
    return reply(None, 202)


async def _swap(request: Request, entry: Entry[Server], volume_id: str) -> Response:
    """Another volume takes the place of one, which is free again."""
    if not request.caller.is_admin:
        raise Fault(403, "Policy doesn't allow os_compute_api:os-volumes-attachments:swap to be performed.")
    server, cloud = entry.value, request.cloud
    if not is_uuid(volume_id):
        raise Fault(400, f"Invalid input for field/attribute volumeId. Value: {volume_id}. It is not a 'uuid'")
    old = cloud.mirror.get(VOLUME, request.params["volume_id"])
    if old is None:
        raise Fault(404, f"Volume {request.params['volume_id']} could not be found.")
    new = cloud.mirror.get(VOLUME, volume_id)
    if new is None:
        # Nova calls a new volume that is not there a bad request, an old one not found.
        raise Fault(400, f"Volume {volume_id} could not be found.")
    device = _device(request, server)
    check_state(request, server, "swap_volume", _SWAP_STATES)
    if new.value.status != AVAILABLE:
        raise Fault(400, f"Invalid volume: volume {volume_id} status must be 'available'.")
    if new.value.size_gb < old.value.size_gb:
        raise Fault(400, "Invalid volume: New volume must be at least as large as the current volume.")
    swapped = replace(device, volume_id=volume_id, attachment_id=cloud.new_id())
    devices = tuple(swapped if one is device else one for one in server.devices)
    changes = [
        *detach_changes(cloud, device.volume_id, server.id),
        *attach_changes(cloud, new, server.id, server.node, device.device, swapped.attachment_id),
    ]
    after = replace(instant_action(server, new_action(request, "swap_volume")), devices=devices)
    await cloud.mirror.commit([*changes, Put(SERVER, after, server.id, entry.revision)])
    return reply(None, 202)


async def detach_volume(request: Request) -> Response:
    """Take a volume from a server."""
    entry = find_server(request)
    server = entry.value
    check_state(request, server, "detach_volume", _VOLUME_STATES)
    device = _device(request, server)
    if device.boot_index == 0:
        raise Fault(403, "Cannot detach a root device volume")
    devices = tuple(one for one in server.devices if one is not device)
    shrunk = replace(instant_action(server, new_action(request, "detach_volume")), devices=devices)
    changes = detach_changes(request.cloud, device.volume_id, server.id)
    await request.cloud.mirror.commit([*changes, Put(SERVER, shrunk, server.id, entry.revision)])
    return reply(None, 202)


async def list_interfaces(request: Request) -> Response:
    """The network interfaces of a server."""
    found = [_interface_view(request, port) for port in server_ports(request.cloud, find_server(request).value.id)]
    return reply({"interfaceAttachments": found}, items=len(found))


async def show_interface(request: Request) -> Response:
    """One network interface of a server."""
    return reply({"interfaceAttachment": _interface_view(request, _port(request, find_server(request)))})


async def attach_interface(request: Request) -> Response:
    """Give a server one more network interface."""
    entry = find_server(request)
    server, cloud = entry.value, request.cloud
    check_state(request, server, "attach_interface", _INTERFACE_STATES)
    wanted = request.json(AttachInterface).interface if request.body else WantedInterface()
    if wanted.port_id and wanted.net_id:
        raise Fault(400, "Must not input both network_id and port_id")
    asked: tuple[RequestedNetwork, ...] | None = None
    if wanted.port_id or wanted.net_id:
        address = wanted.fixed_ips[0].ip_address if wanted.fixed_ips else ""
        asked = (RequestedNetwork(wanted.net_id or "", wanted.port_id or "", address, wanted.tag or ""),)
    networks = neighbours.resolve_networks(cloud, request.caller, asked)
    if not networks:
        raise Fault(400, "No available networks to attach an interface to.")
    before = {port.id for port in server_ports(cloud, server.id)}
    changes = neighbours.plug_interfaces(cloud, server, networks, turn=len(before))
    grown = replace(
        instant_action(server, new_action(request, "attach_interface")), networks=(*server.networks, *networks)
    )
    await cloud.mirror.commit([*changes, Put(SERVER, grown, server.id, entry.revision)])
    added = [port for port in server_ports(cloud, server.id) if port.id not in before]
    return reply({"interfaceAttachment": _interface_view(request, added[0])})


async def detach_interface(request: Request) -> Response:
    """Take a network interface from a server."""
    entry = find_server(request)
    check_state(request, entry.value, "detach_interface", _INTERFACE_STATES)
    port = _port(request, entry)
    server = instant_action(entry.value, new_action(request, "detach_interface"))
    changes = release_port(request.cloud, port)
    await request.cloud.mirror.commit([*changes, Put(SERVER, server, server.id, entry.revision)])
    return reply(None, 202)


def _free_device(server: Server) -> str:
    taken = {device.device for device in server.devices}
    for letter in _LETTERS:
        if f"/dev/vd{letter}" not in taken:
            return f"/dev/vd{letter}"
    raise Fault(403, f"Maximum number of devices exceeded: {DEVICES_LIMIT}.")


def _device(request: Request, server: Server) -> BlockDevice:
    volume_id = request.params["volume_id"]
    for device in server.devices:
        if device.volume_id == volume_id:
            return device
    raise Fault(404, f"Instance {server.id} is not attached to volume {volume_id}")


def _volume_view(request: Request, server: Server, device: BlockDevice) -> dict[str, Any]:
    version = request.microversion
    view: dict[str, Any] = {"serverId": server.id, "volumeId": device.volume_id, "device": device.device}
    if version < (2, 89):
        view["id"] = device.volume_id
    else:
        view |= {"attachment_id": device.attachment_id, "bdm_uuid": device.mapping_id}
    if version >= (2, 70):
        view["tag"] = device.tag or None
    if version >= (2, 79):
        view["delete_on_termination"] = device.delete_on_termination
    return view


def _port(request: Request, entry: Entry[Server]) -> Port:
    port_id = request.params["port_id"]
    found = request.cloud.mirror.get(PORT, port_id)
    if found is None or found.value.device_id != entry.value.id:
        raise Fault(404, f"Instance {entry.value.id} does not have a port with id {port_id}")
    port: Port = found.value
    return port


def _interface_view(request: Request, port: Port) -> dict[str, Any]:
    view: dict[str, Any] = {
        "port_id": port.id,
        "port_state": port.status,
        "net_id": port.network_id,
        "mac_addr": port.mac_address,
        "fixed_ips": [{"subnet_id": one.subnet_id, "ip_address": one.ip_address} for one in port.fixed_ips],
    }
    if request.microversion >= (2, 70):
        view["tag"] = None
    return view
