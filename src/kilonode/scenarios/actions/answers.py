"""What actions read out of answers, and how they wait for a state.

An operation that the cloud does in its own time has two parts, recorded apart: `.accepted`, from the request to the
answer that takes it on, and a step named after the state waited for, whose end is found by polling. Both are inside the
step of the whole; the polling resolution stands at the two whose end it blurs.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.service import ServiceClient
from kilonode.clients.waiting import wait_until
from kilonode.scenarios.iteration import Iteration, Step

Value = TypeVar("Value")

LAST_RESORT_S: Final = 24 * 3600.0
"""No wait lasts longer. The workload's `iteration_timeout` ends it long before; there is one knob, not two."""
NOT_FOUND: Final = 404
DELETED: Final = (200, 202, 204)


async def wait_in(
    it: Iteration, whole: Step, state: str, probe: Callable[[Step], Awaitable[Value | None]], waiting_for: str
) -> Value:
    """Poll until `probe`, which is given the step that waits, gives something: the step `state` inside `whole`."""
    with it.step(state) as step:
        waited = await wait_until(it.clock, lambda: probe(step), timeout_s=LAST_RESORT_S, waiting_for=waiting_for)
        step.resolution_ns = whole.resolution_ns = waited.resolution_ns
    return waited.value


async def wait_quietly(it: Iteration, probe: Callable[[], Awaitable[Value | None]], waiting_for: str) -> Value:
    """The same without a step of its own: for undoing."""
    return (await wait_until(it.clock, probe, timeout_s=LAST_RESORT_S, waiting_for=waiting_for)).value


def identity_in(document: Any, noun: str) -> str:
    """The id of the thing in an answer such as `{"network": {"id": …}}`."""
    thing = document.get(noun) if isinstance(document, dict) else None
    identity = thing.get("id") if isinstance(thing, dict) else None
    if not isinstance(identity, str):
        raise OperationError(Outcome.PROTOCOL, f"the answer has no {noun} with an id")
    return identity


async def delete_if_there(service: ServiceClient, path: str) -> bool:
    """Delete what may be gone already; False when it was."""
    response = await service.request("DELETE", path, expect=(*DELETED, NOT_FOUND))
    return response.status != NOT_FOUND
