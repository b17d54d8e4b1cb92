"""`/trunks`: ports that carry others."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, standard_fields, touched
from kilonode.cloud.openstack.network.faults import invalid, missing
from kilonode.cloud.openstack.network.model import PORT, Port, by_project
from kilonode.cloud.openstack.network.port_routes import PORTS
from kilonode.cloud.openstack.network.trunk_model import (
    SUB_PORT_OWNER,
    TRUNK,
    SubPort,
    Trunk,
    trunks_by_parent,
    trunks_by_sub_port,
)
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

_TYPES: Final = ("vlan", "inherit")
_LARGEST_VLAN: Final = 4_094


class WantedSubPort(msgspec.Struct, frozen=True):
    """One of the `sub_ports` of a request."""

    port_id: str
    segmentation_type: str = "vlan"
    segmentation_id: int | None = None


class WantedTrunk(msgspec.Struct, frozen=True):
    """The `trunk` of a create or update request."""

    port_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    sub_ports: tuple[WantedSubPort, ...] = ()
    project_id: str | None = None
    tenant_id: str | None = None
    tags: tuple[str, ...] = ()


class WantedSubPorts(msgspec.Struct, frozen=True):
    """The body of a request to add or remove subports."""

    sub_ports: tuple[dict[str, Any], ...]


def make_trunk_fields(cloud: Cloud) -> Fields[Trunk]:
    """The fields of a trunk."""

    def status(trunk: Trunk) -> str:
        parent = cloud.mirror.get(PORT, trunk.port_id)
        return "ACTIVE" if parent is not None and parent.value.status == "ACTIVE" else "DOWN"

    return Fields(
        {
            "id": lambda trunk: trunk.id,
            "name": lambda trunk: trunk.name,
            "port_id": lambda trunk: trunk.port_id,
            "admin_state_up": lambda trunk: trunk.admin_state_up,
            "status": status,
            "sub_ports": lambda trunk: trunk.sub_ports,
            **standard_fields(),
        }
    )


TRUNKS: Final[Collection[Trunk]] = Collection(
    kind=TRUNK,
    noun="trunk",
    plural="trunks",
    type_noun="Trunk",
    title="Trunk",
    make_fields=make_trunk_fields,
    indexes=(("port_id", trunks_by_parent), ("project_id", lambda mirror: by_project(mirror, TRUNK))),
)


async def list_trunks(request: Request) -> Response:
    """`GET /trunks`."""
    return TRUNKS.listing(request)


async def create_trunk(request: Request) -> Response:
    """`POST /trunks`."""
    return await TRUNKS.create(request, WantedTrunk, _new_trunk)


async def show_trunk(request: Request) -> Response:
    """`GET /trunks/{id}`."""
    return TRUNKS.show(request, TRUNKS.find(request, request.params["id"]).value)


async def update_trunk(request: Request) -> Response:
    """`PUT /trunks/{id}`."""
    return await TRUNKS.update(request, WantedTrunk, _changed_trunk)


async def delete_trunk(request: Request) -> Response:
    """`DELETE /trunks/{id}`: not while its parent port is in use."""
    entry = TRUNKS.find_own(request, request.params["id"], "delete")
    trunk, mirror = entry.value, request.cloud.mirror
    parent = mirror.get(PORT, trunk.port_id)
    if parent is not None and parent.value.host:
        raise Fault(409, f"Trunk {trunk.id} is currently in use.", type="TrunkInUse")
    freed = [_released(request.cloud, one.port_id) for one in trunk.sub_ports]
    await mirror.commit([Delete(TRUNK, trunk.id, entry.revision), *(put for puts in freed for put in puts)])
    return reply(None, 204)


async def show_sub_ports(request: Request) -> Response:
    """`GET /trunks/{id}/get_subports`."""
    return reply({"sub_ports": TRUNKS.find(request, request.params["id"]).value.sub_ports})


async def add_sub_ports(request: Request) -> Response:
    """`PUT /trunks/{id}/add_subports`."""
    entry = TRUNKS.find_own(request, request.params["id"], "add_subports")
    trunk, cloud = entry.value, request.cloud
    try:
        asked = msgspec.convert(request.json(WantedSubPorts).sub_ports, tuple[WantedSubPort, ...])
    except msgspec.ValidationError as error:
        raise invalid(f"Invalid input for sub_ports: {error}.") from error
    added, changes = _sub_ports(request, trunk, asked)
    changed = touched(cloud, replace(trunk, sub_ports=(*trunk.sub_ports, *added)))
    await cloud.mirror.commit([Put(TRUNK, changed, trunk.id, entry.revision), *changes])
    return reply(TRUNKS.view(request, changed))


async def remove_sub_ports(request: Request) -> Response:
    """`PUT /trunks/{id}/remove_subports`."""
    entry = TRUNKS.find_own(request, request.params["id"], "remove_subports")
    trunk, cloud = entry.value, request.cloud
    gone = {str(one.get("port_id")) for one in request.json(WantedSubPorts).sub_ports}
    known = {one.port_id for one in trunk.sub_ports}
    for port_id in sorted(gone - known):
        raise missing("SubPort", f"SubPort on trunk {trunk.id} with parent port", port_id)
    kept = tuple(one for one in trunk.sub_ports if one.port_id not in gone)
    changed = touched(cloud, replace(trunk, sub_ports=kept))
    freed = [put for port_id in sorted(gone) for put in _released(cloud, port_id)]
    await cloud.mirror.commit([Put(TRUNK, changed, trunk.id, entry.revision), *freed])
    return reply(TRUNKS.view(request, changed))


def _new_trunk(request: Request, wanted: WantedTrunk) -> tuple[Trunk, Changes]:
    cloud = request.cloud
    if wanted.port_id is UNSET:
        raise invalid("Failed to parse request. Required attribute 'port_id' not specified")
    parent = PORTS.find_own(request, wanted.port_id, "create_trunk")
    _refuse_taken(cloud, parent.value)
    if parent.value.host:
        raise Fault(
            409, f"Port {parent.value.id} is in use and cannot be the parent port of a trunk.", type="ParentPortInUse"
        )
    now_us = cloud.now_us()
    trunk = Trunk(
        id=cloud.new_id(),
        project_id=owner(request, wanted.project_id or wanted.tenant_id),
        port_id=parent.value.id,
        created_us=now_us,
        updated_us=now_us,
        tags=wanted.tags,
    )
    trunk = _changed_trunk(request, trunk, wanted)[0]
    sub_ports, changes = _sub_ports(request, trunk, wanted.sub_ports)
    trunk = replace(trunk, sub_ports=sub_ports)
    # The parent is written too, so that it does not become the parent of two trunks, nor goes away, at one instant.
    held = Put(PORT, parent.value, parent.value.id, parent.revision)
    return trunk, [Put(TRUNK, trunk, trunk.id, 0), held, *changes]


def _changed_trunk(request: Request, trunk: Trunk, wanted: WantedTrunk) -> tuple[Trunk, Changes]:
    names = ("name", "description", "admin_state_up")
    return replace(trunk, **{name: getattr(wanted, name) for name in names if getattr(wanted, name) is not UNSET}), []


def _sub_ports(
    request: Request, trunk: Trunk, wanted: tuple[WantedSubPort, ...]
) -> tuple[tuple[SubPort, ...], Changes]:
    """The subports that are asked for, and the ports as parts of the trunk. Raises Fault."""
    if not trunk.admin_state_up:
        raise Fault(409, f"Trunk {trunk.id} is currently disabled.", type="TrunkDisabled")
    used = {(one.segmentation_type, one.segmentation_id) for one in trunk.sub_ports}
    sub_ports, changes = [], []
    for one in wanted:
        entry = PORTS.find_own(request, one.port_id, "add_subports")
        port: Port = entry.value
        if port.id == trunk.port_id:
            raise Fault(
                409, f"Port {port.id} is currently in use as the parent of trunk {trunk.id}.", type="ParentPortInUse"
            )
        _refuse_taken(request.cloud, port)
        if port.device_id:
            raise Fault(409, f"Port {port.id} is currently in use by {port.device_id}.", type="PortInUse")
        if one.segmentation_type not in _TYPES:
            raise invalid(f"Invalid segmentation type {one.segmentation_type!r}.")
        number = one.segmentation_id
        if number is None or not 1 <= number <= _LARGEST_VLAN:
            raise invalid(f"Invalid input for segmentation_id: {number!r} is not between 1 and {_LARGEST_VLAN}.")
        if (one.segmentation_type, number) in used:
            raise Fault(
                409,
                f"segmentation_type {one.segmentation_type} and segmentation_id {number} already in use on trunk "
                f"{trunk.id}.",
                type="DuplicateSubPort",
            )
        used.add((one.segmentation_type, number))
        sub_ports.append(SubPort(port.id, one.segmentation_type, number))
        part = touched(request.cloud, replace(port, device_id=trunk.id, device_owner=SUB_PORT_OWNER))
        changes.append(Put(PORT, part, port.id, entry.revision))
    return tuple(sub_ports), [*changes]


def _refuse_taken(cloud: Cloud, port: Port) -> None:
    parents, carried = trunks_by_parent(cloud.mirror), trunks_by_sub_port(cloud.mirror)
    if parents.count(port.id):
        trunk_id = next(iter(parents.keys(port.id)))
        raise Fault(409, f"Port {port.id} is currently a parent port for trunk {trunk_id}.", type="ParentPortInUse")
    if carried.count(port.id):
        trunk_id = next(iter(carried.keys(port.id)))
        raise Fault(409, f"Port {port.id} is currently a subport for trunk {trunk_id}.", type="PortInUseAsSubPort")


def _released(cloud: Cloud, port_id: str) -> list[Put]:
    entry = cloud.mirror.get(PORT, port_id)
    if entry is None:
        return []
    return [Put(PORT, touched(cloud, replace(entry.value, device_id="", device_owner="")), port_id, entry.revision)]


ROUTES: Final = (
    Route("GET", "/trunks", list_trunks, Access.READER),
    Route("POST", "/trunks", create_trunk, Access.MEMBER),
    Route("GET", "/trunks/{id}", show_trunk, Access.READER),
    Route("PUT", "/trunks/{id}", update_trunk, Access.MEMBER),
    Route("DELETE", "/trunks/{id}", delete_trunk, Access.MEMBER),
    Route("GET", "/trunks/{id}/get_subports", show_sub_ports, Access.READER),
    Route("PUT", "/trunks/{id}/add_subports", add_sub_ports, Access.MEMBER),
    Route("PUT", "/trunks/{id}/remove_subports", remove_sub_ports, Access.MEMBER),
)
