"""Quotas of the network service: the limits of a project, what it uses, and the refusal in Neutron's words.

Out of the box nothing is limited (-1): a lab measures clouds, not quotas. The count is that of the mirror; requests at
the same instant can exceed a limit together by as much as they ask for, as in Neutron without its reservations.
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
    NetworkQuota,
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


def limits_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """All limits of a project; -1 is none."""
    limits = dict.fromkeys(NAMES, UNLIMITED)
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
    if entry is None:
        return
    quota: NetworkQuota = entry.value
    limit = quota.limits.get(name, UNLIMITED)
    if 0 <= limit < owned.count(project_id) + wanted:
        raise Fault(409, f"Quota exceeded for resources: ['{name}'].", type="OverQuota")
