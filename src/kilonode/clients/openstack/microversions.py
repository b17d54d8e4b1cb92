"""Microversions: which one to ask for, and the header that asks.

A scenario is written for some microversion at most; a cloud serves a range. Where a request names none, the highest
that both know is asked for. Versions are pairs of integers; text is `2.79`.
"""

from typing import Any, Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.clients.transport import Response

Version = tuple[int, int]

WRITTEN_FOR: Final[dict[str, str]] = {"compute": "2.79", "volume": "3.59", "placement": "1.36"}
"""The newest microversion that the scenario library is written for: all of them of OpenStack Train (2019), so that any
cloud still in use serves them, and answers have one shape."""

_OWN_HEADERS: Final = {
    "baremetal": "X-OpenStack-Ironic-API-Version",
    "baremetal-introspection": "X-OpenStack-Ironic-Inspector-API-Version",
    "shared-file-system": "X-OpenStack-Manila-API-Version",
}
_NOVA_OLD_HEADER_BEFORE: Final = (2, 27)


class VersionRange(msgspec.Struct, frozen=True):
    """What a service serves; None: it has no microversions."""

    lowest: Version | None = None
    highest: Version | None = None

    def __contains__(self, version: Version) -> bool:
        return self.lowest is not None and self.highest is not None and self.lowest <= version <= self.highest

    def __str__(self) -> str:
        if self.lowest is None or self.highest is None:
            return "no microversions"
        return f"{show(self.lowest)} to {show(self.highest)}"


def parse(text: str) -> Version:
    """`2.79` to (2, 79). Raises InputError."""
    major, dot, minor = text.partition(".")
    if not (dot and major.isascii() and major.isdecimal() and minor.isascii() and minor.isdecimal()):
        raise InputError("not a microversion", expected="two numbers with a dot, such as 2.79", got=repr(text))
    return int(major), int(minor)


def show(version: Version) -> str:
    """(2, 79) to `2.79`."""
    return f"{version[0]}.{version[1]}"


def read_range(response: Response, major: int | None = None) -> VersionRange:
    """The range in a service's version document: of the version of that major number, or the only one."""
    document: Any = response.json()
    entries: Any = []
    if isinstance(document, dict):
        entries = [document["version"]] if isinstance(document.get("version"), dict) else document.get("versions", [])
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        try:
            lowest = parse(str(entry.get("min_version") or ""))
            highest = parse(str(entry.get("max_version") or entry.get("version") or ""))
        except InputError:
            continue  # this version has no microversions
        if major is None or highest[0] == major:
            return VersionRange(lowest, highest)
    return VersionRange()


def negotiate(wanted: Version | None, served: VersionRange) -> Version | None:
    """The highest version that both know; None when there is none: then no header is sent."""
    if wanted is None or served.lowest is None or served.highest is None or wanted < served.lowest:
        return None
    return min(wanted, served.highest)


def version_headers(service: str, version: str) -> tuple[tuple[str, str], ...]:
    """The headers that ask `service` for a microversion."""
    headers: list[tuple[str, str]] = []
    if own := _OWN_HEADERS.get(service):
        headers.append((own, version))
    headers.append(("OpenStack-API-Version", f"{service} {version}"))
    if service == "compute" and version != "latest" and parse(version) < _NOVA_OLD_HEADER_BEFORE:
        headers.append(("X-OpenStack-Nova-API-Version", version))
    return tuple(headers)
