"""How a server looks on the wire, at any microversion from 2.1 to 2.104. Reads the mirror, decides nothing."""

import hashlib
from functools import lru_cache
from typing import Any, Final

import msgspec

from kilonode.cloud.context import Cloud, timestamp, timestamp_with_microseconds
from kilonode.cloud.liveness import is_node_up
from kilonode.cloud.openstack.compute import neighbours
from kilonode.cloud.openstack.compute.model import Server
from kilonode.cloud.openstack.compute.paging import bookmark, links_at, resource_links
from kilonode.cloud.openstack.compute.states import BUILDING, DELETED, power_state, shown_task, status
from kilonode.cloud.openstack.image.model import IMAGE
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.resources import NODE

SHOWN: Final = "shown"
LISTED: Final = "listed"
UPDATED: Final = "updated"
REBUILT: Final = "rebuilt"
"""The forms of an answer: of one server, in a list, after a change, after a rebuild."""
WHOLE_AFTER_CHANGE_SINCE: Final = (2, 75)
_PROGRESS_STATUSES: Final = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})


def server_in_list(request: Request, server: Server) -> msgspec.Raw:
    """A server in a list without details, as JSON."""
    return _entry(request.cloud.settings.public_url, server.id, server.name)


@lru_cache(maxsize=65_536)
def _entry(public_url: str, server_id: str, name: str) -> msgspec.Raw:
    # Remembered as bytes: lists are long, and asked for again and again.
    links = links_at(public_url, "servers", server_id)
    return msgspec.Raw(msgspec.json.encode({"id": server_id, "name": name, "links": links}))


def server_details(request: Request, server: Server, form: str = SHOWN) -> dict[str, Any]:
    """Everything the caller may see of a server, in the form of the answer it stands in."""
    cloud, version = request.cloud, request.microversion
    whole = form in (SHOWN, LISTED) or version >= WHOLE_AFTER_CHANGE_SINCE
    shown_status = status(server.state, server.task)
    view: dict[str, Any] = {
        "id": server.id,
        "name": server.name,
        "status": shown_status,
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "metadata": server.metadata,
        "hostId": host_id(server.project_id, server.node) if server.node else "",
        "image": _image(request, server),
        "flavor": _flavor(request, server),
        "created": timestamp(server.created_us),
        "updated": timestamp(server.updated_us),
        "addresses": _addresses(cloud, server, extended=whole),
        "accessIPv4": server.access_ipv4,
        "accessIPv6": server.access_ipv6,
        "links": resource_links(request, "servers", server.id),
        "OS-DCF:diskConfig": server.disk_config,
    }
    if shown_status in _PROGRESS_STATUSES:
        view["progress"] = 0  # of a live migration, by drivers that know it
    if server.fault is not None and shown_status in ("ERROR", "DELETED"):
        view["fault"] = _fault(server, is_admin=request.caller.is_admin)
    if whole:
        _add_extensions(request, view, server)
    if form == REBUILT:
        if version >= (2, 54):
            view["key_name"] = server.key_name
        if version >= (2, 57):
            view["user_data"] = server.user_data
            view.pop("OS-EXT-SRV-ATTR:user_data", None)
    _add_newer(request, view, server, form)
    return view


def _add_extensions(request: Request, view: dict[str, Any], server: Server) -> None:
    """What were extensions once; answers to changes have had it since 2.75 only."""
    cloud, version = request.cloud, request.microversion
    node = cloud.mirror.get(NODE, server.node) if server.node else None
    view |= {
        "OS-EXT-AZ:availability_zone": node.value.zone if node is not None else server.zone,
        "config_drive": "True" if server.config_drive else "",
        "key_name": server.key_name,
        "OS-SRV-USG:launched_at": timestamp_with_microseconds(server.launched_us) if server.launched_us else None,
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-STS:task_state": shown_task(server.task),
        "OS-EXT-STS:vm_state": server.state,
        "OS-EXT-STS:power_state": power_state(server.state),
        "os-extended-volumes:volumes_attached": _volumes(server, version),
    }
    if server.state == DELETED:
        view["OS-SRV-USG:terminated_at"] = timestamp_with_microseconds(server.updated_us)
    if server.security_groups and server.state != BUILDING:
        view["security_groups"] = [{"name": name} for name in server.security_groups]
    if request.caller.is_admin:
        _add_extended(view, server, version)
        if version >= (2, 16):
            view["host_status"] = _host_status(cloud, server)


def _add_newer(request: Request, view: dict[str, Any], server: Server, form: str) -> None:
    """What microversions have added."""
    version = request.microversion
    if version >= (2, 9):
        view["locked"] = server.locked
    if version >= (2, 19):
        view["description"] = server.description
    if version >= (2, 26):
        view["tags"] = server.tags
    if version >= (2, 63):
        view["trusted_image_certificates"] = server.trusted_certificates or None
    if version >= (2, 71) and form != LISTED:
        view["server_groups"] = [server.group_id] if server.group_id else []
    if version >= (2, 73):
        view["locked_reason"] = server.locked_reason
    if version >= (2, 90):
        view["OS-EXT-SRV-ATTR:hostname"] = server.hostname
    if version >= (2, 96):
        view["pinned_availability_zone"] = server.zone or None
    if version >= (2, 100):
        view["scheduler_hints"] = server.hints


@lru_cache(maxsize=65_536)
def host_id(project_id: str, node: str) -> str:
    """Names a node to a project without saying which it is."""
    return hashlib.sha224(f"{project_id}{node}".encode()).hexdigest()


def instance_name(server: Server) -> str:
    """The name the hypervisor knows the server by."""
    return f"instance-{server.id[:8]}"


def _image(request: Request, server: Server) -> Any:
    if not server.image_id:
        return ""
    view: dict[str, Any] = {"id": server.image_id, "links": bookmark(request, "images", server.image_id)}
    if request.microversion >= (2, 98):
        entry = request.cloud.mirror.get(IMAGE, server.image_id)
        view["properties"] = entry.value.properties if entry is not None else {}
    return view


def _addresses(cloud: Cloud, server: Server, *, extended: bool) -> dict[str, list[dict[str, Any]]]:
    if server.state in (BUILDING, DELETED):
        return {}
    found = neighbours.addresses(cloud, server)
    if extended:
        return found
    return {
        name: [{"addr": one["addr"], "version": one["version"]} for one in addresses]
        for name, addresses in found.items()
    }


def _flavor(request: Request, server: Server) -> dict[str, Any]:
    flavor = server.flavor
    if request.microversion < (2, 47):
        return {"id": flavor.id, "links": bookmark(request, "flavors", flavor.id)}
    return {
        "original_name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.memory_mb,
        "disk": flavor.disk_gb,
        "ephemeral": flavor.ephemeral_gb,
        "swap": flavor.swap_mb,
        "extra_specs": flavor.extra_specs,
    }


def _volumes(server: Server, version: tuple[int, int]) -> list[dict[str, Any]]:
    if version < (2, 3):
        return [{"id": device.volume_id} for device in server.devices]
    return [
        {"id": device.volume_id, "delete_on_termination": device.delete_on_termination} for device in server.devices
    ]


def _fault(server: Server, *, is_admin: bool) -> dict[str, Any]:
    fault = server.fault
    assert fault is not None  # noqa: S101 - the caller looked
    view: dict[str, Any] = {"code": fault.code, "created": timestamp(fault.created_us), "message": fault.message}
    if fault.details and (is_admin or fault.code != 500):
        view["details"] = fault.details
    return view


def _add_extended(view: dict[str, Any], server: Server, version: tuple[int, int]) -> None:
    """What only administrators see."""
    view["OS-EXT-SRV-ATTR:host"] = server.node or None
    view["OS-EXT-SRV-ATTR:hypervisor_hostname"] = server.node or None
    view["OS-EXT-SRV-ATTR:instance_name"] = instance_name(server)
    if version >= (2, 3):
        view["OS-EXT-SRV-ATTR:hostname"] = server.hostname
        view["OS-EXT-SRV-ATTR:kernel_id"] = ""
        view["OS-EXT-SRV-ATTR:ramdisk_id"] = ""
        view["OS-EXT-SRV-ATTR:launch_index"] = server.launch_index
        view["OS-EXT-SRV-ATTR:reservation_id"] = server.reservation_id
        view["OS-EXT-SRV-ATTR:root_device_name"] = "/dev/vda" if server.node else None
        view["OS-EXT-SRV-ATTR:user_data"] = server.user_data


def _host_status(cloud: Cloud, server: Server) -> str:
    entry = cloud.mirror.get(NODE, server.node) if server.node else None
    if entry is None:
        return ""
    if entry.value.forced_down or not is_node_up(cloud, entry.value):
        return "DOWN" if entry.value.forced_down else "UNKNOWN"
    return "UP" if entry.value.enabled else "MAINTENANCE"
