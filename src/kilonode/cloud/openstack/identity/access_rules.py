"""`/users/{id}/access_rules`: the kinds of requests that application credentials are limited to.

A rule is made with the first application credential that names it, shared by those that name it later, and stays when
they are gone, until it is deleted.
"""

from typing import Final

import msgspec

from kilonode.cloud.openstack.identity.answers import find, listing, require, show
from kilonode.cloud.openstack.identity.delegated import refuse_token_of_trust
from kilonode.cloud.openstack.identity.delegation_model import ACCESS_RULE, AccessRule, access_rules_by_user
from kilonode.cloud.openstack.identity.model import APPLICATION_CREDENTIAL, credentials_by_user
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ACCESS_RULE_FIELDS: Final[Fields[AccessRule]] = Fields(
    {
        "id": lambda rule: rule.id,
        "service": lambda rule: rule.service,
        "method": lambda rule: rule.method,
        "path": lambda rule: rule.path,
    }
)


class WantedRule(msgspec.Struct, frozen=True):
    """A rule in a request: a known one by id, or a whole one."""

    id: str | None = None
    service: str | None = None
    method: str | None = None
    path: str | None = None


def rules_for(request: Request, wanted: tuple[WantedRule, ...]) -> tuple[list[AccessRule], list[Put]]:
    """The caller's rules that are asked for, and the changes that make those that are new. Raises Fault."""
    mirror, user_id = request.cloud.mirror, request.caller.user_id
    known = [mirror.all(ACCESS_RULE)[key].value for key in access_rules_by_user(mirror).keys(user_id)]
    found: list[AccessRule] = []
    changes: list[Put] = []
    for one in wanted:
        parts = (one.service, one.method, one.path)
        if one.id is not None:
            rule = next((rule for rule in known if rule.id == one.id), None)
            if rule is None:
                raise Fault(404, f"Could not find Access Rule: {one.id}.")
        elif one.service and one.path and one.path.startswith("/") and one.method in METHODS:
            rule = next((rule for rule in known if (rule.service, rule.method, rule.path) == parts), None)
            if rule is None:
                rule = AccessRule(request.cloud.new_hexadecimal_id(), user_id, one.service, one.method, one.path)
                known.append(rule)
                changes.append(Put(ACCESS_RULE, rule, rule.id, 0))
        else:
            raise Fault(400, "Invalid input for field 'access_rules': each needs a service, a method and a path.")
        found.append(rule)
    return found, changes


async def list_access_rules(request: Request) -> Response:
    """`GET /users/{user_id}/access_rules`."""
    user_id = request.params["user_id"]
    require(request, "list_access_rules", user_id=user_id)
    refuse_token_of_trust(request)
    mirror = request.cloud.mirror
    values = (mirror.all(ACCESS_RULE)[key].value for key in access_rules_by_user(mirror).keys(user_id))
    return listing(request, "access_rules", ACCESS_RULE_FIELDS, values)


async def show_access_rule(request: Request) -> Response:
    """`GET /users/{user_id}/access_rules/{access_rule_id}`."""
    require(request, "get_access_rule", user_id=request.params["user_id"])
    refuse_token_of_trust(request)
    return show(request, "access_rule", "access_rules", ACCESS_RULE_FIELDS, _find(request).value)


async def delete_access_rule(request: Request) -> Response:
    """`DELETE /users/{user_id}/access_rules/{access_rule_id}`: not while an application credential has it."""
    user_id = request.params["user_id"]
    require(request, "delete_access_rule", user_id=user_id)
    refuse_token_of_trust(request)
    entry = _find(request)
    mirror = request.cloud.mirror
    credentials = (mirror.all(APPLICATION_CREDENTIAL)[key].value for key in credentials_by_user(mirror).keys(user_id))
    if any(entry.value.id in (credential.access_rule_ids or ()) for credential in credentials):
        raise Fault(403, f"access_rule {entry.value.id} is in use by an application credential.")
    await mirror.commit([Delete(ACCESS_RULE, entry.value.id, entry.revision)])
    return reply(None, 204)


def _find(request: Request) -> Entry[AccessRule]:
    entry = find(request, ACCESS_RULE, "Access Rule", request.params["access_rule_id"])
    if entry.value.user_id != request.params["user_id"]:
        raise Fault(404, f"Could not find Access Rule: {entry.value.id}.")
    return entry


_PLACE: Final = "/users/{user_id}/access_rules"
ROUTES = (
    Route("GET", _PLACE, list_access_rules, Access.AUTHENTICATED),
    Route("GET", f"{_PLACE}/{{access_rule_id}}", show_access_rule, Access.AUTHENTICATED),
    Route("DELETE", f"{_PLACE}/{{access_rule_id}}", delete_access_rule, Access.AUTHENTICATED),
)
