"""The security group `default` of each project: there from the moment anything of the project needs it.

Its id and those of its rules follow from the project's id, so whoever makes it first makes the same documents.
"""

import hashlib
import uuid
from functools import lru_cache

from kilonode.cloud.context import Cloud
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
    rules = [
        *egress_rules(group_id, project_id, now_us),
        *(
            SecurityGroupRule(
                id=_derived_id(f"ingress-{ethertype}", project_id),
                project_id=project_id,
                group_id=group_id,
                direction="ingress",
                ethertype=ethertype,
                remote_group_id=group_id,
                created_us=now_us,
                updated_us=now_us,
            )
            for ethertype in ("IPv4", "IPv6")
        ),
    ]
    return [
        Put(SECURITY_GROUP, group, group_id, 0),
        *(Put(SECURITY_GROUP_RULE, rule, rule.id, 0) for rule in rules),
    ]


def egress_rules(group_id: str, project_id: str, now_us: int) -> list[SecurityGroupRule]:
    """The two rules that every new group has: everything may go out."""
    return [
        SecurityGroupRule(
            id=_derived_id(f"egress-{ethertype}", group_id),
            project_id=project_id,
            group_id=group_id,
            direction="egress",
            ethertype=ethertype,
            created_us=now_us,
            updated_us=now_us,
        )
        for ethertype in ("IPv4", "IPv6")
    ]


def _derived_id(purpose: str, of: str) -> str:
    digest = hashlib.blake2b(f"{purpose}/{of}".encode(), digest_size=16, person=b"default-group").digest()
    return str(uuid.UUID(bytes=digest, version=4))
