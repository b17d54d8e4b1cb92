"""`POST /servers/{server_id}/action`: what is done to a server.

An action that takes time gives the server a task and is answered at once; the scheduler and the fleet do the rest.
Which states allow an action is a table, and so is the task it gives. The others have a function each, here or in the
module of their kind. Microversions and who may are in the same tables.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.compute import consoles, imaging, moves, neighbours, older_addresses, rebuilding, shelving
from kilonode.cloud.openstack.compute.acting import (
    ACCEPTED,
    Action,
    check_state,
    give_task,
    object_of,
    only_words,
    write,
)
from kilonode.cloud.openstack.compute.changes import rest
from kilonode.cloud.openstack.compute.lookup import find_server
from kilonode.cloud.openstack.compute.model import Server
from kilonode.cloud.openstack.compute.servers import begin_delete, check_unlocked, instant_action, new_action
from kilonode.cloud.openstack.compute.states import (
    ACTIVE,
    ERROR,
    PAUSED,
    RESCUED,
    RESIZE_REVERTING,
    RESIZED,
    STOPPED,
    SUSPENDED,
    UPDATING_PASSWORD,
)
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.microversions import Microversion
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry


class Simple(msgspec.Struct, frozen=True):
    """An action that only gives a task: Nova's word for it in errors, the task, and the states that allow it."""

    word: str
    task: str
    states: frozenset[str]


class Offer(msgspec.Struct, frozen=True):
    """An action with a function of its own."""

    do: Action
    access: Access = Access.MEMBER
    """What a caller must be."""
    since: Microversion = (2, 1)
    until: Microversion = (2, 999)


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
_HARD_REBOOT_TASKS: Final = frozenset({"rebooting", "rebooting_hard", "reboot_started", "reboot_started_hard"})
_CRASH_DUMP_STATES: Final = frozenset({ACTIVE, PAUSED, RESCUED, RESIZED, ERROR})


def known_actions() -> dict[str, Microversion | None]:
    """The names of all actions, and the first microversion of those that came later."""
    offers = {name: offer.since if offer.since > (2, 1) else None for name, offer in _OFFERS.items()}
    return dict.fromkeys(_SIMPLE) | offers


async def act_on_server(request: Request) -> Response:
    """Do what the one name in the body says."""
    body = request.json_object()
    if len(body) != 1:
        raise Fault(400, "Malformed request body")
    name, arguments = next(iter(body.items()))
    simple = _SIMPLE.get(name)
    if simple is not None:
        return await give_task(request, find_server(request), simple.word, simple.task, simple.states)
    offer = _OFFERS.get(name)
    if offer is None:
        raise Fault(400, f"There is no such action: {name}")
    if not offer.since <= request.microversion <= offer.until:
        raise Fault(400 if request.microversion < offer.since else 404, f"There is no such action: {name}")
    if request.caller.access < offer.access:
        raise Fault(403, f"Policy doesn't allow os_compute_api:{name} to be performed.")
    return await offer.do(request, find_server(request), arguments)


async def _reboot(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    wanted = object_of(arguments, "reboot")
    kind = str(wanted.get("type", "")).upper()
    if kind not in ("SOFT", "HARD"):
        raise Fault(400, f"Invalid input for field/attribute type. Value: {wanted.get('type')}. It is SOFT or HARD.")
    if kind == "SOFT":
        return await give_task(request, entry, "reboot", "rebooting", _SOFT_REBOOT_STATES)
    if entry.value.task in _HARD_REBOOT_TASKS:
        # A hard reboot may cut in on a reboot that hangs.
        entry = Entry(replace(entry.value, task=None), entry.revision)
    return await give_task(request, entry, "reboot", "rebooting_hard", _HARD_REBOOT_STATES)


async def _lock(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    reason = None
    if arguments is not None and request.microversion >= (2, 73):
        wanted = object_of(arguments, "lock")
        only_words(wanted, "locked_reason")
        reason = wanted.get("locked_reason")
        if not isinstance(reason, str) or not 1 <= len(reason) <= 255:
            raise Fault(400, f"Invalid input for field/attribute locked_reason. Value: {reason}.")
    server = entry.value
    locked = replace(
        instant_action(server, new_action(request, "lock")),
        locked=True,
        locked_reason=reason,
        locked_by_admin=server.project_id != request.caller.project_id,
    )
    await write(request, entry, locked)
    return reply(None, ACCEPTED)


async def _unlock(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    server = entry.value
    if server.locked and server.locked_by_admin and not request.caller.is_admin:
        raise Fault(403, "Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed.")
    unlocked = replace(
        instant_action(server, new_action(request, "unlock")), locked=False, locked_reason=None, locked_by_admin=False
    )
    await write(request, entry, unlocked)
    return reply(None, ACCEPTED)


async def _force_delete(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    await begin_delete(request, entry)
    return reply(None, ACCEPTED)


async def _restore(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    # A server that is deleted here is deleted at once, as with Nova's own `reclaim_instance_interval` of 0.
    check_state(request, entry.value, "restore", frozenset())
    return reply(None, ACCEPTED)


async def _reset_state(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    state = arguments.get("state") if isinstance(arguments, dict) else None
    if state not in (ACTIVE, ERROR):
        raise Fault(400, "Invalid input for field/attribute state. It is active or error.")
    server = entry.value
    if server.move is not None:
        # Nova forgets the move and leaks what it took; here it has to be confirmed, reverted or deleted.
        raise Fault(409, f"Cannot 'os-resetState' instance {server.id} while it moves")
    await write(request, entry, replace(rest(server, state, request.cloud.now_us()), new_image=None))
    return reply(None, ACCEPTED)


async def _inject_network_info(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    check_unlocked(request, entry.value)
    return reply(None, ACCEPTED)


async def _reset_network(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    raise Fault(410, "This resource is no longer available. No forwarding address is given.")


async def _change_password(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    wanted = object_of(arguments, "changePassword")
    if not isinstance(wanted.get("adminPass"), str):
        raise Fault(400, "Invalid input for field/attribute changePassword. 'adminPass' is a required property")
    return await give_task(request, entry, "changePassword", UPDATING_PASSWORD, frozenset({ACTIVE}))


async def _trigger_crash_dump(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    server = entry.value
    check_state(request, server, "trigger_crash_dump", _CRASH_DUMP_STATES)
    await write(request, entry, instant_action(server, new_action(request, "trigger_crash_dump")))
    return reply(None, ACCEPTED)


async def _add_security_group(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    name = _group_name(arguments)
    groups = dict.fromkeys([*entry.value.security_groups, name])
    try:
        return await _change_groups(request, entry, tuple(groups))
    except Fault as fault:
        if fault.status != 400:
            raise
        words = f"Security group {name} is not found for project {entry.value.project_id}"
        raise Fault(404, words) from fault


async def _remove_security_group(request: Request, entry: Entry[Server], arguments: Any) -> Response:
    name = _group_name(arguments)
    if name not in entry.value.security_groups:
        raise Fault(404, f"Security group {name} is not found for project {entry.value.project_id}")
    return await _change_groups(request, entry, tuple(group for group in entry.value.security_groups if group != name))


async def _change_groups(request: Request, entry: Entry[Server], groups: tuple[str, ...]) -> Response:
    ports = neighbours.change_security_groups(request.cloud, entry.value, groups)
    await write(request, entry, replace(entry.value, security_groups=groups), *ports)
    return reply(None, ACCEPTED)


def _group_name(arguments: Any) -> str:
    name = arguments.get("name") if isinstance(arguments, dict) else None
    if not name:
        raise Fault(400, "Missing parameter dict or name of the security group")
    return str(name)


def _console(name: str) -> Offer:
    async def do(request: Request, entry: Entry[Server], arguments: Any) -> Response:
        return await consoles.open_console(request, name, entry, arguments)

    return Offer(do, until=(2, 5))


_OFFERS: Final[Mapping[str, Offer]] = {
    "reboot": Offer(_reboot),
    "rebuild": Offer(rebuilding.rebuild),
    "rescue": Offer(rebuilding.rescue),
    "unrescue": Offer(rebuilding.unrescue),
    "resize": Offer(moves.resize),
    "confirmResize": Offer(moves.confirm_resize),
    "migrate": Offer(moves.migrate, Access.MANAGER),
    "os-migrateLive": Offer(moves.live_migrate, Access.MANAGER),
    "evacuate": Offer(moves.evacuate, Access.ADMIN),
    "shelve": Offer(shelving.shelve),
    "shelveOffload": Offer(shelving.shelve_offload, Access.ADMIN),
    "unshelve": Offer(shelving.unshelve),
    "lock": Offer(_lock),
    "unlock": Offer(_unlock),
    "forceDelete": Offer(_force_delete),
    "restore": Offer(_restore),
    "os-resetState": Offer(_reset_state, Access.ADMIN),
    "injectNetworkInfo": Offer(_inject_network_info, Access.ADMIN),
    "resetNetwork": Offer(_reset_network),
    "changePassword": Offer(_change_password),
    "trigger_crash_dump": Offer(_trigger_crash_dump, since=(2, 17)),
    "createImage": Offer(imaging.create_image),
    "createBackup": Offer(imaging.create_backup),
    "os-getConsoleOutput": Offer(consoles.show_output),
    "os-getVNCConsole": _console("os-getVNCConsole"),
    "os-getSPICEConsole": _console("os-getSPICEConsole"),
    "os-getSerialConsole": _console("os-getSerialConsole"),
    "addSecurityGroup": Offer(_add_security_group),
    "removeSecurityGroup": Offer(_remove_security_group),
    "addFloatingIp": Offer(older_addresses.add_floating_ip, until=(2, 43)),
    "removeFloatingIp": Offer(older_addresses.remove_floating_ip, until=(2, 43)),
    "addFixedIp": Offer(older_addresses.add_fixed_ip, until=(2, 43)),
    "removeFixedIp": Offer(older_addresses.remove_fixed_ip, until=(2, 43)),
}
