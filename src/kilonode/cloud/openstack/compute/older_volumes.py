"""Volumes and their snapshots as compute showed them before the volume service did (microversions to 2.35)."""

from typing import Any, Final
from urllib.parse import quote

from kilonode.cloud.openstack.compute.delegated import ask
from kilonode.cloud.openstack.volume.service import VOLUME_SERVICE
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply

_VERSION: Final = (3, 0)
"""Old routes ask in the oldest form."""


async def list_volumes(request: Request) -> Response:
    """The project's volumes."""
    found = (await _ask(request, "GET", "/volumes/detail"))["volumes"]
    shown = _page(request, found)
    return reply({"volumes": [_volume(one) for one in shown]}, items=len(shown))


async def show_volume(request: Request) -> Response:
    """One volume."""
    found = await _ask(request, "GET", _volume_place(request))
    return reply({"volume": _volume(found["volume"])})


async def create_volume(request: Request) -> Response:
    """A new volume."""
    wanted = _wanted(request, "volume")
    if not str(wanted.get("size", "")).isdigit() or not int(wanted["size"]):
        raise Fault(400, f"Invalid input for field/attribute size. Value: {wanted.get('size')}. It is a number from 1.")
    body = {
        "size": int(wanted["size"]),
        "name": wanted.get("display_name"),
        "description": wanted.get("display_description"),
        "volume_type": wanted.get("volume_type"),
        "metadata": wanted.get("metadata"),
        "snapshot_id": wanted.get("snapshot_id"),
        "availability_zone": wanted.get("availability_zone"),
    }
    given = {"volume": {name: value for name, value in body.items() if value is not None}}
    made = await _ask(request, "POST", "/volumes", given)
    place = f"{request.cloud.settings.public_url}/compute/v2.1/os-volumes/{made['volume']['id']}"
    return reply({"volume": _volume(made["volume"])}, 200, (("location", place),))


async def delete_volume(request: Request) -> Response:
    """Delete a volume."""
    await _ask(request, "DELETE", _volume_place(request))
    return reply(None, 202)


async def list_snapshots(request: Request) -> Response:
    """The project's snapshots."""
    found = (await _ask(request, "GET", "/snapshots/detail"))["snapshots"]
    shown = _page(request, found)
    return reply({"snapshots": [_snapshot(one) for one in shown]}, items=len(shown))


async def show_snapshot(request: Request) -> Response:
    """One snapshot."""
    found = await _ask(request, "GET", _snapshot_place(request))
    return reply({"snapshot": _snapshot(found["snapshot"])})


async def create_snapshot(request: Request) -> Response:
    """A new snapshot."""
    wanted = _wanted(request, "snapshot")
    body = {
        "volume_id": wanted.get("volume_id"),
        "name": wanted.get("display_name"),
        "description": wanted.get("display_description"),
        "force": str(wanted.get("force", False)).lower() in ("true", "1"),
    }
    given = {"snapshot": {name: value for name, value in body.items() if value is not None}}
    made = await _ask(request, "POST", "/snapshots", given)
    return reply({"snapshot": _snapshot(made["snapshot"])})


async def delete_snapshot(request: Request) -> Response:
    """Delete a snapshot."""
    await _ask(request, "DELETE", _snapshot_place(request))
    return reply(None, 202)


def _volume(one: dict[str, Any]) -> dict[str, Any]:
    attachments = [
        {"id": one["id"], "volumeId": one["id"], "serverId": each["server_id"], "device": each["device"]}
        for each in one.get("attachments") or []
    ]
    return {
        "id": one["id"],
        "status": one["status"],
        "size": one["size"],
        "availabilityZone": one["availability_zone"],
        "createdAt": one["created_at"],
        "displayName": one["name"],
        "displayDescription": one["description"],
        "volumeType": one["volume_type"],
        "snapshotId": one["snapshot_id"],
        "metadata": one["metadata"],
        "attachments": attachments or [{}],
    }


def _snapshot(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": one["id"],
        "status": one["status"],
        "size": one["size"],
        "volumeId": one["volume_id"],
        "createdAt": one["created_at"],
        "displayName": one["name"],
        "displayDescription": one["description"],
    }


def _page(request: Request, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    offset, limit = request.query.integer("offset", 0) or 0, request.query.integer("limit")
    return found[offset : offset + limit if limit is not None else None]


async def _ask(request: Request, method: str, path: str, body: Any = None) -> Any:
    place = f"/{request.caller.project_id}{path}"
    return await ask(request, VOLUME_SERVICE, method, place, body=body, microversion=_VERSION)


def _volume_place(request: Request) -> str:
    return f"/volumes/{quote(request.params['volume_id'], safe='')}"


def _snapshot_place(request: Request) -> str:
    return f"/snapshots/{quote(request.params['snapshot_id'], safe='')}"


def _wanted(request: Request, name: str) -> dict[str, Any]:
    wanted = request.json_object().get(name)
    if not isinstance(wanted, dict):
        raise Fault(400, f"Invalid input for field/attribute {name}. It is a required property")
    return wanted
