"""What a server's state and task look like from outside: Nova's status, task_state and power_state.

Pure tables and look-ups, after Nova's API documentation.
"""

from typing import Final

BUILDING: Final = "building"
ACTIVE: Final = "active"
STOPPED: Final = "stopped"
PAUSED: Final = "paused"
SUSPENDED: Final = "suspended"
RESIZED: Final = "resized"
RESCUED: Final = "rescued"
SHELVED: Final = "shelved"
SHELVED_OFFLOADED: Final = "shelved_offloaded"
ERROR: Final = "error"
DELETED: Final = "deleted"

SCHEDULING: Final = "scheduling"
DELETING: Final = "deleting"
RESIZE_PREP: Final = "resize_prep"
RESIZE_CONFIRMING: Final = "resize_confirming"
RESIZE_REVERTING: Final = "resize_reverting"
MIGRATE_SCHEDULING: Final = "migrate_scheduling"
MIGRATING: Final = "migrating"
SPAWNING: Final = "spawning"
REBOOT_STARTED_HARD: Final = "reboot_started_hard"
IMAGE_SNAPSHOT: Final = "image_snapshot"
IMAGE_BACKUP: Final = "image_backup"
SHELVING: Final = "shelving"
SHELVING_OFFLOADING: Final = "shelving_offloading"
UNSHELVING: Final = "unshelving"
RESCUING: Final = "rescuing"
UNRESCUING: Final = "unrescuing"
EVACUATING: Final = "evacuating"
EVACUATING_SPAWNING: Final = "evacuating_spawning"
UPDATING_PASSWORD: Final = "updating_password"  # noqa: S105  a task

_STATUS_BY_STATE: Final = {
    BUILDING: "BUILD",
    ACTIVE: "ACTIVE",
    STOPPED: "SHUTOFF",
    PAUSED: "PAUSED",
    SUSPENDED: "SUSPENDED",
    RESIZED: "VERIFY_RESIZE",
    RESCUED: "RESCUE",
    SHELVED: "SHELVED",
    SHELVED_OFFLOADED: "SHELVED_OFFLOADED",
    ERROR: "ERROR",
    DELETED: "DELETED",
}
_STATUS_BY_TASK: Final = {
    "rebooting": "REBOOT",
    "reboot_started": "REBOOT",
    "rebooting_hard": "HARD_REBOOT",
    REBOOT_STARTED_HARD: "HARD_REBOOT",
    "rebuilding": "REBUILD",
    "rebuild_block_device_mapping": "REBUILD",
    "rebuild_spawning": "REBUILD",
    "resize_prep": "RESIZE",
    "resize_migrating": "RESIZE",
    "resize_migrated": "RESIZE",
    "resize_finish": "RESIZE",
    "resize_reverting": "REVERT_RESIZE",
    "evacuating": "REBUILD",
    "evacuating_spawning": "REBUILD",
    "updating_password": "PASSWORD",
    "migrate_scheduling": "MIGRATING",
    "migrating": "MIGRATING",
}
_POWER_BY_STATE: Final = {
    ACTIVE: 1,
    RESIZED: 1,
    RESCUED: 1,
    PAUSED: 3,
    STOPPED: 4,
    SUSPENDED: 4,
    SHELVED: 4,
    SHELVED_OFFLOADED: 4,
}
_SHOWN_TASKS: Final[dict[str, str | None]] = {
    MIGRATE_SCHEDULING: MIGRATING,
    RESIZE_CONFIRMING: None,
    EVACUATING: "rebuilding",
    EVACUATING_SPAWNING: "rebuild_spawning",
}

STATUSES: Final = frozenset(_STATUS_BY_STATE.values()) | frozenset(_STATUS_BY_TASK.values())


def status(state: str, task: str | None) -> str:
    """The `status` of a server, such as `ACTIVE`."""
    if task is None or (state == ERROR and not task.startswith(("rebuild", "evacuating"))):
        return _STATUS_BY_STATE[state]
    return _STATUS_BY_TASK.get(task) or _STATUS_BY_STATE[state]


def shown_task(task: str | None) -> str | None:
    """The task as Nova's `OS-EXT-STS:task_state` gives it."""
    return _SHOWN_TASKS.get(task, task) if task is not None else None


def power_state(state: str) -> int:
    """Nova's number: 0 no state, 1 running, 3 paused, 4 shut down."""
    return _POWER_BY_STATE.get(state, 0)
