"""`/groups`: volumes that are made, kept and deleted together."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.volume.bodies import body_of, invalid, text_of, truth_of
from kilonode.cloud.openstack.volume.creating import find_type
from kilonode.cloud.openstack.volume.group_model import GROUP, GROUP_SNAPSHOT, Group
from kilonode.cloud.openstack.volume.group_types import find_group_type
from kilonode.cloud.openstack.volume.listing import all_visible, filtered, ordered, page
from kilonode.cloud.openstack.volume.model import (
    AVAILABLE,
    CREATING,
    DELETING,
    ERROR,
    IN_USE,
    SNAPSHOT,
    UPDATING,
    VOLUME,
    Volume,
)
from kilonode.cloud.openstack.volume.quotas import check_room
from kilonode.cloud.openstack.volume.volumes import find_volume, moved_volume, snapshots_by_volume
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.microversions import Microversion
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.index import Index
from kilonode.control.mirror import Entry, Mirror, Put

STATUSES: Final = frozenset({"creating", "available", "deleting", "error", "error_deleting", "updating"})
FILTERS: Final = {"name": lambda group: group.name, "status": lambda group: group.status}
_SORT_KEYS: Final = {
    "created_at": lambda group: group.created_us,
    "name": lambda group: group.name,
    "status": lambda group: group.status,
    "id": lambda group: group.id,
}


async def list_groups(request: Request) -> Response:
    """Groups in short."""
    return page(request, _chosen(request), "groups", lambda group: {"id": group.id, "name": group.name})


async def list_groups_detail(request: Request) -> Response:
    """Groups whole."""
    return page(request, _chosen(request), "groups", lambda group: _view(request, group))


async def show_group(request: Request) -> Response:
    """One group."""
    return reply({"group": _view(request, find_group(request).value)})


async def create_group(request: Request) -> Response:
    """Begin to make a group without volumes."""
    wanted = body_of(request, "group")
    kind = find_group_type(request, text_of(wanted, "group_type", needed=True)).value
    types = wanted.get("volume_types")
    if not isinstance(types, list) or not types:
        raise invalid("volume_types", types)
    ids = tuple(dict.fromkeys(find_type(request, str(one)).id for one in types))
    group = _new_group(request, wanted, kind.id, ids)
    await request.cloud.mirror.commit([Put(GROUP, group, group.id, 0)])
    return reply({"group": {"id": group.id, "name": group.name}}, 202)


async def create_group_from_source(request: Request) -> Response:
    """Begin to make a group with copies of the volumes of another, or of a snapshot of a whole group."""
    wanted = body_of(request, "create-from-src")
    mirror = request.cloud.mirror
    source_id, snapshot_id = text_of(wanted, "source_group_id"), text_of(wanted, "group_snapshot_id")
    if bool(source_id) == bool(snapshot_id):
        raise Fault(400, "Either 'source_group_id' or 'group_snapshot_id' must be provided to create a group.")
    if snapshot_id:
        snapshot = mirror.get(GROUP_SNAPSHOT, snapshot_id)
        if snapshot is None or not request.caller.may_see(snapshot.value.project_id):
            raise Fault(404, f"GroupSnapshot {snapshot_id} could not be found.")
        source = _find(request, snapshot.value.group_id).value
        sources = [
            (mirror.all(VOLUME)[one.value.volume_id].value, {"snapshot_id": one.value.id})
            for one in mirror.all(SNAPSHOT).values()
            if one.value.group_snapshot_id == snapshot_id
        ]
    else:
        source = _find(request, source_id).value
        table = mirror.all(VOLUME)
        sources = [(table[key].value, {"source_id": key}) for key in volumes_by_group(mirror).keys(source.id)]
    if not sources:
        raise Fault(400, f"Invalid input received: Source Group {source.id} is empty.")
    group = _new_group(request, wanted, source.group_type_id, source.volume_type_ids)
    group = replace(group, source_group_id=source_id, group_snapshot_id=snapshot_id)
    total_gb = sum(volume.size_gb for volume, _ in sources)
    check_room(request.cloud, request.caller.project_id, "volumes", total_gb, more=len(sources))
    copies = [_copy(request, volume, group, origin) for volume, origin in sources]
    await mirror.commit([Put(GROUP, group, group.id, 0), *(Put(VOLUME, one, one.id, 0) for one in copies)])
    return reply({"group": {"id": group.id, "name": group.name}}, 202)


async def update_group(request: Request) -> Response:
    """Change name or description, add volumes and take some out."""
    entry = find_group(request)
    wanted = body_of(request, "group")
    group, cloud = entry.value, request.cloud
    if group.status != AVAILABLE:
        raise Fault(400, f"Invalid group: Group status must be available, but current status is: {group.status}.")
    changes: dict[str, Any] = {name: text_of(wanted, name) for name in ("name", "description") if name in wanted}
    puts = []
    for key in _ids(wanted, "add_volumes"):
        volume = find_volume(request, key)
        if volume.value.group_id or volume.value.type_id not in group.volume_type_ids:
            raise Fault(400, f"Invalid volume: Cannot add volume {key} to group {group.id}.")
        if volume.value.status not in (AVAILABLE, IN_USE):
            raise Fault(400, f"Invalid volume: Volume {key} is in an invalid state: {volume.value.status}.")
        puts.append(Put(VOLUME, replace(volume.value, group_id=group.id), key, volume.revision))
    for key in _ids(wanted, "remove_volumes"):
        volume = find_volume(request, key)
        if volume.value.group_id != group.id:
            raise Fault(400, f"Invalid volume: Cannot remove volume {key} from group {group.id}: it is not in it.")
        puts.append(Put(VOLUME, replace(volume.value, group_id=""), key, volume.revision))
    if not changes and not puts:
        raise Fault(400, "At least one of the following keys must be included in the request body: name, description, "
                         "add_volumes, remove_volumes")  # fmt: skip
    if puts:
        changes |= _moved(cloud.now_us(), group, UPDATING)
    changed = replace(group, **{**changes, "updated_us": cloud.now_us()})
    await cloud.mirror.commit([Put(GROUP, changed, group.id, entry.revision), *puts])
    return reply(None, 202)


ACTIONS: Final[dict[str, Microversion | None]] = {"delete": None, "reset_status": (3, 20)}


async def act_on_group(request: Request) -> Response:
    """Delete a group (with its volumes if wanted), or set its status by hand."""
    entry = find_group(request)
    name, given = next(iter(request.json_object().items()), ("", None))
    wanted = given if isinstance(given, dict) else {}
    if name == "delete":
        await _delete(request, entry, with_volumes=truth_of(wanted, "delete-volumes"))
    elif name == "reset_status" and request.microversion >= (3, 20):
        if not request.caller.is_admin:
            raise Fault(403, "Policy doesn't allow group:reset_status to be performed.")
        status = text_of(wanted, "status", needed=True).lower()
        if status not in STATUSES:
            raise invalid("status", status)
        group = replace(entry.value, status=status, status_since_us=0, updated_us=request.cloud.now_us())
        await request.cloud.mirror.commit([Put(GROUP, group, group.id, entry.revision)])
    else:
        raise Fault(400, f"There is no such action: {name}")
    return reply(None, 202)


def find_group(request: Request) -> Entry[Group]:
    """The group that the path names, if the caller may see it. Raises Fault 404."""
    return _find(request, request.params["group_id"])


def volumes_by_group(mirror: Mirror) -> Index:
    """The volumes of a group."""
    return mirror.index(VOLUME, "group", lambda volume: volume.group_id or None)


async def _delete(request: Request, entry: Entry[Group], *, with_volumes: bool) -> None:
    group, mirror, now_us = entry.value, request.cloud.mirror, request.cloud.now_us()
    volumes = [mirror.all(VOLUME)[key] for key in volumes_by_group(mirror).keys(group.id)]
    if volumes and not with_volumes:
        raise Fault(400, f"Invalid group: Group {group.id} is not empty; delete-volumes must be set to delete it.")
    if group.status not in (AVAILABLE, ERROR):
        raise Fault(
            400, f"Invalid group: Group status must be available or error, but current status is: {group.status}."
        )
    if any(one.value.group_id == group.id for one in mirror.all(GROUP_SNAPSHOT).values()):
        raise Fault(400, f"Invalid group: Group {group.id} has dependent group snapshots.")
    for volume in volumes:
        if volume.value.attachments or snapshots_by_volume(mirror).count(volume.value.id):
            raise Fault(400, f"Invalid volume: Volume {volume.value.id} of the group is attached or has snapshots.")
    gone = replace(group, **_moved(now_us, group, DELETING), updated_us=now_us)
    puts = [Put(VOLUME, moved_volume(one.value, DELETING, now_us), one.value.id, one.revision) for one in volumes]
    await mirror.commit([Put(GROUP, gone, group.id, entry.revision), *puts])


def _moved(now_us: int, group: Group, status: str) -> dict[str, Any]:
    return {"status": status, "status_since_us": now_us, "turn": group.turn + 1}


def _new_group(request: Request, wanted: dict[str, Any], kind_id: str, type_ids: tuple[str, ...]) -> Group:
    cloud = request.cloud
    now_us = cloud.now_us()
    return Group(
        id=cloud.new_id(),
        project_id=request.caller.project_id,
        user_id=request.caller.user_id,
        group_type_id=kind_id,
        volume_type_ids=type_ids,
        status=CREATING,
        status_since_us=now_us,
        created_us=now_us,
        name=text_of(wanted, "name"),
        description=text_of(wanted, "description") or None,
        zone=text_of(wanted, "availability_zone") or cloud.settings.zones[0],
    )


def _copy(request: Request, volume: Volume, group: Group, origin: dict[str, Any]) -> Volume:
    return Volume(
        id=request.cloud.new_id(),
        project_id=group.project_id,
        user_id=group.user_id,
        size_gb=volume.size_gb,
        status=CREATING,
        status_since_us=group.created_us,
        created_us=group.created_us,
        type_id=volume.type_id,
        name=volume.name,
        description=volume.description,
        metadata=volume.metadata,
        zone=group.zone,
        group_id=group.id,
        **origin,
    )


def _find(request: Request, key: str) -> Entry[Group]:
    entry: Entry[Group] | None = request.cloud.mirror.get(GROUP, key)
    if entry is None or not request.caller.may_see(entry.value.project_id):
        raise Fault(404, f"Group {key} could not be found.")
    return entry


def _ids(wanted: dict[str, Any], field: str) -> list[str]:
    return [key.strip() for key in text_of(wanted, field, limit=65_535).split(",") if key.strip()]


def _chosen(request: Request) -> list[Group]:
    return ordered(request, filtered(request, all_visible(request, GROUP), FILTERS), _SORT_KEYS)


def _view(request: Request, group: Group) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "status": group.status,
        "availability_zone": group.zone,
        "created_at": timestamp_with_microseconds(group.created_us),
        "group_type": group.group_type_id,
        "volume_types": group.volume_type_ids,
    }
    mirror = request.cloud.mirror
    if request.microversion >= (3, 14):
        view |= {
            "group_snapshot_id": group.group_snapshot_id or None,
            "source_group_id": group.source_group_id or None,
        }
    if request.microversion >= (3, 25) and request.query.flag("list_volume"):
        view["volumes"] = list(volumes_by_group(mirror).keys(group.id))
    if request.microversion >= (3, 38):
        view["replication_status"] = "disabled"
    if request.microversion >= (3, 58):
        view["project_id"] = group.project_id
    return view
