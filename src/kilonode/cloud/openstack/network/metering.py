"""`/metering`: labels and the ranges they count. Documents alone: no packet is ever counted."""

from ipaddress import ip_network
from typing import Final

import msgspec

from kilonode.cloud.context import Cloud
from kilonode.cloud.kinds import document
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner
from kilonode.cloud.openstack.network.faults import invalid
from kilonode.cloud.openstack.network.model import Resource, by_project
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.index import Index
from kilonode.control.mirror import Delete, Mirror, Put

METERING_LABEL: Final = "metering_label"
METERING_RULE: Final = "metering_label_rule"
_DIRECTIONS: Final = ("ingress", "egress")


@document(METERING_LABEL)
class MeteringLabel(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """What traffic is counted under."""

    shared: bool = False


@document(METERING_RULE)
class MeteringRule(Resource, frozen=True, omit_defaults=True, kw_only=True):
    """Traffic that a label counts, or does not."""

    label_id: str
    direction: str = "ingress"
    excluded: bool = False
    remote_ip_prefix: str | None = None
    source_ip_prefix: str | None = None
    destination_ip_prefix: str | None = None


class WantedLabel(msgspec.Struct, frozen=True):
    """The `metering_label` of a create request."""

    name: str = ""
    description: str = ""
    shared: bool = False
    project_id: str | None = None
    tenant_id: str | None = None


class WantedRule(msgspec.Struct, frozen=True):
    """The `metering_label_rule` of a create request."""

    metering_label_id: str
    direction: str = "ingress"
    excluded: bool = False
    remote_ip_prefix: str | None = None
    source_ip_prefix: str | None = None
    destination_ip_prefix: str | None = None


def make_label_fields(cloud: Cloud) -> Fields[MeteringLabel]:
    """The fields of a label."""
    return Fields(
        {
            "id": lambda label: label.id,
            "name": lambda label: label.name,
            "description": lambda label: label.description,
            "shared": lambda label: label.shared,
            "tenant_id": lambda label: label.project_id,
            "project_id": lambda label: label.project_id,
        }
    )


def make_rule_fields(cloud: Cloud) -> Fields[MeteringRule]:
    """The fields of a rule."""
    return Fields(
        {
            "id": lambda rule: rule.id,
            "metering_label_id": lambda rule: rule.label_id,
            "direction": lambda rule: rule.direction,
            "excluded": lambda rule: rule.excluded,
            "remote_ip_prefix": lambda rule: rule.remote_ip_prefix,
            "source_ip_prefix": lambda rule: rule.source_ip_prefix,
            "destination_ip_prefix": lambda rule: rule.destination_ip_prefix,
        }
    )


LABELS: Final[Collection[MeteringLabel]] = Collection(
    kind=METERING_LABEL,
    noun="metering_label",
    plural="metering_labels",
    type_noun="MeteringLabel",
    title="Metering label",
    make_fields=make_label_fields,
    indexes=(("project_id", lambda mirror: by_project(mirror, METERING_LABEL)),),
)
METERING_RULES: Final[Collection[MeteringRule]] = Collection(
    kind=METERING_RULE,
    noun="metering_label_rule",
    plural="metering_label_rules",
    type_noun="MeteringLabelRule",
    title="Metering label rule",
    make_fields=make_rule_fields,
    indexes=(("metering_label_id", lambda mirror: rules_by_label(mirror)),),
)


def rules_by_label(mirror: Mirror) -> Index:
    """The rules of a label."""
    return mirror.index(METERING_RULE, "label", lambda rule: rule.label_id)


async def list_labels(request: Request) -> Response:
    """`GET /metering/metering-labels`."""
    return LABELS.listing(request)


async def create_label(request: Request) -> Response:
    """`POST /metering/metering-labels`."""
    return await LABELS.create(request, WantedLabel, _new_label)


async def show_label(request: Request) -> Response:
    """`GET /metering/metering-labels/{id}`."""
    return LABELS.show(request, LABELS.find(request, request.params["id"]).value)


async def delete_label(request: Request) -> Response:
    """`DELETE /metering/metering-labels/{id}`, with its rules."""
    entry = LABELS.find_own(request, request.params["id"], "delete")
    mirror = request.cloud.mirror
    rules = [Delete(METERING_RULE, key) for key in rules_by_label(mirror).keys(entry.value.id)]
    await mirror.commit([Delete(METERING_LABEL, entry.value.id, entry.revision), *rules])
    return reply(None, 204)


async def list_rules(request: Request) -> Response:
    """`GET /metering/metering-label-rules`."""
    return METERING_RULES.listing(request)


async def create_rule(request: Request) -> Response:
    """`POST /metering/metering-label-rules`."""
    return await METERING_RULES.create(request, WantedRule, _new_rule)


async def show_rule(request: Request) -> Response:
    """`GET /metering/metering-label-rules/{id}`."""
    return METERING_RULES.show(request, METERING_RULES.find(request, request.params["id"]).value)


async def delete_rule(request: Request) -> Response:
    """`DELETE /metering/metering-label-rules/{id}`."""
    entry = METERING_RULES.find_own(request, request.params["id"], "delete")
    await request.cloud.mirror.commit([Delete(METERING_RULE, entry.value.id, entry.revision)])
    return reply(None, 204)


def _new_label(request: Request, wanted: WantedLabel) -> tuple[MeteringLabel, Changes]:
    label = MeteringLabel(
        id=request.cloud.new_id(),
        project_id=owner(request, wanted.project_id or wanted.tenant_id),
        name=wanted.name,
        description=wanted.description,
        shared=wanted.shared,
    )
    return label, [Put(METERING_LABEL, label, label.id, 0)]


def _new_rule(request: Request, wanted: WantedRule) -> tuple[MeteringRule, Changes]:
    label = LABELS.find(request, wanted.metering_label_id).value
    if wanted.direction not in _DIRECTIONS:
        raise invalid(f"Invalid input for direction. Reason: '{wanted.direction}' is not in {list(_DIRECTIONS)}.")
    prefixes = (wanted.remote_ip_prefix, wanted.source_ip_prefix, wanted.destination_ip_prefix)
    if not any(prefixes):
        raise invalid("A metering label rule needs a prefix.")
    rule = MeteringRule(
        id=request.cloud.new_id(),
        project_id=label.project_id,
        label_id=label.id,
        direction=wanted.direction,
        excluded=wanted.excluded,
        remote_ip_prefix=_prefix(wanted.remote_ip_prefix),
        source_ip_prefix=_prefix(wanted.source_ip_prefix),
        destination_ip_prefix=_prefix(wanted.destination_ip_prefix),
    )
    return rule, [Put(METERING_RULE, rule, rule.id, 0)]


def _prefix(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return str(ip_network(text, strict=False))
    except ValueError as error:
        raise invalid(f"Invalid input for a prefix. Reason: '{text}' is not a valid IP subnet.") from error


ROUTES: Final = (
    Route("GET", "/metering/metering-labels", list_labels, Access.ADMIN, "list_metering_labels"),
    Route("POST", "/metering/metering-labels", create_label, Access.ADMIN, "create_metering_label"),
    Route("GET", "/metering/metering-labels/{id}", show_label, Access.ADMIN, "show_metering_label"),
    Route("DELETE", "/metering/metering-labels/{id}", delete_label, Access.ADMIN, "delete_metering_label"),
    Route("GET", "/metering/metering-label-rules", list_rules, Access.ADMIN, "list_metering_label_rules"),
    Route("POST", "/metering/metering-label-rules", create_rule, Access.ADMIN, "create_metering_label_rule"),
    Route("GET", "/metering/metering-label-rules/{id}", show_rule, Access.ADMIN, "show_metering_label_rule"),
    Route("DELETE", "/metering/metering-label-rules/{id}", delete_rule, Access.ADMIN, "delete_metering_label_rule"),
)
