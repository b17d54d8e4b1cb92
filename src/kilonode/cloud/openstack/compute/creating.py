"""`POST /servers`: what is asked for becomes server documents, after the checks that Nova makes before it accepts."""

import base64
import re
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from kilonode.cloud.context import Changes
from kilonode.cloud.openstack.compute import neighbours
from kilonode.cloud.openstack.compute.bodies import access_address, check_files, check_metadata, disk_config
from kilonode.cloud.openstack.compute.lookup import check_zone, find_flavor
from kilonode.cloud.openstack.compute.model import (
    KEYPAIR,
    SERVER,
    SERVER_GROUP,
    BlockDevice,
    RequestedNetwork,
    Server,
    ServerAction,
    ServerFlavor,
    keypair_key,
    servers_by_group,
)
from kilonode.cloud.openstack.compute.paging import PREFIX, resource_links
from kilonode.cloud.openstack.compute.quotas import ProjectUse, Use, limits_of
from kilonode.cloud.openstack.compute.requests import Count, CreateServer, WantedBlockDevice, WantedServer, is_true
from kilonode.cloud.openstack.compute.states import BUILDING, SCHEDULING
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.resources import NODE
from kilonode.control.mirror import Put

NETWORKS_REQUIRED_SINCE: Final = (2, 37)
_HOSTNAME: Final = re.compile(r"[a-zA-Z0-9-._]*")
_SOURCES: Final = ("volume", "image", "snapshot", "blank", None)
_DESTINATIONS: Final = ("local", "volume", None)
SERVERS_AT_ONCE_LIMIT: Final = 10_000
DEFAULT_GROUP: Final = "default"
_NOT_IN_A_HOSTNAME: Final = re.compile(r"[^a-z0-9.-]+")


async def create_server(request: Request) -> Response:
    """Accept one server, or several of a kind."""
    body = request.json(CreateServer)
    wanted = body.server
    least, most = _counts(wanted)
    server, changes = _template(request, body)
    use = request.cloud.part(ProjectUse)
    each = Use(1, server.flavor.vcpus, server.flavor.memory_mb)
    with use.reserve(server.project_id, each, least, most) as count:
        servers = [server] if count == 1 else _several(request, server, count)
        await request.cloud.mirror.commit([*changes, *(Put(SERVER, one, one.id, 0) for one in servers)])
    if is_true(wanted.return_reservation_id):
        return reply({"reservation_id": server.reservation_id}, 202)
    first = servers[0]
    return reply(
        {
            "server": {
                "id": first.id,
                "links": resource_links(request, "servers", first.id),
                "OS-DCF:diskConfig": first.disk_config,
                "security_groups": [{"name": name} for name in first.security_groups],
                "adminPass": wanted.admin_password or request.cloud.new_hexadecimal_id()[-12:],
            }
        },
        202,
        (("location", f"{request.cloud.settings.public_url}{PREFIX}/servers/{first.id}"),),
    )


def _template(request: Request, body: CreateServer) -> tuple[Server, Changes]:
    """The first server of a request, and what is written with it. Raises Fault for what Nova refuses at once."""
    wanted, cloud, caller = body.server, request.cloud, request.caller
    name = wanted.name.strip()
    if not 1 <= len(name) <= 255:
        raise Fault(400, f"Invalid input for field/attribute name. Value: {wanted.name!r}. It has 1 to 255 characters.")
    flavor = find_flavor(request, str(wanted.flavor_ref), status=400)
    devices, image_id = _devices(request, wanted)
    if image_id:
        neighbours.check_image(cloud, caller, image_id, flavor)
    neighbours.check_devices(cloud, caller, devices, flavor)
    if wanted.key_name is not None and cloud.mirror.get(KEYPAIR, keypair_key(caller.user_id, wanted.key_name)) is None:
        raise Fault(400, "Invalid key_name provided.")
    if flavor.disk_gb == 0 and image_id and not caller.is_admin:
        raise Fault(403, "Only volume-backed servers are allowed for flavors with zero disk.")
    _check_forms(wanted)
    check_metadata(request, wanted.metadata)
    check_files(request, wanted.personality)
    groups = _security_groups(wanted)
    neighbours.check_security_groups(cloud, caller, groups)
    zone, node = _place(request, wanted)
    networks, changes = _networks(request, wanted)
    now_us = cloud.now_us()
    server_id = cloud.new_id()
    server = Server(
        id=server_id,
        name=name,
        project_id=caller.project_id,
        user_id=caller.user_id,
        flavor=ServerFlavor.of(flavor),
        created_us=now_us,
        updated_us=now_us,
        state=BUILDING,
        task=SCHEDULING,
        task_since_us=now_us,
        image_id=image_id,
        zone=zone,
        wanted_node=node,
        networks=networks,
        security_groups=groups,
        devices=devices,
        key_name=wanted.key_name,
        metadata=wanted.metadata,
        tags=tuple(wanted.tags),
        description=wanted.description if request.microversion >= (2, 19) else name,
        hostname=wanted.hostname or hostname_of(name),
        user_data=wanted.user_data,
        config_drive=is_true(wanted.config_drive),
        access_ipv4=access_address("accessIPv4", wanted.access_ipv4, 4),
        access_ipv6=access_address("accessIPv6", wanted.access_ipv6, 6),
        disk_config=disk_config(wanted.disk_config),
        reservation_id=f"r-{server_id[-8:]}",  # ids begin with the instant, which others may share
        group_id=_group(request, body),
        hints=_hints(body),
        trusted_certificates=tuple(wanted.trusted_certificates or ()),
        actions=(ServerAction("create", request.id, caller.user_id, caller.project_id, now_us),),
    )
    return server, changes


def _check_forms(wanted: WantedServer) -> None:
    """What is no base64, tag or host name. Raises Fault 400."""
    if wanted.user_data and not _is_base64(wanted.user_data):
        words = f"Value: {wanted.user_data}. '{wanted.user_data}' is not a 'base64'"
        raise Fault(400, f"Invalid input for field/attribute user_data. {words}")
    for place, tag in enumerate(wanted.tags):
        if "," in tag or "/" in tag:
            words = f"Value: {tag}. '{tag}' does not match '^[^,/]*$'"
            raise Fault(400, f"Invalid input for field/attribute {place}. {words}")
    if wanted.hostname and not _HOSTNAME.fullmatch(wanted.hostname):
        words = f"Value: {wanted.hostname}. '{wanted.hostname}' does not match '^[a-zA-Z0-9-._]*$'"
        raise Fault(400, f"Invalid input for field/attribute hostname. {words}")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.encode(), validate=True)
    except ValueError:
        return False
    return True


def _several(request: Request, server: Server, count: int) -> list[Server]:
    """`count` servers of a kind, numbered from 1 as Nova numbers them."""
    return [
        replace(
            server,
            id=request.cloud.new_id() if index else server.id,
            name=f"{server.name}-{index + 1}",
            hostname=f"{server.hostname}-{index + 1}",
            launch_index=index,
        )
        for index in range(count)
    ]


def _counts(wanted: WantedServer) -> tuple[int, int]:
    """The least and the most servers asked for."""
    least = _positive("min_count", wanted.min_count)
    most = least if wanted.max_count is UNSET else _positive("max_count", wanted.max_count)
    if least > most:
        raise Fault(400, "min_count must be <= max_count")
    return least, most


def _positive(name: str, value: Count) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= SERVERS_AT_ONCE_LIMIT:
        raise Fault(400, f"Invalid input for field/attribute {name}. Value: {value}. It is no count of servers.")
    return int(text)


def _place(request: Request, wanted: WantedServer) -> tuple[str, str]:
    """Zone and node asked for, each empty for any: `zone`, `zone:node`, or `host` by itself."""
    zone, _, node = (wanted.availability_zone or "").partition(":")
    node = node.partition(":")[0] or wanted.host or wanted.hypervisor_hostname or ""
    mirror = request.cloud.mirror
    if node:
        if not request.caller.is_admin:
            raise Fault(403, "Policy doesn't allow os_compute_api:servers:create:forced_host to be performed.")
        if mirror.get(NODE, node) is None:
            raise Fault(400, f"Compute host {node} could not be found.")
    check_zone(request, zone)
    return zone, node


def _networks(request: Request, wanted: WantedServer) -> tuple[tuple[RequestedNetwork, ...], Changes]:
    """The interfaces the server will have, and the changes that make a network for them. Raises Fault."""
    networks = wanted.networks
    asked: tuple[RequestedNetwork, ...] | None
    if networks is UNSET or networks is None:
        if request.microversion >= NETWORKS_REQUIRED_SINCE:
            raise Fault(400, "Invalid input for field/attribute server. 'networks' is a required property")
        asked = None
    elif isinstance(networks, str):
        if networks not in ("auto", "none") or request.microversion < NETWORKS_REQUIRED_SINCE:
            raise Fault(400, f"Invalid input for field/attribute networks. Value: {networks!r}.")
        if networks == "auto":
            return neighbours.automatic_networks(request.cloud, request.caller)
        asked = ()
    else:
        asked = tuple(
            RequestedNetwork(one.uuid or "", one.port or "", one.fixed_ip or "", one.tag or "") for one in networks
        )
    return neighbours.resolve_networks(request.cloud, request.caller, asked), ()


def _security_groups(wanted: WantedServer) -> tuple[str, ...]:
    if not wanted.security_groups:
        return (DEFAULT_GROUP,)
    return tuple(dict.fromkeys(group.name for group in wanted.security_groups))


def _hints(body: CreateServer) -> dict[str, Any]:
    return body.hints or body.older_hints or {}


def _group(request: Request, body: CreateServer) -> str:
    """The server group a hint names, if it still has room."""
    group_id = _hints(body).get("group")
    if not group_id:
        return ""
    if not isinstance(group_id, str):
        raise Fault(400, f"Invalid input for field/attribute group. Value: {group_id}. It is not a 'uuid'")
    mirror = request.cloud.mirror
    entry = mirror.get(SERVER_GROUP, group_id)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(400, f"Instance group {group_id} could not be found.")
    limit = limits_of(request.cloud, request.caller.project_id)["server_group_members"]
    if 0 <= limit <= servers_by_group(mirror).count(group_id):
        raise Fault(403, "Quota exceeded, too many servers in group")
    return group_id


def _devices(request: Request, wanted: WantedServer) -> tuple[tuple[BlockDevice, ...], str]:
    """The volumes of the server, and the image it boots from; an empty one when a volume is its root."""
    image_id = wanted.image_ref or ""
    devices: list[BlockDevice] = []
    for one in wanted.block_device_mapping_v2:
        index = int(one.boot_index) if one.boot_index not in (None, "") else None
        if one.source_type not in _SOURCES or one.destination_type not in _DESTINATIONS:
            words = f"source_type is one of {_SOURCES[:-1]}, destination_type is local or volume."
            raise Fault(400, f"Invalid input for field/attribute block_device_mapping_v2. {words}")
        destination = one.destination_type or ("volume" if one.source_type in ("volume", "snapshot") else "local")
        if destination == "local":
            if one.source_type == "image" and index == 0:
                image_id = one.uuid or image_id
            continue
        if index == 0:
            image_id = ""
        devices.append(_device(request, one, index, len(devices)))
    if not image_id and not any(device.boot_index == 0 for device in devices):
        raise Fault(400, "Invalid imageRef provided.")
    return tuple(devices), image_id


def _device(request: Request, wanted: WantedBlockDevice, index: int | None, position: int) -> BlockDevice:
    if wanted.source_type == "volume" and not wanted.uuid:
        raise Fault(400, "Block Device Mapping is Invalid: a volume is missing its uuid.")
    letter = "a" if index == 0 else chr(ord("b") + position)
    size_gb = int(wanted.volume_size or 0)
    if wanted.source_type == "blank" and not size_gb:
        raise Fault(400, "Block Device Mapping is Invalid: Boot sequence for the instance is not valid: no size.")
    return BlockDevice(
        volume_id=(wanted.uuid or "") if wanted.source_type == "volume" else "",
        device=wanted.device_name or f"/dev/vd{letter}",
        boot_index=index,
        delete_on_termination=is_true(wanted.delete_on_termination),
        tag=wanted.tag or "",
        source=wanted.source_type,
        source_id=(wanted.uuid or "") if wanted.source_type != "volume" else "",
        size_gb=size_gb,
        mapping_id=request.cloud.new_id(),
    )


def hostname_of(name: str) -> str:
    """A hostname made from a server's name."""
    return _NOT_IN_A_HOSTNAME.sub("-", name.lower()).strip("-.")[:63] or "server"
