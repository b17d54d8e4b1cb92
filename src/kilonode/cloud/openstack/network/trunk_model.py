"""What the network service keeps of trunks, and which ports belong to one."""

from typing import Final

import msgspec

from kilonode.cloud.kinds import document
from kilonode.cloud.openstack.network.model import Resource
from kilonode.control.index import Index
from kilonode.control.mirror import Mirror

TRUNK: Final = "trunk"
SUB_PORT_OWNER: Final = "trunk:subport"


class SubPort(msgspec.Struct, frozen=True):
    """A port that is reached through the trunk's parent port."""

    port_id: str
    segmentation_type: str
    segmentation_id: int


@document(TRUNK)
class Trunk(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """A port that carries others."""

    port_id: str
    sub_ports: tuple[SubPort, ...] = ()
    admin_state_up: bool = True


def trunks_by_parent(mirror: Mirror) -> Index:
    """The trunk of a parent port."""
    return mirror.index(TRUNK, "parent", lambda trunk: trunk.port_id)


def trunks_by_sub_port(mirror: Mirror) -> Index:
    """The trunk that carries a port."""
    return mirror.index(TRUNK, "sub_port", lambda trunk: tuple(one.port_id for one in trunk.sub_ports))
