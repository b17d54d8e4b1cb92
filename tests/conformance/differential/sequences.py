"""Sequences of requests as data: the files of `sequences/`, read into steps.

They say what is asked and by whom, never what must be answered: that is what the real service says. One entry of a file
may stand for many requests: `asks` (several lines), `bodies` (one request each), `microversions` (one request each).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

FOLDER: Final = Path(__file__).with_name("sequences")

Service = Literal["identity", "compute", "network", "image", "placement"]
SERVICES: Final[tuple[Service, ...]] = ("identity", "compute", "network", "image", "placement")
MICROVERSION_TYPES: Final = {"compute": "compute", "placement": "placement"}
"""What each service with microversions is called in the header that asks for one."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of a file, as it is written."""

    ask: str = ""
    """Method and path, as `GET /v2.1/servers/${server}`."""
    asks: tuple[str, ...] = ()
    by: str = ""
    """Who asks: admin, member, reader, other (a member of another project), nobody, forger, or `${token}`."""
    microversion: str = ""
    microversions: tuple[str, ...] = ()
    body: Any = msgspec.UNSET
    bodies: tuple[Any, ...] = ()
    text: str | None = None
    """A body that is not JSON."""
    headers: dict[str, str] = {}
    service: Service | None = None
    """Another service than the file's own, for what a sequence needs beside it."""
    keep: dict[str, str] = {}
    """Name → where in the answer: `server.id`, `servers.0.id`, `header:location`."""
    until: dict[str, Any] | None = None
    """Asked again until each of these places has one of these values; `{gone: true}`: until it is not found."""
    ordered: bool = False
    """The order of lists in the answer matters. Without it a service may give them as it likes."""
    hidden: bool = False
    """Needed by what follows, not compared."""


class Sheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file."""

    service: Service
    about: str
    by: str = "member"
    microversion: str = ""
    steps: tuple[Entry, ...]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One request, with the places where earlier answers go still in it."""

    name: str
    service: Service
    method: str
    path: str
    by: str
    microversion: str
    body: Any
    text: str | None
    headers: dict[str, str]
    keep: dict[str, str]
    until: dict[str, Any] | None
    ordered: bool
    hidden: bool


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of one file, played in a project of its own."""

    name: str
    service: Service
    about: str
    steps: tuple[Step, ...]


def load(service: Service) -> list[Sequence]:
    """All sequences of one service, by name."""
    found = [read(path.stem, path.read_bytes()) for path in sorted(FOLDER.glob(f"{service}-*.yaml"))]
    return [sequence for sequence in found if sequence.service == service]


def read(name: str, text: bytes) -> Sequence:
    """One sequence. Raises msgspec.ValidationError with the place of the mistake."""
    sheet = msgspec.yaml.decode(text, type=Sheet)
    steps = tuple(step for number, entry in enumerate(sheet.steps, 1) for step in _steps(name, number, entry, sheet))
    return Sequence(name=name, service=sheet.service, about=sheet.about, steps=steps)


def _steps(sequence: str, number: int, entry: Entry, sheet: Sheet) -> Iterator[Step]:
    lines = entry.asks or (entry.ask,)
    bodies = entry.bodies or (entry.body,)
    microversions = entry.microversions or (entry.microversion or sheet.microversion,)
    several = len(lines) * len(bodies) * len(microversions) > 1
    part = 0
    for line in lines:
        method, _, path = line.partition(" ")
        for body in bodies:
            for microversion in microversions:
                part += 1
                place = f"{number}.{part}" if several else str(number)
                yield Step(
                    name=f"{sequence} {place} {line}{_gist(path, body)}",
                    service=entry.service or sheet.service,
                    method=method,
                    path=path,
                    by=entry.by or sheet.by,
                    microversion="" if entry.service not in (None, sheet.service) else microversion,
                    body=body,
                    text=entry.text,
                    headers=entry.headers,
                    keep=entry.keep,
                    until=entry.until,
                    ordered=entry.ordered,
                    hidden=entry.hidden,
                )


def _gist(path: str, body: Any) -> str:
    """Which action, where many go to one path."""
    return f" {next(iter(body))}" if path.endswith("/action") and isinstance(body, dict) and body else ""
