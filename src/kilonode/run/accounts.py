"""What services count: placement's books of each node, moves under way, and the use of quotas in projects."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from kilonode.check.inventory import NodeUse, QuotaUse
from kilonode.clients.openstack.connection import Connection
from kilonode.run.actions import Actions
from kilonode.run.leftovers import has_service

MOST_PROJECTS: Final = 200
"""Of so many projects the use of quotas is looked at."""
_UNFINISHED: Final = (
    "accepted", "queued", "preparing", "pre-migrating", "running", "migrating", "running (post-copy)",
    "post-migrating", "finished", "confirming", "reverting",
)  # fmt: skip
"""The states of a migration that still holds something of two nodes; `finished` waits for a confirmation."""
_NETWORK_USES: Final = {
    "network": "networks",
    "subnet": "subnets",
    "port": "ports",
    "router": "routers",
    "security_group": "security_groups",
    "floatingip": "floating_ips",
}


async def node_uses(connection: Connection, actions: Actions) -> list[NodeUse]:
    """The books of every resource provider. Raises OperationError."""
    answer = await connection.placement.get("/resource_providers")
    providers = answer["resource_providers"]
    return await actions.each([partial(_node_use, connection, provider) for provider in providers])


async def _node_use(connection: Connection, provider: dict[str, Any]) -> NodeUse:
    placement, path = connection.placement, f"/resource_providers/{provider['uuid']}"
    inventories = (await placement.get(f"{path}/inventories"))["inventories"]
    used = (await placement.get(f"{path}/usages"))["usages"]
    allocations = (await placement.get(f"{path}/allocations"))["allocations"]
    return NodeUse(
        id=str(provider["uuid"]),
        name=str(provider["name"]),
        capacity={
            name: int((one["total"] - one.get("reserved", 0)) * one.get("allocation_ratio", 1.0))
            for name, one in inventories.items()
        },
        used=used,
        allocations={consumer: one["resources"] for consumer, one in allocations.items()},
    )


async def moves_under_way(connection: Connection) -> list[str]:
    """The consumers of moves that have not come to their end. Raises OperationError."""
    found: list[str] = []
    for status in _UNFINISHED:
        migrations = await connection.compute.list_all("/os-migrations", "migrations", (("status", status),))
        found += [str(one["uuid"]) for one in migrations if one.get("uuid")]
    return found


async def quota_uses(connection: Connection, projects: Sequence[str], actions: Actions) -> list[QuotaUse]:
    """What services say that these projects use. Raises OperationError."""
    questions: list[Callable[[], Awaitable[list[QuotaUse]]]] = []
    for project in projects[:MOST_PROJECTS]:
        for service, question in (("compute", _of_compute), ("network", _of_network), ("volume", _of_volume)):
            if has_service(connection, service):
                questions.append(partial(question, connection, project))
    return [use for uses in await actions.each(questions) for use in uses]


async def _of_compute(connection: Connection, project: str) -> list[QuotaUse]:
    query = () if project == connection.project_id else (("tenant_id", project),)
    absolute = (await connection.compute.get("/limits", query=query))["limits"]["absolute"]
    uses = {"servers": "totalInstancesUsed", "cores": "totalCoresUsed", "memory_mb": "totalRAMUsed"}
    return [QuotaUse(project_id=project, name=name, used=int(absolute[key])) for name, key in uses.items()]


async def _of_network(connection: Connection, project: str) -> list[QuotaUse]:
    quota = (await connection.network.get(f"/quotas/{project}/details"))["quota"]
    uses = {name: quota[key] for key, name in _NETWORK_USES.items() if isinstance(quota.get(key), dict)}
    return [QuotaUse(project_id=project, name=name, used=int(one["used"])) for name, one in uses.items()]


async def _of_volume(connection: Connection, project: str) -> list[QuotaUse]:
    path = f"/os-quota-sets/{project}"
    quota = (await connection.volume.get(path, query=(("usage", "true"),)))["quota_set"]
    uses = {"volumes": quota["volumes"], "snapshots": quota["snapshots"], "gibibytes": quota["gigabytes"]}
    return [QuotaUse(project_id=project, name=name, used=int(one["in_use"])) for name, one in uses.items()]
