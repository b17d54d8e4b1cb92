"""Quotas of the network service: the limits of a project, what it uses, and the refusal in Neutron's words.

Out of the box nothing is limited (-1): a lab measures clouds, not quotas. The setting `quotas: openstack` gives
Neutron's own defaults. The count is that of the mirror; requests at the same instant can exceed a limit together by as
much as they ask for, as in Neutron without its reservations.
"""

from collections.abc import Sequence
from typing import Final

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.model import (
    FLOATING_IP,
    NETWORK,
    NETWORK_QUOTA,
    PORT,
    RBAC_POLICY,
    ROUTER,
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    SUBNET,
    by_project,
)
from kilonode.cloud.openstack.network.pool_model import SUBNET_POOL
from kilonode.cloud.openstack.network.trunk_model import TRUNK
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.index import Index

KINDS: Final = {
    "network": NETWORK,
    "subnet": SUBNET,
    "port": PORT,
    "router": ROUTER,
    "floatingip": FLOATING_IP,
    "security_group": SECURITY_GROUP,
    "security_group_rule": SECURITY_GROUP_RULE,
    "rbac_policy": RBAC_POLICY,
    "subnetpool": SUBNET_POOL,
    "trunk": TRUNK,
}
NAMES: Final[Sequence[str]] = tuple(KINDS)
"""What has a limit, in the order in which it is shown."""
UNLIMITED: Final = -1
NEUTRON_LIMITS: Final = {
    "network": 100,
    "subnet": 500,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "security_group": 10,
    "security_group_rule": 100,
    "rbac_policy": 10,
}
"""What Neutron limits by default."""


def default_limits(cloud: Cloud) -> dict[str, int]:
    """The limits of a project that has none of its own."""
    limits = dict.fromkeys(NAMES, UNLIMITED)
    if cloud.settings.services.quotas == "openstack":
        limits.update(NEUTRON_LIMITS)
    return limits


def limits_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """All limits of a project; -1 is none."""
    limits = default_limits(cloud)
    entry = cloud.mirror.get(NETWORK_QUOTA, project_id)
    if entry is not None:
        limits.update(entry.value.limits)
    return limits


def use_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """How much of each a project has."""
    return {name: by_project(cloud.mirror, KINDS[name]).count(project_id) if name in KINDS else 0 for name in NAMES}


def check_quota(cloud: Cloud, project_id: str, name: str, owned: Index, wanted: int) -> None:
    """Refuse what would exceed the limit. Raises Fault 409."""
    entry = cloud.mirror.get(NETWORK_QUOTA, project_id)
    if entry is None and cloud.settings.services.quotas == "unlimited":
        return
    limit = limits_of(cloud, project_id).get(name, UNLIMITED)
    if 0 <= limit < owned.count(project_id) + wanted:
        raise Fault(409, f"Quota exceeded for resources: ['{name}'].", type="OverQuota")
