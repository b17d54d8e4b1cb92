"""`/domains`: realms of users and projects."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.openstack.identity.answers import checked_name, find, listing, name_taken, require, show
from kilonode.cloud.openstack.identity.model import (
    DOMAIN,
    GROUP,
    PROJECT,
    USER,
    Domain,
    assignments_by_target,
    find_by_name,
    free_name,
    take_name,
)
from kilonode.cloud.openstack.identity.removal import assignments_on
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

DOMAIN_FIELDS: Final[Fields[Domain]] = Fields(
    {
        "id": lambda domain: domain.id,
        "name": lambda domain: domain.name,
        "description": lambda domain: domain.description,
        "enabled": lambda domain: domain.enabled,
        "tags": lambda domain: [],
        "options": lambda domain: {},
    }
)


class WantedDomain(msgspec.Struct, frozen=True):
    """The `domain` of a create request."""

    name: str
    description: str | None = None
    enabled: bool = True


class CreateDomain(msgspec.Struct, frozen=True):
    """The body of `POST /domains`."""

    domain: WantedDomain


class ChangedDomain(msgspec.Struct, frozen=True):
    """The `domain` of an update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


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
    cloud = request.cloud
    name = checked_name("domain", wanted.name)
    if find_by_name(cloud, DOMAIN, "", name):
        raise name_taken("domain", name)
    domain = Domain(cloud.new_hexadecimal_id(), name, wanted.description or "", wanted.enabled)
    await cloud.mirror.commit([Put(DOMAIN, domain, domain.id, 0), take_name(DOMAIN, "", name, domain.id)])
    return show(request, "domain", "domains", DOMAIN_FIELDS, domain, 201)


async def show_domain(request: Request) -> Response:
    """`GET /domains/{domain_id}`."""
    domain_id = request.params["domain_id"]
    require(request, "get_domain", domain_id=domain_id)
    return show(request, "domain", "domains", DOMAIN_FIELDS, find(request, DOMAIN, "domain", domain_id).value)


async def update_domain(request: Request) -> Response:
    """`PATCH /domains/{domain_id}`."""
    entry = find(request, DOMAIN, "domain", request.params["domain_id"])
    changed = request.json(UpdateDomain).domain
    old: Domain = entry.value
    name = old.name if changed.name is UNSET else checked_name("domain", changed.name)
    domain = Domain(
        old.id,
        name,
        old.description if changed.description is UNSET else changed.description or "",
        old.enabled if changed.enabled is UNSET else changed.enabled,
    )
    changes: list[Put | Delete] = [Put(DOMAIN, domain, domain.id, entry.revision)]
    if name != old.name:
        if find_by_name(request.cloud, DOMAIN, "", name):
            raise name_taken("domain", name)
        changes += [free_name(DOMAIN, "", old.name), take_name(DOMAIN, "", name, domain.id)]
    await request.cloud.mirror.commit(changes)
    return show(request, "domain", "domains", DOMAIN_FIELDS, domain)


async def delete_domain(request: Request) -> Response:
    """`DELETE /domains/{domain_id}`: only a disabled one, and here only one that is empty."""
    entry = find(request, DOMAIN, "domain", request.params["domain_id"])
    domain: Domain = entry.value
    mirror = request.cloud.mirror
    if domain.enabled:
        raise Fault(403, "Cannot delete a domain that is enabled, please disable it first.")
    if any(
        value.value.domain_id == domain.id for kind in (PROJECT, USER, GROUP) for value in mirror.all(kind).values()
    ):
        raise Fault(409, f"Domain {domain.id} still has users, groups or projects.")
    await mirror.commit(
        [
            Delete(DOMAIN, domain.id, entry.revision),
            free_name(DOMAIN, "", domain.name),
            *assignments_on(assignments_by_target(mirror).keys(domain.id)),
        ]
    )
    return reply(None, 204)


ROUTES = (
    Route("GET", "/domains", list_domains, Access.AUTHENTICATED),
    Route("POST", "/domains", create_domain, Access.ADMIN),
    Route("GET", "/domains/{domain_id}", show_domain, Access.AUTHENTICATED),
    Route("PATCH", "/domains/{domain_id}", update_domain, Access.ADMIN),
    Route("DELETE", "/domains/{domain_id}", delete_domain, Access.ADMIN),
)
