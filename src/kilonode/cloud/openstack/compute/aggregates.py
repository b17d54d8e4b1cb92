"""Host aggregates: named sets of nodes; one that names an availability zone gives its nodes that zone."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.compute.lookup import find_node
from kilonode.cloud.openstack.compute.model import AGGREGATE, Aggregate
from kilonode.cloud.openstack.image.model import IMAGE
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.resources import NODE, make_node
from kilonode.control.mirror import Delete, Entry, Put

ZONE: Final = "availability_zone"


class WantedAggregate(msgspec.Struct, frozen=True):
    """The `aggregate` of a create or update request."""

    name: str | UnsetType = UNSET
    availability_zone: str | UnsetType | None = UNSET


class WriteAggregate(msgspec.Struct, frozen=True):
    """The body of `POST /os-aggregates` and `PUT /os-aggregates/{aggregate_id}`."""

    aggregate: WantedAggregate


async def list_aggregates(request: Request) -> Response:
    """All aggregates."""
    found = [_view(request, entry.value) for entry in request.cloud.mirror.all(AGGREGATE).values()]
    return reply({"aggregates": found}, items=len(found))


async def show_aggregate(request: Request) -> Response:
    """One aggregate."""
    return reply({"aggregate": _view(request, _find(request).value)})


async def create_aggregate(request: Request) -> Response:
    """A new aggregate without nodes."""
    wanted = request.json(WriteAggregate).aggregate
    if wanted.name is UNSET:
        raise Fault(400, "Invalid input for field/attribute aggregate. 'name' is a required property")
    _check_names(wanted)
    cloud = request.cloud
    known = [entry.value for entry in cloud.mirror.all(AGGREGATE).values()]
    if any(aggregate.name == wanted.name for aggregate in known):
        raise Fault(409, f"Aggregate {wanted.name} already exists.")
    zone = wanted.availability_zone
    metadata = {ZONE: zone} if zone is not UNSET and zone else {}
    number = max((aggregate.number for aggregate in known), default=0) + 1
    aggregate = Aggregate(number, cloud.new_id(), wanted.name, cloud.now_us(), metadata=metadata)
    await cloud.mirror.commit([Put(AGGREGATE, aggregate, str(number), 0)])
    view = _view(request, aggregate)
    del view["hosts"], view["metadata"]
    return reply({"aggregate": view})


async def update_aggregate(request: Request) -> Response:
    """Change an aggregate's name or zone."""
    entry = _find(request)
    wanted = request.json(WriteAggregate).aggregate
    aggregate = entry.value
    if wanted.name is UNSET and wanted.availability_zone is UNSET:
        raise Fault(400, "Invalid input for field/attribute aggregate. It has a name or an availability_zone")
    _check_names(wanted)
    if wanted.name is not UNSET:
        aggregate = replace(aggregate, name=wanted.name)
    if wanted.availability_zone is not UNSET:
        aggregate = replace(aggregate, metadata=_merged(aggregate, {ZONE: wanted.availability_zone}))
    return await _write(request, entry, aggregate)


async def delete_aggregate(request: Request) -> Response:
    """Forget an aggregate that has no nodes."""
    aggregate = _find(request).value
    if aggregate.nodes:
        raise Fault(400, f"Cannot remove host from aggregate {aggregate.number}. Reason: Host aggregate is not empty.")
    await request.cloud.mirror.commit([Delete(AGGREGATE, str(aggregate.number))])
    return reply(None, 200)


ACTIONS: Final = dict.fromkeys(("add_host", "remove_host", "set_metadata"))


async def act_on_aggregate(request: Request) -> Response:
    """Add a node, remove a node, or change the metadata."""
    entry = _find(request)
    aggregate = entry.value
    body = request.json(dict[str, dict[str, Any]])
    for name in ("add_host", "remove_host"):
        if name in body and not body[name].get("host"):
            words = f"Value: {body[name]}. 'host' is a required property"
            raise Fault(400, f"Invalid input for field/attribute {name}. {words}")
    if "add_host" in body:
        node = find_node(request, str(body["add_host"].get("host", "")))
        if node.name in aggregate.nodes:
            raise Fault(409, f"Aggregate {aggregate.number} already has host {node.name}.")
        return await _write(request, entry, replace(aggregate, nodes=(*aggregate.nodes, node.name)))
    if "remove_host" in body:
        name = str(body["remove_host"].get("host", ""))
        if name not in aggregate.nodes:
            raise Fault(404, f"Cannot remove host {name} in aggregate {aggregate.number}")
        return await _write(
            request, entry, replace(aggregate, nodes=tuple(one for one in aggregate.nodes if one != name))
        )
    if "set_metadata" in body:
        given = body["set_metadata"].get("metadata")
        if not isinstance(given, dict):
            raise Fault(400, "Invalid input for field/attribute set_metadata. 'metadata' is a required property")
        for name, value in given.items():
            if value is not None and not isinstance(value, str):
                words = f"Value: {value}. {value} is not of type 'string', 'null'"
                raise Fault(400, f"Invalid input for field/attribute {name}. {words}")
        metadata = _merged(aggregate, given)
        return await _write(request, entry, replace(aggregate, metadata=metadata))
    raise Fault(400, f"There is no such action: {', '.join(body)}")


async def cache_images(request: Request) -> Response:
    """Have images cached on the nodes of an aggregate. Nodes here fetch no images, so it is checked and accepted."""
    _find(request)
    wanted = request.json_object().get("cache")
    if not isinstance(wanted, list) or not wanted:
        raise Fault(400, "Invalid input for field/attribute cache. It is a list of at least one image.")
    ids = [one.get("id") for one in wanted if isinstance(one, dict)]
    if len(ids) != len(wanted) or not all(isinstance(one, str) for one in ids):
        raise Fault(400, "Invalid input for field/attribute cache. Each has an id.")
    if len(set(ids)) != len(ids):
        raise Fault(400, "Duplicate images in request")
    for image_id in ids:
        if request.cloud.mirror.get(IMAGE, str(image_id)) is None:
            raise Fault(400, f"Image {image_id} could not be found.")
    return reply(None, 202)


def _check_names(wanted: WantedAggregate) -> None:
    """Raises Fault 400."""
    for field, value in (("name", wanted.name), ("availability_zone", wanted.availability_zone)):
        if isinstance(value, str) and not (1 <= len(value) <= 255 and value.strip() == value):
            raise Fault(400, f"Invalid input for field/attribute {field}. Value: {value}. It has 1 to 255 characters.")


def _merged(aggregate: Aggregate, changes: dict[str, Any]) -> dict[str, str]:
    """The metadata after changes; None takes a key away."""
    merged: dict[str, Any] = {**aggregate.metadata, **changes}
    return {key: str(value) for key, value in merged.items() if value is not None}


async def _write(request: Request, entry: Entry[Aggregate], aggregate: Aggregate) -> Response:
    """Write the aggregate, and the zone of each node that it gives one or no longer does."""
    cloud = request.cloud
    aggregate = replace(aggregate, updated_us=cloud.now_us())
    changes = [Put(AGGREGATE, aggregate, str(aggregate.number), entry.revision)]
    for name in dict.fromkeys((*entry.value.nodes, *aggregate.nodes)):
        node = cloud.mirror.get(NODE, name)
        if node is None:
            continue
        own = make_node(cloud.settings, node.value.number, 0).zone
        zone = aggregate.metadata.get(ZONE, own) if name in aggregate.nodes else own
        if zone != node.value.zone:
            changes.append(Put(NODE, replace(node.value, zone=zone), name, node.revision))
    await cloud.mirror.commit(changes)
    return reply({"aggregate": _view(request, aggregate)})


def _find(request: Request) -> Entry[Aggregate]:
    key = request.params["aggregate_id"]
    entry: Entry[Aggregate] | None = request.cloud.mirror.get(AGGREGATE, key)
    if entry is None:
        raise Fault(404, f"Aggregate {key} could not be found.")
    return entry


def _view(request: Request, aggregate: Aggregate) -> dict[str, Any]:
    updated_us = aggregate.updated_us
    view: dict[str, Any] = {
        "id": aggregate.number,
        "name": aggregate.name,
        "availability_zone": aggregate.metadata.get(ZONE),
        "created_at": timestamp_with_microseconds(aggregate.created_us),
        "updated_at": timestamp_with_microseconds(updated_us) if updated_us else None,
        "deleted": False,
        "deleted_at": None,
        "hosts": list(aggregate.nodes),
        "metadata": aggregate.metadata,
    }
    if request.microversion >= (2, 41):
        view["uuid"] = aggregate.uuid
    return view
