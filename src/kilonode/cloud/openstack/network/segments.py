"""`/segments`: the parts of the wire that a network is made of, kept in the network's document.

A network has one to begin with, which its provider attributes tell. Words only: subnets and nodes belong to none.
"""

import hashlib
import uuid
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.bodies import bad, body_of, item_of, read
from kilonode.cloud.openstack.network.collection import touched
from kilonode.cloud.openstack.network.faults import invalid, missing
from kilonode.cloud.openstack.network.model import NETWORK, Network, segmentation_id_of
from kilonode.cloud.openstack.network.networks import NETWORKS
from kilonode.cloud.openstack.network.part_model import NetworkSegment
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields, matching
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.index import Index
from kilonode.control.mirror import Entry, Mirror, Put

SEGMENTS_LIMIT: Final = 1_000
"""Of one network: its document is written whole."""
_NUMBERED: Final = ("vlan", "vxlan", "gre", "geneve")
_PHYSICAL: Final = ("flat", "vlan")
_TYPES: Final = (*_NUMBERED, "flat", "local")


class WantedSegment(msgspec.Struct, frozen=True):
    """The `segment` of a create request."""

    network_id: str
    network_type: str
    physical_network: str | None = None
    segmentation_id: int | None = None
    name: str | None = None
    description: str | None = None


class ChangedSegment(msgspec.Struct, frozen=True):
    """The `segment` of an update request."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


Place = tuple[Network, NetworkSegment]


def make_segment_fields(cloud: Cloud) -> Fields[Place]:
    """The fields of a segment of a network."""
    return Fields(
        {
            "id": lambda place: place[1].id,
            "network_id": lambda place: place[0].id,
            "name": lambda place: place[1].name,
            "description": lambda place: place[1].description,
            "network_type": lambda place: place[1].network_type,
            "physical_network": lambda place: place[1].physical_network,
            "segmentation_id": lambda place: place[1].segmentation_id,
        }
    )


def segments_of(network: Network) -> tuple[NetworkSegment, ...]:
    """The segments of a network; where nobody made or named any, the one that it began with."""
    if network.segments:
        return network.segments
    digest = hashlib.blake2b(network.id.encode(), digest_size=16, person=b"first-segment").digest()
    first = NetworkSegment(
        id=str(uuid.UUID(bytes=digest, version=4)),
        network_type=network.network_type,
        physical_network=network.physical_network,
        segmentation_id=network.segmentation_id or None,
    )
    return (first,)


async def list_segments(request: Request) -> Response:
    """`GET /segments`, in the order of their networks; any field filters."""
    table = request.cloud.mirror.all(NETWORK)
    fields = request.cloud.part(make_segment_fields)
    names = request.query.all("fields")
    wanted = request.query.all("network_id") if "network_id" in request.query else list(table)
    networks = [table[key].value for key in dict.fromkeys(wanted) if key in table]
    every = [(network, segment) for network in networks for segment in segments_of(network)]
    query = [(name, text) for name, text in request.query if name != "fields"]
    found = matching(every, fields.tests(query))
    return reply({"segments": [fields.show(place, names) for place in found]}, items=len(found))


async def show_segment(request: Request) -> Response:
    """`GET /segments/{id}`."""
    entry, segment = _find(request)
    return _shown(request, entry.value, segment)


async def create_segment(request: Request) -> Response:
    """`POST /segments`."""
    wanted = read(item_of(body_of(request, "segment"), "segment"), WantedSegment, "segment", making=True)
    entry = NETWORKS.find(request, wanted.network_id)
    network: Network = entry.value
    segments = segments_of(network)
    if len(segments) >= SEGMENTS_LIMIT:
        raise bad(f"A network has at most {SEGMENTS_LIMIT} segments.")
    segment = _new_segment(request.cloud.new_id(), wanted)
    network = await _write(request, entry, (*segments, segment))
    return _shown(request, network, segment, 201)


async def update_segment(request: Request) -> Response:
    """`PUT /segments/{id}`: its name and description."""
    entry, segment = _find(request)
    wanted = read(item_of(body_of(request, "segment"), "segment"), ChangedSegment, "segment", making=False)
    names = ("name", "description")
    changed = replace(segment, **{name: getattr(wanted, name) for name in names if getattr(wanted, name) is not UNSET})
    segments = tuple(changed if one.id == segment.id else one for one in segments_of(entry.value))
    return _shown(request, await _write(request, entry, segments), changed)


async def delete_segment(request: Request) -> Response:
    """`DELETE /segments/{id}`: not the last one of its network."""
    entry, segment = _find(request)
    left = tuple(one for one in segments_of(entry.value) if one.id != segment.id)
    if not left:
        words = f"Segment '{segment.id}' cannot be deleted: The network has no other segment."
        raise Fault(409, words, type="SegmentInUse")
    await _write(request, entry, left)
    return reply(None, 204)


def _networks_by_segment(mirror: Mirror) -> Index:
    """The network of a segment."""
    return mirror.index(NETWORK, "segment", lambda network: tuple(one.id for one in segments_of(network)))


def _find(request: Request) -> tuple[Entry[Network], NetworkSegment]:
    key, mirror = request.params["id"], request.cloud.mirror
    for network_id in _networks_by_segment(mirror).keys(key):
        entry: Entry[Network] = mirror.all(NETWORK)[network_id]
        for segment in segments_of(entry.value):
            if segment.id == key:
                return entry, segment
    raise missing("Segment", "Segment", key)


def _new_segment(segment_id: str, wanted: WantedSegment) -> NetworkSegment:
    """A segment as it is asked for, with a number where its type has one. Raises Fault 400."""
    kind = wanted.network_type
    if kind not in _TYPES:
        raise invalid(f"Invalid input for operation: network_type value '{kind}' not supported.")
    if kind in _PHYSICAL and not wanted.physical_network:
        raise invalid(f"Invalid input for operation: physical_network required for {kind} provider network.")
    if kind not in _PHYSICAL and wanted.physical_network:
        raise invalid(f"Invalid input for operation: provider:physical_network specified for {kind} network.")
    number = wanted.segmentation_id
    if kind not in _NUMBERED and number is not None:
        raise invalid(f"Invalid input for operation: segmentation_id prohibited for {kind} provider network.")
    most = 4_094 if kind == "vlan" else 2**24 - 1
    if number is not None and not 1 <= number <= most:
        raise invalid(f"Invalid input for operation: segmentation_id out of range (1 through {most}).")
    if number is None and kind in _NUMBERED:
        number = 1 + segmentation_id_of(segment_id) % most
    return NetworkSegment(
        id=segment_id,
        name=wanted.name,
        description=wanted.description,
        network_type=kind,
        physical_network=wanted.physical_network,
        segmentation_id=number,
    )


async def _write(request: Request, entry: Entry[Network], segments: tuple[NetworkSegment, ...]) -> Network:
    changed = touched(request.cloud, replace(entry.value, segments=segments))
    await request.cloud.mirror.commit([Put(NETWORK, changed, changed.id, entry.revision)])
    return changed


def _shown(request: Request, network: Network, segment: NetworkSegment, status: int = 200) -> Response:
    fields = request.cloud.part(make_segment_fields)
    return reply({"segment": fields.show((network, segment), request.query.all("fields"))}, status)


ROUTES: Final = (
    Route("GET", "/segments", list_segments, Access.ADMIN),
    Route("POST", "/segments", create_segment, Access.ADMIN),
    Route("GET", "/segments/{id}", show_segment, Access.ADMIN),
    Route("PUT", "/segments/{id}", update_segment, Access.ADMIN),
    Route("DELETE", "/segments/{id}", delete_segment, Access.ADMIN),
)
