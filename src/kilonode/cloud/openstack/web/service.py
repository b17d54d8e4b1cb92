"""A service as data: its place, its routes with their access rules, its error format and its microversions.

Nothing here runs; `router` finds routes, `application` runs them, and a coverage table can be made from them.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault, FaultFormat, identity_fault_format, no_such_operation
from kilonode.cloud.openstack.web.microversions import Microversion, Microversions
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Header, Response

Handler = Callable[[Request], Awaitable[Response]]
"""Reads the mirror, decides, commits at most once, answers or raises Fault. After a conflict it is called again."""

MEBIBYTE: Final = 1024 * 1024


class Route(msgspec.Struct, frozen=True):
    """One operation: method, path with `{names}`, handler, and who may."""

    method: str
    path: str
    """Below the service's prefix; begins with a slash, or is empty for the prefix itself."""
    handler: Handler
    access: Access = Access.MEMBER
    name: str = ""
    """The operation's name where the handler's own name will not do."""
    since: Microversion | None = None
    """The first microversion that has the operation."""
    until: Microversion | None = None
    """The last microversion that has it."""
    policy: str = ""
    """The rule that a refusal names, where it is not the operation."""
    streams: bool = False
    """The handler reads the body in parts, of any size, from `request.stream`; it is not called again on conflict."""
    actions: Mapping[str, Microversion | None] = {}
    """Where the one name in the body says what to do: these names, and the first microversion that has each."""

    @property
    def operation(self) -> str:
        """The operation's name: that of the handler unless it was given."""
        return self.name or getattr(self.handler, "__name__", "operation")


class ServiceApp(msgspec.Struct, frozen=True):
    """One service."""

    name: str
    """As in operation names: `compute`."""
    prefix: str
    """Where the routes are: `/compute/v2.1`."""
    routes: tuple[Route, ...]
    fault_format: FaultFormat
    root: str = ""
    """Where the discovery routes are: `/compute`; empty: the prefix."""
    discovery: tuple[Route, ...] = ()
    """Version documents, with paths below `root`."""
    microversions: Microversions | None = None
    exact_paths: bool = False
    """Below the prefix, a path with a slash at its end is another path, where nothing is: `/volumes/`."""
    types: tuple[str, ...] = ()
    """Its types in the catalog, as access rules name them; empty: its name."""
    request_id_headers: tuple[str, ...] = ("x-openstack-request-id",)
    headers: tuple[Header, ...] = ()
    """What every answer of its routes says."""
    refusal: str = "Policy doesn't allow {} to be performed."
    """What it says to callers without the right."""
    guarded: bool = True
    """Who has no token learns nothing of it, not even that there is nothing at a path."""
    unauthorized: FaultFormat = identity_fault_format
    """How it refuses a token: most have a check in front of them, which speaks as the identity service does."""
    by_accepted_type: Mapping[str, FaultFormat] = {}
    """Error formats for clients that accept these media types rather than the usual one."""
    no_such_operation: Callable[[str, tuple[str, ...]], Fault] = no_such_operation
    """The answer where the path, or the method at the path, is unknown: given the method and those there are."""

    def operations(self) -> tuple[str, ...]:
        """The names of all operations as profiles write them: `compute.list_servers`; ordered, each once."""
        return tuple(sorted({f"{self.name}.{route.operation}" for route in self.routes}))
