"""`/domains/{id}/config`: what a domain's own user driver would be told. Kept and shown; there is no such driver."""

from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.identity.answers import find, link
from kilonode.cloud.openstack.identity.model import DOMAIN
from kilonode.cloud.openstack.identity.operator_model import DOMAIN_CONFIGURATION, DomainConfiguration
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

Groups = dict[str, dict[str, Any]]

DEFAULTS: Final[Groups] = {
    "identity": {"driver": "sql", "list_limit": None},
    "ldap": {
        "url": "ldap://localhost",
        "user": None,
        "suffix": "cn=example,cn=com",
        "query_scope": "one",
        "page_size": 0,
        "user_tree_dn": None,
        "user_filter": None,
        "user_objectclass": "inetOrgPerson",
        "user_id_attribute": "cn",
        "user_name_attribute": "sn",
        "user_mail_attribute": "mail",
        "user_enabled_attribute": "enabled",
        "group_tree_dn": None,
        "group_filter": None,
        "group_objectclass": "groupOfNames",
        "group_id_attribute": "cn",
        "group_name_attribute": "ou",
        "group_member_attribute": "member",
        "use_tls": False,
    },
}
"""The options that may be set for a domain, with what they are without it: the commoner ones of Keystone's."""
SECRET: Final = {"ldap": frozenset({"password"})}
"""Options that may be set and are never shown."""


class ConfigurationBody(msgspec.Struct, frozen=True):
    """The body of requests that write."""

    config: dict[str, Any]


async def show_default(request: Request) -> Response:
    """`GET /domains/config[/{group}[/{option}]]/default`."""
    return _reply(_chosen(request, DEFAULTS))


async def show_domain_configuration(request: Request) -> Response:
    """`GET /domains/{domain_id}/config[/{group}[/{option}]]`."""
    groups = _kept(request)
    open_groups = {
        group: {name: value for name, value in options.items() if name not in SECRET.get(group, ())}
        for group, options in groups.items()
    }
    return _reply(_chosen(request, open_groups), request)


async def replace_domain_configuration(request: Request) -> Response:
    """`PUT /domains/{domain_id}/config`."""
    domain_id = find(request, DOMAIN, "domain", request.params["domain_id"]).value.id
    groups = _checked(request.json(ConfigurationBody).config)
    there = request.cloud.mirror.get(DOMAIN_CONFIGURATION, domain_id) is not None
    await request.cloud.mirror.commit([Put(DOMAIN_CONFIGURATION, DomainConfiguration(groups), domain_id)])
    response = await show_domain_configuration(request)
    response.status = 200 if there else 201
    return response


async def update_domain_configuration(request: Request) -> Response:
    """`PATCH /domains/{domain_id}/config[/{group}[/{option}]]`: answers with the whole group, or the whole."""
    groups = _kept(request)
    wanted = request.json(ConfigurationBody).config
    group, option = request.params.get("group"), request.params.get("option")
    if group is not None and option is not None:
        wanted = {group: wanted}
    checked = _checked(wanted)
    if group is not None and set(checked) != {group}:
        raise Fault(403, f"Invalid domain specific configuration: expected the group {group} alone.")
    if option is not None and set(checked[group or ""]) != {option}:
        raise Fault(403, f"Invalid domain specific configuration: expected the option {option} alone.")
    _chosen(request, groups)
    merged = {name: {**groups.get(name, {}), **checked.get(name, {})} for name in {**groups, **checked}}
    entry = find(request, DOMAIN_CONFIGURATION, "domain configuration", request.params["domain_id"])
    await request.cloud.mirror.commit(
        [Put(DOMAIN_CONFIGURATION, DomainConfiguration(merged), request.params["domain_id"], entry.revision)]
    )
    request.params.pop("option", None)
    if request.params.pop("group", None) is not None:
        return _reply({name: merged[name] for name in checked}, request)
    return await show_domain_configuration(request)


async def delete_domain_configuration(request: Request) -> Response:
    """`DELETE /domains/{domain_id}/config[/{group}[/{option}]]`."""
    groups = _kept(request)
    _chosen(request, groups)
    group, option = request.params.get("group"), request.params.get("option")
    left: Groups = {}
    if option is not None:
        left = {
            name: {key: value for key, value in options.items() if name != group or key != option}
            for name, options in groups.items()
        }
    elif group is not None:
        left = {name: options for name, options in groups.items() if name != group}
    domain_id = request.params["domain_id"]
    change = Put(DOMAIN_CONFIGURATION, DomainConfiguration(left), domain_id)
    await request.cloud.mirror.commit([change if left else Delete(DOMAIN_CONFIGURATION, domain_id)])
    return reply(None, 204)


def _kept(request: Request) -> Groups:
    domain_id = find(request, DOMAIN, "domain", request.params["domain_id"]).value.id
    entry = request.cloud.mirror.get(DOMAIN_CONFIGURATION, domain_id)
    if entry is None:
        raise Fault(404, f"Could not find domain configuration for domain {domain_id}.")
    groups: Groups = entry.value.groups
    return groups


def _checked(groups: dict[str, Any]) -> Groups:
    """The groups of options, if they may be set. Raises Fault 403, as Keystone does."""
    if not groups:
        raise Fault(403, "Invalid domain specific configuration: No options specified.")
    for group, options in groups.items():
        if not isinstance(options, dict):
            raise Fault(403, f"Invalid domain specific configuration: The value of group {group} is not a dict.")
        for option, value in options.items():
            _known(group, option)
            if isinstance(value, (dict, list)) or (isinstance(value, int) and abs(value) >= 2**63):
                raise Fault(403, f"Invalid domain specific configuration: The value of {option} is not one.")
    return groups


def _known(group: str, option: str | None) -> None:
    if group not in DEFAULTS:
        raise Fault(403, f"Invalid domain specific configuration: Group {group} is not supported.")
    if option is not None and option not in DEFAULTS[group] and option not in SECRET.get(group, ()):
        raise Fault(403, f"Invalid domain specific configuration: Option {option} in group {group} is not supported.")


def _chosen(request: Request, groups: Groups) -> dict[str, Any]:
    """All groups, or the group, or the one option that the path names. Raises Fault 403, or 404 when it is not set."""
    group, option = request.params.get("group"), request.params.get("option")
    if group is None:
        return dict(groups)
    _known(group, option)
    if group not in groups or (option is not None and option not in groups[group]):
        what = group if option is None else f"option {option} in group {group}"
        raise Fault(404, f"Could not find {what} in domain configuration.")
    return {group: groups[group]} if option is None else {option: groups[group][option]}


def _reply(config: dict[str, Any], request: Request | None = None) -> Response:
    body: dict[str, Any] = {"config": config}
    if request is not None:
        body["links"] = link(request, f"/domains/{request.params['domain_id']}/config")
    return reply(body)


_PLACE: Final = "/domains/{domain_id}/config"
ROUTES = (
    Route("GET", "/domains/config/default", show_default, Access.ADMIN),
    Route("GET", "/domains/config/{group}/default", show_default, Access.ADMIN),
    Route("GET", "/domains/config/{group}/{option}/default", show_default, Access.ADMIN),
    Route("PUT", _PLACE, replace_domain_configuration, Access.ADMIN),
    *(
        Route(method, f"{_PLACE}{rest}", handler, Access.ADMIN)
        for rest in ("", "/{group}", "/{group}/{option}")
        for method, handler in (
            ("GET", show_domain_configuration),
            ("PATCH", update_domain_configuration),
            ("DELETE", delete_domain_configuration),
        )
    ),
)
