"""`/os-quota-sets`, `/os-quota-class-sets` and `/limits`: what projects may have, shown and set."""

from typing import Any, Final

from kilonode.cloud.openstack.volume.bodies import body_of, invalid, number_of
from kilonode.cloud.openstack.volume.group_model import GROUP
from kilonode.cloud.openstack.volume.model import VOLUME_QUOTA, VolumeQuota
from kilonode.cloud.openstack.volume.quotas import (
    DEFAULT_CLASS,
    backup_use_of,
    by_project,
    default_limits,
    limits_of,
    use_of,
)
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Put

_LARGEST: Final = 2**31 - 1
_IGNORED: Final = ("tenant_id", "project_id", "id", "force")


async def show_quota_set(request: Request) -> Response:
    """The limits of a project; with `usage=True` what of them is used."""
    target = request.params["target"]
    _may_look(request, target)
    limits = limits_of(request.cloud, target)
    body: dict[str, Any] = {"id": target}
    if request.query.flag("usage"):
        groups = by_project(request.cloud, GROUP).count(target)
        used = {**use_of(request.cloud, target), **backup_use_of(request.cloud, target), "groups": groups}
        body |= {name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in limits.items()}
    else:
        body |= limits
    return reply({"quota_set": body})


async def show_default_quotas(request: Request) -> Response:
    """The limits of a project that has none of its own."""
    _may_look(request, request.params["target"])
    return reply({"quota_set": {"id": request.params["target"], **default_limits(request.cloud)}})


async def update_quota_set(request: Request) -> Response:
    """Change limits of a project."""
    target = request.params["target"]
    entry = request.cloud.mirror.get(VOLUME_QUOTA, target)
    own = dict(entry.value.limits) if entry is not None else {}
    limits = _wanted(request, "quota_set", own)
    revision = entry.revision if entry is not None else 0
    await request.cloud.mirror.commit([Put(VOLUME_QUOTA, VolumeQuota(limits), target, revision)])
    return reply({"quota_set": limits_of(request.cloud, target)})


async def delete_quota_set(request: Request) -> Response:
    """Go back to the defaults."""
    target = request.params["target"]
    if request.cloud.mirror.get(VOLUME_QUOTA, target) is not None:
        await request.cloud.mirror.commit([Delete(VOLUME_QUOTA, target)])
    return reply(None, 200)


async def show_quota_class(request: Request) -> Response:
    """The limits of a class; all classes are the one of projects without limits of their own."""
    return reply({"quota_class_set": {"id": request.params["name"], **default_limits(request.cloud)}})


async def update_quota_class(request: Request) -> Response:
    """Change what projects without limits of their own may have."""
    if request.params["name"] != "default":
        raise Fault(404, f"Quota class {request.params['name']} could not be found.")
    entry = request.cloud.mirror.get(VOLUME_QUOTA, DEFAULT_CLASS)
    limits = _wanted(request, "quota_class_set", dict(entry.value.limits) if entry is not None else {})
    revision = entry.revision if entry is not None else 0
    await request.cloud.mirror.commit([Put(VOLUME_QUOTA, VolumeQuota(limits), DEFAULT_CLASS, revision)])
    return reply({"quota_class_set": default_limits(request.cloud)})


async def show_limits(request: Request) -> Response:
    """What the caller's project may have, and has."""
    project_id = request.caller.project_id
    if request.caller.is_admin and request.microversion >= (3, 39):
        project_id = request.query.one("project_id", project_id)
    limits, used = limits_of(request.cloud, project_id), use_of(request.cloud, project_id)
    backups = backup_use_of(request.cloud, project_id)
    absolute = {
        "maxTotalVolumes": limits["volumes"],
        "maxTotalSnapshots": limits["snapshots"],
        "maxTotalVolumeGigabytes": limits["gigabytes"],
        "maxTotalBackups": limits["backups"],
        "maxTotalBackupGigabytes": limits["backup_gigabytes"],
        "totalVolumesUsed": used["volumes"],
        "totalSnapshotsUsed": used["snapshots"],
        "totalGigabytesUsed": used["gigabytes"],
        "totalBackupsUsed": backups["backups"],
        "totalBackupGigabytesUsed": backups["backup_gigabytes"],
    }
    return reply({"limits": {"rate": [], "absolute": absolute}})


def _wanted(request: Request, noun: str, limits: dict[str, int]) -> dict[str, int]:
    """The limits with those that the body sets. Raises Fault 400 for what is no limit."""
    known = default_limits(request.cloud)
    wanted = {name: value for name, value in body_of(request, noun).items() if name not in _IGNORED}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise Fault(400, f"Bad key(s) in quota set: {', '.join(unknown)}")
    for name in wanted:
        limits[name] = number_of(wanted, name)
        if not -1 <= limits[name] <= _LARGEST:
            raise invalid(name, wanted[name], "-1 is the least.")
    return limits


def _may_look(request: Request, target: str) -> None:
    if not request.caller.may_see(target):
        raise Fault(403, "Policy doesn't allow volume_extension:quotas:show to be performed.")
