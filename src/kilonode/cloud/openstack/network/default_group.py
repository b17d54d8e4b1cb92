"""The security group `default` of each project: there from the moment anything of the project needs it.

Its id and those of its rules follow from the project's id, so whoever makes it first makes the same documents.
"""

import hashlib
import uuid
from functools import lru_cache

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.default_rule_model import PARENT, default_rules
from kilonode.cloud.openstack.network.model import (
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    SecurityGroup,
    SecurityGroupRule,
)
from kilonode.control.mirror import Put

DEFAULT_NAME = "default"


@lru_cache(maxsize=4_096)
def default_group_id(project_id: str) -> str:
    """The id of a project's default group."""
    return _derived_id("group", project_id)


def default_group_changes(cloud: Cloud, project_id: str) -> list[Put]:
    """The changes that make a project's default group, none when it is there."""
    group_id = default_group_id(project_id)
    if cloud.mirror.get(SECURITY_GROUP, group_id) is not None:
        return []
    now_us = cloud.now_us()
    group = SecurityGroup(
        id=group_id,
        project_id=project_id,
        name=DEFAULT_NAME,
        description="Default security group",
        created_us=now_us,
        updated_us=now_us,
    )
    rules = first_rules(cloud, group)
    return [
        Put(SECURITY_GROUP, group, group_id, 0),
        *(Put(SECURITY_GROUP_RULE, rule, rule.id, 0) for rule in rules),
    ]


def first_rules(cloud: Cloud, group: SecurityGroup) -> list[SecurityGroupRule]:
    """The rules that a new group has. One that names another group which is gone is left out."""
    is_default = group.id == default_group_id(group.project_id)
    rules = []
    for rule in default_rules(cloud.mirror):
        remote = group.id if rule.remote_group_id == PARENT else rule.remote_group_id
        if not (rule.in_default_groups if is_default else rule.in_other_groups):
            continue
        if remote is not None and remote != group.id and cloud.mirror.get(SECURITY_GROUP, remote) is None:
            continue
        rules.append(
            SecurityGroupRule(
                id=_derived_id(rule.id, group.id),
                project_id=group.project_id,
                group_id=group.id,
                direction=rule.direction,
                ethertype=rule.ethertype,
                protocol=rule.protocol,
                port_range_min=rule.port_range_min,
                port_range_max=rule.port_range_max,
                remote_ip_prefix=rule.remote_ip_prefix,
                remote_group_id=remote,
                remote_address_group_id=rule.remote_address_group_id,
                created_us=group.created_us,
                updated_us=group.created_us,
            )
        )
    return rules


def _derived_id(purpose: str, of: str) -> str:
    digest = hashlib.blake2b(f"{purpose}/{of}".encode(), digest_size=16, person=b"default-group").digest()
    return str(uuid.UUID(bytes=digest, version=4))
