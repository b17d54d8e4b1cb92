"""`/volume-transfers` and its older place: a volume goes to another project, to whoever has the key.

The key is shown once and kept only as a digest.
"""

import hashlib
import hmac
import secrets
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.volume.bodies import body_of, text_of, truth_of
from kilonode.cloud.openstack.volume.listing import all_visible, ordered, page
from kilonode.cloud.openstack.volume.model import (
    AVAILABLE,
    AWAITING_TRANSFER,
    SNAPSHOT,
    TRANSFER,
    VOLUME,
    VOLUME_TYPE,
    Transfer,
    Volume,
)
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.volume.views import links
from kilonode.cloud.openstack.volume.volumes import find_volume, snapshots_by_volume
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

KEY_BYTES: Final = 8
_SORT_KEYS: Final = {
    "created_at": lambda transfer: transfer.created_us,
    "name": lambda transfer: transfer.name,
    "id": lambda transfer: transfer.id,
}


async def list_transfers(request: Request) -> Response:
    """Offers of the project, in short."""
    return _listing(request, whole=False)


async def list_transfers_detail(request: Request) -> Response:
    """Offers of the project."""
    return _listing(request, whole=True)


async def show_transfer(request: Request) -> Response:
    """One offer."""
    return reply({"transfer": _view(request, _find_own(request).value)})


async def create_transfer(request: Request) -> Response:
    """Offer a volume. The answer alone has the key."""
    wanted = body_of(request, "transfer")
    cloud = request.cloud
    entry = find_volume(request, text_of(wanted, "volume_id", needed=True))
    volume: Volume = entry.value
    if volume.status != AVAILABLE:
        raise Fault(400, "Invalid volume: status must be available")
    if volume.encrypted and request.microversion < (3, 70):
        raise Fault(400, "Invalid volume: transferring encrypted volume is not supported")
    no_snapshots = request.microversion >= (3, 55) and truth_of(wanted, "no_snapshots")
    if no_snapshots and snapshots_by_volume(cloud.mirror).count(volume.id):
        raise Fault(400, "Invalid volume: Volume has snapshots, which cannot stay behind.")
    transfer_id, salt = cloud.new_id(), cloud.new_hexadecimal_id()
    key = cloud.new_hexadecimal_id()[: 2 * KEY_BYTES] if cloud.clock.simulated else secrets.token_hex(KEY_BYTES)
    transfer = Transfer(
        transfer_id,
        volume.project_id,
        volume.id,
        cloud.now_us(),
        salt,
        _digest(salt, key),
        name=text_of(wanted, "name"),
        no_snapshots=no_snapshots,
    )
    offered = replace(volume, status=AWAITING_TRANSFER, status_since_us=0, updated_us=transfer.created_us)
    await cloud.mirror.commit(
        [Put(TRANSFER, transfer, transfer.id, 0), Put(VOLUME, offered, offered.id, entry.revision)]
    )
    return reply({"transfer": {**_view(request, transfer), "auth_key": key}}, 202)


async def accept_transfer(request: Request) -> Response:
    """Take the volume of an offer, with its snapshots, for the caller's own project."""
    entry = _find(request)
    transfer, cloud, caller = entry.value, request.cloud, request.caller
    given = text_of(body_of(request, "accept"), "auth_key", needed=True)
    if not hmac.compare_digest(_digest(transfer.salt, given), transfer.key_digest):
        raise Fault(400, f"Invalid auth key: Attempt to transfer {transfer.id} with invalid auth key.")
    mirror = cloud.mirror
    volume_entry = mirror.get(VOLUME, transfer.volume_id)
    if volume_entry is None or volume_entry.value.status != AWAITING_TRANSFER:
        raise Fault(400, f"Invalid volume: Volume {transfer.volume_id} is not awaiting its transfer.")
    volume: Volume = volume_entry.value
    kind = mirror.get(VOLUME_TYPE, volume.type_id)
    type_name = kind.value.name if kind is not None else ""
    check_room(cloud, caller.project_id, "volumes", volume.size_gb, type_name=type_name)
    now_us = cloud.now_us()
    taken = replace(
        volume, project_id=caller.project_id, user_id=caller.user_id, status=AVAILABLE, status_since_us=0,
        updated_us=now_us,
    )  # fmt: skip
    changes: list[Put | Delete] = [
        Delete(TRANSFER, transfer.id, entry.revision),
        Put(VOLUME, taken, taken.id, volume_entry.revision),
    ]
    for key in snapshots_by_volume(mirror).keys(volume.id):
        one = mirror.all(SNAPSHOT)[key]
        with_it = replace(one.value, project_id=caller.project_id, user_id=caller.user_id, updated_us=now_us)
        changes.append(Put(SNAPSHOT, with_it, key, one.revision))
    await mirror.commit(changes)
    accepted = {
        "id": transfer.id,
        "name": transfer.name,
        "volume_id": volume.id,
        "links": links(request, "os-volume-transfer", transfer.id),
    }
    return reply({"transfer": accepted}, 202)


async def delete_transfer(request: Request) -> Response:
    """Withdraw an offer: the volume is available again."""
    entry = _find_own(request)
    volume = request.cloud.mirror.get(VOLUME, entry.value.volume_id)
    changes: list[Put | Delete] = [Delete(TRANSFER, entry.value.id, entry.revision)]
    if volume is not None and volume.value.status == AWAITING_TRANSFER:
        kept = replace(volume.value, status=AVAILABLE, status_since_us=0, updated_us=request.cloud.now_us())
        changes.append(Put(VOLUME, kept, kept.id, volume.revision))
    await request.cloud.mirror.commit(changes)
    return reply(None, 202)


def _listing(request: Request, *, whole: bool) -> Response:
    found = ordered(request, all_visible(request, TRANSFER), _SORT_KEYS)
    return page(request, found, "transfers", partial(_view, request, whole=whole))


def _find(request: Request) -> Entry[Transfer]:
    """Any offer: its id and key are all that the taker knows."""
    key = request.params["transfer_id"]
    entry: Entry[Transfer] | None = request.cloud.mirror.get(TRANSFER, key)
    if entry is None:
        raise Fault(404, f"Transfer {key} could not be found.")
    return entry


def _find_own(request: Request) -> Entry[Transfer]:
    entry = _find(request)
    if not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Transfer {entry.value.id} could not be found.")
    return entry


def _digest(salt: str, key: str) -> str:
    return hmac.new(salt.encode(), key.encode(), hashlib.sha256).hexdigest()


def _view(request: Request, transfer: Transfer, *, whole: bool = True) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": transfer.id,
        "volume_id": transfer.volume_id,
        "name": transfer.name,
        "links": links(request, "os-volume-transfer", transfer.id),
    }
    if whole:
        view["created_at"] = timestamp_with_microseconds(transfer.created_us)
        if request.microversion >= (3, 55):
            view["no_snapshots"] = transfer.no_snapshots
        if request.microversion >= (3, 57):
            view |= {"source_project_id": transfer.project_id, "destination_project_id": None, "accepted": False}
    return view
