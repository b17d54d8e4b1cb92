"""Bodies of requests to create and change resources, read as Neutron reads them, and refused in its words and types.

What a resource's record of wishes does not name is refused: as an attribute that nobody may write, or as one there is
not. Values of another kind are refused too, but truth values and numbers may be written as text.
"""

import re
import uuid
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

BULK_LIMIT: Final = 1_000
READ_ONLY: Final = frozenset({"id", "status", "created_at", "updated_at", "revision_number", "subnets"})
"""What only Neutron writes, in whatever resource."""
FIXED: Final = frozenset({"network_id", "cidr", "ip_version", "floating_network_id", "security_group_id"})
"""What is said once, when a resource is made."""
OWNERS: Final = frozenset({"project_id", "tenant_id"})
_KEYS: Final = frozenset({"network_id", "floating_network_id", "port_id", "subnetpool_id", "address_scope_id"})
"""Fields that hold the id of another resource."""
_CORE: Final = frozenset({"network", "subnet", "port", "subnetpool"})
_WITHOUT_EFFECT: Final = frozenset({"vlan_transparent", "propagate_uplink_status", "numa_affinity_policy", "hints"})
"""What extensions that are not here would know; taken and not kept."""
_PLACE: Final = re.compile(r" - at `\$\.([^`.\[]+)")
_LACKING: Final = re.compile(r"Object missing required field `([^`]+)`$")

Wanted = TypeVar("Wanted")


def bad(message: str) -> Fault:
    """400 for a body that is not as it must be."""
    return Fault(400, message, type="HTTPBadRequest")


def body_of(request: Request, noun: str) -> dict[str, Any]:
    """The body of a request about resources of one kind. Raises Fault 400."""
    if not request.body:
        raise bad(f"Unable to find '{noun}' in request body")
    try:
        return request.json_object()
    except Fault as fault:
        if fault.status != 400:
            raise
        raise bad("Body contains invalid data") from fault


def items_of(body: dict[str, Any], noun: str, plural: str) -> list[Any]:
    """What is asked for, one or many. Raises Fault 400."""
    if not body and noun not in _CORE:
        raise bad("Resource body required")
    if plural in body:
        items = body[plural]
        if not isinstance(items, list) or not items:
            raise bad("Resources required")
        if len(items) > BULK_LIMIT:
            raise bad(f"At most {BULK_LIMIT} {plural} are made by one request")
        return items
    if body.get(noun) is None:
        raise bad(f"Unable to find '{noun}' in request body")
    return [body[noun]]


def item_of(body: dict[str, Any], noun: str) -> Any:
    """How a resource is to be changed. Raises Fault 400."""
    if not body and noun not in _CORE:
        raise bad("Resource body required")
    if body.get(noun) is None:
        raise bad(f"Unable to find '{noun}' in request body")
    return body[noun]


def read(item: Any, kind: type[Wanted], noun: str, *, making: bool) -> Wanted:
    """One item as a record of wishes. Raises Fault 400."""
    if not isinstance(item, dict):
        raise bad(f"Object '{noun}' contains invalid data")
    known = _names(kind)  # type: ignore[arg-type]  # a type is hashable
    for name in item:
        if name in READ_ONLY and name not in known:
            raise bad(f"Attribute '{name}' not allowed in POST" if making else _no_update(name))
        if name not in known and name not in _WITHOUT_EFFECT and name not in OWNERS:
            raise bad(f"Unrecognized attribute(s) '{name}'")
        if not making and (name in FIXED or name in READ_ONLY):
            raise bad(_no_update(name))
        if name == "mtu" and isinstance(item[name], int) and item[name] < 0:
            raise bad(f"Invalid input for mtu. Reason: '{item[name]}' should be non-negative.")
        if name in _KEYS and isinstance(item[name], str) and item[name] and not is_uuid(item[name]):
            raise bad(f"Invalid input for {name}. Reason: '{item[name]}' is not a valid UUID.")
    try:
        return msgspec.convert(item, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refusal(item, str(error)) from error


def is_uuid(text: str) -> bool:
    """Whether it is one, however it is written."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _no_update(name: str) -> str:
    return f"Cannot update read-only attribute {name}"


def _refusal(item: dict[str, Any], words: str) -> Fault:
    lacking = _LACKING.search(words)
    if lacking is not None:
        return bad(f"Failed to parse request. Required attribute '{lacking[1]}' not specified")
    place = _PLACE.search(words)
    name = place[1] if place is not None else ""
    if name not in item:
        return bad(f"Invalid input: {words}.")
    value = item[name]
    expected = words.partition(", got")[0]
    if "bool" in expected and not isinstance(value, dict | list):
        return Fault(
            400, f"Invalid input for operation: {value!r} cannot be converted to boolean.", type="InvalidInput"
        )
    if "str" in expected and not isinstance(value, dict | list):
        return bad(f"Invalid input for {name}. Reason: '{value}' is not a valid string.")
    if "int" in expected and isinstance(value, str):
        return bad(f"Invalid input for {name}. Reason: '{value}' is not an integer.")
    return bad(f"Invalid input for {name}. Reason: {words}.")


@cache
def _names(kind: Any) -> frozenset[str]:
    """The names a record of wishes has in bodies; the number of records is that of the resources."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))
