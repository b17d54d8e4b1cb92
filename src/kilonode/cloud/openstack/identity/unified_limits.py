"""`/registered_limits` and `/limits`: how much of a resource every project may have, and one project in particular.

They are kept for services to read, by the flat model: limits of one project or domain do not bound each other.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from kilonode.cloud.openstack.identity.answers import find, forbidden, link, listing, show, shown
from kilonode.cloud.openstack.identity.model import DOMAIN, PROJECT, REGION, SERVICE
from kilonode.cloud.openstack.identity.operator_model import LIMIT, REGISTERED_LIMIT, Limit, RegisteredLimit
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put

Amount = Annotated[int, Meta(ge=-1, le=0x7FFF_FFFF)]
"""−1: no limit."""
BATCH_LIMIT: Final = 1_000

REGISTERED_FIELDS: Final[Fields[RegisteredLimit]] = Fields(
    {
        "id": lambda limit: limit.id,
        "service_id": lambda limit: limit.service_id,
        "region_id": lambda limit: limit.region_id,
        "resource_name": lambda limit: limit.resource_name,
        "default_limit": lambda limit: limit.default_limit,
        "description": lambda limit: limit.description,
    }
)
LIMIT_FIELDS: Final[Fields[Limit]] = Fields(
    {
        "id": lambda limit: limit.id,
        "project_id": lambda limit: limit.project_id,
        "domain_id": lambda limit: limit.domain_id,
        "service_id": lambda limit: limit.service_id,
        "region_id": lambda limit: limit.region_id,
        "resource_name": lambda limit: limit.resource_name,
        "resource_limit": lambda limit: limit.resource_limit,
        "description": lambda limit: limit.description,
    }
)


class WantedRegisteredLimit(msgspec.Struct, frozen=True):
    """One of the `registered_limits` of a create request."""

    service_id: str
    resource_name: Annotated[str, Meta(min_length=1, max_length=255)]
    default_limit: Amount
    region_id: str | None = None
    description: str | None = None


class CreateRegisteredLimits(msgspec.Struct, frozen=True):
    """The body of `POST /registered_limits`."""

    registered_limits: Annotated[tuple[WantedRegisteredLimit, ...], Meta(min_length=1, max_length=BATCH_LIMIT)]


class ChangedRegisteredLimit(msgspec.Struct, frozen=True):
    """The `registered_limit` of an update request."""

    service_id: str | UnsetType = UNSET
    resource_name: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    default_limit: Amount | UnsetType = UNSET
    region_id: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class UpdateRegisteredLimit(msgspec.Struct, frozen=True):
    """The body of `PATCH /registered_limits/{limit_id}`."""

    registered_limit: ChangedRegisteredLimit


class WantedLimit(msgspec.Struct, frozen=True):
    """One of the `limits` of a create request."""

    service_id: str
    resource_name: str
    resource_limit: Amount
    project_id: str | None = None
    domain_id: str | None = None
    region_id: str | None = None
    description: str | None = None


class CreateLimits(msgspec.Struct, frozen=True):
    """The body of `POST /limits`."""

    limits: Annotated[tuple[WantedLimit, ...], Meta(min_length=1, max_length=BATCH_LIMIT)]


class ChangedLimit(msgspec.Struct, frozen=True):
    """The `limit` of an update request."""

    resource_limit: Amount | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class UpdateLimit(msgspec.Struct, frozen=True):
    """The body of `PATCH /limits/{limit_id}`."""

    limit: ChangedLimit


async def list_registered_limits(request: Request) -> Response:
    """`GET /registered_limits`."""
    values = (entry.value for entry in request.cloud.mirror.all(REGISTERED_LIMIT).values())
    return listing(request, "registered_limits", REGISTERED_FIELDS, values)


async def create_registered_limits(request: Request) -> Response:
    """`POST /registered_limits`: any number at once, all or none."""
    made: list[RegisteredLimit] = []
    for one in request.json(CreateRegisteredLimits).registered_limits:
        limit = RegisteredLimit(
            request.cloud.new_hexadecimal_id(),
            one.service_id,
            one.resource_name,
            one.default_limit,
            one.region_id,
            one.description,
        )
        _check_registered(request, limit, made)
        made.append(limit)
    await request.cloud.mirror.commit([Put(REGISTERED_LIMIT, limit, limit.id, 0) for limit in made])
    items = [shown(request, "registered_limits", REGISTERED_FIELDS, limit) for limit in made]
    return reply({"registered_limits": items}, 201)


async def show_registered_limit(request: Request) -> Response:
    """`GET /registered_limits/{limit_id}`."""
    limit = find(request, REGISTERED_LIMIT, "registered limit for", request.params["limit_id"]).value
    return show(request, "registered_limit", "registered_limits", REGISTERED_FIELDS, limit)


async def update_registered_limit(request: Request) -> Response:
    """`PATCH /registered_limits/{limit_id}`: not while limits stand on it, but for its amount and description."""
    entry = find(request, REGISTERED_LIMIT, "registered limit for", request.params["limit_id"])
    changed = request.json(UpdateRegisteredLimit).registered_limit
    given = {name: value for name in changed.__struct_fields__ if (value := getattr(changed, name)) is not UNSET}
    limit = msgspec.structs.replace(entry.value, **given)
    if _place(limit) != _place(entry.value):
        _refuse_used(request, entry.value)
        _check_registered(request, limit, [])
    await request.cloud.mirror.commit([Put(REGISTERED_LIMIT, limit, limit.id, entry.revision)])
    return show(request, "registered_limit", "registered_limits", REGISTERED_FIELDS, limit)


async def delete_registered_limit(request: Request) -> Response:
    """`DELETE /registered_limits/{limit_id}`: not while limits stand on it."""
    entry = find(request, REGISTERED_LIMIT, "registered limit for", request.params["limit_id"])
    _refuse_used(request, entry.value)
    await request.cloud.mirror.commit([Delete(REGISTERED_LIMIT, entry.value.id, entry.revision)])
    return reply(None, 204)


async def list_limits(request: Request) -> Response:
    """`GET /limits`: all to administrators and services, else those of the caller's domain or project."""
    values = (entry.value for entry in request.cloud.mirror.all(LIMIT).values())
    return listing(request, "limits", LIMIT_FIELDS, (limit for limit in values if _may_see(request, limit)))


async def create_limits(request: Request) -> Response:
    """`POST /limits`: any number at once, all or none."""
    table = request.cloud.mirror.all(LIMIT)
    taken = {(*_place(entry.value), entry.value.project_id, entry.value.domain_id) for entry in table.values()}
    registered = {_place(entry.value) for entry in request.cloud.mirror.all(REGISTERED_LIMIT).values()}
    made = []
    for one in request.json(CreateLimits).limits:
        if (one.project_id is None) == (one.domain_id is None):
            raise Fault(400, "A limit is for either a project or a domain.")
        if one.project_id is not None:
            find(request, PROJECT, "project", one.project_id)
        else:
            find(request, DOMAIN, "domain", one.domain_id or "")
        limit = Limit(
            request.cloud.new_hexadecimal_id(),
            one.service_id,
            one.resource_name,
            one.resource_limit,
            one.project_id,
            one.domain_id,
            one.region_id,
            one.description,
        )
        key = (*_place(limit), limit.project_id, limit.domain_id)
        if _place(limit) not in registered:
            raise Fault(403, "Unable to create a limit that has no corresponding registered limit.")
        if key in taken:
            raise Fault(409, "Conflict occurred attempting to store limit - Duplicate entry.")
        taken.add(key)
        made.append(limit)
    await request.cloud.mirror.commit([Put(LIMIT, limit, limit.id, 0) for limit in made])
    return reply({"limits": [shown(request, "limits", LIMIT_FIELDS, limit) for limit in made]}, 201)


async def show_limit(request: Request) -> Response:
    """`GET /limits/{limit_id}`."""
    limit = find(request, LIMIT, "limit for", request.params["limit_id"]).value
    if not _may_see(request, limit):
        raise forbidden(request, "get_limit")
    return show(request, "limit", "limits", LIMIT_FIELDS, limit)


async def update_limit(request: Request) -> Response:
    """`PATCH /limits/{limit_id}`."""
    entry = find(request, LIMIT, "limit for", request.params["limit_id"])
    changed = request.json(UpdateLimit).limit
    given = {name: value for name in changed.__struct_fields__ if (value := getattr(changed, name)) is not UNSET}
    limit = msgspec.structs.replace(entry.value, **given)
    await request.cloud.mirror.commit([Put(LIMIT, limit, limit.id, entry.revision)])
    return show(request, "limit", "limits", LIMIT_FIELDS, limit)


async def delete_limit(request: Request) -> Response:
    """`DELETE /limits/{limit_id}`."""
    entry = find(request, LIMIT, "limit for", request.params["limit_id"])
    await request.cloud.mirror.commit([Delete(LIMIT, entry.value.id, entry.revision)])
    return reply(None, 204)


async def show_limit_model(request: Request) -> Response:
    """`GET /limits/model`."""
    model = {
        "name": "flat",
        "description": "Limit enforcement and validation does not take project hierarchy into consideration.",
    }
    return reply({"model": model, "links": link(request, "/limits/model")})


def _place(limit: RegisteredLimit | Limit) -> tuple[str, str | None, str]:
    return limit.service_id, limit.region_id, limit.resource_name


def _check_registered(request: Request, limit: RegisteredLimit, others: list[RegisteredLimit]) -> None:
    mirror = request.cloud.mirror
    if mirror.get(SERVICE, limit.service_id) is None:
        raise Fault(400, f"Could not find service: {limit.service_id}.")
    if limit.region_id is not None and mirror.get(REGION, limit.region_id) is None:
        raise Fault(400, f"Could not find region: {limit.region_id}.")
    known = [*others, *(entry.value for entry in mirror.all(REGISTERED_LIMIT).values())]
    if any(_place(other) == _place(limit) and other.id != limit.id for other in known):
        raise Fault(409, "Conflict occurred attempting to store registered_limit - Duplicate entry.")


def _refuse_used(request: Request, limit: RegisteredLimit) -> None:
    if any(_place(entry.value) == _place(limit) for entry in request.cloud.mirror.all(LIMIT).values()):
        raise Fault(
            403,
            f"Unable to update or delete registered limit {limit.id} because there are project limits associated "
            "with it.",
        )


def _may_see(request: Request, limit: Limit) -> bool:
    caller = request.caller
    if caller.is_admin or caller.system or "service" in caller.roles:
        return True
    if caller.domain_id:
        project: Any = request.cloud.mirror.get(PROJECT, limit.project_id or "")
        domain_id = project.value.domain_id if project is not None else limit.domain_id
        return bool(domain_id == caller.domain_id)
    return bool(caller.project_id) and limit.project_id == caller.project_id


ROUTES = (
    Route("GET", "/registered_limits", list_registered_limits, Access.AUTHENTICATED),
    Route("POST", "/registered_limits", create_registered_limits, Access.ADMIN),
    Route("GET", "/registered_limits/{limit_id}", show_registered_limit, Access.AUTHENTICATED),
    Route("PATCH", "/registered_limits/{limit_id}", update_registered_limit, Access.ADMIN),
    Route("DELETE", "/registered_limits/{limit_id}", delete_registered_limit, Access.ADMIN),
    Route("GET", "/limits", list_limits, Access.AUTHENTICATED),
    Route("POST", "/limits", create_limits, Access.ADMIN),
    Route("GET", "/limits/model", show_limit_model, Access.AUTHENTICATED),
    Route("GET", "/limits/{limit_id}", show_limit, Access.AUTHENTICATED),
    Route("PATCH", "/limits/{limit_id}", update_limit, Access.ADMIN),
    Route("DELETE", "/limits/{limit_id}", delete_limit, Access.ADMIN),
)
