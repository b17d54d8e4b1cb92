"""`/default-security-group-rules`: what administrators want new security groups to begin with."""

from typing import Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.address_groups import ADDRESS_GROUPS
from kilonode.cloud.openstack.network.bodies import bad, body_of, items_of, read
from kilonode.cloud.openstack.network.default_rule_model import (
    DEFAULT_RULES,
    DEFAULT_RULES_KEY,
    PARENT,
    DefaultRule,
    DefaultRules,
    default_rules,
)
from kilonode.cloud.openstack.network.rule_forms import WantedForm, check_remotes, form_fields, form_of
from kilonode.cloud.openstack.network.security_groups import GROUPS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields, matching
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Put

NOUN: Final = "default_security_group_rule"
PLURAL: Final = "default_security_group_rules"
RULES_LIMIT: Final = 200
"""In all: they are one document, and every new group has them."""


class WantedDefaultRule(WantedForm, frozen=True, kw_only=True):
    """The `default_security_group_rule` of a create request."""

    description: str | None = None
    used_in_default_sg: bool = False
    used_in_non_default_sg: bool = True


def make_default_rule_fields(cloud: Cloud) -> Fields[DefaultRule]:
    """The fields of a default rule."""
    return Fields(
        {
            "id": lambda rule: rule.id,
            **form_fields(),
            "description": lambda rule: rule.description,
            "used_in_default_sg": lambda rule: rule.in_default_groups,
            "used_in_non_default_sg": lambda rule: rule.in_other_groups,
        }
    )


async def list_default_rules(request: Request) -> Response:
    """`GET /default-security-group-rules`; any field filters."""
    fields = request.cloud.part(make_default_rule_fields)
    names = request.query.all("fields")
    query = [(name, text) for name, text in request.query if name != "fields"]
    found = matching(default_rules(request.cloud.mirror), fields.tests(query))
    return reply({PLURAL: [fields.show(rule, names) for rule in found]}, items=len(found))


async def show_default_rule(request: Request) -> Response:
    """`GET /default-security-group-rules/{id}`."""
    fields = request.cloud.part(make_default_rule_fields)
    return reply({NOUN: fields.show(_find(request), request.query.all("fields"))})


async def create_default_rule(request: Request) -> Response:
    """`POST /default-security-group-rules`, one or many. Groups that are there stay as they are."""
    body = body_of(request, NOUN)
    rules = default_rules(request.cloud.mirror)
    made: list[DefaultRule] = []
    for item in items_of(body, NOUN, PLURAL):
        rule = _new_rule(request, read(item, WantedDefaultRule, NOUN, making=True))
        _refuse_twin((*rules, *made), rule)
        made.append(rule)
    if len(rules) + len(made) > RULES_LIMIT:
        raise bad(f"There are at most {RULES_LIMIT} default rules.")
    await _write(request, (*rules, *made))
    fields = request.cloud.part(make_default_rule_fields)
    if PLURAL in body:
        return reply({PLURAL: [fields.show(rule) for rule in made]}, 201)
    return reply({NOUN: fields.show(made[0])}, 201)


async def delete_default_rule(request: Request) -> Response:
    """`DELETE /default-security-group-rules/{id}`, also one that was there from the beginning."""
    gone = _find(request)
    await _write(request, tuple(rule for rule in default_rules(request.cloud.mirror) if rule.id != gone.id))
    return reply(None, 204)


def _find(request: Request) -> DefaultRule:
    key = request.params["id"]
    for rule in default_rules(request.cloud.mirror):
        if rule.id == key:
            return rule
    raise Fault(404, f"Default Security Group rule {key} does not exist", type="DefaultSecurityGroupRuleNotFound")


def _new_rule(request: Request, wanted: WantedDefaultRule) -> DefaultRule:
    check_remotes(wanted)
    if wanted.remote_group_id and wanted.remote_group_id != PARENT:
        GROUPS.find(request, wanted.remote_group_id)
    if wanted.remote_address_group_id:
        ADDRESS_GROUPS.find(request, wanted.remote_address_group_id)
    form = form_of(wanted)
    return DefaultRule(
        id=request.cloud.new_id(),
        direction=form.direction,
        ethertype=form.ethertype,
        protocol=form.protocol,
        port_range_min=form.low,
        port_range_max=form.high,
        remote_ip_prefix=wanted.remote_ip_prefix or None,
        remote_group_id=wanted.remote_group_id or None,
        remote_address_group_id=wanted.remote_address_group_id or None,
        description=wanted.description or "",
        in_default_groups=wanted.used_in_default_sg,
        in_other_groups=wanted.used_in_non_default_sg,
    )


def _refuse_twin(rules: tuple[DefaultRule, ...], rule: DefaultRule) -> None:
    """Raises Fault 409 where groups of one sort would get a rule twice."""
    for other in rules:
        both = (other.in_default_groups and rule.in_default_groups) or (other.in_other_groups and rule.in_other_groups)
        if both and _meaning(other) == _meaning(rule):
            words = f"Default Security group rule already exists. Rule id is {other.id}."
            raise Fault(409, words, type="DefaultSecurityGroupRuleExists")


def _meaning(rule: DefaultRule) -> DefaultRule:
    return msgspec.structs.replace(rule, id="", description="", in_default_groups=False, in_other_groups=False)


async def _write(request: Request, rules: tuple[DefaultRule, ...]) -> None:
    mirror = request.cloud.mirror
    entry = mirror.get(DEFAULT_RULES, DEFAULT_RULES_KEY)
    expected = entry.revision if entry is not None else 0
    await mirror.commit([Put(DEFAULT_RULES, DefaultRules(rules), DEFAULT_RULES_KEY, expected)])


ROUTES: Final = (
    Route("GET", "/default-security-group-rules", list_default_rules, Access.READER),
    Route("POST", "/default-security-group-rules", create_default_rule, Access.ADMIN),
    Route("GET", "/default-security-group-rules/{id}", show_default_rule, Access.READER),
    Route("DELETE", "/default-security-group-rules/{id}", delete_default_rule, Access.ADMIN),
)
