"""`/roles/{id}/implies` and `/role_inferences`: who has one role has another one too."""

from typing import Any, Final

from kilonode.cloud.openstack.identity.answers import find, link
from kilonode.cloud.openstack.identity.model import ROLE, ROLE_INFERENCE, Role, RoleInference, inferences_by_prior
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

NEVER_IMPLIED: Final = "admin"
"""Nobody becomes an administrator by a rule."""


async def list_role_inferences(request: Request) -> Response:
    """`GET /role_inferences`: every rule, by prior role."""
    mirror = request.cloud.mirror
    priors = dict.fromkeys(entry.value.prior_role_id for entry in mirror.all(ROLE_INFERENCE).values())
    rules = [_rules_of(request, mirror.all(ROLE)[key].value) for key in priors if key in mirror.all(ROLE)]
    return reply({"role_inferences": rules, "links": link(request, "/role_inferences")}, items=len(rules))


async def list_implied_roles(request: Request) -> Response:
    """`GET /roles/{prior_role_id}/implies`: what a role implies by itself."""
    prior: Role = find(request, ROLE, "role", request.params["prior_role_id"]).value
    return reply(
        {"role_inference": _rules_of(request, prior), "links": link(request, f"/roles/{prior.id}/implies")},
    )


async def show_implied_role(request: Request) -> Response:
    """`GET /roles/{prior_role_id}/implies/{implied_role_id}` (and HEAD)."""
    rule = _rule(request)
    if request.cloud.mirror.get(ROLE_INFERENCE, rule.key) is None:
        raise Fault(404, f"{rule.prior_role_id} does not imply {rule.implied_role_id}.")
    return reply(_one(request, rule), 204 if request.method == "HEAD" else 200)


async def create_implied_role(request: Request) -> Response:
    """`PUT /roles/{prior_role_id}/implies/{implied_role_id}`."""
    rule = _rule(request)
    table = request.cloud.mirror.all(ROLE)
    prior, implied = table[rule.prior_role_id].value, table[rule.implied_role_id].value
    if implied.name == NEVER_IMPLIED or (implied.domain_id and not prior.domain_id):
        raise Fault(403, f"{implied.id} cannot be an implied roles.")
    await request.cloud.mirror.commit([Put(ROLE_INFERENCE, rule, rule.key)])
    return reply(_one(request, rule), 201)


async def delete_implied_role(request: Request) -> Response:
    """`DELETE /roles/{prior_role_id}/implies/{implied_role_id}`."""
    rule = _rule(request)
    entry = request.cloud.mirror.get(ROLE_INFERENCE, rule.key)
    if entry is None:
        raise Fault(404, f"{rule.prior_role_id} does not imply {rule.implied_role_id}.")
    await request.cloud.mirror.commit([Delete(ROLE_INFERENCE, rule.key, entry.revision)])
    return reply(None, 204)


def _rule(request: Request) -> RoleInference:
    prior = find(request, ROLE, "role", request.params["prior_role_id"]).value
    implied = find(request, ROLE, "role", request.params["implied_role_id"]).value
    return RoleInference(prior.id, implied.id)


def _brief(request: Request, role: Role) -> dict[str, Any]:
    return {"id": role.id, "name": role.name, "links": link(request, f"/roles/{role.id}")}


def _rules_of(request: Request, prior: Role) -> dict[str, Any]:
    mirror = request.cloud.mirror
    rules = (mirror.all(ROLE_INFERENCE)[key].value for key in inferences_by_prior(mirror).keys(prior.id))
    implied = [
        mirror.all(ROLE)[rule.implied_role_id].value for rule in rules if rule.implied_role_id in mirror.all(ROLE)
    ]
    return {"prior_role": _brief(request, prior), "implies": [_brief(request, role) for role in implied]}


def _one(request: Request, rule: RoleInference) -> dict[str, Any]:
    table = request.cloud.mirror.all(ROLE)
    return {
        "role_inference": {
            "prior_role": _brief(request, table[rule.prior_role_id].value),
            "implies": _brief(request, table[rule.implied_role_id].value),
        },
        "links": link(request, f"/roles/{rule.prior_role_id}/implies/{rule.implied_role_id}"),
    }


_PLACE: Final = "/roles/{prior_role_id}/implies"
ROUTES = (
    Route("GET", "/role_inferences", list_role_inferences, Access.READER),
    Route("GET", _PLACE, list_implied_roles, Access.READER),
    Route("GET", f"{_PLACE}/{{implied_role_id}}", show_implied_role, Access.READER),
    Route("PUT", f"{_PLACE}/{{implied_role_id}}", create_implied_role, Access.ADMIN),
    Route("DELETE", f"{_PLACE}/{{implied_role_id}}", delete_implied_role, Access.ADMIN),
)
