"""Who is alive: heartbeats written and watched.

Every role writes a heartbeat document again and again (`heartbeat_s` of the settings), as Nova's services do; a fleet's
stands for all its nodes that answer (decision 0023). A role not heard of for `service_down_time_s` is down. A node is
down when its fleet is, when it was silent that long, or when an administrator said so.
"""

from collections.abc import Callable
from typing import Final

from kilonode.cloud.context import Cloud
from kilonode.cloud.resources import HEARTBEAT, NODE, Heartbeat, Node, fleet_of
from kilonode.control.mirror import Put

_MICROSECONDS_PER_SECOND: Final = 1_000_000


async def beat_for_ever(cloud: Cloud, role: str) -> None:
    """Write the heartbeat of `role` again and again, at once to begin with."""
    started_us = cloud.now_us()
    beats = 0
    while True:
        beats += 1
        await cloud.mirror.commit([Put(HEARTBEAT, Heartbeat(cloud.now_us(), started_us, beats), role)])
        await cloud.clock.sleep(cloud.settings.heartbeat_s)


def last_seen_us(cloud: Cloud, node: Node) -> int:
    """When the node was last heard of; 0 when never."""
    beat = cloud.mirror.get(HEARTBEAT, fleet_of(cloud.settings, node.number))
    if beat is None:
        return 0
    at_us: int = beat.value.at_us
    return min(at_us, node.silent_since_us) if node.silent_since_us else at_us


def is_role_up(cloud: Cloud, role: str) -> bool:
    """Whether the role was heard of lately."""
    beat = cloud.mirror.get(HEARTBEAT, role)
    return beat is not None and _is_recent(cloud, beat.value.at_us)


def is_node_up(cloud: Cloud, node: Node) -> bool:
    """Whether the node was heard of lately and nobody forced it down."""
    return not node.forced_down and _is_recent(cloud, last_seen_us(cloud, node))


class Liveness:
    """Which nodes are up, for whoever has to know at once. Costs what changes, not what there is.

    Good news travels by itself: a heartbeat is a document. Bad news is the absence of news, so `watch` has to look.
    """

    def __init__(self, cloud: Cloud, on_change: Callable[[str], None]) -> None:
        """`on_change` is called with the name of each node that may have gone up or down."""
        self._cloud = cloud
        self._on_change = on_change
        self._nodes = cloud.mirror.index(NODE, "fleet", lambda node: fleet_of(cloud.settings, node.number))
        self._silent = cloud.mirror.index(NODE, "silent", lambda node: True if node.silent_since_us else None)
        self._up = {role: is_role_up(cloud, role) for role in cloud.mirror.all(HEARTBEAT)}
        cloud.mirror.subscribe(self._on_document)

    async def watch(self) -> None:
        """Look who went silent, again and again, until cancelled."""
        while True:
            await self._cloud.clock.sleep(self._cloud.settings.heartbeat_s)
            for role in list(self._cloud.mirror.all(HEARTBEAT)):
                self._look(role)
            for name in list(self._silent.keys(True)):
                self._on_change(name)

    def _on_document(self, kind: str, key: str) -> None:
        if kind == HEARTBEAT:
            self._look(key)

    def _look(self, role: str) -> None:
        up = is_role_up(self._cloud, role)
        if self._up.get(role) != up:
            self._up[role] = up
            for name in list(self._nodes.keys(role)):
                self._on_change(name)


def _is_recent(cloud: Cloud, at_us: int) -> bool:
    # As Nova judges it: a clock that is ahead is as bad as one that is behind.
    return abs(cloud.now_us() - at_us) <= cloud.settings.service_down_time_s * _MICROSECONDS_PER_SECOND
