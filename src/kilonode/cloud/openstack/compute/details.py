"""What hangs on a server: its metadata and tags to change, its addresses and security groups to read."""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.compute import neighbours
from kilonode.cloud.openstack.compute.lookup import find_server
from kilonode.cloud.openstack.compute.model import SERVER, Server
from kilonode.cloud.openstack.compute.paging import PREFIX
from kilonode.cloud.openstack.compute.quotas import limits_of
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.control.mirror import Entry, Put

TAGS_LIMIT: Final = 50
TAG_LENGTH_LIMIT: Final = 60


class Metadata(msgspec.Struct, frozen=True):
    """The body of a metadata request."""

    metadata: dict[str, str]


class MetadataItem(msgspec.Struct, frozen=True):
    """The body of a request about one key."""

    meta: dict[str, str]


class Tags(msgspec.Struct, frozen=True):
    """The body of a request that replaces all tags."""

    tags: list[str]


async def list_metadata(request: Request) -> Response:
    """All metadata of a server."""
    return reply({"metadata": find_server(request).value.metadata})


async def create_metadata(request: Request) -> Response:
    """Add to the metadata."""
    entry = find_server(request)
    metadata = {**entry.value.metadata, **request.json(Metadata).metadata}
    return await _write_metadata(request, entry, metadata)


async def replace_metadata(request: Request) -> Response:
    """Replace the metadata."""
    return await _write_metadata(request, find_server(request), request.json(Metadata).metadata)


async def show_metadata_item(request: Request) -> Response:
    """One key's value."""
    key = request.params["key"]
    return reply({"meta": {key: _item(find_server(request).value, key)}})


async def update_metadata_item(request: Request) -> Response:
    """Set one key."""
    entry, key = find_server(request), request.params["key"]
    meta = request.json(MetadataItem).meta
    if list(meta) != [key]:
        raise Fault(400, "Request body and URI mismatch")
    await _write_metadata(request, entry, {**entry.value.metadata, **meta})
    return reply({"meta": meta})


async def delete_metadata_item(request: Request) -> Response:
    """Forget one key."""
    entry, key = find_server(request), request.params["key"]
    _item(entry.value, key)
    metadata = {name: value for name, value in entry.value.metadata.items() if name != key}
    await _write_metadata(request, entry, metadata)
    return reply(None, 204)


async def list_tags(request: Request) -> Response:
    """All tags of a server."""
    return reply({"tags": find_server(request).value.tags})


async def replace_tags(request: Request) -> Response:
    """Replace all tags."""
    entry = find_server(request)
    tags = tuple(dict.fromkeys(request.json(Tags).tags))
    await _write_tags(request, entry, tags)
    return reply({"tags": tags})


async def delete_tags(request: Request) -> Response:
    """Forget all tags."""
    await _write_tags(request, find_server(request), ())
    return reply(None, 204)


async def show_tag(request: Request) -> Response:
    """Whether a server has a tag."""
    _check_tag(find_server(request).value, request.params["tag"])
    return reply(None, 204)


async def add_tag(request: Request) -> Response:
    """Add one tag."""
    entry, tag = find_server(request), request.params["tag"]
    if tag in entry.value.tags:
        return reply(None, 204)
    await _write_tags(request, entry, (*entry.value.tags, tag))
    location = f"{request.cloud.settings.public_url}{PREFIX}/servers/{entry.value.id}/tags/{tag}"
    return reply(None, 201, (("location", location),))


async def delete_tag(request: Request) -> Response:
    """Forget one tag."""
    entry, tag = find_server(request), request.params["tag"]
    _check_tag(entry.value, tag)
    await _write_tags(request, entry, tuple(one for one in entry.value.tags if one != tag))
    return reply(None, 204)


async def list_addresses(request: Request) -> Response:
    """A server's addresses by network."""
    return reply({"addresses": _plain_addresses(request)})


async def show_addresses_of_network(request: Request) -> Response:
    """A server's addresses on one network."""
    addresses, network = _plain_addresses(request), request.params["network"]
    if network not in addresses:
        raise Fault(404, "Instance is not a member of specified network")
    return reply({network: addresses[network]})


async def list_server_security_groups(request: Request) -> Response:
    """The security groups that the ports of a server have."""
    found = [
        {
            "id": group.id,
            "name": group.name,
            "description": group.description,
            "rules": [],
            "tenant_id": group.project_id,
        }
        for group in neighbours.security_groups(request.cloud, find_server(request).value)
    ]
    return reply({"security_groups": found})


def _plain_addresses(request: Request) -> dict[str, list[dict[str, Any]]]:
    networks = neighbours.addresses(request.cloud, find_server(request).value)
    return {
        name: [{"addr": address["addr"], "version": address["version"]} for address in addresses]
        for name, addresses in networks.items()
    }


def _item(server: Server, key: str) -> str:
    if key not in server.metadata:
        raise Fault(404, "Metadata item was not found")
    return server.metadata[key]


def _check_tag(server: Server, tag: str) -> None:
    if tag not in server.tags:
        raise Fault(404, f"Server {server.id} has no tag '{tag}'")


async def _write_metadata(request: Request, entry: Entry[Server], metadata: dict[str, str]) -> Response:
    limit = limits_of(request.cloud, entry.value.project_id)["metadata_items"]
    if 0 <= limit < len(metadata):
        raise Fault(403, f"Maximum number of metadata items exceeds {limit}")
    if any(not 1 <= len(key) <= 255 or len(value) > 255 for key, value in metadata.items()):
        raise Fault(400, "Invalid metadata: keys and values have at most 255 characters.")
    await _write(request, entry, replace(entry.value, metadata=metadata))
    return reply({"metadata": metadata})


async def _write_tags(request: Request, entry: Entry[Server], tags: tuple[str, ...]) -> None:
    if len(tags) > TAGS_LIMIT:
        raise Fault(400, f"The number of tags exceeded the per-server limit {TAGS_LIMIT}")
    if any(not 1 <= len(tag) <= TAG_LENGTH_LIMIT or "/" in tag or "," in tag for tag in tags):
        raise Fault(400, f"Invalid input for tags: each has 1 to {TAG_LENGTH_LIMIT} characters, no comma and no slash.")
    await _write(request, entry, replace(entry.value, tags=tags))


async def _write(request: Request, entry: Entry[Server], server: Server) -> None:
    changed = replace(server, updated_us=request.cloud.now_us())
    await request.cloud.mirror.commit([Put(SERVER, changed, server.id, entry.revision)])
