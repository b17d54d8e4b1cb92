"""How a run is ended early: by the user or by an abort criterion, gently or at once.

The first request stops the load gently: nothing new starts, running iterations drain, cleanup and report follow. The
second ends everything at once and leaves cleanup to `kilonode cleanup`.
"""

import asyncio


class Interruption:
    """Requests to end a run early; anything may ask, the conductor obeys."""

    def __init__(self) -> None:
        self.reason = ""
        """Why the run is ended early, for people; empty while it is not."""
        self.criterion = ""
        """The abort criterion that asked; empty: the user or a timeout did."""
        self._gentle = asyncio.Event()
        self._at_once = asyncio.Event()

    @property
    def requested(self) -> bool:
        """True once anybody asked."""
        return self._gentle.is_set()

    @property
    def at_once(self) -> bool:
        """True once somebody asked for a second time."""
        return self._at_once.is_set()

    def request(self, reason: str) -> None:
        """Ask; asking again, for whatever reason, means: at once."""
        if self.requested:
            self._at_once.set()
            return
        self.reason = reason
        self._gentle.set()

    def request_gently(self, reason: str, criterion: str = "") -> None:
        """Ask, but never mean *at once*: for what may ask many times, such as an abort criterion."""
        if not self.requested:
            self.criterion = criterion
            self.request(reason)

    async def wait(self) -> None:
        """Return when anybody has asked."""
        await self._gentle.wait()

    async def wait_at_once(self) -> None:
        """Return when somebody has asked for a second time."""
        await self._at_once.wait()
