"""What all actions on servers share: their type, the checks of lock, state and task, and writing the server.

What each action does is in `actions` and the modules that it names.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from kilonode.cloud.openstack.compute.changes import begin
from kilonode.cloud.openstack.compute.model import SERVER, Server
from kilonode.cloud.openstack.compute.servers import check_unlocked, new_action
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

Action = Callable[[Request, Entry[Server], Any], Awaitable[Response]]
"""Given the request, the server and what stands after the action's name in the body."""

ACCEPTED: Final = 202
PASSWORD_LENGTH: Final = 12


async def give_task(
    request: Request, entry: Entry[Server], word: str, task: str, states: frozenset[str], status: int = ACCEPTED
) -> Response:
    """Give the server a task, if its lock, state and task allow it."""
    server = entry.value
    check_state(request, server, word, states)
    await write(request, entry, begin(server, task, new_action(request, word)))
    return reply(None, status)


def check_state(
    request: Request, server: Server, word: str, states: frozenset[str], *, despite_lock: bool = False
) -> None:
    """Refuse an action that the server's lock, state or task forbids. Raises Fault 409."""
    if not despite_lock:
        check_unlocked(request, server)
    if server.state not in states:
        raise Fault(409, f"Cannot '{word}' instance {server.id} while it is in vm_state {server.state}")
    if server.task is not None:
        raise Fault(409, f"Cannot '{word}' instance {server.id} while it is in task_state {server.task}")


async def write(request: Request, entry: Entry[Server], server: Server, *more: Put | Delete) -> None:
    """Write the server and what goes with it, unless somebody wrote it first."""
    await request.cloud.mirror.commit([Put(SERVER, server, server.id, entry.revision), *more])


def object_of(arguments: Any, name: str) -> dict[str, Any]:
    """The arguments of an action that must have some. Raises Fault 400."""
    if not isinstance(arguments, dict):
        raise Fault(400, f"Invalid input for field/attribute {name}. Value: {arguments}. It is not of type 'object'")
    return arguments


def required_text(arguments: dict[str, Any], name: str, *, longest: int = 255) -> str:
    """A name that must be there and not be blank. Raises Fault 400."""
    value = arguments.get(name)
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= longest:
        raise Fault(
            400, f"Invalid input for field/attribute {name}. Value: {value!r}. It has 1 to {longest} characters."
        )
    return value


def only_words(arguments: dict[str, Any], *known: str) -> None:
    """Refuse names an action does not have. Raises Fault 400."""
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise Fault(400, f"Additional properties are not allowed ({', '.join(map(repr, unknown))} was unexpected)")


def password(request: Request, wanted: Any = None) -> str:
    """The password asked for, or a new one. It opens nothing and is kept nowhere. Raises Fault 400."""
    if wanted is not None and not isinstance(wanted, str):
        raise Fault(400, f"Invalid input for field/attribute adminPass. Value: {wanted}. It is not of type 'string'")
    return request.cloud.new_hexadecimal_id()[-PASSWORD_LENGTH:] if wanted is None else wanted
