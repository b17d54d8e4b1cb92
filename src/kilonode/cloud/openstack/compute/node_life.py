"""Nodes that boot, shut down and reboot: takes the nodes of a fleet through these tasks, and their servers with them.

While a node is off its servers stay as they were, since nobody is there to say otherwise. When it has booted, its
running servers are started again (`resume-guests`, as Nova does with `resume_guests_state_on_host_boot`), shown as a
hard reboot; or they are found stopped (`stop-guests`, Nova's default). What a server was doing goes on.
"""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.draws import Position
from kilonode.cloud.living import Kind, Life
from kilonode.cloud.openstack.compute.changes import rest
from kilonode.cloud.openstack.compute.model import SERVER, Server, servers_by_node
from kilonode.cloud.openstack.compute.states import ACTIVE, REBOOT_STARTED_HARD, STOPPED
from kilonode.cloud.power import lose_power
from kilonode.cloud.resources import NODE, RUNNING, Node, fleet_of
from kilonode.cloud.rules import Facts
from kilonode.cloud.stages import ANY, Stage
from kilonode.control.mirror import Entry, Put

RESUME_GUESTS: Final = "resume-guests"
STOP_GUESTS: Final = "stop-guests"


async def run_node_lives(cloud: Cloud, fleet: str) -> None:
    """Live for the power of the nodes of `fleet`, until cancelled."""

    def is_moving(node: Node) -> bool:
        return node.task is not None and fleet_of(cloud.settings, node.number) == fleet

    about = Kind(is_moving, _position, _facts, _ended, _failed)
    await Life(cloud, f"{fleet}-power", {NODE: about}).controller.run()


def _position(node: Node) -> Position:
    return Position(node.state, node.task, node.turn, node.task_since_us)


def _facts(cloud: Cloud, node: Node) -> Facts:
    return Facts(name=(node.name, node.uuid), host=(node.name,), zone=(node.zone,))


def _ended(cloud: Cloud, entry: Entry[Any], stage: Stage | None) -> Changes:
    node: Node = entry.value
    if stage is None:
        return (Put(NODE, replace(node, task=None), node.name, entry.revision),)
    now_us = cloud.now_us()
    state = node.state if stage.next.state == ANY else stage.next.state
    silent_since_us = 0 if state == RUNNING else node.silent_since_us or now_us
    changed = replace(node, state=state, task=stage.next.task, task_since_us=now_us, silent_since_us=silent_since_us)
    changes = [Put(NODE, changed, node.name, entry.revision)]
    if stage.does in (RESUME_GUESTS, STOP_GUESTS):
        changes += _guests(cloud, node, resume=stage.does == RESUME_GUESTS)
    return tuple(changes)


def _failed(cloud: Cloud, entry: Entry[Any], fault: str) -> Changes:
    """A node that does not come up, or not go down as it should, is off."""
    return (Put(NODE, lose_power(entry.value, cloud.now_us()), entry.value.name, entry.revision),)


def _guests(cloud: Cloud, node: Node, *, resume: bool) -> list[Put]:
    """The servers that ran when the node went down."""
    table, now_us = cloud.mirror.all(SERVER), cloud.now_us()
    changes = []
    for key in servers_by_node(cloud.mirror).keys(node.name):
        server: Server = table[key].value
        if server.node != node.name or server.state != ACTIVE or server.task is not None:
            continue
        if resume:
            # Nobody asked for it, so it is no action of the server.
            changed = replace(server, task=REBOOT_STARTED_HARD, task_since_us=now_us, turn=server.turn + 1)
        else:
            changed = rest(server, STOPPED, now_us)
        changes.append(Put(SERVER, changed, key, table[key].revision))
    return changes
