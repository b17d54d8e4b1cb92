"""The power of the nodes of a cloud that runs: for commands, and for whatever breaks nodes on purpose.

It writes the documents of nodes beside the cloud's own processes, as somebody at the machines would press buttons; what
happens then is the fleet's business (`kilonode.cloud.power`). Clouds that keep their documents in memory cannot be
reached like this.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Literal

import msgspec

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError, nearest
from kilonode.cloud.context import Cloud
from kilonode.cloud.folder import StateFolder
from kilonode.cloud.operating import processes
from kilonode.cloud.power import lose_power, power_on, reboot, reset, shut_down
from kilonode.cloud.resources import NODE, Node
from kilonode.cloud.sites import of_region
from kilonode.control.mirror import Entry, Put
from kilonode.store.protocol import ConflictError
from kilonode.store.sqlite import SqliteStore

PowerAction = Literal["off", "on", "reset", "shutdown", "reboot"]
CHANGES: Final[dict[PowerAction, Callable[[Node, int], Node]]] = {
    "off": lose_power,
    "on": power_on,
    "reset": reset,
    "shutdown": shut_down,
    "reboot": reboot,
}
CONFLICTS_TRIED: Final = 10


class NodePower(msgspec.Struct, frozen=True):
    """Whether a node runs."""

    name: str
    state: str
    """`running` or `off`."""
    task: str | None
    """What it is doing: `booting`, `shutting-down`, `rebooting`."""


async def set_power(
    folder: StateFolder, names: Sequence[str], action: PowerAction, region: str = ""
) -> tuple[NodePower, ...]:
    """Do this to these nodes, to all of them or to none; how they are then.

    `region`: which site's, where there are several; empty: the first one's. Raises InputError.
    """
    async with _opened(folder, region) as cloud:
        return await change_power(cloud, names, action)


async def power_of(folder: StateFolder, region: str = "") -> tuple[NodePower, ...]:
    """How all nodes are. Raises InputError."""
    async with _opened(folder, region) as cloud:
        return powers_in(cloud)


def powers_in(cloud: Cloud) -> tuple[NodePower, ...]:
    """How all nodes of a site are."""
    nodes = [entry.value for entry in cloud.mirror.all(NODE).values()]
    return tuple(NodePower(node.name, node.state, node.task) for node in nodes)


@contextlib.asynccontextmanager
async def _opened(folder: StateFolder, region: str) -> AsyncIterator[Cloud]:
    """The documents of the nodes of one site."""
    record = folder.read_record()
    if not processes(folder) or record is None:
        raise InputError("the cloud is not running", where=str(folder.path), hint="start it with: kilonode cloud up")
    if record.store == "memory":
        raise InputError(
            "this cloud keeps its nodes in the memory of its one process",
            where=str(folder.path),
            hint="use a cloud with --store sqlite",
        )
    known = [site.region for site in record.settings.sites]
    region = region or (known[0] if known else "")
    if region and region not in known:
        raise InputError(
            "the cloud has no such site",
            where="region",
            expected=f"one of {', '.join(known)}" if known else "none: it has one site",
            got=region,
        )
    file = folder.of_site(region) / folder.store.name if region else folder.store
    store = await SqliteStore.open(file, synchronous=record.synchronous)
    try:
        cloud = await Cloud.open(store, RealClock(), of_region(record.settings, region), "power", (NODE,))
        try:
            yield cloud
        finally:
            await cloud.close()
    finally:
        await store.close()


async def change_power(cloud: Cloud, names: Sequence[str], action: PowerAction) -> tuple[NodePower, ...]:
    """Do this to these nodes of a site; how they are then. Raises InputError."""
    for _ in range(CONFLICTS_TRIED):
        table = cloud.mirror.all(NODE)
        entries: list[Entry[Node]] = []
        for name in dict.fromkeys(names):
            if name not in table:
                expected = f"one of {len(table)} nodes, such as {next(iter(table), 'none')}"
                raise InputError("there is no such node", where=name, expected=expected, hint=nearest(name, table))
            entries.append(table[name])
        changed = [(CHANGES[action](entry.value, cloud.now_us()), entry) for entry in entries]
        puts = [Put(NODE, node, node.name, entry.revision) for node, entry in changed if node != entry.value]
        try:
            if puts:
                await cloud.mirror.commit(puts)
        except ConflictError:
            continue
        return tuple(NodePower(node.name, node.state, node.task) for node, _ in changed)
    raise InputError("somebody else changes these nodes all the time", where=", ".join(names))
