"""What compute asks of the other services when a server comes, goes or moves: ports, volumes and images.

Each call gives changes for the caller's own commit, so a server never has half of what belongs to it. A refusal is a
Fault to whoever asked by request, and a `RefusedError` to the fleet, which has nobody to answer but the server's fault.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from kilonode.base.errors import KilonodeError
from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.openstack.compute.model import BlockDevice, Flavor, RequestedNetwork, Server, ServerFlavor
from kilonode.cloud.openstack.compute.server_images import discard
from kilonode.cloud.openstack.image.formats import boot_refusal
from kilonode.cloud.openstack.image.model import ACTIVE as IMAGE_ACTIVE
from kilonode.cloud.openstack.image.model import IMAGE, Image, is_visible
from kilonode.cloud.openstack.network import ports
from kilonode.cloud.openstack.network.model import BUILD, PORT, PORT_ERROR, SECURITY_GROUP, Port, SecurityGroup
from kilonode.cloud.openstack.network.topologies import topology_of
from kilonode.cloud.openstack.volume.attachments import attach_changes, detach_changes, find_free_volume
from kilonode.cloud.openstack.volume.model import (
    ATTACHING,
    DEFAULT_TYPE_NAME,
    SNAPSHOT,
    VOLUME,
    VOLUME_QUOTA,
    VOLUME_TYPE,
    Attachment,
    Volume,
)
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.web.access import Caller
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.mirror import Delete, Entry, Put

KINDS: Final = (*ports.KINDS, IMAGE, VOLUME, SNAPSHOT, VOLUME_TYPE, VOLUME_QUOTA)
"""What a role that calls these functions must mirror."""
GIBIBYTE: Final = 2**30
DEFAULT_GROUPS: Final = ("default",)
PLUGGED, PLUGGING, FAILED = "plugged", "plugging", "failed"


class RefusedError(KilonodeError):
    """Another service will not do what the server needs; the message is for the server's fault."""


def check_image(
    cloud: Cloud, caller: Caller, image_id: str, flavor: Flavor | ServerFlavor, *, boots_from_volume: bool = False
) -> None:
    """Refuse an image that is not there, not ready or too large for the flavor. Raises Fault 400."""
    entry = cloud.mirror.get(IMAGE, image_id)
    if entry is None or not is_visible(cloud.mirror, caller, entry.value):
        raise Fault(400, "Can not find requested image")
    image: Image = entry.value
    if image.status != IMAGE_ACTIVE:
        raise Fault(400, f"Image {image_id} is not active.")
    if flavor.memory_mb < image.min_ram_mb:
        raise Fault(400, "Flavor's memory is too small for requested image.")
    if boots_from_volume or not flavor.disk_gb:
        return  # a flavor without a disk takes what the image needs
    disk_bytes = flavor.disk_gb * GIBIBYTE
    if image.size_bytes is not None and disk_bytes < image.size_bytes:
        raise Fault(
            400,
            "Flavor's disk is too small for requested image. "
            f"Flavor disk is {disk_bytes} bytes, image is {image.size_bytes} bytes.",
        )
    if flavor.disk_gb < image.min_disk_gb:
        raise Fault(
            400,
            "Flavor's disk is smaller than the minimum size specified in image metadata. "
            f"Flavor disk is {disk_bytes} bytes, minimum size is {image.min_disk_gb * GIBIBYTE} bytes.",
        )


def resolve_networks(
    cloud: Cloud, caller: Caller, asked: tuple[RequestedNetwork, ...] | None
) -> tuple[RequestedNetwork, ...]:
    """The interfaces a server will have; None asked: one on the only network there is, or none. Raises Fault."""
    if asked is None:
        networks = ports.own_networks(cloud, caller.project_id)
        if len(networks) > 1:
            raise Fault(409, "Multiple possible networks found, use a Network ID to be more specific.")
        return tuple(RequestedNetwork(network_id=network_id) for network_id in networks)
    for one in asked:
        try:
            ports.check_interface(cloud, caller.project_id, _interface(one), is_admin=caller.is_admin)
        except Fault as fault:
            raise Fault(400 if fault.status == 404 else fault.status, fault.message) from fault
    return asked


def automatic_networks(cloud: Cloud, caller: Caller) -> tuple[tuple[RequestedNetwork, ...], Changes]:
    """The interface of a server that wants one and names none, and the changes that make its network. Raises Fault.

    A project that can have no network but its own gets one, once (`network.topologies`).
    """
    found = resolve_networks(cloud, caller, None)
    if found:
        return found, ()
    try:
        network_id, changes = topology_of(cloud, caller.project_id)
    except Fault as fault:
        words = f"Unable to automatically allocate a network for project {caller.project_id}"
        raise Fault(400, words) from fault
    return (RequestedNetwork(network_id=network_id),), changes


def check_devices(cloud: Cloud, caller: Caller, devices: Sequence[BlockDevice], flavor: Flavor) -> None:
    """Refuse volumes, and images to make volumes of, that are not there or not ready. Raises Fault 400."""
    for device in devices:
        if device.source == "image":
            check_image(cloud, caller, device.source_id, flavor, boots_from_volume=True)
        if device.volume_id:
            try:
                volume = find_free_volume(cloud, caller.project_id, device.volume_id).value
                if device.boot_index == 0 and not volume.bootable:
                    raise Fault(400, f"Block Device Mapping is Invalid: Volume {volume.id} is not bootable.")
            except Fault as fault:
                words = f"Block Device Mapping is Invalid: failed to get volume {device.volume_id}."
                raise Fault(400, words if fault.status == 404 else fault.message) from fault


def check_security_groups(cloud: Cloud, caller: Caller, names: Sequence[str]) -> None:
    """Refuse security groups that the project does not have. Raises Fault 400."""
    if tuple(names) != DEFAULT_GROUPS:
        ports.group_ids(cloud, caller.project_id, names)


def free_volume(cloud: Cloud, caller: Caller, server: Server, volume_id: str) -> Entry[Volume]:
    """A volume that a server can take: one of its project, or any for an administrator. Raises Fault 400 or 404."""
    entry = cloud.mirror.get(VOLUME, volume_id)
    owner = entry.value.project_id if entry is not None and caller.is_admin else server.project_id
    return find_free_volume(cloud, owner, volume_id)


def check_bootable(cloud: Cloud, server: Server) -> None:
    """Refuse an image whose data is not what it is said to be, as a node finds when it has it. Raises RefusedError."""
    entry = cloud.mirror.get(IMAGE, server.image_id) if server.image_id else None
    refusal = entry is not None and boot_refusal(entry.value.disk_format, entry.value.found_format, entry.value.unsafe)
    if refusal:
        raise RefusedError(f"Image {server.image_id} is unacceptable: {refusal}")


def plug(cloud: Cloud, server: Server) -> Changes:
    """Give the server the ports it asked for, on its node. Raises RefusedError."""
    if not server.networks:
        return ()
    try:
        return plug_interfaces(cloud, server, server.networks)
    except Fault as fault:
        raise RefusedError(fault.message) from fault


def plug_interfaces(cloud: Cloud, server: Server, networks: Sequence[RequestedNetwork], turn: int = 0) -> Changes:
    """Give the server some more ports; it has `turn` already. Raises Fault."""
    groups = () if server.security_groups == DEFAULT_GROUPS else server.security_groups
    wanted = [_interface(one) for one in networks]
    return ports.ports_for_server(
        cloud, server.project_id, wanted, server.id, server.node, zone=server.zone or "nova", security_groups=groups,
        turn=turn,
    )  # fmt: skip


def release(cloud: Cloud, server: Server) -> Changes:
    """Let go of the server's ports, volumes, and of the image it was shelved as."""
    changes: list[Put | Delete] = [*ports.release_ports(cloud, server.id), *discard(cloud, server.shelved_image_id)]
    for device in server.devices:
        if device.volume_id:
            changes += detach_changes(cloud, device.volume_id, server.id, delete=device.delete_on_termination)
    return changes


def root_image(cloud: Cloud, server: Server) -> str:
    """The image that the server's root volume was made of; empty when it was made of none."""
    for device in server.devices:
        if device.boot_index == 0:
            volume = cloud.mirror.get(VOLUME, device.volume_id)
            return volume.value.image_id if volume is not None else ""
    return ""


def plugging(cloud: Cloud, server: Server, changes: Changes) -> str:
    """How far the server's ports are: PLUGGED, PLUGGING while one is being plugged, FAILED when one will not be.

    `changes`: what is about to be written, perhaps with the ports.
    """
    statuses = {port.status for port in ports.server_ports(cloud, server.id)}
    written = [change.value for change in changes if isinstance(change, Put)]
    statuses |= {port.status for port in written if isinstance(port, Port)}
    return FAILED if PORT_ERROR in statuses else PLUGGING if BUILD in statuses else PLUGGED


def rebind(cloud: Cloud, server: Server, node: str) -> Changes:
    """Have the server's ports on another node."""
    return ports.rebind_ports(cloud, server.id, node)


def attach_all(cloud: Cloud, server: Server) -> tuple[Changes, tuple[BlockDevice, ...]]:
    """Attach the volumes of a new server, making those that have yet to be made. Raises RefusedError."""
    if not server.devices:
        return (), ()
    changes: list[Put | Delete] = []
    devices = []
    for device in server.devices:
        attached = replace(device, attachment_id=cloud.new_id())
        try:
            if device.volume_id:
                volume = find_free_volume(cloud, server.project_id, device.volume_id)
                changes += attach_changes(cloud, volume, server.id, server.node, device.device, attached.attachment_id)
            else:
                made = _new_volume(cloud, server, attached)
                attached = replace(attached, volume_id=made.id)
                changes.append(Put(VOLUME, made, made.id, 0))
        except Fault as fault:
            raise RefusedError(fault.message) from fault
        devices.append(attached)
    return changes, tuple(devices)


def addresses(cloud: Cloud, server: Server) -> dict[str, list[dict[str, Any]]]:
    """The server's addresses by network name, as Nova shows them."""
    if not server.networks:
        return {}
    networks: dict[str, list[dict[str, Any]]] = {}
    for address in ports.addresses(cloud, server.id):
        networks.setdefault(address.network_name, []).append(
            {
                "addr": address.address,
                "version": address.version,
                "OS-EXT-IPS:type": address.type,
                "OS-EXT-IPS-MAC:mac_addr": address.mac,
            }
        )
    return networks


def security_groups(cloud: Cloud, server: Server) -> list[SecurityGroup]:
    """The security groups that the server's ports have, each once."""
    keys = dict.fromkeys(key for port in ports.server_ports(cloud, server.id) for key in port.security_groups)
    entries = [cloud.mirror.get(SECURITY_GROUP, key) for key in keys]
    return [entry.value for entry in entries if entry is not None]


def change_security_groups(cloud: Cloud, server: Server, names: Sequence[str]) -> Changes:
    """Give all ports of the server these groups. Raises Fault 400."""
    groups = ports.group_ids(cloud, server.project_id, names)
    table = cloud.mirror.all(PORT)
    return [
        Put(PORT, replace(port, security_groups=groups, version=port.version + 1), port.id, table[port.id].revision)
        for port in ports.server_ports(cloud, server.id)
    ]


def _interface(wanted: RequestedNetwork) -> ports.WantedInterface:
    return ports.WantedInterface(wanted.network_id, wanted.port_id, wanted.fixed_ip)


def _new_volume(cloud: Cloud, server: Server, device: BlockDevice) -> Volume:
    """The volume that a block device is to be made of: an image's, a snapshot's, or a blank one."""
    size_gb = device.size_gb or server.flavor.disk_gb or 1
    snapshot = cloud.mirror.get(SNAPSHOT, device.source_id) if device.source == "snapshot" else None
    if snapshot is not None:
        size_gb = max(device.size_gb, snapshot.value.size_gb)
    check_room(cloud, server.project_id, "volumes", size_gb)
    types = cloud.mirror.all(VOLUME_TYPE)
    default = [key for key, entry in types.items() if entry.value.name == DEFAULT_TYPE_NAME]
    now_us = cloud.now_us()
    return Volume(
        id=cloud.new_id(),
        project_id=server.project_id,
        user_id=server.user_id,
        size_gb=size_gb,
        status=ATTACHING,
        status_since_us=now_us,
        created_us=now_us,
        type_id=next(iter(default or types), ""),
        attachments=(Attachment(device.attachment_id, server.id, device.device, server.node, now_us),),
        image_id=device.source_id if device.source == "image" else "",
        bootable=device.source == "image" or device.boot_index == 0,
        snapshot_id=device.source_id if device.source == "snapshot" else "",
    )
