"""Placement's books and the quotas against the servers and other resources that there are.

A node must have given each server on it exactly what its flavor takes, nothing to anybody else but moves under way,
and no more than it has; and what it says in sum must be the sum. Servers that something is under way for are left out:
their books may be ahead of them or behind.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from kilonode.check.inventory import CLASSES, MEMORY_MB, VCPU, Inventory, NodeUse, Thing

_UNPLACED: Final = frozenset({"SHELVED_OFFLOADED", "DELETED", "SOFT_DELETED", "ERROR"})
_QUOTA_KINDS: Final = {
    "servers": "server",
    "volumes": "volume",
    "snapshots": "snapshot",
    "networks": "network",
    "subnets": "subnet",
    "ports": "port",
    "routers": "router",
    "security_groups": "security_group",
    "floating_ips": "floating_ip",
}


class Account(msgspec.Struct, frozen=True):
    """Books that are not right."""

    breach: Literal["leaked", "duplicated", "overbooked"]
    kind: str
    id: str
    name: str
    text: str


def misaccounted(inventory: Inventory) -> Iterator[Account]:
    """Everything that the books have wrong."""
    servers = {thing.id: thing for thing in inventory.things if thing.kind == "server"}
    nodes = inventory.nodes or ()
    for node in nodes:
        yield from _node(node)
        if inventory.all_projects:
            yield from _allocations(node, servers, frozenset(inventory.moves))
    if inventory.all_projects and inventory.nodes is not None:
        yield from _servers(servers, nodes)
    yield from _quotas(inventory)


def _node(node: NodeUse) -> Iterator[Account]:
    for name in CLASSES:
        used = node.used.get(name, 0)
        total = sum(allocation.get(name, 0) for allocation in node.allocations.values())
        if used != total:
            text = f"{used} {name} are counted as used, and the allocations have {total}"
            yield Account("leaked", "node", node.id, node.name, text)
        if max(used, total) > node.capacity.get(name, 0):
            text = f"{max(used, total)} {name} are given, of {node.capacity.get(name, 0)}"
            yield Account("overbooked", "node", node.id, node.name, text)


def _allocations(node: NodeUse, servers: dict[str, Thing], moves: frozenset[str]) -> Iterator[Account]:
    for consumer, amount in node.allocations.items():
        server = servers.get(consumer)
        if server is None:
            if consumer not in moves:
                text = f"{_words(amount)} are allocated on {node.name}, and there is no such server"
                yield Account("leaked", "allocation", consumer, "", text)
        elif server.task or server.status in _UNPLACED:
            continue
        elif server.node == node.name and _known(amount) != server.amount:
            text = f"{_words(amount)} are allocated on {node.name}, and its flavor takes {_words(server.amount)}"
            yield Account("leaked", "server", server.id, server.name, text)


def _servers(servers: dict[str, Thing], nodes: tuple[NodeUse, ...]) -> Iterator[Account]:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for node in nodes:
        for consumer in node.allocations:
            places[consumer].append(node.name)
    for server in servers.values():
        if server.task or server.status in ("BUILD", *_UNPLACED):
            continue
        found = places.get(server.id, [])
        if len(found) > 1:
            text = f"it is on {len(found)} nodes: {', '.join(found)}"
            yield Account("duplicated", "server", server.id, server.name, text)
        elif server.node and server.amount and found != [server.node]:
            where = found[0] if found else "no node"
            text = f"it is on {server.node}, and its allocation is on {where}"
            yield Account("leaked", "server", server.id, server.name, text)


def _quotas(inventory: Inventory) -> Iterator[Account]:
    for use in inventory.quotas or ():
        actual = _actual(inventory, use.project_id, use.name)
        if actual is None or use.used == actual:
            continue
        # Snapshots take of the gibibytes of volumes, unless a cloud is told that they do not.
        more = _gibibytes(inventory, use.project_id, "snapshot") if use.name == "gibibytes" else 0
        unseen = use.name == "gibibytes" and "snapshot" not in inventory.kinds
        if use.used != more + actual and not (unseen and use.used > actual):
            text = f"the quota counts {use.used} {use.name}, and there are {actual}"
            if more:
                text += f", or {more + actual} with those of snapshots"
            yield Account("leaked", "quota", use.project_id, use.name, text)


def _actual(inventory: Inventory, project_id: str, name: str) -> int | None:
    kind = {"cores": "server", "memory_mb": "server", "gibibytes": "volume"}.get(name) or _QUOTA_KINDS.get(name)
    if kind is None or kind not in inventory.kinds:
        return None
    things = [thing for thing in inventory.things if thing.kind == kind and thing.project_id == project_id]
    if kind == "server":
        things = [thing for thing in things if thing.status not in ("DELETED", "SOFT_DELETED")]
        if name != "servers" and any(thing.task or thing.status == "VERIFY_RESIZE" for thing in things):
            return None  # a service may count the larger of the two flavors
    match name:
        case "cores":
            return sum(thing.amount.get(VCPU, 0) for thing in things)
        case "memory_mb":
            return sum(thing.amount.get(MEMORY_MB, 0) for thing in things)
        case "gibibytes":
            return _gibibytes(inventory, project_id, kind)
    return len(things)


def _gibibytes(inventory: Inventory, project_id: str, kind: str) -> int:
    return sum(thing.size_gib for thing in inventory.things if (thing.kind, thing.project_id) == (kind, project_id))


def _known(amount: dict[str, int]) -> dict[str, int]:
    return {name: amount[name] for name in CLASSES if amount.get(name)}


def _words(amount: dict[str, int]) -> str:
    return ", ".join(f"{value} {name}" for name, value in amount.items()) or "nothing"
