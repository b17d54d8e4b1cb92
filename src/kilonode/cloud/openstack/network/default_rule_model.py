"""The rules that new security groups begin with: one document for all, and Neutron's own while there is none."""

import hashlib
import uuid
from typing import Final

import msgspec

from kilonode.cloud.kinds import document
from kilonode.control.mirror import Mirror

DEFAULT_RULES: Final = "default_rules"
DEFAULT_RULES_KEY: Final = "all"
PARENT: Final = "PARENT"
"""As a remote group: the group that the rule is made for."""


class DefaultRule(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A rule that new groups get."""

    id: str
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    description: str = ""
    in_default_groups: bool = False
    """Whether the group `default` of a new project gets it."""
    in_other_groups: bool = True


@document(DEFAULT_RULES)
class DefaultRules(msgspec.Struct, frozen=True):
    """All of them, in the order in which they were made."""

    rules: tuple[DefaultRule, ...]


def default_rules(mirror: Mirror) -> tuple[DefaultRule, ...]:
    """The rules that a group which is made now begins with, of either sort."""
    entry = mirror.get(DEFAULT_RULES, DEFAULT_RULES_KEY)
    return _BUILT_IN if entry is None else entry.value.rules


def _id(name: str) -> str:
    digest = hashlib.blake2b(name.encode(), digest_size=16, person=b"default-rule").digest()
    return str(uuid.UUID(bytes=digest, version=4))


_BUILT_IN: Final = (
    *(
        DefaultRule(id=_id(f"egress-{version}"), direction="egress", ethertype=version, in_default_groups=True)
        for version in ("IPv4", "IPv6")
    ),
    *(
        DefaultRule(
            id=_id(f"ingress-{version}"),
            direction="ingress",
            ethertype=version,
            remote_group_id=PARENT,
            in_default_groups=True,
            in_other_groups=False,
        )
        for version in ("IPv4", "IPv6")
    ),
)
"""Everything may go out; in a default group, its members may come in."""
