"""`/domains`: realms of users and projects."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import (
    SHORT_NAME_LIMIT,
    checked_name,
    extra_of,
    find,
    forbidden,
    listing,
    name_taken,
    require,
    show,
)
from kilonode.cloud.openstack.identity.model import (
    DEFAULT_DOMAIN,
    DOMAIN,
    PROJECT,
    Domain,
    find_by_name,
    free_name,
    take_name,
)
from kilonode.cloud.openstack.identity.options import RESOURCE_OPTIONS, changed_options, refuse_immutable
from kilonode.cloud.openstack.identity.removal import of_domain
from kilonode.cloud.openstack.identity.tags import checked_tags
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put

DOMAIN_FIELDS: Final[Fields[Domain]] = Fields(
    {
        "id": lambda domain: domain.id,
        "name": lambda domain: domain.name,
        "description": lambda domain: domain.description,
        "enabled": lambda domain: domain.enabled,
        "tags": lambda domain: domain.tags,
        "options": lambda domain: domain.options,
    }
)


class WantedDomain(msgspec.Struct, frozen=True):
    """The `domain` of a create request."""

    name: str
    description: str | None = None
    enabled: bool = True
    tags: tuple[str, ...] = ()
    options: dict[str, Any] = {}


class CreateDomain(msgspec.Struct, frozen=True):
    """The body of `POST /domains`."""

    domain: WantedDomain


class ChangedDomain(msgspec.Struct, frozen=True):
    """The `domain` of an update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    options: dict[str, Any] = {}


class UpdateDomain(msgspec.Struct, frozen=True):
    """The body of `PATCH /domains/{domain_id}`."""

    domain: ChangedDomain


async def list_domains(request: Request) -> Response:
    """`GET /domains`."""
    require(request, "list_domains")
    values = (entry.value for entry in request.cloud.mirror.all(DOMAIN).values())
    return listing(request, "domains", DOMAIN_FIELDS, values)


async def create_domain(request: Request) -> Response:
    """`POST /domains`."""
    wanted = request.json(CreateDomain).domain
    domain = await new_domain(request, wanted, extra_of(request, "domain", WantedDomain, DOMAIN_FIELDS))
    return show(request, "domain", "domains", DOMAIN_FIELDS, domain, 201)


async def new_domain(request: Request, wanted: WantedDomain, extra: dict[str, Any]) -> Domain:
    """Make a domain. Raises Fault."""
    cloud = request.cloud
    name = checked_name("domain", wanted.name, SHORT_NAME_LIMIT)
    if find_by_name(cloud, DOMAIN, "", name):
        raise name_taken("domain", name)
    domain = Domain(
        cloud.new_hexadecimal_id(),
        name,
        wanted.description or "",
        wanted.enabled,
        checked_tags(wanted.tags),
        changed_options({}, wanted.options, RESOURCE_OPTIONS),
        extra,
    )
    await cloud.mirror.commit([Put(DOMAIN, domain, domain.id, 0), take_name(DOMAIN, "", name, domain.id)])
    return domain


async def show_domain(request: Request) -> Response:
    """`GET /domains/{domain_id}`: also to whoever has a token for one of its projects."""
    domain_id = request.params["domain_id"]
    project = request.cloud.mirror.get(PROJECT, request.caller.project_id)
    if project is None or project.value.domain_id != domain_id:
        require(request, "get_domain", domain_id=domain_id)
    return show(request, "domain", "domains", DOMAIN_FIELDS, find(request, DOMAIN, "domain", domain_id).value)


async def update_domain(request: Request) -> Response:
    """`PATCH /domains/{domain_id}`."""
    entry = find(request, DOMAIN, "domain", request.params["domain_id"])
    extra = extra_of(request, "domain", ChangedDomain, DOMAIN_FIELDS)
    domain = await change_domain(request, entry, request.json(UpdateDomain).domain, extra)
    return show(request, "domain", "domains", DOMAIN_FIELDS, domain)


async def change_domain(
    request: Request, entry: Entry[Domain], changed: ChangedDomain, extra: dict[str, Any]
) -> Domain:
    """Change a domain. Raises Fault."""
    old = entry.value
    refuse_immutable("domain", old.id, old.options, changed.options)
    name = old.name if changed.name is UNSET else checked_name("domain", changed.name, SHORT_NAME_LIMIT)
    domain = Domain(
        old.id,
        name,
        old.description if changed.description is UNSET else changed.description or "",
        old.enabled if changed.enabled is UNSET else changed.enabled,
        old.tags if changed.tags is UNSET else checked_tags(changed.tags),
        changed_options(old.options, changed.options, RESOURCE_OPTIONS),
        {**old.extra, **extra},
    )
    changes: list[Put | Delete] = [Put(DOMAIN, domain, domain.id, entry.revision)]
    if name != old.name:
        if find_by_name(request.cloud, DOMAIN, "", name):
            raise name_taken("domain", name)
        changes += [free_name(DOMAIN, "", old.name), take_name(DOMAIN, "", name, domain.id)]
    await request.cloud.mirror.commit(changes)
    return domain


async def delete_domain(request: Request) -> Response:
    """`DELETE /domains/{domain_id}`: only a disabled one, with all that is in it."""
    await remove_domain(request, find(request, DOMAIN, "domain", request.params["domain_id"]))
    return reply(None, 204)


async def remove_domain(request: Request, entry: Entry[Domain]) -> None:
    """Delete a domain with all that is in it. Raises Fault."""
    domain = entry.value
    refuse_immutable("domain", domain.id, domain.options)
    if domain.enabled:
        raise Fault(403, "Cannot delete a domain that is enabled, please disable it first.")
    if domain.id == DEFAULT_DOMAIN:
        raise forbidden(request, "delete_domain, since it is the default domain")
    await request.cloud.mirror.commit(of_domain(request.cloud.mirror, entry))


ROUTES = (
    Route("GET", "/domains", list_domains, Access.AUTHENTICATED),
    Route("POST", "/domains", create_domain, Access.ADMIN),
    Route("GET", "/domains/{domain_id}", show_domain, Access.AUTHENTICATED),
    Route("PATCH", "/domains/{domain_id}", update_domain, Access.ADMIN),
    Route("DELETE", "/domains/{domain_id}", delete_domain, Access.ADMIN),
)
