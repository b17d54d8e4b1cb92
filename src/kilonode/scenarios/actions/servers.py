"""What can be done with a server: boot, delete, stop, start, resize, live-migrate, show, list.

Written for compute microversion 2.79; 2.37 is the least (it brought `networks: none`). The states are Nova's. A server
in ERROR fails the step with the outcome wrong_state and the fault's message. Answers are read only as far as needed.
"""

from typing import Any, Final

import msgspec
from msgspec import field

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.scenarios.actions.answers import NOT_FOUND, delete_if_there, identity_in, wait_in, wait_quietly
from kilonode.scenarios.actions.phases import Phases
from kilonode.scenarios.iteration import Iteration, Step

_NOUN: Final = "server"
_GONE: Final = ("DELETED", "SOFT_DELETED")


class Fault(msgspec.Struct, frozen=True):
    """Why a server is in ERROR."""

    message: str = "no reason given"


class Server(msgspec.Struct, frozen=True):
    """A server as a poll saw it."""

    id: str
    status: str
    task_state: str | None = field(name="OS-EXT-STS:task_state", default=None)
    host_id: str = field(name="hostId", default="")
    """Tells hosts apart without naming them, so that every user may see it."""
    fault: Fault | None = None


class _Answer(msgspec.Struct, frozen=True):
    server: Server


async def boot(it: Iteration, *, flavor: str, image: str, network: str = "") -> Server:
    """Boot a server and wait until it is ACTIVE. Arguments are ids.

    Without `network`, it is put on one of the tenant's networks, in turn, or on none when the tenant has none.
    Steps: boot, boot.accepted, boot.active, and below that the task states seen.
    """
    with it.step("boot") as whole:
        with it.step("accepted"):
            body = _boot_body(it, flavor, image, network)
            server_id = identity_in(await it.cloud.compute.post("/servers", json={_NOUN: body}), _NOUN)
        it.made(_NOUN, server_id, lambda: remove(it, server_id))
        return await _reach(it, whole, server_id, "ACTIVE")


async def delete(it: Iteration, server: Server) -> None:
    """Delete a server and wait until it is gone. Steps: delete, delete.accepted, delete.gone."""
    with it.step("delete") as whole:
        with it.step("accepted"):
            await it.cloud.compute.delete(f"/servers/{server.id}")
        await wait_in(it, whole, "gone", lambda _: _gone(it, server.id), "the server to be gone")
    it.unmade(_NOUN, server.id)


async def remove(it: Iteration, server_id: str) -> None:
    """Delete a server that may be gone already and wait, without steps: for undoing."""
    if await delete_if_there(it.cloud.compute, f"/servers/{server_id}"):
        await wait_quietly(it, lambda: _gone(it, server_id), "the server to be gone")


async def stop(it: Iteration, server: Server) -> Server:
    """Stop a server and wait until it is SHUTOFF. Steps: stop, stop.accepted, stop.shutoff."""
    return await _act(it, server, "stop", {"os-stop": None}, "SHUTOFF")


async def start(it: Iteration, server: Server) -> Server:
    """Start a server that is SHUTOFF and wait until it is ACTIVE. Steps: start, start.accepted, start.active."""
    return await _act(it, server, "start", {"os-start": None}, "ACTIVE")


async def resize(it: Iteration, server: Server, *, flavor: str) -> Server:
    """Give a server another flavor and wait until that wants to be confirmed.

    Steps: resize, resize.accepted, resize.verify_resize.
    """
    return await _act(it, server, "resize", {"resize": {"flavorRef": flavor}}, "VERIFY_RESIZE")


async def confirm_resize(it: Iteration, server: Server) -> Server:
    """Confirm a resize and wait until the server is ACTIVE. Steps: confirm, confirm.accepted, confirm.active."""
    return await _act(it, server, "confirm", {"confirmResize": None}, "ACTIVE")


async def live_migrate(it: Iteration, server: Server) -> Server:
    """Move a running server to another host, which the scheduler chooses, and wait until it is there.

    A server that is ACTIVE again on the host where it was did not migrate: wrong_state.
    Steps: live_migrate, live_migrate.accepted, live_migrate.active.
    """
    with it.step("live_migrate") as whole:
        with it.step("accepted"):
            body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
            await it.cloud.compute.post(f"/servers/{server.id}/action", json=body)
        return await _reach(it, whole, server.id, "ACTIVE", not_on=server.host_id)


async def show(it: Iteration, server_id: str) -> Server:
    """Ask for a server, once. Step: show."""
    with it.step("show"):
        return await _get(it, server_id)


async def list_servers(it: Iteration, *, detailed: bool = True) -> int:
    """List all servers of the project, page by page; gives how many. Step: list_servers."""
    with it.step("list_servers"):
        path = "/servers/detail" if detailed else "/servers"
        return len(await it.cloud.compute.list_all(path, "servers"))


def choose_network(it: Iteration, network: str = "") -> str:
    """The network given, else one of the tenant's networks, in turn; empty when the tenant has none."""
    networks = it.tenant.networks if it.tenant is not None else ()
    return network or (networks[it.number % len(networks)] if networks else "")


def _boot_body(it: Iteration, flavor: str, image: str, network: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": it.name(_NOUN),
        "flavorRef": flavor,
        "imageRef": image,
        "metadata": {"kilonode_run": it.run_id},
        "networks": "none",
    }
    chosen = choose_network(it, network)
    if chosen:
        body["networks"] = [{"uuid": chosen}]
        if it.tenant is not None and it.tenant.security_groups:
            body["security_groups"] = [{"name": group} for group in it.tenant.security_groups]
    return body


async def _act(it: Iteration, server: Server, step: str, body: dict[str, Any], wanted: str) -> Server:
    with it.step(step) as whole:
        with it.step("accepted"):
            await it.cloud.compute.post(f"/servers/{server.id}/action", json=body)
        return await _reach(it, whole, server.id, wanted)


async def _reach(it: Iteration, whole: Step, server_id: str, wanted: str, *, not_on: str = "") -> Server:
    """Poll until the server is in the state `wanted` with no task under way; task states seen become phases."""
    phases: Phases | None = None

    async def probe(step: Step) -> Server | None:
        nonlocal phases
        phases = phases or Phases(step)
        sent_ns = it.clock.now_ns()
        server = await _get(it, server_id)
        phases.see(server.task_state or "", sent_ns, it.clock.now_ns())
        if server.status in ("ERROR", *_GONE):
            reason = f": {server.fault.message}" if server.fault else ""
            raise OperationError(Outcome.WRONG_STATE, f"the server is in {server.status}, wanted {wanted}{reason}")
        if server.status != wanted or server.task_state:
            return None
        if not_on and server.host_id == not_on:
            raise OperationError(Outcome.WRONG_STATE, "the server is still on the host where it was")
        return server

    return await wait_in(it, whole, wanted.lower(), probe, f"the server to be {wanted}")


async def _get(it: Iteration, server_id: str) -> Server:
    response = await it.cloud.compute.request("GET", f"/servers/{server_id}")
    return response.json(_Answer).server


async def _gone(it: Iteration, server_id: str) -> bool | None:
    """True when the server is not there any more; OperationError when its deletion failed."""
    response = await it.cloud.compute.request("GET", f"/servers/{server_id}", expect=(200, NOT_FOUND))
    if response.status == NOT_FOUND:
        return True
    server = response.json(_Answer).server
    if server.status == "ERROR" and not server.task_state:  # one that was in ERROR before has the task `deleting`
        reason = f": {server.fault.message}" if server.fault else ""
        raise OperationError(Outcome.WRONG_STATE, f"the server is in ERROR and was not deleted{reason}")
    return True if server.status in _GONE else None
