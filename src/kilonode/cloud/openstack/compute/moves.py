"""Actions that take a server to another node or flavor: resize, migrate, live-migrate, evacuate, and what ends them."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.liveness import is_node_up
from kilonode.cloud.openstack.compute.acting import ACCEPTED, check_state, give_task, object_of, password, write
from kilonode.cloud.openstack.compute.bodies import disk_config
from kilonode.cloud.openstack.compute.changes import begin, migration_record
from kilonode.cloud.openstack.compute.lookup import find_flavor, find_node
from kilonode.cloud.openstack.compute.model import MIGRATION, Move, Server, ServerFlavor
from kilonode.cloud.openstack.compute.quotas import ProjectUse, Use
from kilonode.cloud.openstack.compute.servers import new_action
from kilonode.cloud.openstack.compute.states import (
    ACTIVE,
    ERROR,
    EVACUATING,
    MIGRATE_SCHEDULING,
    PAUSED,
    RESIZE_CONFIRMING,
    RESIZE_PREP,
    RESIZED,
    STOPPED,
)
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put

_MOVE_STATES: Final = frozenset({ACTIVE, STOPPED})
_LIVE_STATES: Final = frozenset({ACTIVE, PAUSED})
_EVACUATE_STATES: Final = frozenset({ACTIVE, STOPPED, ERROR})
HOST_OF_MIGRATE_SINCE: Final = (2, 56)
STOPPED_AFTER_EVACUATION_SINCE: Final = (2, 95)


async def resize(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Give the server another flavor, on another node."""
    wanted = object_of(arguments, "resize")
    if not wanted.get("flavorRef"):
        raise Fault(400, "Invalid input for field/attribute resize. 'flavorRef' is a required property")
    server = entry.value
    flavor = find_flavor(request, str(wanted["flavorRef"]), status=400)
    check_state(request, server, "resize", _MOVE_STATES)
    if flavor.id == server.flavor.id:
        raise Fault(400, "When resizing, instances must change flavor!")
    if server.image_id and flavor.disk_gb < server.flavor.disk_gb:
        raise Fault(400, "Flavor's disk is too small for requested image. The root disk can only grow.")
    more = Use(0, max(0, flavor.vcpus - server.flavor.vcpus), max(0, flavor.memory_mb - server.flavor.memory_mb))
    request.cloud.part(ProjectUse).check_growth(server.project_id, more)
    if "OS-DCF:diskConfig" in wanted:
        entry = Entry(replace(server, disk_config=disk_config(wanted["OS-DCF:diskConfig"])), entry.revision)
    await _begin_move(request, entry, "resize", RESIZE_PREP, ServerFlavor.of(flavor), "resize")
    return reply(None, ACCEPTED)


async def confirm_resize(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Keep the new place."""
    server = entry.value
    if server.state == RESIZED and server.task == RESIZE_CONFIRMING:
        raise Fault(400, f"Instance {server.id} has not been resized.")
    return await give_task(request, entry, "confirmResize", RESIZE_CONFIRMING, frozenset({RESIZED}), status=204)


async def migrate(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Cold migration, to a node of an administrator's choice from 2.56 on; a manager leaves the choice to the cloud."""
    check_state(request, entry.value, "migrate", _MOVE_STATES)
    host = _wanted_host(request, arguments, entry.value) if request.microversion >= HOST_OF_MIGRATE_SINCE else ""
    await _begin_move(request, entry, "migration", RESIZE_PREP, entry.value.flavor, "migrate", host)
    return reply(None, ACCEPTED)


async def live_migrate(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Move the server while it runs: an administrator says where to, a manager does not."""
    wanted = object_of(arguments, "os-migrateLive")
    if "host" not in wanted or "block_migration" not in wanted:
        missing = "host" if "host" not in wanted else "block_migration"
        raise Fault(400, f"Invalid input for field/attribute os-migrateLive. '{missing}' is a required property")
    check_state(request, entry.value, "os-migrateLive", _LIVE_STATES)
    host = _wanted_host(request, wanted, entry.value)
    await _begin_move(request, entry, "live-migration", MIGRATE_SCHEDULING, entry.value.flavor, "live-migration", host)
    return reply(None, ACCEPTED)


async def evacuate(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    """Have the server built anew on another node, because its own is down."""
    wanted = object_of(arguments, "evacuate")
    server, cloud = entry.value, request.cloud
    if request.microversion < (2, 14) and "onSharedStorage" not in wanted:
        raise Fault(400, "Invalid input for field/attribute evacuate. 'onSharedStorage' is a required property")
    host = ""
    if wanted.get("host"):
        host = find_node(request, str(wanted["host"])).name
        if host == server.node:
            raise Fault(400, "The target host can't be the same one.")
    check_state(request, server, "evacuate", _EVACUATE_STATES, despite_lock=True)
    if not server.node:
        raise Fault(400, f"Instance {server.id} is on no host.")
    if is_node_up(cloud, find_node(request, server.node)):
        raise Fault(400, f"Compute service of {server.node} is still in use.")
    stopped = server.state == STOPPED or request.microversion >= STOPPED_AFTER_EVACUATION_SINCE
    after = STOPPED if stopped else ACTIVE
    await _begin_move(request, entry, "evacuation", EVACUATING, server.flavor, "evacuate", host, after=after)
    if request.microversion >= (2, 14):
        return reply(None, 200)
    return reply({"adminPass": password(request, wanted.get("adminPass"))})


def _wanted_host(request: Request, arguments: Any, server: Server) -> str:
    host = str((arguments or {}).get("host") or "") if isinstance(arguments, dict | None) else ""
    if host:
        if not request.caller.is_admin:
            raise Fault(403, "Policy doesn't allow os_compute_api:os-migrate-server:migrate:host to be performed.")
        find_node(request, host, status=400)
        if host == server.node:
            raise Fault(400, f"Unable to migrate instance ({server.id}) to current host ({host}).")
    return host


async def _begin_move(
    request: Request,
    entry: Entry[Server],
    kind: str,
    task: str,
    flavor: ServerFlavor,
    word: str,
    host: str = "",
    *,
    after: str = "",
) -> None:
    server, cloud = entry.value, request.cloud
    action = new_action(request, word)
    move = Move(
        id=cloud.new_id(),
        kind=kind,
        status=_FIRST_STATUS.get(kind, "pre-migrating"),
        source=server.node,
        old_flavor=server.flavor,
        new_flavor=flavor,
        from_state=after or server.state,
        created_us=action.started_us,
        user_id=request.caller.user_id,
        project_id=request.caller.project_id,
        wanted_node=host,
    )
    moving = replace(begin(server, task, action), move=move)
    record = migration_record(moving, move, action.started_us)
    await write(request, entry, moving, Put(MIGRATION, record, move.id, 0))


_FIRST_STATUS: Final = {"live-migration": "queued", "evacuation": "accepted"}
