"""Instants as clients of the identity service write them."""

from datetime import UTC, datetime

from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request


def future_us(request: Request, text: str, what: str) -> int:
    """An instant to come, in microseconds since 1970 UTC; without a zone it is UTC. Raises Fault 400."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        instant_us = round(instant.timestamp() * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise Fault(400, f"Invalid input for field 'expires_at': {text!r} is not a time.") from error
    if instant_us <= request.cloud.now_us():
        raise Fault(400, f"The {what} would have expired already.")
    return instant_us
