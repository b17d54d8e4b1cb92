"""How the identity service answers: links, lists, and the faults it shares. Keystone's words and forms."""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec

from kilonode.cloud.openstack.identity.paging import page_of
from kilonode.cloud.openstack.web.access import Access, Caller
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields, matching
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry

PREFIX: Final = "/identity/v3"
NAME_LIMIT: Final = 255
SHORT_NAME_LIMIT: Final = 64
"""Of domains, projects and groups."""

_LEFT_OUT: Final = {"users": ("email", "description", "default_project_id")}
"""Fields that are not shown where nobody said anything, since Keystone keeps them beside what it knows."""

Record = TypeVar("Record", bound=msgspec.Struct)


def link(request: Request, path: str) -> dict[str, str]:
    """The `links` of one resource."""
    return {"self": f"{request.cloud.settings.public_url}{PREFIX}{path}"}


def show(request: Request, noun: str, collection: str, fields: Fields[Any], value: Any, status: int = 200) -> Response:
    """Answer with one resource."""
    return reply({noun: shown(request, collection, fields, value)}, status)


def shown(request: Request, collection: str, fields: Fields[Any], value: Any) -> dict[str, Any]:
    """One resource as plain values: its fields, what its clients added, its link."""
    body = {**getattr(value, "extra", {}), **fields.show(value)}
    for name in _LEFT_OUT.get(collection, ()):
        if body[name] is None:
            del body[name]
    body["links"] = link(request, f"/{collection}/{value.id}")
    return body


def listing(
    request: Request, collection: str, fields: Fields[Any], values: Iterable[Any], *, apart: str = ""
) -> Response:
    """Answer with the page of the resources that the query asks for by any of their fields but the one set `apart`."""
    query = [(name, text) for name, text in request.query if name != apart]
    every = list(values)
    found = matching(every, [*fields.tests(query), *_comparisons(request, fields)])
    page, following = found, None
    if "limit" in request.query or "marker" in request.query:
        page, following = page_of(request, collection, found, {value.id for value in every})
    return items_reply(request, collection, [shown(request, collection, fields, value) for value in page], following)


_COMPARISONS: Final[dict[str, Callable[[str, str], bool]]] = {
    "contains": lambda value, wanted: wanted in value,
    "startswith": lambda value, wanted: value.startswith(wanted),
    "endswith": lambda value, wanted: value.endswith(wanted),
    "equals": lambda value, wanted: value == wanted,
}


def _comparisons(request: Request, fields: Fields[Any]) -> list[Callable[[Any], bool]]:
    """The tests of a query like `name__contains=x`; with an i before the word, upper and lower case are the same."""
    tests: list[Callable[[Any], bool]] = []
    for parameter, wanted in request.query:
        name, _, word = parameter.partition("__")
        folded = word[:1] == "i" and word[1:] in _COMPARISONS
        compare = _COMPARISONS.get(word[1:] if folded else word)
        if compare is not None and name in fields:
            tests.append(_comparison(fields, name, compare, wanted, folded=folded))
    return tests


def _comparison(
    fields: Fields[Any], name: str, compare: Callable[[str, str], bool], wanted: str, *, folded: bool
) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        found = str(fields.show(value, (name,))[name] or "")
        return compare(found.lower(), wanted.lower()) if folded else compare(found, wanted)

    return holds


def items_reply(
    request: Request, collection: str, items: list[dict[str, Any]], following: str | None = None
) -> Response:
    """Answer with a list that is made already; `following`: the address of the next page, where there is one."""
    place = request.path.removeprefix(PREFIX)
    body: dict[str, Any] = {collection: items}
    body["links"] = {**link(request, place + request.asked), "next": following, "previous": None}
    if following is not None:
        body["truncated"] = True
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


def name_taken(noun: str, name: str, domain_id: str | None = None, other_id: str = "") -> Fault:
    """The refusal of a name that somebody, `other_id`, has."""
    if noun == "project":
        why = (
            "it is not permitted to have two projects with either the same name or same id in the same domain: "
            f"name is {name}, project id {other_id}"
        )
    elif noun == "domain":
        noun, why = "project", f"it is not permitted to have two projects acting as domains with the same name: {name}"
    else:
        place = f" at domain ID {domain_id}" if domain_id else ""
        why = f"Duplicate entry found with name {name}{place}"
    return Fault(409, f"Conflict occurred attempting to store {noun} - {why}.")


def checked_name(noun: str, name: str, limit: int = NAME_LIMIT) -> str:
    """The name, if it may be one. Raises Fault 400."""
    if not name:
        raise Fault(400, f"Invalid input for field/attribute name. Value: {name}. '{name}' should be non-empty")
    if not name.strip() or len(name) > limit:
        raise Fault(400, f"Invalid input for field/attribute name. Value: {name}. '{name}' is too long or blank")
    return name


def extra_of(request: Request, noun: str, known: type[msgspec.Struct], fields: Fields[Any]) -> dict[str, Any]:
    """What the request says beyond the fields there are. Raises Fault 400 for what cannot be kept."""
    body = request.json_object()[noun]
    names = {field.encode_name for field in msgspec.structs.fields(known)}
    extra = {
        name: value for name, value in body.items() if name not in names and name not in fields and name != "links"
    }
    try:
        msgspec.msgpack.encode(extra)
    except (OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise Fault(400, f"Invalid input for {noun}: a value cannot be kept: {error}.") from error
    return extra


def require_manager(request: Request, action: str, domain_id: str | None) -> None:
    """Let administrators pass, and who has a token of a manager for this very domain. Raises Fault 403."""
    caller = request.caller
    if caller.is_admin or (domain_id and caller.domain_id == domain_id and caller.access >= Access.MANAGER):
        return
    raise forbidden(request, action)
