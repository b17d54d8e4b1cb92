"""docs/coverage.md: which operations of OpenStack's API reference the emulated cloud serves, by its routes.

`python -m tests.conformance.coverage` (`make coverage`) writes the page; it needs no network. The reference is data in
`reference/`. An operation is a method and a path; of actions, each name counts. It says what is served, not how well:
for that, docs/conformance.md.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.application import SERVICES
from kilonode.cloud.openstack.web.microversions import Microversion, version_text
from kilonode.cloud.openstack.web.service import Route, ServiceApp

REFERENCE: Final = Path(__file__).parent / "reference"
PAGE: Final = Path(__file__).parents[2] / "docs" / "coverage.md"
ROOTS: Final = {
    "identity": "/identity",
    "compute": "/compute/v2.1",
    "placement": "/placement",
    "network": "/network",
    "image": "/image",
    "volume": "/volume",
}
"""Where the paths of a service's reference begin."""
DISCOVERY: Final = {"compute": {"/": "/compute", "/{api_version}": "/compute/v2.1", "/{api_version}/": "/compute/v2.1"}}
"""Paths that begin elsewhere."""
PLUG_INS: Final = re.compile(r"bgp|fwaas|sfc-|taas|tap_mirrors|vpnaas")
"""Chapters of the network reference that tell of other projects' plug-ins, not of Neutron."""
ANY_OF: Final = frozenset({"resource_type"})
"""Names in the reference's paths that stand for one of several fixed words."""
GONE: Final = "refuse_what_is_gone"
"""The handler of what the real service has removed; both answer 410."""


class Operation(msgspec.Struct, frozen=True):
    """One operation of the reference."""

    chapter: str
    method: str
    path: str
    action: str = ""


MISPRINTS: Final[dict[tuple[str, str], Callable[[Operation], Operation]]] = {
    ("volume", "/v3/{project_id}/snapshot/{snapshot_id}/metadata/{key}"): lambda one: replace(
        one, path="/v3/{project_id}/snapshots/{snapshot_id}/metadata/{key}"
    ),
    # It is a type whose id is a word, to the service as to its clients.
    ("volume", "/v3/{project_id}/types/default"): lambda one: replace(one, path="/v3/{project_id}/types/{id}"),
}
"""What the reference's path stands for where it is not what clients send."""


class Place(msgspec.Struct, frozen=True):
    """Where an operation is served."""

    route: Route
    path: str
    action: str = ""

    @property
    def gone(self) -> bool:
        """Whether it answers that the operation is gone, as the real service does."""
        return getattr(self.route.handler, "__name__", "") == GONE

    @property
    def module(self) -> str:
        """The module below the services' folder."""
        return self.route.handler.__module__.removeprefix("kilonode.cloud.openstack.")

    @property
    def versions(self) -> str:
        """Since and until when, in microversions."""
        if self.gone:
            return "410, as the real one"
        since = self.route.actions.get(self.action) or self.route.since
        return _versions(since, self.route.until)


def _versions(since: Microversion | None, until: Microversion | None) -> str:
    if until is not None:
        return f"{version_text(since)} to {version_text(until)}" if since else f"to {version_text(until)}"
    return f"since {version_text(since)}" if since else "yes"


def shape(path: str) -> str:
    """A path without the names of its named segments, and without a slash at its end."""
    return re.sub(r"{[^/{}]*}", "{}", path).rstrip("/")


def read_reference(service: str) -> tuple[str, list[Operation]]:
    """Where the operations were read, and the operations."""
    head, *lines = (REFERENCE / f"{service}.txt").read_text().splitlines()
    operations = []
    for line in lines:
        chapter, _, operation = line.partition(": ")
        operations.append(Operation(chapter, *operation.split(" ")))
    return head.removeprefix("# ").partition(":")[0], operations


def places(service: ServiceApp) -> dict[tuple[str, str, str], Place]:
    """What is served, by method, shape of the path, and action."""
    found = {}
    for root, routes in ((service.root or service.prefix, service.discovery), (service.prefix, service.routes)):
        for route in routes:
            path = root + route.path
            found[route.method, shape(path), ""] = Place(route, path)
            for action in route.actions:
                found[route.method, shape(path), action] = Place(route, path, action)
    return found


def find(service: str, operation: Operation, served: dict[tuple[str, str, str], Place]) -> list[Place]:
    """Where the operation is served: at no place, at one, or at several where a name stands for fixed words."""
    reworded = MISPRINTS.get((service, operation.path))
    operation = reworded(operation) if reworded is not None else operation
    path = DISCOVERY.get(service, {}).get(operation.path) or ROOTS[service] + operation.path
    method = "GET" if operation.method == "HEAD" else operation.method
    for tried in dict.fromkeys((operation.method, method)):
        place = served.get((tried, shape(path), operation.action))
        if place is not None:
            return [place]
        whole = served.get((tried, shape(path), ""))
        if whole is not None and whole.gone:
            return [whole]
        for name in ANY_OF & set(re.findall(r"{(\w+)}", path)):
            before, _, after = path.partition(f"{{{name}}}")
            one = re.compile(re.escape(shape(before)) + r"/?[^/{}]+" + re.escape(shape(after)))
            return [
                candidate
                for (known, known_path, action), candidate in served.items()
                if known == tried and action == operation.action and one.fullmatch(known_path)
            ]
    return []


class Count(msgspec.Struct):
    """How many operations there are, and how many of them are served and answered with 410."""

    all: int = 0
    served: int = 0
    gone: int = 0

    def add(self, place: Place | None) -> None:
        """Count one operation."""
        self.all += 1
        self.gone += place is not None and place.gone
        self.served += place is not None and not place.gone

    def row(self, name: str) -> str:
        """A row of the table of totals."""
        share = f"{100 * (self.served + self.gone) / self.all:.1f} %"
        lacking = self.all - self.served - self.gone
        return f"| {name} | {self.all} | {self.served} | {self.gone} | {lacking} | {share} |"


def page() -> str:
    """The whole page."""
    totals: list[str] = []
    sections: list[str] = []
    everything = Count()
    for service in SERVICES:
        if not (REFERENCE / f"{service.name}.txt").exists():
            sections.append(_without_reference(service))
            continue
        source, operations = read_reference(service.name)
        served = places(service)
        own, plug_ins = Count(), Count()
        rows = []
        known = set()
        for operation in operations:
            found = find(service.name, operation, served)
            place = found[0] if found else None
            known |= {(one.route.method, one.path, one.action) for one in found}
            count = plug_ins if service.name == "network" and PLUG_INS.match(operation.chapter) else own
            count.add(place)
            everything.add(place)
            rows.append(_row(operation, place))
        totals.append(own.row(service.name))
        if plug_ins.all:
            totals.append(plug_ins.row(f"{service.name}: other projects' plug-ins"))
        beyond = sorted(
            f"`{place.route.method} {place.path}{f' {place.action}' if place.action else ''}`"
            for place in served.values()
            if (place.route.method, place.path, place.action) not in known
            and not (place.route.actions and not place.action)
        )
        sections.append(_section(service.name, source, rows, beyond))
    return "\n".join([*_head(), *totals, everything.row("all"), "", *sections]).rstrip() + "\n"


def _head() -> Iterable[str]:
    yield "# Coverage: the operations of the API reference"
    yield ""
    yield "Made by `make coverage` of the routes and of the operations in OpenStack's API reference, which are kept in"
    yield "`tests/conformance/reference`; do not edit. An operation is a method and a path; each action counts. Whether"
    yield "what is served behaves as the real one does is [conformance](conformance.md)'s matter."
    yield ""
    yield "| service | in the reference | served | 410, as the real one | not served | covered |"
    yield "|---|---|---|---|---|---|"


def _row(operation: Operation, place: Place | None) -> str:
    name = f"`{operation.method} {operation.path}{f' {operation.action}' if operation.action else ''}`"
    return f"| {name} | {place.versions} | `{place.module}` |" if place is not None else f"| {name} | **no** | |"


def _section(name: str, source: str, rows: list[str], beyond: list[str]) -> str:
    lines = [
        f"## {name}",
        "",
        f"Reference: {source}.",
        "",
        "| operation | served | where |",
        "|---|---|---|",
        *rows,
        "",
    ]
    if beyond:
        lines += [f"Also served ({len(beyond)}): {', '.join(beyond)}.", ""]
    return "\n".join(lines)


def _without_reference(service: ServiceApp) -> str:
    found = [f"`{place.route.method} {place.path}`" for place in places(service).values() if not place.action]
    return "\n".join(
        [f"## {service.name}", "", f"No reference is kept. Served ({len(found)}): {', '.join(found)}.", ""]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
