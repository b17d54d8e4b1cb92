"""Which roles a cloud has, and which processes they run in: names only, so that whoever needs them imports no role."""

from typing import Final

from kilonode.cloud.context import CloudSettings
from kilonode.cloud.folder import CloudRecord
from kilonode.cloud.resources import fleet_name

API: Final = "api"
"""Answers HTTP: all services in one application."""
SCHEDULER: Final = "scheduler"
"""Gives servers their places."""
VOLUME: Final = "volume"
"""Takes volumes and snapshots through their statuses."""
ALL_IN_ONE: Final = "cloud"
"""The name of the one process that is all roles."""


def role_names(settings: CloudSettings) -> list[str]:
    """All roles of a cloud; a fleet is one role for its share of the nodes."""
    return [API, SCHEDULER, VOLUME, *(fleet_name(number) for number in range(settings.fleets))]


def process_names(record: CloudRecord) -> list[str]:
    """The processes that make up a cloud."""
    return [ALL_IN_ONE] if record.all_in_one else role_names(record.settings)


def roles_of(process: str, settings: CloudSettings) -> list[str]:
    """The roles that run in a process."""
    return role_names(settings) if process == ALL_IN_ONE else [process]
