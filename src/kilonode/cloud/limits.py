"""What one client may ask of the api at most, so that a bad one cannot take the cloud down for the others.

The defaults are far beyond what any client of these APIs does, and rates are not limited at all, as in OpenStack. They
hold for each api process by itself. Sizes are bytes, times seconds.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MEBIBYTE = 1024 * 1024


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many requests each project, user or address may make; who makes more is told to come back (429)."""

    requests_per_s: Annotated[float, Meta(gt=0)]
    burst: Annotated[int, Meta(ge=1)] = 1
    """How many at once, after a while without any."""
    each: Literal["project", "user", "address"] = "project"
    """Who has no project counts as a user, and who has no token as an address."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All limits."""

    body_bytes: Annotated[int, Meta(ge=1)] = MEBIBYTE
    """Of a request, unless it is image data: enough for the largest that these APIs know."""
    body_items: Annotated[int, Meta(ge=1)] = 50_000
    """Values in a JSON body, one within another or side by side."""
    image_bytes: Annotated[int, Meta(ge=1)] = 1024 * 1024 * MEBIBYTE
    """Of the data of one image, as Glance's own default."""
    url_bytes: Annotated[int, Meta(ge=1)] = 16 * 1024
    header_bytes: Annotated[int, Meta(ge=1)] = 64 * 1024
    """All headers of a request, and its address."""
    header_count: Annotated[int, Meta(ge=1)] = 200
    header_timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    """From the first byte of a request, or from the beginning of a connection, to the end of its headers."""
    body_timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    """From the end of the headers to the end of the body; longer by what came of it at the least rate."""
    body_bytes_per_s: Annotated[float, Meta(gt=0)] = 500.0
    """The least rate at which a body has to come."""
    answer_timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    """How long a client may take nothing of an answer that waits for it."""
    connections: Annotated[int, Meta(ge=1)] = 20_000
    """At one time; fewer where the system allows the process fewer open files."""
    connections_per_address: Annotated[int, Meta(ge=1)] | None = None
    """Of one client address; None: as many as there may be in all."""
    pipelined: Annotated[int, Meta(ge=1)] = 64
    """Requests that a client may send on one connection before the first is answered."""
    rates: tuple[RateLimit, ...] = ()
