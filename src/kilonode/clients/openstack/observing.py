"""Somebody who is told of every request that would change something on a cloud, and of how it was answered."""

from typing import Final, Protocol

from kilonode.base.outcomes import Outcome
from kilonode.clients.transport import Response

HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Requests that change nothing: nobody is told of them."""


class ChangeObserver(Protocol):
    """Called once for each request, when its answer has come or when it is known that none will. Must be quick."""

    def __call__(
        self,
        service: str,
        method: str,
        path: str,
        content: object,
        response: Response | None,
        outcome: Outcome,
        resent: bool,
        sent_ns: int,
        answered_ns: int,
    ) -> None:
        """`content` is what was sent as JSON, or None. `resent`: it was sent twice, so the first one may have been
        obeyed, whatever came of the second.
        """
        ...
