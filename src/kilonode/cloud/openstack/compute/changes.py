"""What the roles and the API do to a server's document: small pure functions from a server to the server after it.

Nothing here reads a store or decides when; each function gives the record to write.
"""

from typing import Final

from msgspec.structs import replace

from kilonode.cloud.openstack.compute.model import (
    ACTIONS_KEPT,
    Migration,
    Move,
    Server,
    ServerAction,
    ServerFault,
)
from kilonode.cloud.openstack.compute.states import ERROR, SCHEDULING
from kilonode.cloud.stages import ANY, Stage

NO_VALID_HOST: Final = "No valid host was found. There are not enough hosts available."
FAULT_CODE: Final = 500
BUILDS_TRIED: Final = 3
"""How many nodes may refuse a server before it fails: Nova's `max_attempts`."""


def begin(server: Server, task: str, action: ServerAction) -> Server:
    """Give the server a new task, and remember who asked for it."""
    return replace(
        server,
        task=task,
        task_since_us=action.started_us,
        updated_us=action.started_us,
        turn=server.turn + 1,
        actions=(*server.actions, action)[-ACTIONS_KEPT:],
    )


def move_on(server: Server, stage: Stage, now_us: int) -> Server:
    """The server after a stage that ended well."""
    following = stage.next
    state = server.state if following.state == ANY else following.state
    if following.task is None:
        return rest(server, state, now_us)
    return replace(server, state=state, task=following.task, task_since_us=now_us, updated_us=now_us)


def rest(server: Server, state: str, now_us: int) -> Server:
    """The server in `state` with nothing more to do: its action has ended well."""
    return replace(
        server,
        state=state,
        task=None,
        task_since_us=now_us,
        updated_us=now_us,
        fault=None,
        actions=_ended(server, now_us, ""),
    )


def fail(server: Server, message: str, now_us: int, *, state: str = ERROR, details: str = "") -> Server:
    """The server after its task failed: in the state `error` unless another is given, with the fault to show."""
    return replace(
        server,
        state=state,
        task=None,
        task_since_us=now_us,
        updated_us=now_us,
        fault=ServerFault(FAULT_CODE, message, now_us, details),
        actions=_ended(server, now_us, message),
    )


def try_elsewhere(server: Server, now_us: int) -> Server | None:
    """The server looking for another node after its own refused it, or None when it has tried often enough.

    What its node, ports and volumes gave it must be given back with it. A server with volumes of its own does not try
    again: they may have been made for it.
    """
    refused_by = (*server.refused_by, server.node)
    if len(refused_by) >= BUILDS_TRIED or server.devices:
        return None
    return replace(
        server,
        node="",
        task=SCHEDULING,
        task_since_us=now_us,
        updated_us=now_us,
        turn=server.turn + 1,
        refused_by=refused_by,
    )


def migration_record(server: Server, move: Move, now_us: int) -> Migration:
    """What administrators are shown of a move."""
    return Migration(
        uuid=move.id,
        server_id=server.id,
        kind=move.kind,
        status=move.status,
        source=move.source,
        target=move.target,
        old_flavor_id=move.old_flavor.id,
        new_flavor_id=move.new_flavor.id,
        created_us=move.created_us,
        updated_us=now_us,
        user_id=move.user_id,
        project_id=move.project_id,
    )


def _ended(server: Server, now_us: int, error: str) -> tuple[ServerAction, ...]:
    if not server.actions or server.actions[-1].finished_us:
        return server.actions
    return (*server.actions[:-1], replace(server.actions[-1], finished_us=now_us, error=error))
