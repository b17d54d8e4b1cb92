"""Quotas of volumes: the limits of a project, what it uses, and the refusal in Cinder's words.

Out of the box a project is not limited (-1): a lab measures clouds, not quotas. The setting `quotas: openstack` gives
Cinder's own defaults. Besides the totals there are limits for
each volume type, named `volumes_fast`, that count the volumes of that type alone.
"""

from typing import Final

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.volume.model import BACKUP, SNAPSHOT, VOLUME, VOLUME_QUOTA, VOLUME_TYPE
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.index import Index

DEFAULT_LIMITS: Final[dict[str, int]] = {
    "volumes": -1,
    "snapshots": -1,
    "gigabytes": -1,
    "backups": 10,
    "backup_gigabytes": 1000,
    "per_volume_gigabytes": -1,
    "groups": 10,
}
CINDER_LIMITS: Final = {"volumes": 10, "snapshots": 10, "gigabytes": 1000}
"""What Cinder limits by default and a cloud of ours does not."""
BY_TYPE: Final = ("volumes", "snapshots", "gigabytes")
"""What also has a limit for each volume type."""
DEFAULT_CLASS: Final = "class/default"
"""The key of the limits of projects that have none of their own, where they differ from the ones above."""
REFUSALS: Final = {
    "volumes": "VolumeLimitExceeded: Maximum number of volumes allowed ({}) exceeded for quota 'volumes'.",
    "snapshots": "SnapshotLimitExceeded: Maximum number of snapshots allowed ({}) exceeded",
    "backups": "BackupLimitExceeded: Maximum number of backups allowed ({}) exceeded",
    "gigabytes": "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
    "Requested {}G, quota is {}G and {}G has been consumed.",
    "backup_gigabytes": "VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes "
    "quota. Requested {}G, quota is {}G and {}G has been consumed.",
}


def default_limits(cloud: Cloud) -> dict[str, int]:
    """The limits of a project that has none of its own."""
    entry = cloud.mirror.get(VOLUME_QUOTA, DEFAULT_CLASS)
    cinder = CINDER_LIMITS if cloud.settings.services.quotas == "openstack" else {}
    limits = {**DEFAULT_LIMITS, **cinder, **(entry.value.limits if entry is not None else {})}
    for kind in cloud.mirror.all(VOLUME_TYPE).values():
        for noun in BY_TYPE:
            limits.setdefault(f"{noun}_{kind.value.name}", -1)
    return limits


def limits_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """All limits of a project."""
    entry = cloud.mirror.get(VOLUME_QUOTA, project_id)
    return {**default_limits(cloud), **(entry.value.limits if entry is not None else {})}


def use_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """What a project uses now, backups aside, of all types together and of each."""
    mirror = cloud.mirror
    volumes = [mirror.all(VOLUME)[key].value for key in by_project(cloud, VOLUME).keys(project_id)]
    snapshots = [mirror.all(SNAPSHOT)[key].value for key in by_project(cloud, SNAPSHOT).keys(project_id)]
    type_names = {key: entry.value.name for key, entry in mirror.all(VOLUME_TYPE).items()}
    used = dict.fromkeys(BY_TYPE, 0)

    def count(noun: str, gigabytes: int, type_name: str) -> None:
        for name, amount in ((noun, 1), ("gigabytes", gigabytes)):
            used[name] += amount
            used[f"{name}_{type_name}"] = used.get(f"{name}_{type_name}", 0) + amount

    for volume in volumes:
        count("volumes", max(volume.size_gb, volume.wanted_size_gb), type_names.get(volume.type_id, ""))
    for snapshot in snapshots:
        volume = mirror.get(VOLUME, snapshot.volume_id)
        type_id = volume.value.type_id if volume is not None else ""
        count("snapshots", snapshot.size_gb, type_names.get(type_id, ""))
    return used


def backup_use_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """What a project has in backups."""
    backups = [cloud.mirror.all(BACKUP)[key].value for key in by_project(cloud, BACKUP).keys(project_id)]
    return {"backups": len(backups), "backup_gigabytes": sum(backup.size_gb for backup in backups)}


def check_room(
    cloud: Cloud,
    project_id: str,
    noun: str,
    gigabytes: int,
    *,
    more: int = 1,
    gigabytes_noun: str = "gigabytes",
    type_name: str = "",
    size_gb: int = 0,
) -> None:
    """Refuse what would exceed a limit: `more` things (`noun`: volumes, snapshots, backups) of `gigabytes` in all.

    `type_name` also counts against the limits of that type; `size_gb` is the size that one volume will have, where that
    is not `gigabytes`. Raises Fault 413.
    """
    limits = limits_of(cloud, project_id)
    largest_gb = limits["per_volume_gigabytes"]
    if noun == "volumes" and more <= 1 and 0 <= largest_gb < (size_gb or gigabytes):
        raise Fault(413, f"VolumeSizeExceedsLimit: Requested volume size {size_gb or gigabytes}G is larger than "
                         f"maximum allowed limit {largest_gb}G.")  # fmt: skip
    names = [(noun, gigabytes_noun, noun)]
    if type_name:
        names.append((f"{noun}_{type_name}", f"{gigabytes_noun}_{type_name}", noun))
    if all(limits.get(name, -1) < 0 for pair in names for name in pair[:2]):
        return
    used = backup_use_of(cloud, project_id) if noun == "backups" else use_of(cloud, project_id)
    for count_name, size_name, words in names:
        limit = limits.get(count_name, -1)
        if 0 <= limit < used.get(count_name, 0) + more:
            raise Fault(413, REFUSALS[words].format(limit))
        limit = limits.get(size_name, -1)
        if 0 <= limit < used.get(size_name, 0) + gigabytes:
            raise Fault(413, REFUSALS[gigabytes_noun].format(gigabytes, limit, used.get(size_name, 0)))


def by_project(cloud: Cloud, kind: str) -> Index:
    """Whatever belongs to a project, by it."""
    return cloud.mirror.index(kind, "project", lambda value: value.project_id)
