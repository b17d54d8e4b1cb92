"""What a request wants of an image: the fields of a new one, and JSON patches of an old one."""

from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.image.model import ACTIVE, PUBLIC, VISIBILITIES, Image
from kilonode.cloud.openstack.web.access import Caller
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

DISK_FORMATS: Final = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop", "gpt")
CONTAINER_FORMATS: Final = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
NAME_LIMIT: Final = 255
TEXT_LIMIT: Final = 65_535
PROPERTIES_LIMIT: Final = 128
OPERATIONS_LIMIT: Final = 256

_NAMES: Final = {
    "name": "name",
    "visibility": "visibility",
    "protected": "protected",
    "os_hidden": "hidden",
    "disk_format": "disk_format",
    "container_format": "container_format",
    "min_disk": "min_disk_gb",
    "min_ram": "min_ram_mb",
    "owner": "owner",
    "tags": "tags",
}
"""What a user may set: the word of the API, and the field of the record."""
_READ_ONLY: Final = frozenset(
    {
        "id",
        "status",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
        "size",
        "virtual_size",
        "created_at",
        "updated_at",
        "self",
        "file",
        "schema",
        "direct_url",
        "locations",
    }
)
_FIXED_WITH_DATA: Final = frozenset({"disk_format", "container_format"})


_RESERVED: Final = "os_glance_"
_VERBS: Final = ("add", "remove", "replace")
_MEDIA_TYPE: Final = "application/openstack-images-v2.1-json-patch"
_OLD_MEDIA_TYPE: Final = "application/openstack-images-v2.0-json-patch"


class Operation(msgspec.Struct, frozen=True):
    """One operation of a patch."""

    op: str
    path: str
    value: Any = None


def read_operations(request: Request) -> list[Operation]:
    """The patch in a request's body, in the form of today or in the first one. Raises Fault 400."""
    kind = (request.header("content-type") or _MEDIA_TYPE).partition(";")[0].strip()
    if kind not in (_MEDIA_TYPE, _OLD_MEDIA_TYPE):
        raise Fault(415, f"Invalid content type {kind}", headers=(("accept-patch", _MEDIA_TYPE),))
    if kind == _MEDIA_TYPE:
        return [_operation(given) for given in request.json(list[dict[str, Any]])]
    found = []
    for given in request.json(list[dict[str, Any]]):
        verbs = [verb for verb in ("add", "replace", "remove") if verb in given]
        if len(verbs) != 1 or not isinstance(given[verbs[0]], str):
            raise Fault(400, "Operation objects must contain exactly one member named add, replace or remove.")
        found.append(Operation(verbs[0], given[verbs[0]], given.get("value")))
    return found


def _operation(given: dict[str, Any]) -> Operation:
    """An operation as it was given. Raises Fault 400."""
    verbs = ", ".join(_VERBS)
    if "op" not in given:
        raise Fault(400, f"Unable to find `op` in JSON Schema change. It must be one of the following: {verbs}.")
    verb, path = given["op"], given.get("path")
    if verb not in _VERBS:
        raise Fault(400, f"Invalid operation: `{verb}`. It must be one of the following: {verbs}.")
    if not isinstance(path, str) or not path.startswith("/"):
        raise Fault(400, f'Pointer `{path}` does not start with "/".')
    if verb != "remove" and "value" not in given:
        raise Fault(400, f'Operation "{verb}" requires a member named "value".')
    if "/" in path[1:] and not path.startswith("/locations/"):
        raise Fault(400, f"Invalid JSON pointer for this resource: '{path}'")
    return Operation(verb, path, given.get("value"))


def with_fields(caller: Caller, image: Image, wanted: dict[str, Any]) -> Image:
    """The image with these fields and properties. Raises Fault 400 and 403."""
    for name, value in wanted.items():
        image = _with_field(caller, image, name, value)
    return image


def check_number(operations: list[Operation]) -> None:
    """Raise Fault 400 when a patch has too many operations, or one of a kind that there is not."""
    if len(operations) > OPERATIONS_LIMIT:
        raise Fault(400, f"A patch has at most {OPERATIONS_LIMIT} operations.")
    for operation in operations:
        if operation.op not in ("add", "replace", "remove"):
            raise Fault(400, f"Operation object must contain one of add, replace, remove, not {operation.op!r}.")


def patched(caller: Caller, image: Image, operation: Operation) -> Image:
    """The image after an operation of a patch. Raises Fault 400, 403, and 409 for a property that is not there."""
    name = operation.path.removeprefix("/").replace("~1", "/").replace("~0", "~")
    if operation.op == "remove":
        return _without_field(image, name)
    if operation.op == "replace" and name not in _NAMES and name not in image.properties:
        _refuse_read_only(name)
        raise Fault(409, f"Property {name} does not exist.")
    return _with_field(caller, image, name, operation.value)


def _with_field(caller: Caller, image: Image, name: str, value: Any) -> Image:
    if name not in _NAMES:
        return _with_property(image, name, value)
    if name in _FIXED_WITH_DATA and image.status == ACTIVE:
        raise Fault(403, f"Attribute {name} can be only replaced for a queued image.")
    checked = _checked(name, value)
    if name == "visibility" and checked == PUBLIC and not caller.is_admin:
        raise Fault(403, "You are not authorized to complete publicize_image action.")
    if name == "owner" and checked != image.owner and not caller.is_admin:
        raise Fault(403, "You are not permitted to set the owner of an image.")
    return msgspec.structs.replace(image, **{_NAMES[name]: checked})


def _with_property(image: Image, name: str, value: Any) -> Image:
    _refuse_read_only(name)
    if not name or len(name) > NAME_LIMIT:
        raise Fault(400, "A property's name has 1 to 255 characters.")
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        raise Fault(400, f"Invalid value for property {name}: {value!r} is not of type 'string'.")
    properties = {**image.properties, name: value}
    if len(properties) > PROPERTIES_LIMIT:
        raise Fault(413, f"The limit has been exceeded on the number of allowed image properties: {PROPERTIES_LIMIT}.")
    return msgspec.structs.replace(image, properties=properties)


def _without_field(image: Image, name: str) -> Image:
    _refuse_read_only(name)
    if name in _NAMES:
        raise Fault(403, f"Property {name} may not be removed.")
    if name not in image.properties:
        raise Fault(409, f"Property {name} does not exist.")
    left = {known: value for known, value in image.properties.items() if known != name}
    return msgspec.structs.replace(image, properties=left)


def _refuse_read_only(name: str) -> None:
    if name.startswith(_RESERVED):
        raise Fault(403, f"Attribute '{name}' is reserved.")
    if name in _READ_ONLY:
        raise Fault(403, f"Attribute '{name}' is read-only.")


def _checked(name: str, value: Any) -> Any:
    """The value of a known field, if it may be one."""
    if name == "tags":
        if isinstance(value, list) and all(isinstance(tag, str) and len(tag) <= NAME_LIMIT for tag in value):
            return tuple(dict.fromkeys(value))
    elif name in ("protected", "os_hidden"):
        if isinstance(value, bool):
            return value
    elif name in ("min_disk", "min_ram"):
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    elif name == "owner":
        if isinstance(value, str):
            return value
    elif _is_choice(name, value):
        return value
    raise Fault(400, f"Invalid value {value!r} for '{name}'.")


def _is_choice(name: str, value: Any) -> bool:
    if name == "visibility":
        return value in VISIBILITIES
    if name == "disk_format":
        return value is None or value in DISK_FORMATS
    if name == "container_format":
        return value is None or value in CONTAINER_FORMATS
    return value is None or (isinstance(value, str) and len(value) <= NAME_LIMIT)
