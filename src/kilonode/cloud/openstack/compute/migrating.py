"""Live migrations under way: hurry one up, or call it off."""

from typing import Final

from msgspec.structs import replace

from kilonode.cloud.ledger import Claim, Ledger
from kilonode.cloud.openstack.compute.changes import migration_record, rest
from kilonode.cloud.openstack.compute.lookup import find_server
from kilonode.cloud.openstack.compute.model import MIGRATION, SERVER, Move, Server, flavor_amount, migration_number
from kilonode.cloud.openstack.compute.servers import check_unlocked, instant_action, new_action
from kilonode.cloud.openstack.compute.states import MIGRATE_SCHEDULING, MIGRATING
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Put

_LONG_AGO_US: Final = 3_600_000_000
"""No stage lasts longer: one that began so long ago is over."""


async def act_on_server_migration(request: Request) -> Response:
    """Force a live migration to complete: it ends at once, however long it would have taken."""
    if list(request.json_object()) != ["force_complete"]:
        raise Fault(400, "There is no such action.")
    entry = find_server(request)
    server = entry.value
    check_unlocked(request, server)
    _move(request, server, (MIGRATING,), "live_migrate_force_complete", missing=400)
    hurried = instant_action(server, new_action(request, "live_migration_force_complete"))
    hurried = replace(hurried, task_since_us=server.task_since_us - _LONG_AGO_US)
    await request.cloud.mirror.commit([Put(SERVER, hurried, server.id, entry.revision)])
    return reply(None, 202)


async def abort_server_migration(request: Request) -> Response:
    """Call a live migration off: the server stays where it is, and the room at the other end is free again."""
    entry = find_server(request)
    server, cloud = entry.value, request.cloud
    check_unlocked(request, server)
    tasks = (MIGRATING, MIGRATE_SCHEDULING) if request.microversion >= (2, 65) else (MIGRATING,)
    move = _move(request, server, tasks, "live_migration_abort")
    now_us = cloud.now_us()
    stays = replace(rest(server, move.from_state, now_us), move=None)
    stays = instant_action(stays, new_action(request, "live_migration_cancel"))
    record = migration_record(server, replace(move, status="cancelled"), now_us)
    ledger = Ledger(cloud.mirror)
    if move.target:
        ledger.enter(Claim(move.target, flavor_amount(server, move.new_flavor), -1))
    changes: list[Put | Delete] = [Put(SERVER, stays, server.id, entry.revision), Put(MIGRATION, record, move.id)]
    await cloud.mirror.commit([*changes, *ledger.changes()])
    return reply(None, 202)


def _move(request: Request, server: Server, tasks: tuple[str, ...], word: str, *, missing: int = 404) -> Move:
    """The live migration that the path names, if it can still be changed. Raises Fault 409, or `missing`."""
    if server.task not in tasks:
        raise Fault(409, f"Cannot '{word}' instance {server.id} while it is in task_state {server.task}")
    move, number = server.move, request.params["migration_id"]
    if move is None or move.kind != "live-migration" or str(migration_number(move.id)) != number:
        raise Fault(missing, f"Migration {number} for server {server.id} could not be found.")
    return move
