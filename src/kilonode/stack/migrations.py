"""What each project wants done to its database when a release follows another: the published commands, in their order.

Pure. *Before* is done while services of the old release run, and by the tools of the new one: it only adds. *After* is
done once no service of the old release is left: it moves and removes. None of it is ever taken back; services of the
old release go on with what was added. What a command's exit status means beyond 0 is its project's own matter.
"""

from collections.abc import Sequence
from typing import Final

import msgspec


class Command(msgspec.Struct, frozen=True):
    """One command of a project's own tool."""

    program: str
    arguments: str
    files: tuple[str, ...]
    """The configuration files that it reads."""

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.program} {self.arguments}"


class Migration(msgspec.Struct, frozen=True):
    """What one project wants."""

    before: tuple[Command, ...]
    after: tuple[Command, ...]


def _commands(program: str, files: Sequence[str], *arguments: str) -> tuple[Command, ...]:
    return tuple(Command(program, one, tuple(files)) for one in arguments)


_KEYSTONE: Final = ("keystone-manage", ("keystone.conf",))
_GLANCE: Final = ("glance-manage", ("glance-api.conf",))
_PLACEMENT: Final = ("placement-manage", ("placement.conf",))
_NEUTRON: Final = ("neutron-db-manage", ("neutron.conf", "ml2_conf.ini"))
_NOVA: Final = ("nova-manage", ("nova.conf",))

MIGRATIONS: Final = {
    "keystone": Migration(
        _commands(*_KEYSTONE, "db_sync --expand", "db_sync --migrate"), _commands(*_KEYSTONE, "db_sync --contract")
    ),
    "glance": Migration(_commands(*_GLANCE, "db expand", "db migrate"), _commands(*_GLANCE, "db contract")),
    "placement": Migration(_commands(*_PLACEMENT, "db sync"), _commands(*_PLACEMENT, "db online_data_migrations")),
    # What can only be done while no server runs would fail here, before any is replaced.
    "neutron": Migration(
        _commands(*_NEUTRON, "upgrade --expand", "has_offline_migrations"), _commands(*_NEUTRON, "upgrade --contract")
    ),
    "nova": Migration(
        _commands(*_NOVA, "api_db sync", "db sync"), _commands(*_NOVA, "db online_data_migrations")
    ),
}  # fmt: skip
"""By project, in the published order of upgrading."""

SERVICES: Final = {
    "keystone": "keystone",
    "glance": "glance",
    "placement": "placement",
    "neutron-api": "neutron",
    "neutron-rpc-server": "neutron",
    "neutron-agents": "neutron",
    "nova-conductor": "nova",
    "nova-scheduler": "nova",
    "nova-api": "nova",
    "nova-compute": "nova",
}
"""The services in the published order of upgrading, and whose they are: what others ask comes before those that ask,
and Nova's conductor, which speaks both releases' objects, before the rest of it; compute services last."""
