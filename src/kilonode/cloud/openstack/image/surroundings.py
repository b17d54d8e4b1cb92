"""What clients ask of the image service before and beside images: versions, schemas, stores."""

from typing import Any, Final

from kilonode.cloud.openstack.image.wishes import CONTAINER_FORMATS, DISK_FORMATS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault, title
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route

VERSIONS: Final = ("v2.16", "v2.15", "v2.9", "v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0")
"""The newest first; it is the current one."""
_HTML: Final = b"text/html; charset=UTF-8"
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
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "image": {"name": "image", "properties": _PROPERTIES, "additionalProperties": {"type": "string"}},
    "member": {"name": "member", "properties": _MEMBER_PROPERTIES},
}


def image_fault_format(fault: Fault, request_id: str) -> Response:
    """Glance's errors: a small page of HTML."""
    heading = f"{fault.status} {title(fault.status)}"
    message = fault.message.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    page = (
        f"<html>\n <head>\n  <title>{heading}</title>\n </head>\n <body>\n  <h1>{heading}</h1>\n"
        f"  {message}<br /><br />\n\n\n </body>\n</html>"
    )
    return Response(fault.status, page.encode(), content_type=_HTML)


async def list_versions(request: Request) -> Response:
    """`GET /`: 300, with all versions."""
    return reply(_versions(request), 300)


async def list_versions_plainly(request: Request) -> Response:
    """`GET /versions`, and the root of the API: the same, with 200."""
    return reply(_versions(request))


async def show_schema(request: Request) -> Response:
    """`GET /schemas/{name}`: of one resource, or of a list of them."""
    name = request.params["name"]
    if name in SCHEMAS:
        return reply(SCHEMAS[name])
    one = name.removesuffix("s")
    if one not in SCHEMAS:
        raise Fault(404, f"There is no schema {name}.")
    properties = {
        name: {"type": "array", "items": SCHEMAS[one]},
        "first": {"type": "string"},
        "next": {"type": "string"},
        "schema": {"type": "string"},
    }
    links = [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}]
    return reply({"name": name, "properties": properties, "links": links})


async def show_import_methods(request: Request) -> Response:
    """`GET /info/import`: data comes by upload only."""
    methods = {"description": "Import methods available.", "type": "array", "value": []}
    return reply({"import-methods": methods})


async def list_stores(request: Request) -> Response:
    """`GET /info/stores`."""
    return reply({"stores": [{"id": "file", "default": True, "description": "Files in the state folder"}]})


def _versions(request: Request) -> dict[str, Any]:
    link = {"rel": "self", "href": f"{request.cloud.settings.public_url}/image/v2/"}
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
    Route("GET", "/schemas/{name}", show_schema, Access.AUTHENTICATED),
    Route("GET", "/info/import", show_import_methods, Access.AUTHENTICATED),
    Route("GET", "/info/stores", list_stores, Access.AUTHENTICATED),
)
