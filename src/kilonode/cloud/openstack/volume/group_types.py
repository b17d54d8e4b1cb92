"""`/group_types`: kinds of volume groups, and their specs."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.openstack.volume.bodies import body_of, text_of, texts_of, truth_of
from kilonode.cloud.openstack.volume.group_model import GROUP, GROUP_TYPE, GroupType
from kilonode.cloud.openstack.volume.listing import ordered, page
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Delete, Entry, Put

_SORT_KEYS: Final = {"name": lambda kind: kind.name, "id": lambda kind: kind.id}


async def list_group_types(request: Request) -> Response:
    """Every kind the caller may use."""
    kinds = [entry.value for entry in request.cloud.mirror.all(GROUP_TYPE).values()]
    if not request.caller.is_admin:
        kinds = [kind for kind in kinds if kind.public]
    elif request.query.one("is_public").lower() not in ("", "none"):
        kinds = [kind for kind in kinds if kind.public == request.query.flag("is_public")]
    specs = request.query.one("group_specs")
    if specs:
        kinds = [kind for kind in kinds if str(kind.specs) == specs]
    return page(request, ordered(request, kinds, _SORT_KEYS), "group_types", lambda kind: _view(request, kind))


async def show_group_type(request: Request) -> Response:
    """One kind."""
    return reply({"group_type": _view(request, find_group_type(request, request.params["group_type_id"]).value)})


async def create_group_type(request: Request) -> Response:
    """Make a kind."""
    wanted = body_of(request, "group_type")
    name = text_of(wanted, "name", needed=True)
    _refuse_twin(request, name)
    kind = GroupType(
        request.cloud.new_id(),
        name,
        text_of(wanted, "description") or None,
        truth_of(wanted, "is_public", default=True),
        texts_of(wanted.get("group_specs"), "group_specs"),
    )
    await request.cloud.mirror.commit([Put(GROUP_TYPE, kind, kind.id, 0)])
    return reply({"group_type": _view(request, kind)}, 202)


async def update_group_type(request: Request) -> Response:
    """Change name, description or whether everybody may use it."""
    entry = find_group_type(request, request.params["group_type_id"])
    wanted = body_of(request, "group_type")
    changes: dict[str, Any] = {}
    if wanted.get("name") is not None:
        changes["name"] = text_of(wanted, "name", needed=True)
        if changes["name"] != entry.value.name:
            _refuse_twin(request, changes["name"])
    if "description" in wanted:
        changes["description"] = text_of(wanted, "description") or None
    if wanted.get("is_public") is not None:
        changes["public"] = truth_of(wanted, "is_public")
    if not changes:
        raise Fault(400, "Specify group type name, description, is_public or a combination thereof.")
    return reply({"group_type": _view(request, await _write(request, entry, **changes))})


async def delete_group_type(request: Request) -> Response:
    """Delete a kind that no group has."""
    entry = find_group_type(request, request.params["group_type_id"])
    key, mirror = entry.value.id, request.cloud.mirror
    if any(group.value.group_type_id == key for group in mirror.all(GROUP).values()):
        raise Fault(400, f"Target group type is still in use: Group Type {key} deletion is not allowed.")
    await mirror.commit([Delete(GROUP_TYPE, key, entry.revision)])
    return reply(None, 202)


async def list_group_specs(request: Request) -> Response:
    """A kind's specs."""
    return reply({"group_specs": find_group_type(request, request.params["group_type_id"]).value.specs})


async def create_group_specs(request: Request) -> Response:
    """Add to a kind's specs."""
    entry = find_group_type(request, request.params["group_type_id"])
    wanted = texts_of(body_of(request, "group_specs"), "group_specs")
    await _write(request, entry, specs={**entry.value.specs, **wanted})
    return reply({"group_specs": wanted}, 202)


async def show_group_spec(request: Request) -> Response:
    """One of a kind's specs."""
    kind = find_group_type(request, request.params["group_type_id"]).value
    key = _known(request, kind)
    return reply({key: kind.specs[key]})


async def update_group_spec(request: Request) -> Response:
    """Set the spec that the path names."""
    entry = find_group_type(request, request.params["group_type_id"])
    wanted = texts_of(request.json_object(), "group_specs")
    if list(wanted) != [request.params["key"]]:
        raise Fault(400, "Request body and URI mismatch")
    await _write(request, entry, specs={**entry.value.specs, **wanted})
    return reply(wanted)


async def delete_group_spec(request: Request) -> Response:
    """Forget one of a kind's specs."""
    entry = find_group_type(request, request.params["group_type_id"])
    key = _known(request, entry.value)
    await _write(request, entry, specs={name: text for name, text in entry.value.specs.items() if name != key})
    return reply(None, 202)


def find_group_type(request: Request, key: str) -> Entry[GroupType]:
    """The kind of this id. Raises Fault 404."""
    entry: Entry[GroupType] | None = request.cloud.mirror.get(GROUP_TYPE, key)
    if entry is None or not (entry.value.public or request.caller.is_admin):
        raise Fault(404, f"Group type {key} could not be found.")
    return entry


def _known(request: Request, kind: GroupType) -> str:
    key = request.params["key"]
    if key not in kind.specs:
        raise Fault(404, f"Group Type {kind.id} has no specs with key {key}.")
    return key


def _refuse_twin(request: Request, name: str) -> None:
    if any(entry.value.name == name for entry in request.cloud.mirror.all(GROUP_TYPE).values()):
        raise Fault(409, f"Group Type {name} already exists.")


def _view(request: Request, kind: GroupType) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": kind.id, "name": kind.name, "description": kind.description, "is_public": kind.public
    }  # fmt: skip
    if request.caller.is_admin:
        view["group_specs"] = kind.specs
    return view


async def _write(request: Request, entry: Entry[GroupType], **changes: Any) -> GroupType:
    kind = replace(entry.value, **changes)
    await request.cloud.mirror.commit([Put(GROUP_TYPE, kind, kind.id, entry.revision)])
    return kind
