"""`/{collection}/{id}/tags`: words on any resource, one operation for all collections."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.network.collection import Collection, touched
from kilonode.cloud.openstack.network.faults import missing
from kilonode.cloud.openstack.network.floating_ips import FLOATING_IPS
from kilonode.cloud.openstack.network.networks import NETWORKS
from kilonode.cloud.openstack.network.port_routes import PORTS
from kilonode.cloud.openstack.network.qos import QOS_POLICIES
from kilonode.cloud.openstack.network.routers import ROUTERS
from kilonode.cloud.openstack.network.security_groups import GROUPS
from kilonode.cloud.openstack.network.subnet_pools import POOLS
from kilonode.cloud.openstack.network.subnets import SUBNETS
from kilonode.cloud.openstack.network.trunks import TRUNKS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Entry, Put

_COLLECTIONS: Final[dict[str, Collection[Any]]] = {
    collection.plural.replace("_", "-"): collection
    for collection in (NETWORKS, SUBNETS, POOLS, PORTS, ROUTERS, FLOATING_IPS, GROUPS, TRUNKS)
} | {"policies": QOS_POLICIES}


class TagsBody(msgspec.Struct, frozen=True):
    """The body of `PUT …/tags`."""

    tags: tuple[str, ...]


async def list_tags(request: Request) -> Response:
    """`GET …/tags`."""
    collection, key = _place(request)
    return reply({"tags": collection.find(request, key).value.tags})


async def replace_tags(request: Request) -> Response:
    """`PUT …/tags`."""
    wanted = request.json(TagsBody).tags
    collection, entry = _own(request)
    await _write(request, collection, entry, tuple(dict.fromkeys(wanted)))
    return reply({"tags": wanted})


async def add_tags(request: Request) -> Response:
    """`POST …/tags`: beside those that are there."""
    wanted = request.json(TagsBody).tags
    collection, entry = _own(request)
    tags = tuple(dict.fromkeys([*entry.value.tags, *wanted]))
    await _write(request, collection, entry, tags)
    return reply({"tags": tags})


async def remove_tags(request: Request) -> Response:
    """`DELETE …/tags`."""
    collection, entry = _own(request)
    await _write(request, collection, entry, ())
    return reply(None, 204)


async def check_tag(request: Request) -> Response:
    """`GET …/tags/{tag}`."""
    collection, key = _place(request)
    _has(collection.find(request, key).value.tags, request.params["tag"])
    return reply(None, 204)


async def add_tag(request: Request) -> Response:
    """`PUT …/tags/{tag}`."""
    collection, entry = _own(request)
    await _write(request, collection, entry, tuple(dict.fromkeys([*entry.value.tags, request.params["tag"]])))
    return reply(None, 201)


async def remove_tag(request: Request) -> Response:
    """`DELETE …/tags/{tag}`."""
    collection, entry = _own(request)
    tag = request.params["tag"]
    _has(entry.value.tags, tag)
    await _write(request, collection, entry, tuple(one for one in entry.value.tags if one != tag))
    return reply(None, 204)


def _place(request: Request) -> tuple[Collection[Any], str]:
    return _COLLECTIONS[request.path.split("/")[3]], request.params["id"]


def _own(request: Request) -> tuple[Collection[Any], Entry[Any]]:
    collection, key = _place(request)
    return collection, collection.find_own(request, key, "update")


def _has(tags: Sequence[str], tag: str) -> None:
    if tag not in tags:
        raise missing("Tag", "Tag", tag)


async def _write(request: Request, collection: Collection[Any], entry: Entry[Any], tags: tuple[str, ...]) -> None:
    record = touched(request.cloud, msgspec.structs.replace(entry.value, tags=tags))
    await request.cloud.mirror.commit([Put(collection.kind, record, record.id, entry.revision)])


ROUTES: Final = tuple(
    Route(method, f"/{name}/{{id}}/tags{place}", handler, access)
    for name in _COLLECTIONS
    for method, place, handler, access in (
        ("GET", "", list_tags, Access.READER),
        ("POST", "", add_tags, Access.MEMBER),
        ("PUT", "", replace_tags, Access.MEMBER),
        ("DELETE", "", remove_tags, Access.MEMBER),
        ("GET", "/{tag}", check_tag, Access.READER),
        ("PUT", "/{tag}", add_tag, Access.MEMBER),
        ("DELETE", "/{tag}", remove_tag, Access.MEMBER),
    )
)
