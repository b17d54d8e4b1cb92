"""`/security-groups` and `/security-group-rules`: emulated as documents; no packet is ever looked at."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.address_groups import ADDRESS_GROUP, ADDRESS_GROUPS
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, standard_fields
from kilonode.cloud.openstack.network.default_group import (
    DEFAULT_NAME,
    default_group_changes,
    default_group_id,
    first_rules,
)
from kilonode.cloud.openstack.network.model import (
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    SecurityGroup,
    SecurityGroupRule,
    by_project,
    ports_by_group,
    rules_by_group,
)
from kilonode.cloud.openstack.network.rule_forms import WantedForm, check_remotes, form_fields, form_of
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put


class WantedGroup(msgspec.Struct, frozen=True):
    """The `security_group` of a create or update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    stateful: bool | UnsetType = UNSET
    project_id: str | None = None
    tenant_id: str | None = None
    tags: tuple[str, ...] = ()


class WantedRule(WantedForm, frozen=True, kw_only=True):
    """The `security_group_rule` of a create request."""

    security_group_id: str
    description: str | None = None
    project_id: str | None = None
    tenant_id: str | None = None


def make_rule_fields(cloud: Cloud) -> Fields[SecurityGroupRule]:
    """The fields of a rule."""
    return Fields(
        {
            "id": lambda rule: rule.id,
            "security_group_id": lambda rule: rule.group_id,
            **form_fields(),
            "normalized_cidr": lambda rule: rule.remote_ip_prefix,
            "belongs_to_default_sg": lambda rule: rule.group_id == default_group_id(rule.project_id),
            **standard_fields(),
        }
    )


def make_group_fields(cloud: Cloud) -> Fields[SecurityGroup]:
    """The fields of a group, its rules among them."""
    rules = cloud.mirror.all(SECURITY_GROUP_RULE)
    index = rules_by_group(cloud.mirror)
    rule_fields = cloud.part(make_rule_fields)
    return Fields(
        {
            "id": lambda group: group.id,
            "name": lambda group: group.name,
            "stateful": lambda group: group.stateful,
            "shared": lambda group: "*" in group.shared_with,
            "security_group_rules": lambda group: [rule_fields.show(rules[key].value) for key in index.keys(group.id)],
            **standard_fields(),
        }
    )


GROUPS: Final[Collection[SecurityGroup]] = Collection(
    kind=SECURITY_GROUP,
    noun="security_group",
    plural="security_groups",
    type_noun="SecurityGroup",
    title="Security group",
    make_fields=make_group_fields,
    indexes=(
        ("project_id", lambda mirror: by_project(mirror, SECURITY_GROUP)),
        ("tenant_id", lambda mirror: by_project(mirror, SECURITY_GROUP)),
    ),
)
RULES: Final[Collection[SecurityGroupRule]] = Collection(
    kind=SECURITY_GROUP_RULE,
    noun="security_group_rule",
    plural="security_group_rules",
    type_noun="SecurityGroupRule",
    title="Security group rule",
    make_fields=make_rule_fields,
    indexes=(
        ("security_group_id", rules_by_group),
        ("project_id", lambda mirror: by_project(mirror, SECURITY_GROUP_RULE)),
        ("tenant_id", lambda mirror: by_project(mirror, SECURITY_GROUP_RULE)),
    ),
)


async def list_security_groups(request: Request) -> Response:
    """`GET /security-groups`. A project that asks for the first time gets its default group."""
    project_id = request.caller.project_id
    changes = default_group_changes(request.cloud, project_id) if project_id else []
    if changes:
        await request.cloud.mirror.commit(changes)
    return GROUPS.listing(request)


async def create_security_group(request: Request) -> Response:
    """`POST /security-groups`."""
    return await GROUPS.create(request, WantedGroup, _new_group)


async def show_security_group(request: Request) -> Response:
    """`GET /security-groups/{id}`."""
    return GROUPS.show(request, GROUPS.find(request, request.params["id"]).value)


async def update_security_group(request: Request) -> Response:
    """`PUT /security-groups/{id}`."""
    return await GROUPS.update(request, WantedGroup, _changed_group)


async def delete_security_group(request: Request) -> Response:
    """`DELETE /security-groups/{id}`, with its rules: not the default one, nor while a port uses it."""
    entry = GROUPS.find_own(request, request.params["id"], "delete")
    group, mirror = entry.value, request.cloud.mirror
    if ports_by_group(mirror).count(group.id):
        raise Fault(409, f"Security Group {group.id} in use.", type="SecurityGroupInUse")
    if group.id == default_group_id(group.project_id) and not request.caller.is_admin:
        raise Fault(
            409, "Insufficient rights for removing default security group.", type="SecurityGroupCannotRemoveDefault"
        )
    # Rules of other groups that let its members in go too, as in Neutron's database.
    naming = mirror.index(SECURITY_GROUP_RULE, "remote_group", lambda rule: rule.remote_group_id)
    rules = dict.fromkeys([*rules_by_group(mirror).keys(group.id), *naming.keys(group.id)])
    await mirror.commit(
        [Delete(SECURITY_GROUP, group.id, entry.revision), *(Delete(SECURITY_GROUP_RULE, key) for key in rules)]
    )
    return reply(None, 204)


async def list_security_group_rules(request: Request) -> Response:
    """`GET /security-group-rules`."""
    return RULES.listing(request)


async def create_security_group_rule(request: Request) -> Response:
    """`POST /security-group-rules`, one or many."""
    return await RULES.create(request, WantedRule, _new_rule)


async def show_security_group_rule(request: Request) -> Response:
    """`GET /security-group-rules/{id}`."""
    return RULES.show(request, RULES.find(request, request.params["id"]).value)


async def delete_security_group_rule(request: Request) -> Response:
    """`DELETE /security-group-rules/{id}`."""
    entry = RULES.find_own(request, request.params["id"], "delete")
    await request.cloud.mirror.commit([Delete(SECURITY_GROUP_RULE, entry.value.id, entry.revision)])
    return reply(None, 204)


def _new_group(request: Request, wanted: WantedGroup) -> tuple[SecurityGroup, Changes]:
    cloud = request.cloud
    project_id = owner(request, wanted.project_id or wanted.tenant_id)
    if wanted.name == DEFAULT_NAME:
        raise Fault(409, "Default security group already exists.", type="SecurityGroupDefaultAlreadyExists")
    now_us = cloud.now_us()
    group = SecurityGroup(
        id=cloud.new_id(), project_id=project_id, created_us=now_us, updated_us=now_us, tags=wanted.tags
    )
    group = _with_wishes(group, wanted)
    rules = first_rules(cloud, group)
    return group, [
        *default_group_changes(cloud, project_id),
        Put(SECURITY_GROUP, group, group.id, 0),
        *(Put(SECURITY_GROUP_RULE, rule, rule.id, 0) for rule in rules),
    ]


def _changed_group(request: Request, group: SecurityGroup, wanted: WantedGroup) -> tuple[SecurityGroup, Changes]:
    if group.id == default_group_id(group.project_id) and wanted.name not in (UNSET, group.name):
        raise Fault(409, "Updating default security group not allowed.", type="SecurityGroupCannotUpdateDefault")
    if wanted.name == DEFAULT_NAME and group.id != default_group_id(group.project_id):
        raise Fault(409, "Default security group already exists.", type="SecurityGroupDefaultAlreadyExists")
    return _with_wishes(group, wanted), []


def _with_wishes(group: SecurityGroup, wanted: WantedGroup) -> SecurityGroup:
    names = ("name", "description", "stateful")
    wishes = {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not UNSET}
    return msgspec.structs.replace(group, **wishes)


def _new_rule(request: Request, wanted: WantedRule) -> tuple[SecurityGroupRule, Changes]:
    cloud = request.cloud
    entry = GROUPS.find_own(request, wanted.security_group_id, "create")
    group = entry.value
    # What the rule names is written too, so that it cannot go at the same instant.
    held = [Put(SECURITY_GROUP, group, group.id, entry.revision)]
    check_remotes(wanted)
    if wanted.remote_group_id and wanted.remote_group_id != group.id:
        remote = GROUPS.find(request, wanted.remote_group_id)
        held.append(Put(SECURITY_GROUP, remote.value, remote.value.id, remote.revision))
    if wanted.remote_address_group_id:
        addresses = ADDRESS_GROUPS.find(request, wanted.remote_address_group_id)
        held.append(Put(ADDRESS_GROUP, addresses.value, addresses.value.id, addresses.revision))
    form = form_of(wanted)
    now_us = cloud.now_us()
    rule = SecurityGroupRule(
        id=cloud.new_id(),
        project_id=owner(request, wanted.project_id or wanted.tenant_id or group.project_id),
        group_id=group.id,
        direction=form.direction,
        ethertype=form.ethertype,
        protocol=form.protocol,
        port_range_min=form.low,
        port_range_max=form.high,
        remote_ip_prefix=wanted.remote_ip_prefix,
        remote_group_id=wanted.remote_group_id,
        remote_address_group_id=wanted.remote_address_group_id,
        description=wanted.description or "",
        created_us=now_us,
        updated_us=now_us,
    )
    _refuse_twin(request, rule)
    return rule, [Put(SECURITY_GROUP_RULE, rule, rule.id, 0), *held]


def _refuse_twin(request: Request, rule: SecurityGroupRule) -> None:
    """Raises Fault 409 when the group has a rule that says the same."""
    table = request.cloud.mirror.all(SECURITY_GROUP_RULE)
    for key in rules_by_group(request.cloud.mirror).keys(rule.group_id):
        if _meaning(table[key].value) == _meaning(rule):
            raise Fault(409, f"Security group rule already exists. Rule id is {key}.", type="SecurityGroupRuleExists")


def _meaning(rule: SecurityGroupRule) -> tuple[object, ...]:
    return (
        rule.direction,
        rule.ethertype,
        rule.protocol,
        rule.port_range_min,
        rule.port_range_max,
        rule.remote_ip_prefix,
        rule.remote_group_id,
        rule.remote_address_group_id,
    )


ROUTES: Final = (
    Route("GET", "/security-groups", list_security_groups, Access.READER),
    Route("POST", "/security-groups", create_security_group, Access.MEMBER),
    Route("GET", "/security-groups/{id}", show_security_group, Access.READER),
    Route("PUT", "/security-groups/{id}", update_security_group, Access.MEMBER),
    Route("DELETE", "/security-groups/{id}", delete_security_group, Access.MEMBER),
    Route("GET", "/security-group-rules", list_security_group_rules, Access.READER),
    Route("POST", "/security-group-rules", create_security_group_rule, Access.MEMBER),
    Route("GET", "/security-group-rules/{id}", show_security_group_rule, Access.READER),
    Route("DELETE", "/security-group-rules/{id}", delete_security_group_rule, Access.MEMBER),
)
