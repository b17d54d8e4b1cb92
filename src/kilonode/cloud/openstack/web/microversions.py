"""Microversions: which one a request asks for, and the headers that say which one answered.

`OpenStack-API-Version: compute 2.53` is the standard header; Nova also reads its older own. Without a header the lowest
version answers. A version is a pair of integers.
"""

import re
from typing import Final

import msgspec

from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.response import Header

Microversion = tuple[int, int]

NO_MICROVERSION: Final[Microversion] = (0, 0)
_STANDARD_HEADER: Final = b"openstack-api-version"
_VERSION: Final = re.compile(r"(\d{1,4})\.([1-9]\d{0,3}|0)")


def version_text(version: Microversion) -> str:
    """`2.53`."""
    return f"{version[0]}.{version[1]}"


class Microversions(msgspec.Struct, frozen=True):
    """The range a service speaks."""

    service: str
    """The service's word in the standard header: `compute`, `volume`, `placement`."""
    minimum: Microversion
    maximum: Microversion
    own_header: str = ""
    """The service's older header, which holds the version alone: `X-OpenStack-Nova-API-Version`; empty for none."""
    bounds_in_refusals: bool = True
    """Whether the refusal of a version names the bounds in fields of their own, too."""

    def asked(self, headers: dict[bytes, bytes]) -> Microversion:
        """The version a request asks for. Raises Fault 400 for nonsense and 406 for a version out of the range."""
        text = ""
        standard = headers.get(_STANDARD_HEADER)
        if standard is not None:
            for part in standard.decode("latin-1").split(","):
                words = part.split()
                if len(words) == 2 and words[0].lower() == self.service:
                    text = words[1]
        if not text and self.own_header:
            text = headers.get(self.own_header.lower().encode(), b"").decode("latin-1").strip()
        if not text:
            return self.minimum
        if text.lower() == "latest":
            return self.maximum
        match = _VERSION.fullmatch(text)
        if match is None:
            raise Fault(
                400,
                f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum.",
            )
        version = (int(match[1]), int(match[2]))
        if not self.minimum <= version <= self.maximum:
            lowest, highest = version_text(self.minimum), version_text(self.maximum)
            raise Fault(
                406,
                f"Version {text} is not supported by the API. Minimum is {lowest} and maximum is {highest}.",
                extra={"max_version": highest, "min_version": lowest} if self.bounds_in_refusals else {},
            )
        return version

    def headers(self, version: Microversion) -> tuple[Header, ...]:
        """What an answer says about the version it speaks."""
        text = version_text(version)
        standard: tuple[Header, ...] = (
            ("openstack-api-version", f"{self.service} {text}"),
            ("vary", "OpenStack-API-Version"),
        )
        if not self.own_header:
            return standard
        return (*standard, (self.own_header.lower(), text), ("vary", self.own_header))
