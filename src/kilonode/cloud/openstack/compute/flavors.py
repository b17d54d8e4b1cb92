"""Flavors, their extra specs and who may use them."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from kilonode.cloud.openstack.compute.lookup import find_flavor, may_use
from kilonode.cloud.openstack.compute.model import FLAVOR, Flavor
from kilonode.cloud.openstack.compute.paging import paginate, resource_links
from kilonode.cloud.openstack.compute.requests import Flag
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Put

DESCRIPTION_SINCE: Final = (2, 55)
NO_FACTOR_SINCE: Final = (2, 102)
_ID: Final = re.compile(r"^(?! )[A-Za-z0-9. _-]{1,255}(?<! )$")
_SORTS: Final = {
    "flavorid": lambda flavor: flavor.id,
    "id": lambda flavor: flavor.id,
    "name": lambda flavor: flavor.name,
    "vcpus": lambda flavor: flavor.vcpus,
    "memory_mb": lambda flavor: flavor.memory_mb,
    "root_gb": lambda flavor: flavor.disk_gb,
    "ephemeral_gb": lambda flavor: flavor.ephemeral_gb,
    "swap": lambda flavor: flavor.swap_mb,
}


class WantedFlavor(msgspec.Struct, frozen=True):
    """The `flavor` of a create request."""

    name: str
    ram: int | str
    vcpus: int | str
    disk: int | str
    id: str | int | None = None
    ephemeral: int | str = msgspec.field(name="OS-FLV-EXT-DATA:ephemeral", default=0)
    swap: int | str = 0
    rxtx_factor: float | str = 1.0
    is_public: Flag = msgspec.field(name="os-flavor-access:is_public", default=True)
    description: str | None = None


class CreateFlavor(msgspec.Struct, frozen=True):
    """The body of `POST /flavors`."""

    flavor: WantedFlavor


class ChangedFlavor(msgspec.Struct, frozen=True):
    """The `flavor` of an update request."""

    description: str | UnsetType | None = UNSET


class UpdateFlavor(msgspec.Struct, frozen=True):
    """The body of `PUT /flavors/{flavor_id}`."""

    flavor: ChangedFlavor


class ExtraSpecs(msgspec.Struct, frozen=True):
    """The body of `POST /flavors/{flavor_id}/os-extra_specs`."""

    extra_specs: dict[str, str]


async def list_flavors(request: Request) -> Response:
    """Names and ids."""
    page = paginate(request, _wanted(request), lambda flavor: flavor.id)
    return reply(page.body("flavors", lambda flavor: _in_list(request, flavor)), items=len(page.items))


async def list_flavors_detail(request: Request) -> Response:
    """Everything about each flavor."""
    page = paginate(request, _wanted(request), lambda flavor: flavor.id)
    return reply(page.body("flavors", lambda flavor: _details(request, flavor)), items=len(page.items))


async def show_flavor(request: Request) -> Response:
    """One flavor."""
    return reply({"flavor": _details(request, find_flavor(request, request.params["flavor_id"]))})


async def create_flavor(request: Request) -> Response:
    """A new flavor."""
    wanted = request.json(CreateFlavor).flavor
    flavor_id = str(wanted.id) if wanted.id not in (None, "auto") else request.cloud.new_id()
    if not _ID.match(flavor_id):
        raise Fault(400, f"Invalid input for field/attribute id. Value: {wanted.id}.")
    if request.microversion < DESCRIPTION_SINCE and wanted.description is not None:
        raise Fault(400, "Additional properties are not allowed ('description' was unexpected)")
    flavor = Flavor(
        id=flavor_id,
        name=wanted.name.strip(),
        vcpus=_number("vcpus", wanted.vcpus, 1),
        memory_mb=_number("ram", wanted.ram, 1),
        disk_gb=_number("disk", wanted.disk, 0),
        ephemeral_gb=_number("OS-FLV-EXT-DATA:ephemeral", wanted.ephemeral, 0),
        swap_mb=_number("swap", wanted.swap, 0),
        rxtx_factor=_factor(wanted.rxtx_factor),
        public=_boolean("os-flavor-access:is_public", wanted.is_public),
        description=wanted.description if request.microversion >= DESCRIPTION_SINCE else None,
    )
    if not 1 <= len(flavor.name) <= 255:
        raise Fault(400, "Invalid input for field/attribute name. It has 1 to 255 characters.")
    mirror = request.cloud.mirror
    if mirror.get(FLAVOR, flavor_id) is not None:
        raise Fault(409, f"Flavor with ID {flavor_id} already exists.")
    if mirror.index(FLAVOR, "name", lambda one: one.name).count(flavor.name):
        raise Fault(409, f"Flavor with name {flavor.name} already exists.")
    await mirror.commit([Put(FLAVOR, flavor, flavor_id, 0)])
    return reply({"flavor": _details(request, flavor)})


async def update_flavor(request: Request) -> Response:
    """Change a flavor's description, the only thing that can change."""
    flavor = find_flavor(request, request.params["flavor_id"])
    changed = request.json(UpdateFlavor).flavor
    if changed.description is UNSET:
        raise Fault(400, "Invalid input for field/attribute flavor. 'description' is a required property")
    flavor = replace(flavor, description=changed.description)
    await _write(request, flavor)
    return reply({"flavor": _details(request, flavor)})


async def delete_flavor(request: Request) -> Response:
    """Forget a flavor; servers that took it keep what they have."""
    flavor = find_flavor(request, request.params["flavor_id"])
    await request.cloud.mirror.commit([Delete(FLAVOR, flavor.id)])
    return reply(None, 202)


async def list_extra_specs(request: Request) -> Response:
    """All extra specs of a flavor."""
    return reply({"extra_specs": find_flavor(request, request.params["flavor_id"]).extra_specs})


async def create_extra_specs(request: Request) -> Response:
    """Add or replace extra specs."""
    flavor = find_flavor(request, request.params["flavor_id"])
    specs = request.json(ExtraSpecs).extra_specs
    await _write(request, replace(flavor, extra_specs={**flavor.extra_specs, **specs}))
    return reply({"extra_specs": specs})


async def show_extra_spec(request: Request) -> Response:
    """One extra spec."""
    key = request.params["key"]
    return reply({key: _spec(request, key)[1]})


async def update_extra_spec(request: Request) -> Response:
    """Replace one extra spec."""
    key = request.params["key"]
    body = request.json(dict[str, str])
    if list(body) != [key]:
        raise Fault(400, "Request body and URI mismatch")
    flavor = find_flavor(request, request.params["flavor_id"])
    await _write(request, replace(flavor, extra_specs={**flavor.extra_specs, key: body[key]}))
    return reply({key: body[key]})


async def delete_extra_spec(request: Request) -> Response:
    """Forget one extra spec."""
    key = request.params["key"]
    flavor, _ = _spec(request, key)
    specs = {name: value for name, value in flavor.extra_specs.items() if name != key}
    await _write(request, replace(flavor, extra_specs=specs))
    return reply(None, 200)


async def list_flavor_access(request: Request) -> Response:
    """The projects that may use a private flavor."""
    flavor = find_flavor(request, request.params["flavor_id"])
    if flavor.public:
        raise Fault(404, "Access list not available for public flavors.")
    return reply(_access(flavor))


ACTIONS: Final = dict.fromkeys(("addTenantAccess", "removeTenantAccess"))


async def act_on_flavor(request: Request) -> Response:
    """Let a project use a private flavor, or no longer."""
    body = request.json(dict[str, dict[str, str]])
    flavor = find_flavor(request, request.params["flavor_id"])
    for name in ACTIONS:
        if name in body and not body[name].get("tenant"):
            words = f"Value: {body[name]}. 'tenant' is a required property"
            raise Fault(400, f"Invalid input for field/attribute {name}. {words}")
    if "addTenantAccess" in body:
        project = body["addTenantAccess"].get("tenant", "")
        if project in flavor.projects:
            raise Fault(409, f"Flavor access already exists for flavor {flavor.id} and project {project} combination.")
        flavor = replace(flavor, projects=(*flavor.projects, project))
    elif "removeTenantAccess" in body:
        project = body["removeTenantAccess"].get("tenant", "")
        if project not in flavor.projects:
            raise Fault(404, f"Flavor access not found for {flavor.id} / {project} combination.")
        flavor = replace(flavor, projects=tuple(one for one in flavor.projects if one != project))
    else:
        raise Fault(400, f"There is no such action: {', '.join(body)}")
    await _write(request, flavor)
    return reply(_access(flavor))


async def _write(request: Request, flavor: Flavor) -> None:
    entry = request.cloud.mirror.get(FLAVOR, flavor.id)
    await request.cloud.mirror.commit([Put(FLAVOR, flavor, flavor.id, entry.revision if entry is not None else 0)])


def _wanted(request: Request) -> Iterator[Flavor]:
    query = request.query
    visible = (entry.value for entry in request.cloud.mirror.all(FLAVOR).values() if may_use(request, entry.value))
    if request.caller.is_admin and query.one("is_public").lower() not in ("none", "all"):
        public = query.flag("is_public", default=True)
        visible = (flavor for flavor in visible if flavor.public == public)
    least_disk, least_memory = query.integer("minDisk", 0) or 0, query.integer("minRam", 0) or 0
    found = [one for one in visible if one.disk_gb >= least_disk and one.memory_mb >= least_memory]
    if query.one("name") and request.microversion >= NO_FACTOR_SINCE:
        found = [one for one in found if one.name == query.one("name")]
    sort = _SORTS.get(query.one("sort_key", "flavorid"))
    if sort is None:
        raise Fault(400, f"Sort key {query.one('sort_key')} is not allowed.")
    found.sort(key=sort, reverse=query.one("sort_dir", "asc") == "desc")
    return iter(found)


def _in_list(request: Request, flavor: Flavor) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": flavor.id,
        "name": flavor.name,
        "links": resource_links(request, "flavors", flavor.id),
    }
    if request.microversion >= (2, 55):
        view["description"] = flavor.description
    return view


def _details(request: Request, flavor: Flavor) -> dict[str, Any]:
    view = {
        **_in_list(request, flavor),
        "ram": flavor.memory_mb,
        "disk": flavor.disk_gb,
        "vcpus": flavor.vcpus,
        "swap": flavor.swap_mb or (0 if request.microversion >= (2, 75) else ""),
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral_gb,
        "os-flavor-access:is_public": flavor.public,
    }
    if request.microversion < NO_FACTOR_SINCE:
        view |= {"OS-FLV-DISABLED:disabled": False, "rxtx_factor": flavor.rxtx_factor}
    if request.microversion >= (2, 61):
        view["extra_specs"] = flavor.extra_specs
    return view


def _access(flavor: Flavor) -> dict[str, Any]:
    return {"flavor_access": [{"flavor_id": flavor.id, "tenant_id": project} for project in flavor.projects]}


def _spec(request: Request, key: str) -> tuple[Flavor, str]:
    flavor = find_flavor(request, request.params["flavor_id"])
    if key not in flavor.extra_specs:
        raise Fault(404, f"Flavor {flavor.id} has no extra specs with key {key}.")
    return flavor, flavor.extra_specs[key]


def _boolean(name: str, value: Flag) -> bool:
    text = str(value).lower()
    if text not in ("true", "false", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n"):
        raise Fault(400, f"Invalid input for field/attribute {name}. Value: {value}. It is not a boolean.")
    return text in ("true", "1", "yes", "on", "t", "y")


def _factor(value: float | str) -> float:
    try:
        factor = float(value)
    except ValueError as error:
        raise Fault(400, f"Invalid input for field/attribute rxtx_factor. Value: {value}.") from error
    if not 0 < factor <= 3.40282e38:
        raise Fault(400, f"Invalid input for field/attribute rxtx_factor. Value: {value}. It is more than 0.")
    return factor


def _number(name: str, value: int | str, least: int) -> int:
    text = str(value) or "0"
    if not text.isascii() or not text.isdigit() or not least <= int(text[:12]) <= 2**31 - 1:
        raise Fault(400, f"Invalid input for field/attribute {name}. Value: {value}. It is a number from {least}.")
    return int(text)
