"""`POST /servers/{server_id}/action`: what is done to a server.

An action that takes time gives the server a task and is answered at once; the scheduler and the fleet do the rest.
Which states allow an action is a table, and so is the task it gives. Everything else has a function of its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.compute import neighbours
from kilonode.cloud.openstack.compute.changes import begin, migration_record, rest
from kilonode.cloud.openstack.compute.lookup import find_flavor, find_node, find_server
from kilonode.cloud.openstack.compute.model import MIGRATION, SERVER, Move, Server, ServerFlavor
from kilonode.cloud.openstack.compute.quotas import ProjectUse, Use
from kilonode.cloud.openstack.compute.servers import begin_delete, check_unlocked, new_action
from kilonode.cloud.openstack.compute.states import (
    ACTIVE,
    ERROR,
    MIGRATE_SCHEDULING,
    PAUSED,
    RESIZE_CONFIRMING,
    RESIZE_PREP,
    RESIZE_REVERTING,
    RESIZED,
    STOPPED,
    SUSPENDED,
)
from kilonode.cloud.openstack.compute.views import server_details
from kilonode.cloud.openstack.image.model import IMAGE
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

Action = Callable[[Request, Entry[Server], Any], Awaitable[Response]]
"""Given the request, the server and what stands after the action's name in the body."""

ACCEPTED: Final = 202


class Simple(msgspec.Struct, frozen=True):
    """An action that only gives a task: Nova's word for it in errors, the task, and the states that allow it."""

    word: str
    task: str
    states: frozenset[str]


_SIMPLE: Final[Mapping[str, Simple]] = {
    "os-start": Simple("start", "powering-on", frozenset({STOPPED})),
    "os-stop": Simple("stop", "powering-off", frozenset({ACTIVE, ERROR})),
    "pause": Simple("pause", "pausing", frozenset({ACTIVE})),
    "unpause": Simple("unpause", "unpausing", frozenset({PAUSED})),
    "suspend": Simple("suspend", "suspending", frozenset({ACTIVE})),
    "resume": Simple("resume", "resuming", frozenset({SUSPENDED})),
    "revertResize": Simple("revertResize", RESIZE_REVERTING, frozenset({RESIZED})),
}
_SOFT_REBOOT_STATES: Final = frozenset({ACTIVE})
_HARD_REBOOT_STATES: Final = frozenset({ACTIVE, STOPPED, PAUSED, SUSPENDED, ERROR})
_REBUILD_STATES: Final = frozenset({ACTIVE, STOPPED, ERROR})
_IMAGE_STATES: Final = frozenset({ACTIVE, STOPPED, PAUSED, SUSPENDED})
_MOVE_STATES: Final = frozenset({ACTIVE, STOPPED})
_LIVE_STATES: Final = frozenset({ACTIVE, PAUSED})


async def act_on_server(request: Request) -> Response:
    """Do what the one name in the body says."""
    body = request.json_object()
    if len(body) != 1:
        raise Fault(400, "There is exactly one action in the body of an action request.")
    name, arguments = next(iter(body.items()))
    simple = _SIMPLE.get(name)
    action = _ACTIONS.get(name)
    if simple is None and action is None:
        raise Fault(400, f"There is no such action: {name}")
    if name in _ADMIN_ACTIONS and not request.caller.is_admin:
        raise Fault(403, f"Policy doesn't allow os_compute_api:{name} to be performed.")
    entry = find_server(request)
    if simple is not None:
        return await _give_task(request, entry, simple.word, simple.task, simple.states)
    assert action is not None  # noqa: S101 - one of the two is there
    return await action(request, entry, arguments)


async def _give_task(
    request: Request, entry: Entry[Server], word: str, task: str, states: frozenset[str], status: int = ACCEPTED
) -> Response:
    server = entry.value
    _check(request, server, word, states)
    await _write(request, entry, begin(server, task, new_action(request, word)))
    return reply(None, status)


def _check(request: Request, server: Server, word: str, states: frozenset[str]) -> None:
    """Refuse an action that the server's lock, state or task forbids. Raises Fault 409."""
    check_unlocked(request, server)
    wrong = ("vm_state", server.state) if server.state not in states else ("task_state", server.task)
    if server.state not in states or server.task is not None:
        raise Fault(409, f"Cannot '{word}' instance {server.id} while it is in {wrong[0]} {wrong[1]}")


async def _write(request: Request, entry: Entry[Server], server: Server, *more: Put | Delete) -> None:
    await request.cloud.mirror.commit([Put(SERVER, server, server.id, entry.revision), *more])


async def _reboot(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    kind = str(arguments.get("type", "")).upper() if isinstance(arguments, dict) else ""
    if kind not in ("SOFT", "HARD"):
        raise Fault(400, "Invalid input for field/attribute type. It is SOFT or HARD.")
    hard = kind == "HARD"
    task, states = ("rebooting_hard", _HARD_REBOOT_STATES) if hard else ("rebooting", _SOFT_REBOOT_STATES)
    return await _give_task(request, entry, "reboot", task, states)


async def _rebuild(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    if not isinstance(arguments, dict) or not arguments.get("imageRef"):
        raise Fault(400, "Invalid input for field/attribute rebuild. 'imageRef' is a required property")
    server = entry.value
    _check(request, server, "rebuild", _REBUILD_STATES)
    image_id = str(arguments["imageRef"])
    boots_from_volume = not server.image_id
    neighbours.check_image(request.cloud, request.caller, image_id, server.flavor, boots_from_volume=boots_from_volume)
    rebuilt = begin(server, "rebuilding", new_action(request, "rebuild"))
    rebuilt = replace(
        rebuilt,
        image_id=image_id if server.image_id else "",
        name=str(arguments.get("name") or server.name),
        metadata=arguments.get("metadata", server.metadata),
    )
    await _write(request, entry, rebuilt)
    return reply({"server": server_details(request, rebuilt)}, ACCEPTED)


async def _resize(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    if not isinstance(arguments, dict) or not arguments.get("flavorRef"):
        raise Fault(400, "Invalid input for field/attribute resize. 'flavorRef' is a required property")
    server = entry.value
    flavor = find_flavor(request, str(arguments["flavorRef"]), status=400)
    _check(request, server, "resize", _MOVE_STATES)
    if flavor.id == server.flavor.id:
        raise Fault(400, "When resizing, instances must change flavor!")
    if server.image_id and flavor.disk_gb < server.flavor.disk_gb:
        raise Fault(400, "Flavor's disk is too small for requested image. The root disk can only grow.")
    more = Use(0, max(0, flavor.vcpus - server.flavor.vcpus), max(0, flavor.memory_mb - server.flavor.memory_mb))
    request.cloud.part(ProjectUse).check_growth(server.project_id, more)
    await _begin_move(request, entry, "resize", RESIZE_PREP, ServerFlavor.of(flavor), "resize")
    return reply(None, ACCEPTED)


async def _migrate(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    _check(request, entry.value, "migrate", _MOVE_STATES)
    host = _wanted_host(request, arguments, entry.value)
    await _begin_move(request, entry, "migration", RESIZE_PREP, entry.value.flavor, "migrate", host)
    return reply(None, ACCEPTED)


async def _live_migrate(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    _check(request, entry.value, "os-migrateLive", _LIVE_STATES)
    host = _wanted_host(request, arguments, entry.value)
    await _begin_move(request, entry, "live-migration", MIGRATE_SCHEDULING, entry.value.flavor, "live-migration", host)
    return reply(None, ACCEPTED)


def _wanted_host(request: Request, arguments: Any, server: Server) -> str:
    host = str((arguments or {}).get("host") or "") if isinstance(arguments, dict | None) else ""
    if host:
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
) -> None:
    server, cloud = entry.value, request.cloud
    action = new_action(request, word)
    move = Move(
        id=cloud.new_id(),
        kind=kind,
        status="queued" if kind == "live-migration" else "pre-migrating",
        source=server.node,
        old_flavor=server.flavor,
        new_flavor=flavor,
        from_state=server.state,
        created_us=action.started_us,
        user_id=request.caller.user_id,
        project_id=request.caller.project_id,
        wanted_node=host,
    )
    moving = replace(begin(server, task, action), move=move)
    record = migration_record(moving, move, action.started_us)
    await _write(request, entry, moving, Put(MIGRATION, record, move.id, 0))


async def _confirm_resize(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    server = entry.value
    if server.state == RESIZED and server.task == RESIZE_CONFIRMING:
        raise Fault(400, f"Instance {server.id} has not been resized.")
    return await _give_task(request, entry, "confirmResize", RESIZE_CONFIRMING, frozenset({RESIZED}), status=204)


async def _lock(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    reason = arguments.get("locked_reason") if isinstance(arguments, dict) else None
    await _write(request, entry, replace(entry.value, locked=True, locked_reason=reason))
    return reply(None, ACCEPTED)


async def _unlock(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    await _write(request, entry, replace(entry.value, locked=False, locked_reason=None))
    return reply(None, ACCEPTED)


async def _force_delete(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    await begin_delete(request, entry)
    return reply(None, ACCEPTED)


async def _reset_state(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    state = arguments.get("state") if isinstance(arguments, dict) else None
    if state not in (ACTIVE, ERROR):
        raise Fault(400, "Invalid input for field/attribute state. It is active or error.")
    if entry.value.move is not None:
        # Nova forgets the move and leaks what it took; here it has to be confirmed, reverted or deleted.
        raise Fault(409, f"Cannot 'os-resetState' instance {entry.value.id} while it moves")
    await _write(request, entry, rest(entry.value, state, request.cloud.now_us()))
    return reply(None, ACCEPTED)


async def _change_password(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    _check(request, entry.value, "changePassword", frozenset({ACTIVE}))
    return reply(None, ACCEPTED)


async def _create_image(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    name = arguments.get("name") if isinstance(arguments, dict) else None
    if not name:
        raise Fault(400, "Invalid input for field/attribute createImage. 'name' is a required property")
    _check(request, entry.value, "createImage", _IMAGE_STATES)
    metadata = {str(key): str(value) for key, value in (arguments.get("metadata") or {}).items()}
    image = neighbours.snapshot_image(request.cloud, entry.value, request.caller.project_id, str(name), metadata)
    await request.cloud.mirror.commit([Put(IMAGE, image, image.id, 0)])
    if request.microversion >= (2, 45):
        return reply({"image_id": image.id}, ACCEPTED)
    place = f"{request.cloud.settings.public_url}/image/v2/images/{image.id}"
    return reply(None, ACCEPTED, (("location", place),))


async def _console_output(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    return reply({"output": ""})


async def _add_security_group(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    groups = dict.fromkeys([*entry.value.security_groups, _group_name(arguments)])
    return await _change_groups(request, entry, tuple(groups))


async def _remove_security_group(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    name = _group_name(arguments)
    if name not in entry.value.security_groups:
        raise Fault(404, f"Security group {name} not associated with the instance {entry.value.id}")
    return await _change_groups(request, entry, tuple(group for group in entry.value.security_groups if group != name))


async def _change_groups(request: Request, entry: Entry[Server], groups: tuple[str, ...]) -> Response:
    ports = neighbours.change_security_groups(request.cloud, entry.value, groups)
    await _write(request, entry, replace(entry.value, security_groups=groups), *ports)
    return reply(None, ACCEPTED)


def _group_name(arguments: Any) -> str:
    name = arguments.get("name") if isinstance(arguments, dict) else None
    if not name:
        raise Fault(400, "Missing parameter dict or name of the security group")
    return str(name)


_ACTIONS: Final[Mapping[str, Action]] = {
    "reboot": _reboot,
    "rebuild": _rebuild,
    "resize": _resize,
    "confirmResize": _confirm_resize,
    "migrate": _migrate,
    "os-migrateLive": _live_migrate,
    "lock": _lock,
    "unlock": _unlock,
    "forceDelete": _force_delete,
    "os-resetState": _reset_state,
    "changePassword": _change_password,
    "createImage": _create_image,
    "os-getConsoleOutput": _console_output,
    "addSecurityGroup": _add_security_group,
    "removeSecurityGroup": _remove_security_group,
}
_ADMIN_ACTIONS: Final = frozenset({"migrate", "os-migrateLive", "os-resetState"})
