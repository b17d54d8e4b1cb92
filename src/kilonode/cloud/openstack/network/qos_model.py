"""The documents of quality of service: a policy with its rules, and who is bound to a policy.

Rates: kilobits (`kbps`) and thousands of packets (`kpps`) per second, as Neutron names them.
"""

from typing import Annotated, Final, Literal

import msgspec

from kilonode.cloud.kinds import document
from kilonode.cloud.openstack.network.model import FLOATING_IP, NETWORK, PORT, Resource
from kilonode.cloud.openstack.network.part_model import Part
from kilonode.control.index import Index
from kilonode.control.mirror import Mirror

QOS_POLICY: Final = "qos_policy"

Rate = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Direction = Literal["egress", "ingress"]
Mark = Literal[0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56]


class BandwidthLimit(Part, frozen=True, kw_only=True, tag_field="type", tag="bandwidth_limit"):
    """No more than this."""

    max_kbps: Rate
    max_burst_kbps: Rate = 0
    direction: Direction = "egress"


class DscpMarking(Part, frozen=True, kw_only=True, tag_field="type", tag="dscp_marking"):
    """What packets are marked with."""

    dscp_mark: Mark


class MinimumBandwidth(Part, frozen=True, kw_only=True, tag_field="type", tag="minimum_bandwidth"):
    """No less than this."""

    min_kbps: Rate
    direction: Direction = "egress"


class MinimumPacketRate(Part, frozen=True, kw_only=True, tag_field="type", tag="minimum_packet_rate"):
    """No fewer packets than this."""

    min_kpps: Rate
    direction: Literal["egress", "ingress", "any"] = "egress"


class PacketRateLimit(Part, frozen=True, kw_only=True, tag_field="type", tag="packet_rate_limit"):
    """No more packets than this."""

    max_kpps: Rate
    max_burst_kpps: Rate = 0
    direction: Direction = "egress"


Rule = BandwidthLimit | DscpMarking | MinimumBandwidth | MinimumPacketRate | PacketRateLimit
RULES: Final[tuple[type[Rule], ...]] = (
    BandwidthLimit,
    DscpMarking,
    MinimumBandwidth,
    MinimumPacketRate,
    PacketRateLimit,
)


@document(QOS_POLICY)
class QosPolicy(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """Rules that hold together for what is bound to them."""

    shared: bool = False
    is_default: bool = False
    """For networks of its project that name none."""
    rules: tuple[Rule, ...] = ()


def policies_by_rule(mirror: Mirror) -> Index:
    """The policy that has a rule."""
    return mirror.index(QOS_POLICY, "rule", lambda policy: tuple(rule.id for rule in policy.rules))


def shared_policies(mirror: Mirror) -> Index:
    """Policies that every project sees, under True."""
    return mirror.index(QOS_POLICY, "open", lambda policy: policy.shared or None)


def bound_to_policy(mirror: Mirror, kind: str) -> Index:
    """The networks, ports or floating IPs that are bound to a policy."""
    return mirror.index(kind, "qos_policy", lambda resource: resource.qos_policy_id or None)


BOUND_KINDS: Final = {"network": NETWORK, "port": PORT, "floatingip": FLOATING_IP}
"""What can be bound to a policy: Neutron's word for it, and the kind of document."""
