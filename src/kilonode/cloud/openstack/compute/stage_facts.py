"""What stages and their rules are told of servers: where each is in its life, and what it is like."""

from kilonode.cloud.context import Cloud
from kilonode.cloud.draws import Draws, Position
from kilonode.cloud.openstack.compute.model import SERVER, Server
from kilonode.cloud.openstack.image.model import IMAGE
from kilonode.cloud.resources import NODE
from kilonode.cloud.rules import Facts
from kilonode.cloud.tallies import TALLY

KINDS = (IMAGE, NODE, TALLY)
"""What a role that draws for servers must mirror besides the servers."""


def server_draws(cloud: Cloud) -> Draws:
    """What servers draw."""

    def image_exists(image_id: str) -> bool:
        return cloud.mirror.get(IMAGE, image_id) is not None

    return Draws(cloud, SERVER, server_position, lambda server: server_facts(cloud, server), image_exists)


def server_position(server: Server) -> Position:
    """Where a server is in its life."""
    return Position(server.state, server.task, server.turn, server.task_since_us)


def server_facts(cloud: Cloud, server: Server) -> Facts:
    """What rules may ask of a server. During a move the node is the one that it goes to."""
    move = server.move
    host = move.target if move is not None and move.target else server.node
    flavor = move.new_flavor if move is not None else server.flavor
    image = cloud.mirror.get(IMAGE, server.image_id) if server.image_id else None
    node = cloud.mirror.get(NODE, host) if host else None
    zone = node.value.zone if node is not None else server.zone
    return Facts(
        name=(server.name, server.id),
        host=(host,) if host else (),
        image=(server.image_id, image.value.name or "") if image is not None else (),
        flavor=(flavor.name, flavor.id),
        project=(server.project_id,),
        zone=(zone,) if zone else (),
        metadata=server.metadata,
        image_bytes=(image.value.size_bytes or 0) if image is not None else 0,
    )
