"""`/group_snapshots`: snapshots of all volumes of a group at one instant."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.volume.bodies import body_of, invalid, text_of
from kilonode.cloud.openstack.volume.group_model import GROUP, GROUP_SNAPSHOT, GroupSnapshot
from kilonode.cloud.openstack.volume.groups import STATUSES, volumes_by_group
from kilonode.cloud.openstack.volume.listing import all_visible, filtered, ordered, page
from kilonode.cloud.openstack.volume.model import AVAILABLE, CREATING, DELETING, ERROR, IN_USE, SNAPSHOT, VOLUME
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.volume.snapshots import new_snapshot
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.index import Index
from kilonode.control.mirror import Entry, Mirror, Put

FILTERS: Final = {
    "name": lambda one: one.name,
    "status": lambda one: one.status,
    "group_id": lambda one: one.group_id,
}
_SORT_KEYS: Final = {
    "created_at": lambda one: one.created_us,
    "name": lambda one: one.name,
    "id": lambda one: one.id,
}


async def list_group_snapshots(request: Request) -> Response:
    """All of the project, in short."""
    return page(request, _chosen(request), "group_snapshots", lambda one: {"id": one.id, "name": one.name})


async def list_group_snapshots_detail(request: Request) -> Response:
    """All of the project."""
    return page(request, _chosen(request), "group_snapshots", lambda one: _view(request, one))


async def show_group_snapshot(request: Request) -> Response:
    """One."""
    return reply({"group_snapshot": _view(request, _find(request).value)})


async def create_group_snapshot(request: Request) -> Response:
    """Begin to make a snapshot of every volume of a group."""
    wanted = body_of(request, "group_snapshot")
    cloud, mirror = request.cloud, request.cloud.mirror
    key = text_of(wanted, "group_id", needed=True)
    group = mirror.get(GROUP, key)
    if group is None or not request.caller.may_see(group.value.project_id):
        raise Fault(404, f"Group {key} could not be found.")
    volumes = [mirror.all(VOLUME)[one].value for one in volumes_by_group(mirror).keys(key)]
    if not volumes or any(volume.status not in (AVAILABLE, IN_USE) for volume in volumes):
        raise Fault(400, f"Invalid group: Group {key} is empty, or a volume of it is not available.")
    check_room(cloud, group.value.project_id, "snapshots", sum(one.size_gb for one in volumes), more=len(volumes))
    now_us = cloud.now_us()
    made = GroupSnapshot(
        id=cloud.new_id(),
        project_id=group.value.project_id,
        user_id=request.caller.user_id,
        group_id=key,
        group_type_id=group.value.group_type_id,
        status=CREATING,
        status_since_us=now_us,
        created_us=now_us,
        name=text_of(wanted, "name"),
        description=text_of(wanted, "description") or None,
    )
    snapshots = [new_snapshot(request, one, name=made.name, group_snapshot_id=made.id) for one in volumes]
    # The group is written too, so that it cannot be deleted at the same instant.
    await mirror.commit(
        [
            Put(GROUP_SNAPSHOT, made, made.id, 0),
            Put(GROUP, group.value, key, group.revision),
            *(Put(SNAPSHOT, one, one.id, 0) for one in snapshots),
        ]
    )
    shown = {"id": made.id, "name": made.name, "group_type_id": made.group_type_id}
    return reply({"group_snapshot": shown}, 202)


async def delete_group_snapshot(request: Request) -> Response:
    """Begin to delete it with its snapshots."""
    entry = _find(request)
    one, mirror, now_us = entry.value, request.cloud.mirror, request.cloud.now_us()
    if one.status not in (AVAILABLE, ERROR):
        raise Fault(
            400, f"Invalid group snapshot: GroupSnapshot status must be available or error: it is {one.status}."
        )
    gone = replace(one, status=DELETING, status_since_us=now_us, turn=one.turn + 1, updated_us=now_us)
    changes = [Put(GROUP_SNAPSHOT, gone, one.id, entry.revision)]
    for key in snapshots_by_group_snapshot(mirror).keys(one.id):
        snapshot = mirror.all(SNAPSHOT)[key]
        old = snapshot.value
        moved = replace(old, status=DELETING, status_since_us=now_us, turn=old.turn + 1, updated_us=now_us)
        changes.append(Put(SNAPSHOT, moved, key, snapshot.revision))
    await mirror.commit(changes)
    return reply(None, 202)


async def act_on_group_snapshot(request: Request) -> Response:
    """Set the status by hand."""
    entry = _find(request)
    name, given = next(iter(request.json_object().items()), ("", None))
    if name != "reset_status" or not isinstance(given, dict):
        raise Fault(400, f"There is no such action: {name}")
    status = text_of(given, "status", needed=True).lower()
    if status not in STATUSES:
        raise invalid("status", status)
    one = replace(entry.value, status=status, status_since_us=0, updated_us=request.cloud.now_us())
    await request.cloud.mirror.commit([Put(GROUP_SNAPSHOT, one, one.id, entry.revision)])
    return reply(None, 202)


def snapshots_by_group_snapshot(mirror: Mirror) -> Index:
    """The snapshots of the volumes of a group."""
    return mirror.index(SNAPSHOT, "group_snapshot", lambda snapshot: snapshot.group_snapshot_id or None)


def _find(request: Request) -> Entry[GroupSnapshot]:
    key = request.params["group_snapshot_id"]
    entry: Entry[GroupSnapshot] | None = request.cloud.mirror.get(GROUP_SNAPSHOT, key)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"GroupSnapshot {key} could not be found.")
    return entry


def _chosen(request: Request) -> list[GroupSnapshot]:
    return ordered(request, filtered(request, all_visible(request, GROUP_SNAPSHOT), FILTERS), _SORT_KEYS)


def _view(request: Request, one: GroupSnapshot) -> dict[str, Any]:
    view = {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "status": one.status,
        "created_at": timestamp_with_microseconds(one.created_us),
        "group_id": one.group_id,
        "group_type_id": one.group_type_id,
    }
    if request.microversion >= (3, 58):
        view["project_id"] = one.project_id
    return view
