"""The power of nodes: what an administrator, or a fault, writes to have a node go down and come back.

Each function gives the node's document as it is to be written; whoever writes it names the revision that was read. What
happens then is the fleet's: the stages `node-shutdown`, `node-reboot` and `node-boot` of the profile say how long it
takes (`openstack.compute.node_life`). A node that is off, or booting, does not answer: nothing happens to its servers,
and after the service's down time it counts as down, as any node that is silent. Instants are `_us`.
"""

from typing import Final

from msgspec.structs import replace

from kilonode.cloud.resources import OFF, RUNNING, Node

BOOTING: Final = "booting"
SHUTTING_DOWN: Final = "shutting-down"
REBOOTING: Final = "rebooting"


def shut_down(node: Node, now_us: int) -> Node:
    """An orderly end: it answers until it is off."""
    return node if node.state == OFF else _begin(node, SHUTTING_DOWN, now_us)


def lose_power(node: Node, now_us: int) -> Node:
    """It is off at once."""
    return replace(node, state=OFF, task=None, task_since_us=now_us, silent_since_us=node.silent_since_us or now_us)


def power_on(node: Node, now_us: int) -> Node:
    """It boots, unless it runs or is about to."""
    return node if node.state == RUNNING or node.task == BOOTING else _begin(node, BOOTING, now_us)


def reboot(node: Node, now_us: int) -> Node:
    """An orderly end, and a boot; of a node that is off, a boot."""
    return power_on(node, now_us) if node.state == OFF else _begin(node, REBOOTING, now_us)


def reset(node: Node, now_us: int) -> Node:
    """It is off at once, and boots."""
    return _begin(lose_power(node, now_us), BOOTING, now_us)


def _begin(node: Node, task: str, now_us: int) -> Node:
    return replace(node, task=task, task_since_us=now_us, turn=node.turn + 1)
