"""What is inside a metadata namespace: objects, properties and tags."""

from typing import Any, Final

from kilonode.cloud.context import timestamp
from kilonode.cloud.openstack.image.definition_model import PARTS_LIMIT, DefinedTag, Namespace
from kilonode.cloud.openstack.image.namespaces import find_namespace, new_object, object_view, write_namespace
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route

NAME_LIMIT: Final = 80
_PROPERTY_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")


async def list_objects(request: Request) -> Response:
    """`GET …/objects`."""
    namespace = find_namespace(request).value
    shown = [object_view(namespace, one) for one in namespace.objects.values()]
    place = f"/v2/metadefs/namespaces/{namespace.name}/objects"
    return reply({"objects": shown, "first": place, "schema": "/v2/schemas/metadefs/objects"}, items=len(shown))


async def create_object(request: Request) -> Response:
    """`POST …/objects`."""
    entry = find_namespace(request)
    one = new_object(request.json_object(), request.cloud.now_us())
    _refuse(entry.value.objects, one.name, "object")
    namespace = await write_namespace(request, entry, objects={**entry.value.objects, one.name: one})
    return reply(object_view(namespace, one), 201)


async def show_object(request: Request) -> Response:
    """`GET …/objects/{name}`."""
    namespace = find_namespace(request).value
    return reply(object_view(namespace, namespace.objects[_known(request, namespace.objects, "object")]))


async def update_object(request: Request) -> Response:
    """`PUT …/objects/{name}`, perhaps to another name."""
    entry = find_namespace(request)
    name = _known(request, entry.value.objects, "object")
    old = entry.value.objects[name]
    one = new_object({"name": name, **request.json_object()}, request.cloud.now_us(), old.created_us)
    namespace = await write_namespace(
        request, entry, objects=_exchanged(entry.value.objects, name, one.name, one, "object")
    )
    return reply(object_view(namespace, one))


async def delete_object(request: Request) -> Response:
    """`DELETE …/objects/{name}`."""
    entry = find_namespace(request)
    name = _known(request, entry.value.objects, "object")
    await write_namespace(request, entry, objects=_without(entry.value.objects, name))
    return reply(None, 204)


async def list_properties(request: Request) -> Response:
    """`GET …/properties`."""
    namespace = find_namespace(request).value
    return reply({"properties": namespace.properties}, items=len(namespace.properties))


async def create_property(request: Request) -> Response:
    """`POST …/properties`."""
    entry = find_namespace(request)
    name, definition = _wanted_property(request.json_object())
    _refuse(entry.value.properties, name, "property")
    await write_namespace(request, entry, properties={**entry.value.properties, name: definition})
    return reply({"name": name, **definition}, 201)


async def show_property(request: Request) -> Response:
    """`GET …/properties/{name}`."""
    namespace = find_namespace(request).value
    name = _known(request, namespace.properties, "property")
    return reply({"name": name, **namespace.properties[name]})


async def update_property(request: Request) -> Response:
    """`PUT …/properties/{name}`, perhaps to another name."""
    entry = find_namespace(request)
    old = _known(request, entry.value.properties, "property")
    name, definition = _wanted_property({"name": old, **request.json_object()})
    changed = _exchanged(entry.value.properties, old, name, definition, "property")
    await write_namespace(request, entry, properties=changed)
    return reply({"name": name, **definition})


async def delete_property(request: Request) -> Response:
    """`DELETE …/properties/{name}`."""
    entry = find_namespace(request)
    name = _known(request, entry.value.properties, "property")
    await write_namespace(request, entry, properties=_without(entry.value.properties, name))
    return reply(None, 204)


async def list_tags(request: Request) -> Response:
    """`GET …/tags`."""
    namespace = find_namespace(request).value
    shown = [{"name": one.name} for one in namespace.tags.values()]
    place = f"/v2/metadefs/namespaces/{namespace.name}/tags"
    return reply({"tags": shown, "first": place, "schema": "/v2/schemas/metadefs/tags"}, items=len(shown))


async def replace_tags(request: Request) -> Response:
    """`POST …/tags`: these instead of all that there are."""
    entry = find_namespace(request)
    given = request.json_object().get("tags")
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise Fault(400, "Tags are a list of objects with names.")
    now_us = request.cloud.now_us()
    tags: dict[str, DefinedTag] = {}
    for one in given:
        name = _name(one.get("name"))
        if name in tags:
            raise Fault(409, f"Duplicate tag: {name}")
        tags[name] = DefinedTag(name, now_us, now_us)
    await write_namespace(request, entry, tags=tags)
    return reply({"tags": [{"name": name} for name in tags]}, 201)


async def delete_tags(request: Request) -> Response:
    """`DELETE …/tags`: all of them."""
    await write_namespace(request, find_namespace(request), tags={})
    return reply(None, 204)


async def create_tag(request: Request) -> Response:
    """`POST …/tags/{name}`."""
    entry = find_namespace(request)
    name = _name(request.params["name"])
    _refuse(entry.value.tags, name, "tag")
    now_us = request.cloud.now_us()
    tag = DefinedTag(name, now_us, now_us)
    await write_namespace(request, entry, tags={**entry.value.tags, name: tag})
    return reply(_tag_view(entry.value, tag), 201)


async def show_tag(request: Request) -> Response:
    """`GET …/tags/{name}`."""
    namespace = find_namespace(request).value
    return reply(_tag_view(namespace, namespace.tags[_known(request, namespace.tags, "tag")]))


async def update_tag(request: Request) -> Response:
    """`PUT …/tags/{name}`: another name."""
    entry = find_namespace(request)
    old = _known(request, entry.value.tags, "tag")
    name = _name(request.json_object().get("name"))
    tag = DefinedTag(name, entry.value.tags[old].created_us, request.cloud.now_us())
    await write_namespace(request, entry, tags=_exchanged(entry.value.tags, old, name, tag, "tag"))
    return reply(_tag_view(entry.value, tag))


async def delete_tag(request: Request) -> Response:
    """`DELETE …/tags/{name}`."""
    entry = find_namespace(request)
    name = _known(request, entry.value.tags, "tag")
    await write_namespace(request, entry, tags=_without(entry.value.tags, name))
    return reply(None, 204)


def _wanted_property(wanted: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    name = _name(wanted.get("name"))
    if not isinstance(wanted.get("title"), str) or wanted.get("type") not in _PROPERTY_TYPES:
        raise Fault(400, f"A property has a title and a type, one of {', '.join(_PROPERTY_TYPES)}.")
    return name, {key: value for key, value in wanted.items() if key != "name"}


def _tag_view(namespace: Namespace, tag: DefinedTag) -> dict[str, Any]:
    return {
        "name": tag.name,
        "created_at": timestamp(tag.created_us),
        "updated_at": timestamp(tag.updated_us),
        "self": f"/v2/metadefs/namespaces/{namespace.name}/tags/{tag.name}",
        "schema": "/v2/schemas/metadefs/tag",
    }


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LIMIT:
        raise Fault(400, f"A name has 1 to {NAME_LIMIT} characters.")
    return value


def _known(request: Request, parts: dict[str, Any], noun: str) -> str:
    name = request.params["name"]
    if name not in parts:
        raise Fault(404, f"The metadata definition {noun} with name={name} was not found in namespace="
                         f"{request.params['namespace']}.")  # fmt: skip
    return name


def _refuse(parts: dict[str, Any], name: str, noun: str) -> None:
    if name in parts:
        raise Fault(409, f"A metadata definition {noun} with name={name} already exists in the namespace.")
    if len(parts) >= PARTS_LIMIT:
        raise Fault(413, f"A namespace has at most {PARTS_LIMIT} of each.")


def _exchanged(parts: dict[str, Any], old: str, new: str, value: Any, noun: str) -> dict[str, Any]:
    """The parts with another one in the place of an old one. Raises Fault 409 when its name is taken."""
    if new != old and new in parts:
        raise Fault(409, f"A metadata definition {noun} with name={new} already exists in the namespace.")
    return {new if name == old else name: value if name == old else part for name, part in parts.items()}


def _without(parts: dict[str, Any], name: str) -> dict[str, Any]:
    return {known: part for known, part in parts.items() if known != name}


_PLACE: Final = "/metadefs/namespaces/{namespace}"
ROUTES: Final = (
    Route("GET", f"{_PLACE}/objects", list_objects, Access.READER, "list_metadata_objects"),
    Route("POST", f"{_PLACE}/objects", create_object, Access.ADMIN, "create_metadata_object"),
    Route("GET", f"{_PLACE}/objects/{{name}}", show_object, Access.READER, "show_metadata_object"),
    Route("PUT", f"{_PLACE}/objects/{{name}}", update_object, Access.ADMIN, "update_metadata_object"),
    Route("DELETE", f"{_PLACE}/objects/{{name}}", delete_object, Access.ADMIN, "delete_metadata_object"),
    Route("GET", f"{_PLACE}/properties", list_properties, Access.READER, "list_metadata_properties"),
    Route("POST", f"{_PLACE}/properties", create_property, Access.ADMIN, "create_metadata_property"),
    Route("GET", f"{_PLACE}/properties/{{name}}", show_property, Access.READER, "show_metadata_property"),
    Route("PUT", f"{_PLACE}/properties/{{name}}", update_property, Access.ADMIN, "update_metadata_property"),
    Route("DELETE", f"{_PLACE}/properties/{{name}}", delete_property, Access.ADMIN, "delete_metadata_property"),
    Route("GET", f"{_PLACE}/tags", list_tags, Access.READER, "list_metadata_tags"),
    Route("POST", f"{_PLACE}/tags", replace_tags, Access.ADMIN, "replace_metadata_tags"),
    Route("DELETE", f"{_PLACE}/tags", delete_tags, Access.ADMIN, "delete_metadata_tags"),
    Route("POST", f"{_PLACE}/tags/{{name}}", create_tag, Access.ADMIN, "create_metadata_tag"),
    Route("GET", f"{_PLACE}/tags/{{name}}", show_tag, Access.READER, "show_metadata_tag"),
    Route("PUT", f"{_PLACE}/tags/{{name}}", update_tag, Access.ADMIN, "update_metadata_tag"),
    Route("DELETE", f"{_PLACE}/tags/{{name}}", delete_tag, Access.ADMIN, "delete_metadata_tag"),
)
