"""How a run is ended early: by the user or by an abort criterion, gently or at once.

The first request stops the load gently: nothing new starts, running iterations drain, cleanup and report follow. The
second ends everything at once and leaves cleanup to `kilonode cleanup`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from kilonode.base.errors import AbortError

Result = TypeVar("Result")


class Interruption:
    """Requests to end a run early; anything may ask, the conductor obeys."""

    def __init__(self) -> None:
        self.reason = ""
        """Why the run is ended early, for people; empty while it is not."""
        self.criterion = ""
        """The abort criterion that asked; empty: the user or a timeout did."""
        self.by_user = False
        """The user asked, first or last."""
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

    def request(self, reason: str, *, gently: bool = False) -> None:
        """Ask, for the user; when anybody has asked before, this means: at once, unless it is meant `gently`."""
        self.by_user = True
        if not self.requested:
            self.reason = reason
            self._gentle.set()
        elif not gently:
            self._at_once.set()

    def request_gently(self, reason: str, criterion: str = "") -> None:
        """Ask, but never mean *at once*: for what may ask many times, such as an abort criterion."""
        if not self.requested:
            self.criterion, self.reason = criterion, reason
            self._gentle.set()

    async def wait(self) -> None:
        """Return when anybody has asked."""
        await self._gentle.wait()

    async def wait_at_once(self) -> None:
        """Return when somebody has asked for a second time."""
        await self._at_once.wait()

    async def unless_requested(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do `work`, but give it up as soon as anybody asks. Raises AbortError then."""
        done, result = await _first(work, self.wait)
        if not done:
            raise AbortError(f"ended before the load: {self.reason}")
        return result()

    async def unless_at_once(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """Do `work`, but give it up as soon as anybody asks for a second time; None then."""
        done, result = await _first(work, self.wait_at_once)
        return result() if done else None


async def _first(
    work: Coroutine[Any, Any, Result], other: Callable[[], Awaitable[None]]
) -> tuple[bool, Callable[[], Result]]:
    """Do `work` until it or `other` is done; whether the work is, and how to get what it came to."""
    task = asyncio.create_task(work)
    asked = asyncio.ensure_future(other())
    try:
        await asyncio.wait([task, asked], return_when=asyncio.FIRST_COMPLETED)
        return task.done(), task.result
    finally:
        for one in (task, asked):
            one.cancel()
        await asyncio.gather(task, asked, return_exceptions=True)
