"""What should be there, resource by resource: the records, and what an answer says of a request.

A resource whose creation was acknowledged is wanted until its deletion was acknowledged. A request without an answer,
or with one that says that the service failed (5xx), may have been obeyed or not: what it was about is *uncertain*, and
either outcome is right. How requests are followed: `following`.
"""

from enum import StrEnum
from typing import Final

import msgspec

from kilonode.base.outcomes import Outcome
from kilonode.history.asked import Asked

UNCERTAIN_OUTCOMES: Final = frozenset(
    {Outcome.RESET, Outcome.TIMEOUT, Outcome.PROTOCOL, Outcome.CANCELLED, Outcome.HTTP_5XX}
)
"""Without an answer: the request may have arrived. Of the other outcomes it is known that it did not."""


class Answer(StrEnum):
    """What is known of a request."""

    OBEYED = "obeyed"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"


class Presence(StrEnum):
    """Whether something should be there."""

    THERE = "there"
    GONE = "gone"
    EITHER = "either"


class Wanted(msgspec.Struct):
    """What is wanted of one resource; grows request by request, so it is not frozen."""

    kind: str
    id: str
    name: str = ""
    presence: Presence = Presence.THERE
    made: bool = True
    """Its creation was acknowledged to this run; False: it was there before the load."""
    asked: Asked | None = None
    """The last request that was to change it, and may have."""
    within: str = ""
    """Of a subnet or port: its network, with which it may go; of a snapshot its volume."""
    made_of: str = ""
    """Of an image: the server that the cloud makes it of."""
    takes: dict[str, bool] = {}
    """Of a server: the volumes that go with it, and whether that is certain."""
    went_with: str = ""
    """Of a volume: the server with which it went; empty: it did not, or was deleted itself."""
    statuses: frozenset[str] = frozenset()
    """Of a server: what it may be in the end; empty: anything."""
    before: frozenset[str] = frozenset()
    """Of a server that is moved: what it was."""
    flavors: frozenset[str] = frozenset()
    """Of a server: the ids of the flavors it may have in the end; empty: any."""
    new_flavor: str = ""
    """Of a server that is resized: what it gets."""


class WantedState(msgspec.Struct, frozen=True):
    """What should be there after everything that was asked for."""

    resources: dict[tuple[str, str], Wanted]
    """By kind and id."""
    created: int
    """Creations that were acknowledged."""
    deleted: int
    """Deletions that were acknowledged."""
    uncertain: int
    """Requests of which it is not known whether they were obeyed."""
    unanswered: dict[tuple[str, str], Asked] = {}
    """By kind and name: creations of which it is not known whether they were obeyed."""


def answer_of(asked: Asked) -> Answer:
    """What is known of a request by its answer."""
    if 200 <= asked.status < 300:
        return Answer.OBEYED
    if asked.resent:
        return Answer.UNCERTAIN  # the first one may have been obeyed, whatever came of the second
    if asked.status == 0:
        return Answer.UNCERTAIN if asked.outcome in UNCERTAIN_OUTCOMES else Answer.REFUSED
    return Answer.UNCERTAIN if asked.status >= 500 else Answer.REFUSED
