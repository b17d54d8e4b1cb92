"""What clients ask of the image service before and beside images: versions, schemas, stores."""

from typing import Any, Final

from kilonode.cloud.openstack.image.caching import endpoint_of
from kilonode.cloud.openstack.image.importing import import_methods
from kilonode.cloud.openstack.image.model import IMAGE, IMPORTING, SAVING, UPLOADING
from kilonode.cloud.openstack.image.wishes import CONTAINER_FORMATS, DISK_FORMATS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import MEBIBYTE, Route

VERSIONS: Final = ("v2.17", "v2.16", "v2.15", "v2.9", "v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0")
"""The newest first; it is the current one."""
_TEXT: Final = {"type": ["null", "string"], "maxLength": 255}
_PROPERTIES: Final[dict[str, Any]] = {
    "id": {"type": "string", "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-"
           "([0-9a-fA-F]){12}$"},
    "name": _TEXT,
    "status": {"type": "string", "readOnly": True},
    "visibility": {"type": "string", "enum": ["community", "public", "private", "shared"]},
    "protected": {"type": "boolean"},
    "os_hidden": {"type": "boolean"},
    "checksum": {**_TEXT, "readOnly": True},
    "os_hash_algo": {**_TEXT, "readOnly": True},
    "os_hash_value": {**_TEXT, "readOnly": True},
    "owner": _TEXT,
    "size": {"type": ["null", "integer"], "readOnly": True},
    "virtual_size": {"type": ["null", "integer"], "readOnly": True},
    "container_format": {"type": ["null", "string"], "enum": [None, *CONTAINER_FORMATS]},
    "disk_format": {"type": ["null", "string"], "enum": [None, *DISK_FORMATS]},
    "created_at": {"type": "string", "readOnly": True},
    "updated_at": {"type": "string", "readOnly": True},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}},
    "min_ram": {"type": "integer"},
    "min_disk": {"type": "integer"},
    "self": {"type": "string", "readOnly": True},
    "file": {"type": "string", "readOnly": True},
    "schema": {"type": "string", "readOnly": True},
}  # fmt: skip
_MEMBER_PROPERTIES: Final = {
    name: {"type": "string"} for name in ("created_at", "image_id", "member_id", "schema", "status", "updated_at")
}
_MADE: Final = {name: {"type": "string", "readOnly": True} for name in ("created_at", "updated_at", "self", "schema")}
_TASK_PROPERTIES: Final = {
    name: {"type": ["null", "object"] if name in ("input", "result") else "string"}
    for name in ("id", "type", "status", "input", "result", "owner", "message", "image_id", "request_id", "user_id",
                 "expires_at", "created_at", "updated_at", "self", "schema")
}  # fmt: skip
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "image": {"name": "image", "properties": _PROPERTIES, "additionalProperties": {"type": "string"}},
    "member": {"name": "member", "properties": _MEMBER_PROPERTIES},
    "task": {"name": "task", "properties": _TASK_PROPERTIES},
    "metadefs/namespace": {
        "name": "namespace",
        "properties": {
            "namespace": {"type": "string", "maxLength": 80},
            "display_name": _TEXT,
            "description": {"type": ["null", "string"], "maxLength": 500},
            "visibility": {"type": "string", "enum": ["public", "private"]},
            "protected": {"type": "boolean"},
            "owner": {"type": "string", "maxLength": 255},
            "resource_type_associations": {"type": "array"},
            "properties": {"type": "object"},
            "objects": {"type": "array"},
            "tags": {"type": "array"},
            **_MADE,
        },
        "required": ["namespace"],
        "additionalProperties": False,
    },
    "metadefs/resource_type": {
        "name": "resource_type_association",
        "properties": {
            "name": {"type": "string", "maxLength": 80},
            "prefix": _TEXT,
            "properties_target": _TEXT,
            **_MADE,
        },
        "required": ["name"],
        "additionalProperties": False,
    },
    "metadefs/object": {
        "name": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 255},
            "description": {"type": ["null", "string"]},
            "required": {"type": "array", "items": {"type": "string"}},
            "properties": {"type": "object"},
            **_MADE,
        },
        "required": ["name"],
        "additionalProperties": False,
    },
    "metadefs/property": {
        "name": "property",
        "properties": {
            "name": {"type": "string", "maxLength": 255},
            "title": {"type": "string"},
            "type": {"type": "string", "enum": ["array", "boolean", "integer", "number", "object", "string", None]},
            "description": {"type": "string"},
            "enum": {"type": "array"},
            "default": {},
            "operators": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name", "title", "type"],
        "additionalProperties": True,
    },
    "metadefs/tag": {
        "name": "tag",
        "properties": {"name": {"type": "string", "maxLength": 80}, **_MADE},
        "required": ["name"],
        "additionalProperties": False,
    },
}
_LISTS: Final = {"metadefs/property": "metadefs/properties"}
_LIST_NAMES: Final = {"metadefs/resource_types": "resource_type_associations"}
_SINGULARS: Final = {_LISTS.get(name, f"{name}s"): name for name in SCHEMAS}


async def list_versions(request: Request) -> Response:
    """`GET /`: 300, with all versions."""
    return reply(_versions(request), 300)


async def list_versions_plainly(request: Request) -> Response:
    """`GET /versions`, and the root of the API: the same, with 200."""
    return reply(_versions(request))


async def show_schema(request: Request) -> Response:
    """`GET /schemas/{name}`: of one resource, or of a list of them."""
    name = request.path.partition("/schemas/")[2]
    if name in SCHEMAS:
        return reply(SCHEMAS[name])
    one = _SINGULARS[name]
    plural = _LIST_NAMES.get(name, name.rpartition("/")[2])
    properties = {
        plural: {"type": "array", "items": SCHEMAS[one]},
        "first": {"type": "string"},
        "next": {"type": "string"},
        "schema": {"type": "string"},
    }
    links = [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}]
    return reply({"name": plural, "properties": properties, "links": links})


async def show_import_methods(request: Request) -> Response:
    """`GET /info/import`."""
    known = import_methods(request.cloud.settings.services.image)
    methods = {"description": "Import methods available.", "type": "array", "value": known}
    return reply({"import-methods": methods})


async def show_usage(request: Request) -> Response:
    """`GET /info/usage`: how much the project has. Nothing is limited."""
    table = request.cloud.mirror.all(IMAGE)
    own = [entry.value for entry in table.values() if entry.value.owner == request.caller.project_id]
    busy = [image for image in own if image.status in (SAVING, UPLOADING, IMPORTING)]
    total = sum(image.size_bytes or 0 for image in own)
    staged = sum(image.staged.size_bytes for image in own if image.staged is not None)
    used = {
        "image_size_total": total // MEBIBYTE,
        "image_count_total": len(own),
        "image_stage_total": staged // MEBIBYTE,
        "image_count_uploading": len(busy),
    }
    return reply({"usage": {name: {"limit": -1, "usage": usage} for name, usage in used.items()}})


def _versions(request: Request) -> dict[str, Any]:
    link = {"rel": "self", "href": f"{request.cloud.settings.public_url}/{endpoint_of(request)}/v2/"}
    return {
        "versions": [
            {"id": version, "status": "CURRENT" if version == VERSIONS[0] else "SUPPORTED", "links": [link]}
            for version in VERSIONS
        ]
    }


DISCOVERY: Final = (
    Route("GET", "", list_versions, Access.PUBLIC),
    Route("GET", "/versions", list_versions_plainly, Access.PUBLIC),
    Route("GET", "/v2", list_versions_plainly, Access.PUBLIC),
)
ROUTES: Final = (
    *(Route("GET", f"/schemas/{name}", show_schema, Access.AUTHENTICATED) for name in (*SCHEMAS, *_SINGULARS)),
    Route("GET", "/info/usage", show_usage, Access.READER),
    Route("GET", "/info/import", show_import_methods, Access.AUTHENTICATED),
)
