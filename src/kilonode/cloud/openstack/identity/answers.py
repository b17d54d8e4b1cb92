"""How the identity service answers: links, lists, and the faults it shares. Keystone's words and forms."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from kilonode.cloud.openstack.web.access import Access, Caller
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields, matching
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry

PREFIX: Final = "/identity/v3"
NAME_LIMIT: Final = 255

Record = TypeVar("Record", bound=msgspec.Struct)


def link(request: Request, path: str) -> dict[str, str]:
    """The `links` of one resource."""
    return {"self": f"{request.cloud.settings.public_url}{PREFIX}{path}"}


def show(request: Request, noun: str, collection: str, fields: Fields[Any], value: Any, status: int = 200) -> Response:
    """Answer with one resource."""
    return reply({noun: {**fields.show(value), "links": link(request, f"/{collection}/{value.id}")}}, status)


def listing(request: Request, collection: str, fields: Fields[Any], values: Iterable[Any]) -> Response:
    """Answer with those of the resources that the query asks for by any of their fields."""
    found = matching(values, fields.tests(request.query))
    items = [{**fields.show(value), "links": link(request, f"/{collection}/{value.id}")} for value in found]
    return items_reply(request, collection, items)


def items_reply(request: Request, collection: str, items: list[dict[str, Any]]) -> Response:
    """Answer with a list that is made already."""
    place = request.path.removeprefix(PREFIX)
    body = {collection: items, "links": {**link(request, place), "next": None, "previous": None}}
    return reply(body, items=len(items))


def find(request: Request, kind: str, noun: str, key: str) -> Entry[Any]:
    """A document. Raises Fault 404."""
    entry = request.cloud.mirror.get(kind, key)
    if entry is None:
        raise Fault(404, f"Could not find {noun}: {key}.")
    return entry


def forbidden(request: Request, action: str) -> Fault:
    """The refusal of a caller without the right."""
    return Fault(403, f"You are not authorized to perform the requested action: identity:{action}.")


def require(request: Request, action: str, *, domain_id: str = "", user_id: str = "") -> None:
    """Let administrators pass, readers of the system, readers of the domain, and the user itself. Raises Fault 403."""
    caller = request.caller
    if caller.is_admin or (caller.system and caller.access >= Access.READER):
        return
    if domain_id and caller.domain_id == domain_id and caller.access >= Access.READER:
        return
    if user_id and caller.user_id == user_id:
        return
    raise forbidden(request, action)


def is_domain_reader(caller: Caller) -> bool:
    """Whether the caller may list what is in its own domain."""
    return bool(caller.domain_id) and caller.access >= Access.READER


def name_taken(noun: str, name: str) -> Fault:
    """The refusal of a name that somebody has."""
    return Fault(
        409,
        f"Conflict occurred attempting to store {noun} - it is not permitted to have two {noun}s with the same name "
        f"in the same domain: {name}.",
    )


def checked_name(noun: str, name: str) -> str:
    """The name, if it may be one. Raises Fault 400."""
    if not name.strip() or len(name) > NAME_LIMIT:
        raise Fault(400, f"Invalid input for field 'name' of {noun}: expected 1 to {NAME_LIMIT} characters.")
    return name
