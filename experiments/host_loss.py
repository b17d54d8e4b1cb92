"""A scenario of one's own, for host-loss.yaml: an operator who looks for lost hosts, and evacuates their servers."""

from typing import Any

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.scenarios.actions.answers import wait_in
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration, Step


@scenario("own.evacuate_lost_hosts", services=("compute",))
async def evacuate_lost_hosts(it: Iteration) -> None:
    """Look which hosts are down, and evacuate each server there, one after the other. Needs an administrator.

    Steps: look, list_servers, evacuate, evacuate.accepted, evacuate.active.
    """
    with it.step("look"):
        answer = await it.cloud.compute.get("/os-services?binary=nova-compute")
    lost = [service["host"] for service in answer["services"] if service["state"] == "down"]
    for host in lost:
        with it.step("list_servers"):
            found = await it.cloud.compute.list_all(f"/servers/detail?all_tenants=true&host={host}", "servers")
        for server in found:
            if server["status"] in ("ACTIVE", "SHUTOFF", "ERROR"):
                await _evacuate(it, server["id"], host)


async def _evacuate(it: Iteration, server_id: str, host: str) -> None:
    async def elsewhere(step: Step) -> Any:
        server = (await it.cloud.compute.get(f"/servers/{server_id}"))["server"]
        if server["status"] == "ERROR":
            raise OperationError(Outcome.WRONG_STATE, "the evacuated server is in ERROR")
        there = server["OS-EXT-SRV-ATTR:host"]
        return server if there != host and server["status"] == "ACTIVE" else None

    with it.step("evacuate") as whole:
        with it.step("accepted"):
            await it.cloud.compute.post(f"/servers/{server_id}/action", json={"evacuate": {}})
        await wait_in(it, whole, "active", elsewhere, f"server {server_id} on another host")
