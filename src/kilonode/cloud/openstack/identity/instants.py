"""Instants as clients of the identity service write them."""

from datetime import UTC, datetime
from typing import Final

from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

MALFORMED: Final = (
    " The server could not comply with the request since it is either malformed or otherwise incorrect. The client is "
    "assumed to be in error."
)
"""How Keystone ends what it says of many requests that it cannot read."""


def future_us(request: Request, text: str, what: str) -> int:
    """An instant to come, in microseconds since 1970 UTC; without a zone it is UTC. Raises Fault 400."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        instant_us = round(instant.timestamp() * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise Fault(400, f"Timestamp not in expected format.{MALFORMED}") from error
    if instant_us <= request.cloud.now_us():
        raise Fault(400, f"The 'expires_at' must not be before now.{MALFORMED}")
    return instant_us
