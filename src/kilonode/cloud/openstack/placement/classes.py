"""Resource classes: the standard ones, and those that clients make."""

from typing import Any

from kilonode.cloud.openstack.placement import bodies
from kilonode.cloud.openstack.placement.door import PREFIX, answer, book, handler, read
from kilonode.cloud.openstack.placement.model import RESOURCE_CLASS, CustomClass
from kilonode.cloud.openstack.placement.names import all_classes, is_class, is_standard_class
from kilonode.cloud.openstack.placement.validation import Refused
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response
from kilonode.control.mirror import Delete, Put

ENSURED_SINCE = (1, 7)


@handler()
async def list_resource_classes(request: Request) -> Response:
    """All resource classes."""
    return answer(request, {"resource_classes": [_view(name) for name in all_classes(request.cloud.mirror)]})


@handler()
async def show_resource_class(request: Request) -> Response:
    """One resource class."""
    return answer(request, _view(_find(request)))


@handler(reads=True)
async def create_resource_class(request: Request) -> Response:
    """A new class."""
    name = read(request, bodies.NAME_CLASS)["name"]
    mirror = request.cloud.mirror
    if is_class(mirror, name):
        raise Fault(409, f"Conflicting resource class already exists: {name}")
    await mirror.commit([Put(RESOURCE_CLASS, CustomClass(request.cloud.now_us()), name, 0)])
    return answer(request, None, 201, location=_place(name), fresh=False)


@handler()
async def update_resource_class(request: Request) -> Response:
    """From 1.7 on make a class unless there is one of the name; before it, give a class another name."""
    if request.microversion < ENSURED_SINCE:
        return await _rename(request)
    name, mirror = request.params["name"], request.cloud.mirror
    try:
        bodies.NAME_CLASS({"name": name})
    except Refused as refusal:
        raise Fault(400, f"JSON does not validate: {refusal}") from refusal
    status = 204
    if not is_class(mirror, name):
        await mirror.commit([Put(RESOURCE_CLASS, CustomClass(request.cloud.now_us()), name, 0)])
        status = 201
    return answer(request, None, status, location=_place(name), fresh=False)


@handler()
async def delete_resource_class(request: Request) -> Response:
    """Remove a class that no provider has."""
    name = _find(request)
    if is_standard_class(name):
        raise Fault(400, f"Error in delete resource class: Cannot delete standard resource class {name}.")
    _check_unused(request, name)
    await request.cloud.mirror.commit([Delete(RESOURCE_CLASS, name)])
    return answer(request, None, 204, fresh=False)


@handler(reads=True)
async def _rename(request: Request) -> Response:
    new: str = read(request, bodies.NAME_CLASS)["name"]
    name, mirror = _find(request), request.cloud.mirror
    if is_standard_class(name):
        raise Fault(400, f"Cannot update standard resource class {name}")
    if new == name:
        return answer(request, _view(name))
    if is_class(mirror, new):
        raise Fault(409, f"Resource class already exists: {new}")
    # Inventories know their class by its name, so one that is in use keeps it.
    _check_unused(request, name)
    entry = mirror.get(RESOURCE_CLASS, name)
    made = CustomClass(entry.value.created_us if entry is not None else request.cloud.now_us())
    await mirror.commit([Delete(RESOURCE_CLASS, name), Put(RESOURCE_CLASS, made, new, 0)])
    return answer(request, _view(new))


def _check_unused(request: Request, name: str) -> None:
    if any(name in provider.inventories for provider in book(request).providers.values()):
        raise Fault(
            409,
            f"Error in delete resource class: Cannot delete resource class {name}. Class is in use in inventory.",
        )


def _find(request: Request) -> str:
    name = request.params["name"]
    if not is_class(request.cloud.mirror, name):
        raise Fault(404, f"No such resource class {name}.")
    return name


def _place(name: str) -> str:
    return f"{PREFIX}/resource_classes/{name}"


def _view(name: str) -> dict[str, Any]:
    return {"name": name, "links": [{"rel": "self", "href": _place(name)}]}
