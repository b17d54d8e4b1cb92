"""`/qos/policies` and their rules: kept, shown and bound to; no packet is ever slowed down, and no rate is reserved."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, standard_fields
from kilonode.cloud.openstack.network.faults import missing
from kilonode.cloud.openstack.network.model import by_project
from kilonode.cloud.openstack.network.parts import Parts
from kilonode.cloud.openstack.network.qos_model import (
    BOUND_KINDS,
    QOS_POLICY,
    RULES,
    QosPolicy,
    Rule,
    bound_to_policy,
    policies_by_rule,
    shared_policies,
)
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Handler, Route
from kilonode.control.mirror import Delete, Put


class WantedPolicy(msgspec.Struct, frozen=True):
    """The `policy` of a create or update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    shared: bool | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET
    project_id: str | None = None
    tenant_id: str | None = None


def make_policy_fields(cloud: Cloud) -> Fields[QosPolicy]:
    """The fields of a policy, its rules among them."""
    return Fields(
        {
            "id": lambda policy: policy.id,
            "name": lambda policy: policy.name,
            "shared": lambda policy: policy.shared or "*" in policy.shared_with,
            "is_default": lambda policy: policy.is_default,
            "rules": lambda policy: [
                {**msgspec.structs.asdict(rule), "type": type_of(type(rule)), "qos_policy_id": policy.id}
                for rule in policy.rules
            ],
            **standard_fields(),
        }
    )


def type_of(kind: type[Rule]) -> str:
    """A rule's type as Neutron names it: `bandwidth_limit`."""
    return str(kind.__struct_config__.tag)


QOS_POLICIES: Final[Collection[QosPolicy]] = Collection(
    kind=QOS_POLICY,
    noun="policy",
    plural="policies",
    type_noun="QosPolicy",
    title="QoS policy",
    make_fields=make_policy_fields,
    sees=lambda request, policy: policy.shared,
    seen=lambda request: shared_policies(request.cloud.mirror).keys(True),
    indexes=(("project_id", lambda mirror: by_project(mirror, QOS_POLICY)),),
)


def wanted_policy(request: Request, policy_id: str | UnsetType | None, known: str) -> str:
    """The policy that a network, port or floating IP is bound to when a request says this. Raises Fault 404."""
    if policy_id is UNSET or policy_id == known:
        return known
    return QOS_POLICIES.find(request, policy_id).value.id if policy_id else ""


def held_policy(cloud: Cloud, policy_id: str, known: str = "") -> Changes:
    """The change that keeps a policy while something is being bound to it: it is written, so it cannot go meanwhile."""
    entry = cloud.mirror.get(QOS_POLICY, policy_id) if policy_id and policy_id != known else None
    return [Put(QOS_POLICY, entry.value, policy_id, entry.revision)] if entry is not None else []


def default_policy(cloud: Cloud, project_id: str) -> str:
    """The policy of new networks of a project, or an empty string."""
    table = cloud.mirror.all(QOS_POLICY)
    own = by_project(cloud.mirror, QOS_POLICY).keys(project_id)
    return next((key for key in own if table[key].value.is_default), "")


async def list_qos_policies(request: Request) -> Response:
    """`GET /qos/policies`."""
    return QOS_POLICIES.listing(request)


async def create_qos_policy(request: Request) -> Response:
    """`POST /qos/policies`."""
    return await QOS_POLICIES.create(request, WantedPolicy, _new_policy)


async def show_qos_policy(request: Request) -> Response:
    """`GET /qos/policies/{id}`."""
    return QOS_POLICIES.show(request, QOS_POLICIES.find(request, request.params["id"]).value)


async def update_qos_policy(request: Request) -> Response:
    """`PUT /qos/policies/{id}`."""
    return await QOS_POLICIES.update(request, WantedPolicy, _changed_policy)


async def delete_qos_policy(request: Request) -> Response:
    """`DELETE /qos/policies/{id}`, with its rules: not while something is bound to it."""
    entry = QOS_POLICIES.find_own(request, request.params["id"], "delete")
    mirror = request.cloud.mirror
    for word, kind in BOUND_KINDS.items():
        for key in bound_to_policy(mirror, kind).keys(entry.value.id):
            raise Fault(409, f"QoS Policy {entry.value.id} is used by {word} {key}.", type="QosPolicyInUse")
    await mirror.commit([Delete(QOS_POLICY, entry.value.id, entry.revision)])
    return reply(None, 204)


async def list_rule_types(request: Request) -> Response:
    """`GET /qos/rule-types`."""
    return reply({"rule_types": [{"type": type_of(kind)} for kind in RULES]}, items=len(RULES))


async def show_rule_type(request: Request) -> Response:
    """`GET /qos/rule-types/{rule_type}`: with what the one driver supports of it."""
    for kind in RULES:
        if type_of(kind) == request.params["rule_type"]:
            drivers = [{"name": "openvswitch", "supported_parameters": []}]
            return reply({"rule_type": {"type": type_of(kind), "drivers": drivers}})
    raise missing("QosRuleType", "QoS rule type", request.params["rule_type"])


def _new_policy(request: Request, wanted: WantedPolicy) -> tuple[QosPolicy, Changes]:
    now_us = request.cloud.now_us()
    policy = QosPolicy(
        id=request.cloud.new_id(),
        project_id=owner(request, wanted.project_id or wanted.tenant_id),
        created_us=now_us,
        updated_us=now_us,
    )
    policy = _with_wishes(request, policy, wanted)
    return policy, [Put(QOS_POLICY, policy, policy.id, 0)]


def _changed_policy(request: Request, policy: QosPolicy, wanted: WantedPolicy) -> tuple[QosPolicy, Changes]:
    return _with_wishes(request, policy, wanted), []


def _with_wishes(request: Request, policy: QosPolicy, wanted: WantedPolicy) -> QosPolicy:
    names = ("name", "description", "shared", "is_default")
    wishes = {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not UNSET}
    changed = replace(policy, **wishes)
    if changed.is_default and default_policy(request.cloud, policy.project_id) not in ("", policy.id):
        raise Fault(
            409,
            f"A default QoS policy exists for project {policy.project_id}.",
            type="QoSPolicyDefaultAlreadyExists",
        )
    return changed


def _fit(request: Request, policy: QosPolicy, rule: Any) -> tuple[QosPolicy, Any, Changes]:
    direction = getattr(rule, "direction", None)
    for other in policy.rules:
        theirs = getattr(other, "direction", None)
        if type(other) is type(rule) and (direction == theirs or "any" in (direction, theirs)):
            raise Fault(
                409,
                f"Rule {type_of(type(rule))} conflicts with rule {other.id} which already exists in QoS Policy "
                f"{policy.id}.",
                type="QoSRulesConflict",
            )
        if direction == theirs:
            _check_rates(policy, rule, other)
    return policy, rule, []


def _check_rates(policy: QosPolicy, rule: Any, other: Any) -> None:
    """A floor is not above the ceiling. Raises Fault 409."""
    for floor, ceiling in (("min_kbps", "max_kbps"), ("min_kpps", "max_kpps")):
        for low, high in ((rule, other), (other, rule)):
            if hasattr(low, floor) and hasattr(high, ceiling) and getattr(low, floor) > getattr(high, ceiling):
                value, existing = (getattr(one, floor if one is low else ceiling) for one in (rule, other))
                raise Fault(
                    409,
                    f"Unable to add the rule with value {value} to the policy {policy.id} as the existing rule of type "
                    f"{type_of(type(other))} has value {existing}.",
                    type="QoSRuleParameterConflict",
                )


def _lost(policy: QosPolicy, key: str) -> Fault:
    return Fault(404, f"QoS rule {key} for policy {policy.id} could not be found.", type="QosRuleNotFound")


_PARTS: Final[tuple[Parts[QosPolicy, Any], ...]] = tuple(
    Parts(owner=QOS_POLICIES, field="rules", kind=kind, noun=f"{type_of(kind)}_rule", missing=_lost, fit=_fit)
    for kind in RULES
)


def _by_rule(handler: Handler) -> Handler:
    """The same operation for who names the rule alone."""

    async def of_rule(request: Request) -> Response:
        rule_id = request.params["part_id"]
        for key in policies_by_rule(request.cloud.mirror).keys(rule_id):
            request.params["id"] = key
            return await handler(request)
        raise Fault(404, f"QoS rule {rule_id} for policy None could not be found.", type="QosRuleNotFound")

    return of_rule


ROUTES: Final = (
    Route("GET", "/qos/policies", list_qos_policies, Access.READER),
    Route("POST", "/qos/policies", create_qos_policy, Access.ADMIN),
    Route("GET", "/qos/policies/{id}", show_qos_policy, Access.READER),
    Route("PUT", "/qos/policies/{id}", update_qos_policy, Access.ADMIN),
    Route("DELETE", "/qos/policies/{id}", delete_qos_policy, Access.ADMIN),
    Route("GET", "/qos/rule-types", list_rule_types, Access.READER),
    Route("GET", "/qos/rule-types/{rule_type}", show_rule_type, Access.ADMIN),
    *(route for parts in _PARTS for route in parts.routes("/qos/policies/{id}", Access.ADMIN)),
    *(
        Route(method, f"/qos/alias_{parts.plural}/{{part_id}}", _by_rule(handler), access, f"{word}_{parts.noun}")
        for parts in _PARTS
        for method, word, handler, access in (
            ("GET", "show", parts.show, Access.READER),
            ("PUT", "update", parts.update, Access.ADMIN),
            ("DELETE", "delete", parts.delete, Access.ADMIN),
        )
    ),
)
