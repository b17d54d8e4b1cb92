"""Managing what is on the backend already: volumes and snapshots that were let go of, by their names there."""

from typing import Any, Final

from kilonode.cloud.openstack.volume.bodies import body_of, text_of, texts_of, truth_of
from kilonode.cloud.openstack.volume.creating import find_type
from kilonode.cloud.openstack.volume.model import (
    BACKEND_HOST,
    CREATING,
    LEFT_BEHIND,
    SNAPSHOT,
    VOLUME,
    LeftBehind,
    Snapshot,
    Volume,
)
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.volume.views import snapshot_view, volume_view
from kilonode.cloud.openstack.volume.volumes import find_volume
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

_VOLUME_PREFIX: Final = "volume-"
_SNAPSHOT_PREFIX: Final = "_snapshot-"


def left_volume(volume: Volume) -> Put:
    """What to write when a volume is let go of but stays on the backend."""
    return Put(LEFT_BEHIND, LeftBehind(volume.size_gb), f"{_VOLUME_PREFIX}{volume.id}")


def left_snapshot(snapshot: Snapshot) -> Put:
    """The same for a snapshot."""
    return Put(LEFT_BEHIND, LeftBehind(snapshot.size_gb, snapshot.volume_id), f"{_SNAPSHOT_PREFIX}{snapshot.id}")


async def manage_volume(request: Request) -> Response:
    """Take a volume that is on the backend into the service's care."""
    wanted = body_of(request, "volume")
    cloud, caller = request.cloud, request.caller
    host = text_of(wanted, "host", needed="cluster" not in wanted)
    if host and host.partition("#")[0] != BACKEND_HOST:
        raise Fault(400, f"Service is unavailable at this time: there is no service on host {host}.")
    key, left = _left_behind(request, wanted, _VOLUME_PREFIX)
    kind = find_type(request, text_of(wanted, "volume_type") or None)
    check_room(cloud, caller.project_id, "volumes", left.value.size_gb, type_name=kind.name)
    now_us = cloud.now_us()
    volume = Volume(
        id=cloud.new_id(),
        project_id=caller.project_id,
        user_id=caller.user_id,
        size_gb=left.value.size_gb,
        status=CREATING,
        status_since_us=now_us,
        created_us=now_us,
        type_id=kind.id,
        name=text_of(wanted, "name"),
        description=text_of(wanted, "description"),
        metadata=texts_of(wanted.get("metadata"), "metadata"),
        zone=text_of(wanted, "availability_zone") or cloud.settings.zones[0],
        bootable=truth_of(wanted, "bootable"),
    )
    await cloud.mirror.commit([Delete(LEFT_BEHIND, key, left.revision), Put(VOLUME, volume, volume.id, 0)])
    return reply({"volume": volume_view(request, volume)}, 202)


async def manage_snapshot(request: Request) -> Response:
    """Take a snapshot that is on the backend into the service's care."""
    wanted = body_of(request, "snapshot")
    cloud = request.cloud
    volume = find_volume(request, text_of(wanted, "volume_id", needed=True)).value
    key, left = _left_behind(request, wanted, _SNAPSHOT_PREFIX)
    if left.value.volume_id != volume.id:
        raise Fault(400, f"Invalid input received: {key} is not a snapshot of volume {volume.id}.")
    check_room(cloud, volume.project_id, "snapshots", left.value.size_gb)
    now_us = cloud.now_us()
    snapshot = Snapshot(
        id=cloud.new_id(),
        project_id=volume.project_id,
        user_id=request.caller.user_id,
        volume_id=volume.id,
        size_gb=left.value.size_gb,
        status=CREATING,
        status_since_us=now_us,
        created_us=now_us,
        name=text_of(wanted, "name"),
        description=text_of(wanted, "description"),
        metadata=texts_of(wanted.get("metadata"), "metadata"),
    )
    await cloud.mirror.commit([Delete(LEFT_BEHIND, key, left.revision), Put(SNAPSHOT, snapshot, snapshot.id, 0)])
    return reply({"snapshot": snapshot_view(request, snapshot, whole=False)}, 202)


async def list_manageable_volumes(request: Request) -> Response:
    """What is on the backend and could be volumes."""
    return _listing(request, "manageable-volumes", _VOLUME_PREFIX)


async def list_manageable_snapshots(request: Request) -> Response:
    """What is on the backend and could be snapshots."""
    return _listing(request, "manageable-snapshots", _SNAPSHOT_PREFIX)


def _listing(request: Request, collection: str, prefix: str) -> Response:
    shown = []
    for key, entry in request.cloud.mirror.all(LEFT_BEHIND).items():
        if key.startswith(prefix):
            one: dict[str, Any] = {
                "reference": {"source-name": key},
                "size": entry.value.size_gb,
                "safe_to_manage": True,
            }
            if entry.value.volume_id:
                one["source_reference"] = {"source-name": f"{_VOLUME_PREFIX}{entry.value.volume_id}"}
            shown.append(one)
    return reply({collection: shown}, items=len(shown))


def _left_behind(request: Request, wanted: dict[str, Any], prefix: str) -> tuple[str, Entry[LeftBehind]]:
    """What a `ref` names. Raises Fault 400."""
    reference = wanted.get("ref")
    if not isinstance(reference, dict):
        raise Fault(400, "Invalid input for field/attribute ref. 'ref' is a required property")
    name = str(reference.get("source-name") or f"{prefix}{reference.get('source-id')}")
    entry: Entry[LeftBehind] | None = request.cloud.mirror.get(LEFT_BEHIND, name)
    if entry is None or not name.startswith(prefix):
        raise Fault(
            400, f"Manage existing volume failed due to invalid backend reference {reference}: it is not there."
        )
    return name, entry
