"""`…/metadata`: texts by name on volumes and snapshots, one set of operations for both."""

from typing import Any

from msgspec.structs import replace

from kilonode.cloud.openstack.volume.bodies import body_of, texts_of
from kilonode.cloud.openstack.volume.model import SNAPSHOT, VOLUME
from kilonode.cloud.openstack.volume.snapshots import find_snapshot
from kilonode.cloud.openstack.volume.volumes import find_volume
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put


async def show_metadata(request: Request) -> Response:
    """All of it."""
    return reply({"metadata": _find(request)[1].value.metadata})


async def update_metadata(request: Request) -> Response:
    """Add to it (POST), or replace it (PUT)."""
    kind, entry = _find(request)
    wanted = texts_of(body_of(request, "metadata"), "metadata")
    kept = entry.value.metadata if request.method == "POST" else {}
    await _write(request, kind, entry, {**kept, **wanted})
    return reply({"metadata": wanted if request.method == "POST" else {**kept, **wanted}})


async def show_metadata_item(request: Request) -> Response:
    """One item."""
    entry = _find(request)[1]
    key = _known(request, entry)
    return reply({"meta": {key: entry.value.metadata[key]}})


async def update_metadata_item(request: Request) -> Response:
    """Set one item, the one that the path names."""
    kind, entry = _find(request)
    wanted = texts_of(body_of(request, "meta"), "meta")
    if list(wanted) != [request.params["key"]]:
        raise Fault(400, "Request body and URI mismatch")
    await _write(request, kind, entry, {**entry.value.metadata, **wanted})
    return reply({"meta": wanted})


async def delete_metadata_item(request: Request) -> Response:
    """Forget one item."""
    kind, entry = _find(request)
    key = _known(request, entry)
    await _write(request, kind, entry, {name: text for name, text in entry.value.metadata.items() if name != key})
    return reply(None, 200)


def _find(request: Request) -> tuple[str, Entry[Any]]:
    if "snapshot_id" in request.params:
        return SNAPSHOT, find_snapshot(request)
    return VOLUME, find_volume(request)


def _known(request: Request, entry: Entry[Any]) -> str:
    key = request.params["key"]
    if key not in entry.value.metadata:
        raise Fault(404, f"Metadata item was not found: {key}")
    return key


async def _write(request: Request, kind: str, entry: Entry[Any], metadata: dict[str, str]) -> None:
    value = replace(entry.value, metadata=metadata, updated_us=request.cloud.now_us())
    await request.cloud.mirror.commit([Put(kind, value, value.id, entry.revision)])
