"""The fleet role: thousands of compute nodes as documents, and the heartbeat that stands for them.

A fleet registers its nodes once, in batches, beats for them, and runs the controllers that live on nodes (for servers:
`openstack.compute.lifecycle`). Nodes are keys, never tasks: 10,000 of them cost what changes on them costs.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from kilonode.cloud.context import Cloud
from kilonode.cloud.liveness import beat_for_ever
from kilonode.cloud.resources import HEARTBEAT, NODE, Heartbeat, fleet_of, make_node, node_name
from kilonode.control.mirror import Put
from kilonode.store.protocol import ConflictError

REGISTERED_AT_ONCE: Final = 500

NodeWork = Callable[[Cloud, str], Coroutine[Any, Any, None]]
"""A controller that lives on the nodes of a fleet: given the view and the fleet's name, it runs until cancelled."""


async def run_nodes(cloud: Cloud, fleet: str, work: Sequence[NodeWork]) -> None:
    """Register the nodes of `fleet`, then beat for them and do their work, until cancelled."""
    await register_nodes(cloud, fleet)
    async with asyncio.TaskGroup() as group:
        group.create_task(beat_for_ever(cloud, fleet), name=f"{fleet}-heartbeat")
        for one in work:
            group.create_task(one(cloud, fleet), name=fleet)


async def register_nodes(cloud: Cloud, fleet: str) -> None:
    """Write the documents of those nodes of `fleet` that have none yet."""
    settings = cloud.settings
    await cloud.mirror.catch_up()
    numbers = [
        number
        for number in range(settings.nodes)
        if fleet_of(settings, number) == fleet and cloud.mirror.get(NODE, node_name(number)) is None
    ]
    for first in range(0, len(numbers), REGISTERED_AT_ONCE):
        now_us = cloud.now_us()
        nodes = [make_node(settings, number, now_us) for number in numbers[first : first + REGISTERED_AT_ONCE]]
        # The heartbeat goes with them: a node that is registered and not yet heard of would count as down.
        beat = Put(HEARTBEAT, Heartbeat(now_us, now_us), fleet)
        try:
            await cloud.mirror.commit([*(Put(NODE, node, node.name, 0) for node in nodes), beat])
        except ConflictError:
            # Another process with this fleet's name registers the same nodes; they are the same documents.
            await register_nodes(cloud, fleet)
            return
