"""The documents of the compute service, and the rules that hold for them whoever writes them.

States and tasks carry Nova's words. A `task` of a server is what happens to it now; two are known only inside, because
Nova does the same work under another name or none (see `states.shown_task`). Instants are `_us`, sizes MB and GB.
"""

from typing import Any, Final

import msgspec

from kilonode.cloud.kinds import document
from kilonode.cloud.ledger import Claim
from kilonode.cloud.openstack.compute.extra_specs import amounts
from kilonode.cloud.resources import Resources
from kilonode.control.index import Index
from kilonode.control.mirror import Mirror

SERVER: Final = "server"
FLAVOR: Final = "flavor"
KEYPAIR: Final = "keypair"
MIGRATION: Final = "migration"
SERVER_GROUP: Final = "server_group"
AGGREGATE: Final = "aggregate"
COMPUTE_QUOTA: Final = "compute_quota"
DELETED_SERVER: Final = "deleted_server"

ACTIONS_KEPT: Final = 25
"""How many of its newest actions a server remembers."""


@document(FLAVOR)
class Flavor(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a server may be; its key is `id`."""

    id: str
    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    rxtx_factor: float = 1.0
    public: bool = True
    description: str | None = None
    extra_specs: dict[str, str] = {}
    projects: tuple[str, ...] = ()
    """Which projects may use it when it is not public."""


class ServerFlavor(msgspec.Struct, frozen=True, omit_defaults=True):
    """The flavor as it was when the server took it."""

    id: str
    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    extra_specs: dict[str, str] = {}

    @classmethod
    def of(cls, flavor: Flavor) -> "ServerFlavor":
        """A copy of what the flavor says now."""
        return cls(
            flavor.id,
            flavor.name,
            flavor.vcpus,
            flavor.memory_mb,
            flavor.disk_gb,
            flavor.ephemeral_gb,
            flavor.swap_mb,
            flavor.extra_specs,
        )


class RequestedNetwork(msgspec.Struct, frozen=True, omit_defaults=True):
    """One network interface asked for: a port, or a network, perhaps with an address."""

    network_id: str = ""
    port_id: str = ""
    fixed_ip: str = ""
    tag: str = ""


class BlockDevice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One volume of a server. An empty `volume_id`: still to be made, from `source_id`, of `size_gb`."""

    volume_id: str
    device: str
    boot_index: int | None = None
    delete_on_termination: bool = False
    tag: str = ""
    source: str = "volume"
    source_id: str = ""
    size_gb: int = 0
    attachment_id: str = ""
    mapping_id: str = ""


class ServerFault(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a server is in the state `error`."""

    code: int
    message: str
    created_us: int
    details: str = ""


class ServerAction(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that was asked of a server."""

    name: str
    request_id: str
    user_id: str
    project_id: str
    started_us: int
    finished_us: int = 0
    error: str = ""


class Move(msgspec.Struct, frozen=True, omit_defaults=True):
    """A server's change of node or flavor under way. Until `target` is known nothing more is taken than before."""

    id: str
    kind: str
    """`resize`, `migration` or `live-migration`, as Nova's migrations say."""
    status: str
    source: str
    old_flavor: ServerFlavor
    new_flavor: ServerFlavor
    from_state: str
    created_us: int
    user_id: str
    project_id: str
    target: str = ""
    wanted_node: str = ""
    """The node asked for, or empty for any."""


class NewImage(msgspec.Struct, frozen=True, omit_defaults=True):
    """The image that is being made of a server. With a rotation it is a backup: that many of its type are kept."""

    image_id: str
    backup_type: str = ""
    rotation: int = 0


@document(SERVER)
class Server(msgspec.Struct, frozen=True, omit_defaults=True):
    """One server; its key is `id`. `node` is where it runs, empty until it is placed."""

    id: str
    name: str
    project_id: str
    user_id: str
    flavor: ServerFlavor
    created_us: int
    updated_us: int
    state: str
    """Nova's vm_state: building, active, stopped, paused, suspended, resized, rescued, shelved, error …"""
    task: str | None
    task_since_us: int
    image_id: str = ""
    node: str = ""
    zone: str = ""
    """The availability zone asked for; empty: any."""
    wanted_node: str = ""
    turn: int = 0
    """How many tasks it was given: tells the random draws of equal stages apart."""
    launched_us: int = 0
    networks: tuple[RequestedNetwork, ...] = ()
    """The interfaces it was asked for with."""
    security_groups: tuple[str, ...] = ()
    devices: tuple[BlockDevice, ...] = ()
    key_name: str | None = None
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    description: str | None = None
    hostname: str = ""
    user_data: str | None = None
    config_drive: bool = False
    access_ipv4: str = ""
    access_ipv6: str = ""
    disk_config: str = "MANUAL"
    reservation_id: str = ""
    launch_index: int = 0
    group_id: str = ""
    hints: dict[str, Any] = {}
    """The scheduler hints it was asked for with."""
    locked: bool = False
    locked_reason: str | None = None
    locked_by_admin: bool = False
    """Locked by somebody who is not of its project: only an administrator may unlock it."""
    fault: ServerFault | None = None
    move: Move | None = None
    new_image: NewImage | None = None
    shelved_image_id: str = ""
    shelved_us: int = 0
    """Since when it is shelved; 0: it is not."""
    trusted_certificates: tuple[str, ...] = ()
    refused_by: tuple[str, ...] = ()
    """The nodes that would not build it, while it is being built."""
    actions: tuple[ServerAction, ...] = ()


@document(DELETED_SERVER)
class DeletedServer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A server that is gone, as it was; its key is the server's id. Only the newest are kept."""

    server: Server
    deleted_us: int


@document(KEYPAIR)
class Keypair(msgspec.Struct, frozen=True, omit_defaults=True):
    """A user's public key; the key is `user_id/name`."""

    name: str
    user_id: str
    public_key: str
    fingerprint: str
    created_us: int
    number: int
    type: str = "ssh"


@document(MIGRATION)
class Migration(msgspec.Struct, frozen=True, omit_defaults=True):
    """A move of a server as administrators see it afterwards; its key is `uuid`."""

    uuid: str
    server_id: str
    kind: str
    status: str
    source: str
    target: str
    old_flavor_id: str
    new_flavor_id: str
    created_us: int
    updated_us: int
    user_id: str
    project_id: str

    @property
    def number(self) -> int:
        """The numeric id that Nova's API also wants, from the uuid."""
        return migration_number(self.uuid)


@document(SERVER_GROUP)
class ServerGroup(msgspec.Struct, frozen=True, omit_defaults=True):
    """Servers that are to be together (affinity) or apart (anti-affinity); its key is `id`."""

    id: str
    name: str
    project_id: str
    user_id: str
    policy: str
    rules: dict[str, int] = {}


@document(AGGREGATE)
class Aggregate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named set of nodes; its key is the number as text."""

    number: int
    uuid: str
    name: str
    created_us: int
    updated_us: int | None = None
    nodes: tuple[str, ...] = ()
    metadata: dict[str, str] = {}


@document(COMPUTE_QUOTA)
class ComputeQuota(msgspec.Struct, frozen=True, omit_defaults=True):
    """The limits of a project that differ from the defaults; its key is the project's id."""

    limits: dict[str, int] = {}


def migration_number(uuid: str) -> int:
    """The numeric id of a migration."""
    return int(uuid[:7], 16)


def flavor_amount(server: Server, flavor: ServerFlavor) -> Resources:
    """What a server of this flavor takes of a node. A root disk that is a volume takes none there.

    `resources:VCPU`, `resources:MEMORY_MB` and `resources:DISK_GB` of the extra specs go before the flavor's size.
    """
    root_gb = flavor.disk_gb if server.image_id else 0
    disk_gb = root_gb + flavor.ephemeral_gb - (-flavor.swap_mb // 1024)
    if not flavor.extra_specs:
        return Resources(flavor.vcpus, flavor.memory_mb, disk_gb)
    said = amounts(flavor.extra_specs)
    return Resources(
        said.get("VCPU", flavor.vcpus), said.get("MEMORY_MB", flavor.memory_mb), said.get("DISK_GB", disk_gb)
    )


def claims(server: Server) -> tuple[Claim, ...]:
    """Everything a server has taken of nodes: once where it runs; during a move also where it goes to."""
    move = server.move
    if move is not None and move.target:
        return (
            Claim(move.source, flavor_amount(server, move.old_flavor)),
            Claim(move.target, flavor_amount(server, move.new_flavor)),
        )
    return (Claim(server.node, flavor_amount(server, server.flavor)),) if server.node else ()


def given_back(taken: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """The claims that undo these."""
    return tuple(Claim(claim.node, claim.amount, -claim.instances) for claim in taken)


def keypair_key(user_id: str, name: str) -> str:
    """The key of a keypair's document."""
    return f"{user_id}/{name}"


def _nodes_of(server: Server) -> tuple[str, ...]:
    move = server.move
    if move is not None and move.target and move.target != move.source:
        return (move.source, move.target)
    return (server.node,) if server.node else ()


def servers_by_node(mirror: Mirror) -> Index:
    """Which servers have taken something of a node."""
    return mirror.index(SERVER, "node", _nodes_of)


def servers_by_project(mirror: Mirror) -> Index:
    """Which servers a project has, oldest first."""
    return mirror.index(SERVER, "project", lambda server: server.project_id)


def servers_by_group(mirror: Mirror) -> Index:
    """Which servers a server group has."""
    return mirror.index(SERVER, "group", lambda server: server.group_id or None)
