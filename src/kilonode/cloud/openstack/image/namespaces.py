"""`/metadefs/namespaces` and `/metadefs/resource_types`. What is inside a namespace is in `definitions`."""

from typing import Any, Final

from msgspec.structs import replace

from kilonode.cloud.context import timestamp
from kilonode.cloud.openstack.image.definition_model import (
    NAMESPACE,
    RESOURCE_TYPES,
    Association,
    DefinedObject,
    Namespace,
)
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Entry, Put

NAME_LIMIT: Final = 80
DEFAULT_LIMIT: Final = 25
LARGEST_LIMIT: Final = 1_000
_FIELDS: Final = ("display_name", "description", "visibility", "protected")
_VISIBILITIES: Final = ("public", "private")


async def list_namespaces(request: Request) -> Response:
    """`GET /metadefs/namespaces`."""
    query = request.query
    found = [entry.value for entry in request.cloud.mirror.all(NAMESPACE).values() if _is_visible(request, entry.value)]
    if query.one("visibility"):
        found = [one for one in found if one.visibility == query.one("visibility")]
    wanted = [name for text in query.all("resource_types") for name in text.split(",")]
    if wanted:
        found = [one for one in found if any(name in one.resource_types for name in wanted)]
    found.sort(key=lambda one: (one.created_us, one.name), reverse=query.one("sort_dir", "desc") != "asc")
    marker = query.one("marker")
    if marker:
        places = [place for place, one in enumerate(found) if one.name == marker]
        if not places:
            raise Fault(404, f"Metadata definition namespace not found for namespace={marker}")
        found = found[places[0] + 1 :]
    limit = query.integer("limit")
    limit = DEFAULT_LIMIT if limit is None else min(limit, LARGEST_LIMIT)
    page = found[:limit]
    body: dict[str, Any] = {
        "namespaces": [view(one) | _associations(one) for one in page],
        "first": "/v2/metadefs/namespaces",
        "schema": "/v2/schemas/metadefs/namespaces",
    }
    if page and len(found) > limit:
        body["next"] = f"/v2/metadefs/namespaces?{query.changed(marker=page[-1].name)}"
    return reply(body, items=len(page))


async def create_namespace(request: Request) -> Response:
    """`POST /metadefs/namespaces`, with what is inside if it is given."""
    wanted = request.json_object()
    name = wanted.get("namespace")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LIMIT:
        raise Fault(400, f"A namespace has a name of 1 to {NAME_LIMIT} characters.")
    if request.cloud.mirror.get(NAMESPACE, name) is not None:
        raise Fault(409, f"The metadata definition namespace={name} already exists.")
    now_us = request.cloud.now_us()
    owner = request.caller.project_id
    if isinstance(wanted.get("owner"), str) and wanted["owner"]:
        owner = wanted["owner"]
    namespace = Namespace(
        name,
        owner,
        now_us,
        now_us,
        **_fields(wanted),
        resource_types={one.name: one for one in _wanted_associations(wanted, now_us)},
        objects={
            str(one["name"]): new_object(one, now_us)
            for one in wanted.get("objects") or ()
            if isinstance(one, dict) and one.get("name")
        },
        properties={str(key): one for key, one in (wanted.get("properties") or {}).items() if isinstance(one, dict)},
    )
    await request.cloud.mirror.commit([Put(NAMESPACE, namespace, name, 0)])
    location = f"{request.cloud.settings.public_url}/image/v2/metadefs/namespaces/{name}"
    return reply(view(namespace) | _associations(namespace), 201, (("location", location),))


async def show_namespace(request: Request) -> Response:
    """`GET /metadefs/namespaces/{namespace}`, whole."""
    namespace = find_namespace(request).value
    whole = view(namespace) | _associations(namespace)
    if namespace.objects:
        whole["objects"] = [object_view(namespace, one) for one in namespace.objects.values()]
    if namespace.properties:
        whole["properties"] = namespace.properties
    if namespace.tags:
        whole["tags"] = [{"name": one.name} for one in namespace.tags.values()]
    return reply(whole)


async def update_namespace(request: Request) -> Response:
    """`PUT /metadefs/namespaces/{namespace}`. Its name stays."""
    entry = find_namespace(request)
    wanted = request.json_object()
    if wanted.get("namespace", entry.value.name) != entry.value.name:
        raise Fault(403, "The name of a namespace cannot be changed here.")
    changed = await write_namespace(request, entry, **_fields(wanted))
    return reply(view(changed))


async def delete_namespace(request: Request) -> Response:
    """`DELETE /metadefs/namespaces/{namespace}`, with what is inside: not a protected one."""
    entry = find_namespace(request)
    if entry.value.protected:
        raise Fault(403, f"Metadata definition namespace {entry.value.name} is protected and cannot be deleted.")
    await request.cloud.mirror.commit([Delete(NAMESPACE, entry.value.name, entry.revision)])
    return reply(None, 204)


async def list_resource_types(request: Request) -> Response:
    """`GET /metadefs/resource_types`: those that every cloud knows, and those that namespaces name."""
    named = {name for entry in request.cloud.mirror.all(NAMESPACE).values() for name in entry.value.resource_types}
    names = sorted(named | set(RESOURCE_TYPES))
    return reply({"resource_types": [{"name": name} for name in names]}, items=len(names))


async def list_associations(request: Request) -> Response:
    """`GET …/resource_types`."""
    namespace = find_namespace(request).value
    return reply(_associations(namespace) or {"resource_type_associations": []})


async def create_association(request: Request) -> Response:
    """`POST …/resource_types`."""
    entry = find_namespace(request)
    wanted = request.json_object()
    found = _wanted_associations({"resource_type_associations": [wanted]}, request.cloud.now_us())
    if not found:
        raise Fault(400, "A resource type has a name.")
    one = found[0]
    if one.name in entry.value.resource_types:
        raise Fault(409, f"The metadata definition resource-type association of resource-type={one.name} to "
                         f"namespace={entry.value.name} already exists.")  # fmt: skip
    await write_namespace(request, entry, resource_types={**entry.value.resource_types, one.name: one})
    return reply(_association_view(one), 201)


async def delete_association(request: Request) -> Response:
    """`DELETE …/resource_types/{name}`."""
    entry = find_namespace(request)
    name = request.params["name"]
    if name not in entry.value.resource_types:
        raise Fault(404, f"The metadata definition resource-type association of resource-type={name} to "
                         f"namespace={entry.value.name}, was not found.")  # fmt: skip
    left = {key: one for key, one in entry.value.resource_types.items() if key != name}
    await write_namespace(request, entry, resource_types=left)
    return reply(None, 204)


def find_namespace(request: Request) -> Entry[Namespace]:
    """The namespace that the path names, if the caller may see it. Raises Fault 404."""
    name = request.params["namespace"]
    entry: Entry[Namespace] | None = request.cloud.mirror.get(NAMESPACE, name)
    if entry is None or not _is_visible(request, entry.value):
        raise Fault(404, f"Metadata definition namespace not found for namespace={name}")
    return entry


async def write_namespace(request: Request, entry: Entry[Namespace], **facts: Any) -> Namespace:
    """Change a namespace or what is in it."""
    namespace = replace(entry.value, updated_us=request.cloud.now_us(), **facts)
    await request.cloud.mirror.commit([Put(NAMESPACE, namespace, namespace.name, entry.revision)])
    return namespace


def view(namespace: Namespace) -> dict[str, Any]:
    """A namespace without what is inside."""
    return {
        "namespace": namespace.name,
        "display_name": namespace.display_name,
        "description": namespace.description,
        "visibility": namespace.visibility,
        "protected": namespace.protected,
        "owner": namespace.owner,
        "created_at": timestamp(namespace.created_us),
        "updated_at": timestamp(namespace.updated_us),
        "self": f"/v2/metadefs/namespaces/{namespace.name}",
        "schema": "/v2/schemas/metadefs/namespace",
    }


def new_object(wanted: dict[str, Any], now_us: int, created_us: int = 0) -> DefinedObject:
    """An object as a request describes it. Raises Fault 400."""
    name, properties = wanted.get("name"), wanted.get("properties") or {}
    required = wanted.get("required") or ()
    if (
        not isinstance(name, str)
        or not name
        or not isinstance(properties, dict)
        or not isinstance(required, (list, tuple))
    ):
        raise Fault(400, "An object has a name, properties that are an object, and a list of those required.")
    description = wanted.get("description")
    return DefinedObject(
        str(name),
        created_us or now_us,
        now_us,
        None if description is None else str(description),
        tuple(str(one) for one in required),
        properties,
    )


def object_view(namespace: Namespace, one: DefinedObject) -> dict[str, Any]:
    """An object of a namespace."""
    return {
        "name": one.name,
        "description": one.description,
        "required": one.required,
        "properties": one.properties,
        "created_at": timestamp(one.created_us),
        "updated_at": timestamp(one.updated_us),
        "self": f"/v2/metadefs/namespaces/{namespace.name}/objects/{one.name}",
        "schema": "/v2/schemas/metadefs/object",
    }


def _fields(wanted: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: wanted[name] for name in _FIELDS if name in wanted}
    if fields.get("visibility", "private") not in _VISIBILITIES:
        raise Fault(400, f"Invalid value {fields['visibility']!r} for 'visibility'.")
    if not isinstance(fields.get("protected", False), bool):
        raise Fault(400, f"Invalid value {fields['protected']!r} for 'protected'.")
    for name in ("display_name", "description"):
        if not isinstance(fields.get(name), (str, type(None))):
            raise Fault(400, f"Invalid value {fields[name]!r} for '{name}'.")
    return fields


def _is_visible(request: Request, namespace: Namespace) -> bool:
    return namespace.visibility == "public" or request.caller.may_see(namespace.owner)


def _wanted_associations(wanted: dict[str, Any], now_us: int) -> list[Association]:
    given = wanted.get("resource_type_associations") or []
    if not isinstance(given, list) or not all(isinstance(one, dict) and one.get("name") for one in given):
        raise Fault(400, "Resource type associations have names.")
    return [
        Association(str(one["name"]), now_us, now_us, _text(one.get("prefix")), _text(one.get("properties_target")))
        for one in given
    ]


def _associations(namespace: Namespace) -> dict[str, Any]:
    shown = [_association_view(one) for one in namespace.resource_types.values()]
    return {"resource_type_associations": shown} if shown else {}


def _association_view(one: Association) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": one.name, "created_at": timestamp(one.created_us), "updated_at": timestamp(one.updated_us)
    }  # fmt: skip
    if one.prefix is not None:
        shown["prefix"] = one.prefix
    if one.properties_target is not None:
        shown["properties_target"] = one.properties_target
    return shown


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


_NAMESPACE: Final = "/metadefs/namespaces/{namespace}"
ROUTES: Final = (
    Route("GET", "/metadefs/namespaces", list_namespaces, Access.READER),
    Route("POST", "/metadefs/namespaces", create_namespace, Access.ADMIN),
    Route("GET", _NAMESPACE, show_namespace, Access.READER),
    Route("PUT", _NAMESPACE, update_namespace, Access.ADMIN),
    Route("DELETE", _NAMESPACE, delete_namespace, Access.ADMIN),
    Route("GET", "/metadefs/resource_types", list_resource_types, Access.READER),
    Route("GET", f"{_NAMESPACE}/resource_types", list_associations, Access.READER),
    Route("POST", f"{_NAMESPACE}/resource_types", create_association, Access.ADMIN),
    Route("DELETE", f"{_NAMESPACE}/resource_types/{{name}}", delete_association, Access.ADMIN),
)
