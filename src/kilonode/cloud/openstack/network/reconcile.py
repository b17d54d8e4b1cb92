"""The network role: plugs ports that were bound to a node, after the stage `port-bind` of the profile, and removes
those whose network is gone (`strays`).

Where that stage takes no time, ports are active in the commit that binds them, and nothing here has anything to do. A
server that is being built waits for its ports (`compute.lifecycle`), as Nova waits for Neutron's word.
"""

import asyncio
from typing import Final

from msgspec.structs import replace

from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.draws import Position
from kilonode.cloud.living import Kind, Life
from kilonode.cloud.openstack.network.model import ACTIVE, BUILD, PORT, PORT_ERROR, Port
from kilonode.cloud.openstack.network.strays import KINDS as KINDS_OF_STRAYS
from kilonode.cloud.openstack.network.strays import Strays
from kilonode.cloud.resources import NODE
from kilonode.cloud.rules import Facts
from kilonode.cloud.stages import ANY, Stage
from kilonode.cloud.tallies import TALLY
from kilonode.control.mirror import Entry, Put

KINDS: Final = (NODE, TALLY, *KINDS_OF_STRAYS)
"""What the role mirrors."""


async def run_network(cloud: Cloud) -> None:
    """Live for the ports, until cancelled."""
    life = Life(cloud, "network", {PORT: Kind(_is_moving, _position, _facts, _ended, _failed)})
    async with asyncio.TaskGroup() as group:
        group.create_task(life.controller.run())
        group.create_task(Strays(cloud).controller.run())


def _is_moving(port: Port) -> bool:
    return port.status == BUILD


def _position(port: Port) -> Position:
    return Position(ANY, port.status, port.bindings, port.building_us)


def _facts(cloud: Cloud, port: Port) -> Facts:
    node = cloud.mirror.get(NODE, port.host)
    return Facts(
        name=(port.name, port.id),
        host=(port.host,),
        project=(port.project_id,),
        zone=(node.value.zone,) if node is not None else (),
    )


def _ended(cloud: Cloud, entry: Entry[Port], stage: Stage | None) -> Changes:
    return _now(cloud, entry, stage.next.state if stage is not None else ACTIVE)


def _failed(cloud: Cloud, entry: Entry[Port], fault: str) -> Changes:
    return _now(cloud, entry, PORT_ERROR)


def _now(cloud: Cloud, entry: Entry[Port], status: str) -> Changes:
    port = entry.value
    changed = replace(port, status=status, building_us=0, updated_us=cloud.now_us(), version=port.version + 1)
    return (Put(PORT, changed, port.id, entry.revision),)
