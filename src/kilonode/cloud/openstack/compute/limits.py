"""Limits and quota sets: what a project may use and what it uses."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.compute.model import COMPUTE_QUOTA, KEYPAIR, SERVER_GROUP, ComputeQuota
from kilonode.cloud.openstack.compute.quotas import DEFAULT_CLASS, DEFAULT_LIMITS, ProjectUse, limits_of
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Put

_NETWORK_NAMES: Final = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
_FILE_NAMES: Final = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
_GROUP_NAMES: Final = ("server_groups", "server_group_members")


class UpdateQuota(msgspec.Struct, frozen=True):
    """The body of a quota update: limits by name, `force` and other words among them."""

    quota_set: dict[str, Any] = {}
    quota_class_set: dict[str, Any] = {}


async def show_limits(request: Request) -> Response:
    """The caller's limits and use, or those of another project for an administrator."""
    project = request.query.one("tenant_id") or request.caller.project_id
    if project != request.caller.project_id and not request.caller.is_admin:
        raise Fault(403, "Policy doesn't allow os_compute_api:limits:other_project to be performed.")
    limits, use = limits_of(request.cloud, project), request.cloud.part(ProjectUse).of(project)
    version = request.microversion
    absolute = {
        "maxServerMeta": limits["metadata_items"],
        "maxTotalInstances": limits["instances"],
        "maxTotalCores": limits["cores"],
        "maxTotalRAMSize": limits["ram"],
        "maxTotalKeypairs": limits["key_pairs"],
        "maxServerGroups": limits["server_groups"],
        "maxServerGroupMembers": limits["server_group_members"],
        "totalInstancesUsed": use.instances,
        "totalCoresUsed": use.cores,
        "totalRAMUsed": use.ram_mb,
        "totalServerGroupsUsed": _server_groups(request, project),
    }
    if version < (2, 36):
        absolute |= {
            "maxSecurityGroups": limits["security_groups"],
            "maxSecurityGroupRules": limits["security_group_rules"],
            "maxTotalFloatingIps": limits["floating_ips"],
            "totalSecurityGroupsUsed": 0,
            "totalFloatingIpsUsed": 0,
        }
    if version < (2, 39):
        absolute["maxImageMeta"] = limits["metadata_items"]
    if version < (2, 57):
        absolute |= {
            "maxPersonality": limits["injected_files"],
            "maxPersonalitySize": limits["injected_file_content_bytes"],
        }
    return reply({"limits": {"rate": [], "absolute": absolute}})


async def show_quota(request: Request) -> Response:
    """The limits of a project."""
    project = _project(request)
    return reply({"quota_set": {"id": project, **_shown(request, limits_of(request.cloud, project))}})


async def show_quota_detail(request: Request) -> Response:
    """The limits of a project, each with how much is used."""
    project = _project(request)
    used = _used(request, project)
    limits = _shown(request, limits_of(request.cloud, project))
    body = {name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in limits.items()}
    return reply({"quota_set": {"id": project, **body}})


async def show_default_quota(request: Request) -> Response:
    """The limits of a project that has none of its own."""
    limits = limits_of(request.cloud, DEFAULT_CLASS)
    return reply({"quota_set": {"id": request.params["project_id"], **_shown(request, limits)}})


async def update_quota(request: Request) -> Response:
    """Change the limits of a project."""
    project = request.params["project_id"]
    limits = await _update(request, project, request.json(UpdateQuota).quota_set)
    return reply({"quota_set": _shown(request, limits)})


async def delete_quota(request: Request) -> Response:
    """Give a project the defaults again."""
    await request.cloud.mirror.commit([Delete(COMPUTE_QUOTA, request.params["project_id"])])
    return reply(None, 202)


async def show_quota_class(request: Request) -> Response:
    """The defaults."""
    limits = _shown(request, limits_of(request.cloud, DEFAULT_CLASS))
    return reply({"quota_class_set": {"id": request.params["class_name"], **limits}})


async def update_quota_class(request: Request) -> Response:
    """Change the defaults."""
    limits = await _update(request, DEFAULT_CLASS, request.json(UpdateQuota).quota_class_set)
    return reply({"quota_class_set": _shown(request, limits)})


async def _update(request: Request, key: str, wanted: Mapping[str, Any]) -> dict[str, int]:
    mirror = request.cloud.mirror
    entry = mirror.get(COMPUTE_QUOTA, key)
    own: dict[str, int] = dict(entry.value.limits) if entry is not None else {}
    for name, value in wanted.items():
        if name in ("force", "tenant_id", "id", "user_id"):
            continue
        if name not in DEFAULT_LIMITS:
            raise Fault(400, f"Invalid input for field/attribute quota_set. {name!r} is not a quota.")
        text = str(value)
        if not text.removeprefix("-").isdigit() or not -1 <= int(text[:12]) <= 2**31 - 1:
            raise Fault(400, f"Invalid input for field/attribute {name}. Value: {value}. It is a number from -1.")
        own[name] = int(text)
    if key != DEFAULT_CLASS and not wanted.get("force"):
        used = _used(request, key)
        for name, limit in own.items():
            if name in wanted and 0 <= limit < used.get(name, 0):
                raise Fault(
                    400,
                    f"Quota limit {limit} for {name} must be greater than or equal to already used and reserved "
                    f"{used[name]}.",
                )
    await mirror.commit([Put(COMPUTE_QUOTA, ComputeQuota(own), key, entry.revision if entry is not None else 0)])
    return limits_of(request.cloud, key)


def _project(request: Request) -> str:
    project = request.params["project_id"]
    if not request.caller.may_see(project):
        raise Fault(403, "Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.")
    return project


def _shown(request: Request, limits: Mapping[str, int]) -> dict[str, int]:
    """The limits that exist at the microversion."""
    hidden: list[str] = []
    if request.microversion >= (2, 36):
        hidden += _NETWORK_NAMES
    if request.microversion >= (2, 57):
        hidden += _FILE_NAMES
    return {name: limit for name, limit in limits.items() if name not in hidden}


def _used(request: Request, project: str) -> dict[str, int]:
    use = request.cloud.part(ProjectUse).of(project)
    return {
        "instances": use.instances,
        "cores": use.cores,
        "ram": use.ram_mb,
        "server_groups": _server_groups(request, project),
        "key_pairs": request.cloud.mirror.index(KEYPAIR, "user", lambda pair: pair.user_id).count(
            request.query.one("user_id")
        ),
    }


def _server_groups(request: Request, project: str) -> int:
    return request.cloud.mirror.index(SERVER_GROUP, "project", lambda group: group.project_id).count(project)
