"""Quotas of volumes: the limits of a project, what it uses, the refusal in Cinder's words, and the routes to them.

Out of the box a project is not limited (-1): a lab measures clouds, not quotas.
"""

from typing import Any, Final

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.volume.model import SNAPSHOT, VOLUME, VOLUME_QUOTA, VolumeQuota
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.index import Index
from kilonode.control.mirror import Delete, Put

DEFAULT_LIMITS: Final[dict[str, int]] = {
    "volumes": -1,
    "snapshots": -1,
    "gigabytes": -1,
    "backups": 10,
    "backup_gigabytes": 1000,
    "per_volume_gigabytes": -1,
    "groups": 10,
}
REFUSALS: Final = {
    "volumes": "VolumeLimitExceeded: Maximum number of volumes allowed ({}) exceeded for quota 'volumes'.",
    "snapshots": "SnapshotLimitExceeded: Maximum number of snapshots allowed ({}) exceeded",
    "gigabytes": "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
    "Requested {}G, quota is {}G and {}G has been consumed.",
}


def limits_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """All limits of a project."""
    entry = cloud.mirror.get(VOLUME_QUOTA, project_id)
    return {**DEFAULT_LIMITS, **(entry.value.limits if entry is not None else {})}


def use_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """What a project uses now."""
    volumes = [cloud.mirror.all(VOLUME)[key].value for key in by_project(cloud, VOLUME).keys(project_id)]
    snapshots = [cloud.mirror.all(SNAPSHOT)[key].value for key in by_project(cloud, SNAPSHOT).keys(project_id)]
    gigabytes = sum(max(one.size_gb, one.wanted_size_gb) for one in volumes) + sum(one.size_gb for one in snapshots)
    return {"volumes": len(volumes), "snapshots": len(snapshots), "gigabytes": gigabytes}


def check_room(cloud: Cloud, project_id: str, noun: str, gigabytes: int, *, more: int = 1) -> None:
    """Refuse what would exceed a limit: `more` things (`noun`: volumes, snapshots) of `gigabytes` in all. Fault 413."""
    limits = limits_of(cloud, project_id)
    if limits[noun] < 0 and limits["gigabytes"] < 0:
        return
    used = use_of(cloud, project_id)
    if 0 <= limits[noun] < used[noun] + more:
        raise Fault(413, REFUSALS[noun].format(limits[noun]))
    if 0 <= limits["gigabytes"] < used["gigabytes"] + gigabytes:
        raise Fault(413, REFUSALS["gigabytes"].format(gigabytes, limits["gigabytes"], used["gigabytes"]))


def by_project(cloud: Cloud, kind: str) -> Index:
    """Volumes or snapshots by their project."""
    return cloud.mirror.index(kind, "project", lambda value: value.project_id)


async def show_quota_set(request: Request) -> Response:
    """The limits of a project; with `usage=True` what of them is used."""
    target = request.params["target"]
    _may_look(request, target)
    limits = limits_of(request.cloud, target)
    body: dict[str, Any] = {"id": target}
    if request.query.flag("usage"):
        used = use_of(request.cloud, target)
        body |= {
            name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0, "allocated": 0}
            for name, limit in limits.items()
        }
    else:
        body |= limits
    return reply({"quota_set": body})


async def show_default_quotas(request: Request) -> Response:
    """The limits of a project that has none of its own."""
    return reply({"quota_set": {"id": request.params["target"], **DEFAULT_LIMITS}})


async def update_quota_set(request: Request) -> Response:
    """Change limits of a project."""
    target = request.params["target"]
    wanted = request.json_object().get("quota_set")
    if not isinstance(wanted, dict):
        raise Fault(400, "Invalid input for field/attribute quota_set.")
    limits = limits_of(request.cloud, target)
    for name, limit in wanted.items():
        if name in ("tenant_id", "project_id", "id"):
            continue
        try:
            limits[name] = int(limit)
        except (TypeError, ValueError):
            raise Fault(400, f"Invalid input for field/attribute {name}. Value: {limit}.") from None
        if limits[name] < -1:
            raise Fault(400, f"Invalid input for field/attribute {name}. Value: {limit}. -1 is the least.")
    await request.cloud.mirror.commit([Put(VOLUME_QUOTA, VolumeQuota(limits), target)])
    return reply({"quota_set": limits})


async def delete_quota_set(request: Request) -> Response:
    """Go back to the defaults."""
    target = request.params["target"]
    if request.cloud.mirror.get(VOLUME_QUOTA, target) is not None:
        await request.cloud.mirror.commit([Delete(VOLUME_QUOTA, target)])
    return reply(None, 200)


async def show_limits(request: Request) -> Response:
    """What the caller's project may have, and has."""
    project_id = request.caller.project_id
    limits, used = limits_of(request.cloud, project_id), use_of(request.cloud, project_id)
    absolute = {
        "maxTotalVolumes": limits["volumes"],
        "maxTotalSnapshots": limits["snapshots"],
        "maxTotalVolumeGigabytes": limits["gigabytes"],
        "maxTotalBackups": limits["backups"],
        "maxTotalBackupGigabytes": limits["backup_gigabytes"],
        "totalVolumesUsed": used["volumes"],
        "totalSnapshotsUsed": used["snapshots"],
        "totalGigabytesUsed": used["gigabytes"],
        "totalBackupsUsed": 0,
        "totalBackupGigabytesUsed": 0,
    }
    return reply({"limits": {"rate": [], "absolute": absolute}})


def _may_look(request: Request, target: str) -> None:
    if not request.caller.may_see(target):
        raise Fault(403, "Policy doesn't allow volume_extension:quotas:show to be performed.")
