"""Which servers a list asks for: filters and order, as Nova's query parameters say them."""

import re
from collections.abc import Callable, Iterable, Iterator, KeysView
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from kilonode.cloud.openstack.compute import neighbours
from kilonode.cloud.openstack.compute.model import DELETED_SERVER, SERVER, Server, servers_by_node, servers_by_project
from kilonode.cloud.openstack.compute.server_names import keys_by_name, name_test
from kilonode.cloud.openstack.compute.states import STATUSES, power_state, shown_task, status
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Query, Request
from kilonode.control.mirror import Mirror

Test = Callable[[Server], bool]

UNKNOWN_STATUS_REFUSED_SINCE: Final = (2, 38)
"""Before, nothing has a status that there is not."""
_SORTS: Final[dict[str, Callable[[Server], Any]]] = {
    "created_at": lambda server: server.created_us,
    "updated_at": lambda server: server.updated_us,
    "launched_at": lambda server: server.launched_us,
    "display_name": lambda server: server.name,
    "name": lambda server: server.name,
    "uuid": lambda server: server.id,
    "host": lambda server: server.node,
    "node": lambda server: server.node,
    "vm_state": lambda server: server.state,
    "task_state": lambda server: server.task or "",
    "project_id": lambda server: server.project_id,
    "user_id": lambda server: server.user_id,
    "hostname": lambda server: server.hostname,
    "image_ref": lambda server: server.image_id,
    "instance_type_id": lambda server: server.flavor.id,
    "key_name": lambda server: server.key_name or "",
    "availability_zone": lambda server: server.zone,
    "power_state": lambda server: power_state(server.state),
    "launch_index": lambda server: server.launch_index,
    "display_description": lambda server: server.description or "",
    "locked": lambda server: server.locked,
    "uptime": lambda server: server.launched_us,
}


def wanted_servers(request: Request) -> Iterator[Server]:
    """The servers a list asks for, newest first unless it asks for another order. Raises Fault 400 or 403."""
    tests = list(_tests(request))
    servers: Iterable[Server] = _candidates(request)
    if _gone_too(request):
        servers = chain(servers, _gone(request))
    elif _gone_only(request):
        servers = _gone(request)
    if tests:
        servers = (server for server in servers if all(test(server) for test in tests))
    keys, directions = request.query.all("sort_key"), request.query.all("sort_dir")
    if any(direction not in ("asc", "desc") for direction in directions):
        raise Fault(400, "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'")
    if keys:
        ordered = list(servers)
        for position in reversed(range(len(keys))):
            if keys[position] not in _SORTS:
                raise Fault(400, f"Sort key {keys[position]} is not allowed.")
            direction = directions[position] if position < len(directions) else "desc"
            ordered.sort(key=_SORTS[keys[position]], reverse=direction != "asc")
        return iter(ordered)
    return iter(servers)


def _candidates(request: Request) -> Iterator[Server]:
    """The servers that may be listed, newest first; where a name is asked for, only those that have it."""
    mirror, name = request.cloud.mirror, request.query.one("name")
    keys = _keys(request)
    if not name:
        return _newest_first(mirror, keys)
    named = keys_by_name(mirror, _pattern(name))
    if len(named) == 1:
        return _newest_first(mirror, [key for key in named if key in keys])
    return _newest_first(mirror, [key for key in keys if key in named])


def _keys(request: Request) -> KeysView[str]:
    """Of the caller's project, or of the project, the node or the whole cloud an administrator names."""
    mirror, query, caller = request.cloud.mirror, request.query, request.caller
    project = query.one("project_id") or query.one("tenant_id")
    if query.flag("all_tenants"):
        if not caller.is_admin:
            raise Fault(403, "Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.")
        if project:
            return servers_by_project(mirror).keys(project)
        host = query.one("host")
        if host:
            return servers_by_node(mirror).keys(host)
        return mirror.all(SERVER).keys()
    return servers_by_project(mirror).keys(caller.project_id)


def _gone_too(request: Request) -> bool:
    """Whether deleted servers are asked for beside the others: by `changes-since`, unless it is said otherwise."""
    query = request.query
    return bool(query.one("changes-since")) and not query.one("deleted")


def _gone_only(request: Request) -> bool:
    """Whether deleted servers alone are asked for, as only administrators may."""
    query = request.query
    if "DELETED" in (text.upper() for text in query.all("status")):
        if not request.caller.is_admin:
            raise Fault(403, "Only administrators may list deleted instances")
        return True
    return request.caller.is_admin and query.one("deleted") != "" and query.flag("deleted")


def _gone(request: Request) -> Iterator[Server]:
    """The servers that were deleted lately, newest first, as far as the caller may list them."""
    caller, query = request.caller, request.query
    everything = query.flag("all_tenants")
    project = query.one("project_id") or query.one("tenant_id")
    for entry in reversed(list(request.cloud.mirror.all(DELETED_SERVER).values())):
        server: Server = entry.value.server
        if server.project_id == caller.project_id or (everything and project in ("", server.project_id)):
            yield server


def _newest_first(mirror: Mirror, keys: Any) -> Iterator[Server]:
    for key in reversed(keys):
        entry = mirror.get(SERVER, key)
        if entry is not None:
            yield entry.value


def _tests(request: Request) -> Iterator[Test]:
    """One test for each filter; what Nova ignores from callers who are no administrators is ignored here too."""
    query, is_admin, version = request.query, request.caller.is_admin, request.microversion
    simple: dict[str, Callable[[Server], str]] = {
        "flavor": lambda server: server.flavor.id,
        "image": lambda server: server.image_id,
        "reservation_id": lambda server: server.reservation_id,
    }
    if is_admin or version >= (2, 83):
        simple |= {
            "user_id": lambda server: server.user_id,
            "availability_zone": lambda server: server.zone,
            "vm_state": lambda server: server.state,
            "task_state": lambda server: shown_task(server.task) or "",
            "key_name": lambda server: server.key_name or "",
            "power_state": lambda server: str(power_state(server.state)),
        }
    if is_admin:
        simple |= {"host": lambda server: server.node, "node": lambda server: server.node}
        simple |= {"uuid": lambda server: server.id}
    for name, of in simple.items():
        if query.one(name):
            yield _equal(of, frozenset(query.all(name)))
    if query.one("name"):
        named = name_test(_pattern(query.one("name")))
        yield lambda server: named(server.name)
    if query.one("hostname"):
        yield _equal(lambda server: server.hostname, frozenset([query.one("hostname")]))
    statuses = frozenset(text.upper() for text in query.all("status"))
    if statuses:
        if not statuses & STATUSES and version >= UNKNOWN_STATUS_REFUSED_SINCE:
            raise Fault(400, "Invalid status value")
        yield _equal(lambda server: status(server.state, server.task), statuses & STATUSES)
    for family, version_of in (("ip", 4), ("ip6", 6)):
        if query.one(family):
            yield _has_address(request, _pattern(query.one(family)), version_of)
    if version >= (2, 26):
        yield from _tag_tests(query)
    if version >= (2, 73) and "locked" in query:
        locked = query.flag("locked")
        yield lambda server: server.locked == locked
    if query.one("changes-since"):
        since_us = instant_of(query.one("changes-since"))
        yield lambda server: server.updated_us >= since_us
    if version >= (2, 66) and query.one("changes-before"):
        before_us = instant_of(query.one("changes-before"))
        yield lambda server: server.updated_us <= before_us


def _pattern(text: str) -> re.Pattern[str]:
    """The pattern of a filter. Raises Fault 400."""
    try:
        return re.compile(text)
    except re.error as error:
        raise Fault(400, f"Invalid filter pattern {text!r}.") from error


def _equal(of: Callable[[Server], str], wanted: frozenset[str]) -> Test:
    return lambda server: of(server) in wanted


def _has_address(request: Request, pattern: re.Pattern[str], family: int) -> Test:
    def test(server: Server) -> bool:
        networks = neighbours.addresses(request.cloud, server).values()
        return any(
            address["version"] == family and pattern.search(address["addr"])
            for addresses in networks
            for address in addresses
        )

    return test


def _tag_tests(query: Query) -> Iterator[Test]:
    every, some = query.one("tags"), query.one("tags-any")
    not_every, none = query.one("not-tags"), query.one("not-tags-any")
    if every:
        all_of = set(every.split(","))
        yield lambda server: all_of <= set(server.tags)
    if some:
        any_of = set(some.split(","))
        yield lambda server: bool(any_of & set(server.tags))
    if not_every:
        not_all_of = set(not_every.split(","))
        yield lambda server: not not_all_of <= set(server.tags)
    if none:
        none_of = set(none.split(","))
        yield lambda server: not none_of & set(server.tags)


def instant_of(text: str) -> int:
    """An instant of a query, in microseconds. Raises Fault 400."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Fault(400, f"Invalid filter field: {text!r} is not a time.") from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return round(instant.timestamp() * 1_000_000)
